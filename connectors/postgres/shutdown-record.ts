import type { ShutDown } from '../../src/connector/ledger-sites.ts';
import type { Position } from '../../src/connector/position.ts';
import { readIdentity } from './identity.ts';
import { type Lsn, pageHeaderBytes, parseLsn, type WalShape } from './lsn.ts';
import { place } from './positions.ts';
import type { Session } from './session.ts';

/** Of a checkpoint record in all versions from 14 to 18 (xlogrecord.h, pg_control.h): 24 + 2 + sizeof(CheckPoint). */
const RECORD_BYTES = 114n;
const ALIGNMENT = 8n;

/**
 * An online checkpoint begins before its record: the transactions that run are logged in between (LogStandbySnapshot in
 * CreateCheckPoint), so its redo point is another place. The two are one only where nobody can write: at a shutdown, and at
 * the end of crash recovery. A standby notes a checkpoint that it has replayed when it has made a restart point of it:
 * after checkpoint_timeout, or at CHECKPOINT.
 */
const NEWEST_CHECKPOINT = `
select c.checkpoint_lsn::text as begin, c.checkpoint_lsn = c.redo_lsn as final,
  (extract(epoch from c.checkpoint_time) * 1000000)::int8::text as us,
  case when pg_catalog.pg_is_in_recovery() then pg_catalog.pg_last_wal_replay_lsn() end::text as replayed
from pg_catalog.pg_control_checkpoint() c`;

interface CheckpointRow {
  readonly begin: string;
  readonly final: boolean;
  readonly us: string;
  readonly replayed: string | null;
}

/** The primary's shutdown record, if it is what the standby has replayed last, `applied` being where it stands. */
export async function readShutDown(
  session: Session,
  applied: Position | null,
  signal: AbortSignal,
): Promise<ShutDown | null> {
  const [row] = await session.rows<CheckpointRow>(NEWEST_CHECKPOINT, [], signal);
  if (row === undefined || !row.final || row.replayed === null) return null;
  const identity = await readIdentity(session, signal);
  const begin = parseLsn(row.begin);
  const end = recordEnd(begin, identity.wal);
  if (end !== parseLsn(row.replayed) || place(identity, end) !== applied) return null;
  return { begin: place(identity, begin), timeUs: BigInt(row.us) };
}

/** Where a checkpoint record ends that begins at `begin`: headers of the pages that it goes on to lie in between. */
export function recordEnd(begin: Lsn, shape: WalShape): Lsn {
  let at = begin;
  for (let left = RECORD_BYTES; ;) {
    const room = shape.pageBytes - (at % shape.pageBytes);
    if (left <= room) return aligned(at + left);
    left -= room;
    at += room;
    at += pageHeaderBytes(at, shape);
  }
}

function aligned(lsn: Lsn): Lsn {
  return ((lsn + ALIGNMENT - 1n) / ALIGNMENT) * ALIGNMENT;
}
