import { constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cluster } from './cluster.ts';
import { waitForReplay } from './cluster-standby.ts';

/**
 * Edits of a stopped server's heap files, below everything PostgreSQL can see. Tables here are named by the path that
 * `relationPath` gives. Give `editStandby` the edits of a standby: it alone makes sure that they last.
 */

const PAGE_BYTES = 8192;
const PAGES_PER_FILE = 131_072;
export const HEADER_BYTES = 24;
export const ITEM_BYTES = 4;
/** Offset of pd_lower, which a sound page keeps at or below pd_upper. */
export const PD_LOWER = 12;
const LP_DEAD = 3;

/** Bytes that an edit left on disk. */
export interface Edit {
  readonly path: string;
  /** Byte offset in the file. */
  readonly offset: number;
  readonly bytes: Buffer;
}

/** Where an edit happens: a server that does not run. */
export interface HeapTarget {
  readonly cluster: Cluster;
  /** Filled by the edits. */
  readonly edits: Edit[];
}

/** Path of a table's main file below the data directory, such as `base/5/16384`. Needs a running server. */
export async function relationPath(cluster: Cluster, database: string, table: string): Promise<string> {
  const rows = await cluster.query(database, 'SELECT pg_relation_filepath($1::regclass) AS path', [table]);
  return String(rows[0]?.['path']);
}

/**
 * Makes the row version at `ctid` (text, such as `(0,1)`) disappear from scans of the heap and of its indexes; an
 * index-only scan of an all-visible page still shows it.
 */
export async function eraseTuple(
  target: HeapTarget,
  relation: string,
  ctid: string,
  as: 'unused' | 'dead' = 'unused',
): Promise<void> {
  const match = /^\((\d+),(\d+)\)$/.exec(ctid);
  if (match === null) throw new Error(`${ctid} is not a ctid`);
  const item = Number(match[2]);
  const block = Number(match[1]);
  await editPages(target, relation, block, block + 1, (page, record) => {
    const at = HEADER_BYTES + ITEM_BYTES * (item - 1);
    if (item < 1 || at + ITEM_BYTES > page.readUInt16LE(PD_LOWER)) throw new Error(`no line pointer ${ctid}`);
    // lp_off 15 bits, lp_flags 2 bits, lp_len 15 bits; an unused or dead one has neither offset nor length.
    page.writeUInt32LE(as === 'dead' ? LP_DEAD << 15 : 0, at);
    record(at, ITEM_BYTES);
  });
}

/**
 * Makes a standby differ from its primary for good: brings both to a common checkpoint, so that replay starts after
 * the pages were written, stops the standby, edits, starts it again, lets it replay and write its pages once more, and
 * checks that the edits still stand. Nothing may write to the edited pages on the primary during or after it: a full
 * page image would heal them. VACUUM (FREEZE) the table first, as reading can make the primary write, too.
 * @throws Error when nothing was edited or replay undid an edit; what the edits throw.
 */
export async function editStandby(
  primary: Cluster,
  standby: Cluster,
  edit: (target: HeapTarget) => Promise<unknown>,
): Promise<readonly Edit[]> {
  const target: HeapTarget = { cluster: standby, edits: [] };
  let final: Buffer[] = [];
  await restartPoint(primary, standby);
  await standby.stop('fast');
  try {
    await edit(target);
    // Read again: a later edit may have changed an earlier one's bytes.
    final = await readBack(target.edits);
  } finally {
    await standby.start();
  }
  if (target.edits.length === 0) throw new Error('no place was edited');
  await restartPoint(primary, standby);
  const now = await readBack(target.edits);
  for (const [index, place] of target.edits.entries()) {
    const bytes = now[index];
    if (bytes !== undefined && final[index]?.equals(bytes) === true) continue;
    throw new Error(`replay undid the edit at ${place.path}:${place.offset}`);
  }
  return target.edits;
}

/**
 * The same for a standby whose primary is gone. The edits last if the log since its last restart point does not hold the
 * pages: true of pages that nobody wrote to since it was copied.
 */
export async function editOrphan(
  standby: Cluster,
  edit: (target: HeapTarget) => Promise<unknown>,
): Promise<void> {
  await standby.stop('fast');
  try {
    await edit({ cluster: standby, edits: [] });
  } finally {
    await standby.start();
  }
}

/** Makes the standby write all its pages to disk, as of a checkpoint that the primary makes now. */
async function restartPoint(primary: Cluster, standby: Cluster): Promise<void> {
  await primary.sql('CHECKPOINT');
  await waitForReplay(standby);
  await standby.sql('CHECKPOINT');
}

/** Pages of a table, over all its files of 1 GiB. */
export async function blockCount(cluster: Cluster, relation: string): Promise<number> {
  let blocks = 0;
  for (let file = 0; ; file += 1) {
    const facts = await stat(filePath(cluster, relation, file)).catch(() => null);
    if (facts === null) return blocks;
    blocks += facts.size / PAGE_BYTES;
  }
}

function filePath(cluster: Cluster, relation: string, file: number): string {
  return join(cluster.paths.data, file === 0 ? relation : `${relation}.${file}`);
}

type PageEdit = (page: Buffer, record: (at: number, length: number) => void) => void;

/** Hands over each page of `from` ≤ block < `to` and writes it back when the edit recorded a place in it. */
export async function editPages(
  target: HeapTarget,
  relation: string,
  from: number,
  to: number,
  edit: PageEdit,
): Promise<void> {
  if (target.cluster.running)
    throw new Error(`"${target.cluster.name}" must be stopped before its files change`);
  for (let first = from; first < to; first = nextFile(first)) {
    const path = filePath(target.cluster, relation, Math.floor(first / PAGES_PER_FILE));
    const file = await open(path, constants.O_RDWR);
    try {
      for (let block = first; block < Math.min(to, nextFile(first)); block += 1) {
        const start = (block % PAGES_PER_FILE) * PAGE_BYTES;
        const page = await readPage(file, start);
        const places: Edit[] = [];
        edit(page, (at, length) => {
          places.push({ path, offset: start + at, bytes: page.subarray(at, at + length) });
        });
        if (places.length > 0) await file.write(page, 0, PAGE_BYTES, start);
        target.edits.push(...places);
      }
    } finally {
      await file.close();
    }
  }
}

/** First block of the file after the one that holds `block`. */
function nextFile(block: number): number {
  return (Math.floor(block / PAGES_PER_FILE) + 1) * PAGES_PER_FILE;
}

async function readPage(file: FileHandle, start: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(PAGE_BYTES), 0, PAGE_BYTES, start);
  if (bytesRead !== PAGE_BYTES) throw new Error(`the table has no page at byte ${start}`);
  return buffer;
}

/** The bytes that stand now where each edit was made. One file after the other is open, however many the edits. */
async function readBack(edits: readonly Edit[]): Promise<Buffer[]> {
  const found: Buffer[] = [];
  let file: FileHandle | null = null;
  let path = '';
  try {
    for (const edit of edits) {
      if (file === null || edit.path !== path) {
        await file?.close();
        file = await open(edit.path, 'r');
        path = edit.path;
      }
      const bytes = Buffer.alloc(edit.bytes.length);
      await file.read(bytes, 0, bytes.length, edit.offset);
      found.push(bytes);
    }
  } finally {
    await file?.close();
  }
  return found;
}
