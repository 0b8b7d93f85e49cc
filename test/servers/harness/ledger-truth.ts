import { setTimeout as sleep } from 'node:timers/promises';
import { parseLsn, parsePosition } from '../../../connectors/postgres/lsn.ts';
import type { Cluster } from '../../../src/demo/cluster.ts';
import { entryState, STATE } from '../../../src/ledger/entry.ts';
import { Known } from '../../../src/ledger/known.ts';
import type { Ledger } from '../../../src/ledger/ledger.ts';
import { Unread } from '../../../src/ledger/unread.ts';
import type { RunningWatch, WatchFolder } from './watch.ts';

const LOOK_EVERY_MS = 200;

/**
 * Waits until the ledger holds all that the primary is now: every commit of its log, every definition as its catalog has
 * it, and every row of each table that it follows. Nobody writes meanwhile.
 */
export async function ledgerSettled(
  folder: WatchFolder,
  watch: RunningWatch,
  primary: Cluster,
): Promise<void> {
  const [now] = await primary.sql(`SELECT pg_logical_emit_message(true, 'test', '')::text AS lsn,
    (extract(epoch FROM clock_timestamp()) * 1000000)::int8::text AS us`);
  const lsn = parseLsn(String(now?.['lsn']));
  const us = BigInt(String(now?.['us']));
  await watch.sees(async () => {
    // To open the ledger takes longer than to look.
    await sleep(LOOK_EVERY_MS);
    return await folder.reading((ledger) => hasLogUpTo(ledger, lsn) && knowsEverySince(ledger, us));
  }, 'the ledger has everything');
}

export function hasLogUpTo({ position }: Ledger, lsn: ReturnType<typeof parseLsn>): boolean {
  return position !== null && parsePosition(position).lsn >= lsn;
}

function knowsEverySince({ core }: Ledger, us: bigint): boolean {
  const definitions = new Known(core.store).definitions();
  if (definitions === null || definitions.knownUntilUs <= us) return false;
  if (new Unread(core).any) return false;
  for (const { entry } of core.pending) if (entryState(entry) === STATE.unknown) return false;
  return definitions.tables.every(
    ({ id, unfollowed }) => unfollowed !== null || typeof core.catalog.ofTable(id)?.completeFrom === 'number',
  );
}
