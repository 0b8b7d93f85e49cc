import {
  blockCount,
  editPages,
  HEADER_BYTES,
  type HeapTarget,
  PD_LOWER,
} from '../../../src/demo/heap-edit.ts';

export { editStandby, eraseTuple, type HeapTarget, relationPath } from '../../../src/demo/heap-edit.ts';

export interface ReplaceOptions {
  /** At most so many places; default all. */
  readonly count?: number;
  /** Only each so-manieth place found, from the first on; default 1, each. */
  readonly every?: number;
}

/**
 * Puts `to` in place of `from`, of the same length, wherever the bytes stand in the table, dead row versions included;
 * returns in how many places. Values that are compressed or stored out of line are not found.
 */
export async function replaceInRelation(
  target: HeapTarget,
  relation: string,
  from: Buffer,
  to: Buffer,
  options: ReplaceOptions = {},
): Promise<number> {
  if (from.length !== to.length || from.length === 0)
    throw new Error('both byte strings must be equally long');
  const { count = Number.POSITIVE_INFINITY, every = 1 } = options;
  let seen = 0;
  let changed = 0;
  await editPages(target, relation, 0, await blockCount(target.cluster, relation), (page, record) => {
    let at = page.indexOf(from, HEADER_BYTES);
    for (; at >= 0 && changed < count; at = page.indexOf(from, at + from.length)) {
      seen += 1;
      if ((seen - 1) % every !== 0) continue;
      to.copy(page, at);
      record(at, to.length);
      changed += 1;
    }
  });
  return changed;
}

/** Breaks the header of a page, so that reading it raises SQLSTATE XX001. The page must hold rows. */
export async function corruptPage(target: HeapTarget, relation: string, block: number): Promise<void> {
  await editPages(target, relation, block, block + 1, (page, record) => {
    page.writeUInt16LE(0xffff, PD_LOWER);
    record(PD_LOWER, 2);
  });
}
