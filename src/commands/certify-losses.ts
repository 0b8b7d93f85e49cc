import type { RowShape } from '../connector/contract.ts';
import type { Core } from '../ledger/core.ts';
import type { Contains } from '../connector/ledger-sites.ts';
import { changesBetween, type LostChange } from '../ledger/loss.ts';
import { rootOf } from '../ledger/candidate-check.ts';
import type { Boundary } from '../ledger/state.ts';
import { LossWriter } from '../report/loss-file.ts';
import type { LedgerConnector } from './certify-primary.ts';

/** Changes whose keys are asked for at once. */
const CHANGES_PER_BATCH = 1000;

/** What lies between two boundaries of the journal, but for transactions that the candidate has all the same. */
export interface LostRange {
  readonly from: Boundary;
  readonly to: Boundary;
  readonly contains: Contains | undefined;
}

/**
 * Writes every change of a part of the journal that the candidate lacks, in commit order, with its key as the candidate writes it.
 * Returns how many. Throws TP-OUTPUT, and what asking the candidate throws.
 */
export async function writeLosses(
  file: string,
  core: Core,
  { from, to, contains }: LostRange,
  site: LedgerConnector,
  shapes: ReadonlyMap<string, RowShape>,
  signal: AbortSignal,
): Promise<bigint> {
  const writer = await LossWriter.create(file);
  try {
    let batch: LostChange[] = [];
    for (const change of changesBetween(core, from, to, contains)) {
      batch.push(change);
      if (batch.length < CHANGES_PER_BATCH) continue;
      await writeBatch(writer, core, batch, site, shapes, signal);
      batch = [];
    }
    await writeBatch(writer, core, batch, site, shapes, signal);
    return await writer.close();
  } catch (error) {
    await writer.discard();
    throw error;
  }
}

async function writeBatch(
  writer: LossWriter,
  core: Core,
  changes: readonly LostChange[],
  site: LedgerConnector,
  shapes: ReadonlyMap<string, RowShape>,
  signal: AbortSignal,
): Promise<void> {
  const roots = changes.map(({ relation }) => {
    const known = core.catalog.byNumber(relation);
    return known === null ? null : rootOf(known);
  });
  const keys = new Map<LostChange, Readonly<Record<string, string>>>();
  for (const root of new Set(roots)) {
    const shape = root === null ? undefined : shapes.get(root);
    if (shape === undefined) continue;
    const own = changes.filter((change, index) => roots[index] === root && change.identity !== null);
    const identities = own.flatMap(({ identity }) => (identity === null ? [] : [identity]));
    const texts = await site.describeKeys(shape, identities, signal);
    for (const [index, change] of own.entries()) keys.set(change, texts[index] ?? {});
  }
  for (const [index, change] of changes.entries()) {
    await writer.write({
      transaction: change.transaction,
      committedAtUs: change.committedAtUs,
      table: roots[index] ?? change.table,
      leaf: change.table,
      kind: change.kind,
      key: keys.get(change) ?? bareKey(change),
    });
  }
}

/** Where the candidate does not have the table, the key's bytes are told. Null: the change is of no one row. */
function bareKey({ identity }: LostChange): Readonly<Record<string, string>> | null {
  return identity === null ? null : { '(key)': Buffer.from(identity).toString('hex') };
}
