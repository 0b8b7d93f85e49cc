import type { Bracket, Contains, Scattered } from '../../src/connector/ledger-sites.ts';
import { readOwned } from './commits.ts';
import type { GtidList } from './gtid-list.ts';
import { unite } from './gtid-set.ts';
import type { Followed } from './ledger-candidate.ts';
import { readExecuted } from './positions.ts';
import { placeOfList, placeOfSet, type SetPlace } from './scattered.ts';
import type { Session } from './session.ts';

/** Asked before a read; what it returns is to be called once the snapshot of the read stands. */
export type BracketEnd = () => Promise<Bracket>;

/**
 * MySQL. Before the read: gtid_executed has a transaction only when it is visible, so all of it is in the read. After
 * its snapshot: a transaction that is visible is executed, or still owned by the worker that applies it
 * (sql/rpl_gtid_state.cc, update_gtids_impl); what is owned is read first, so nothing slips through between the two.
 */
export async function openBracket(
  session: Session,
  followed: Followed,
  signal: AbortSignal,
): Promise<BracketEnd> {
  const before = placeOfSet(await readExecuted(session, signal), followed);
  return async () => {
    const owned = await readOwned(session, signal);
    const after = placeOfSet(unite(owned, await readExecuted(session, signal)), followed);
    const ends = { atLeast: before.atLeast, atMost: after.atMost };
    return before.scattered === null ? ends : { ...ends, contains: during(before.scattered, after) };
  };
}

/** What was executed before the read is in it; what was then executed or owned may be. */
function during({ contains }: Scattered, { scattered }: SetPlace): Contains {
  // Without a hole everything up to its end may be there.
  const later = scattered === null ? () => true : scattered.contains;
  return (transaction) =>
    contains(transaction) === true ? true : later(transaction) === true ? null : false;
}

interface SlaveRow {
  readonly [name: string]: string | null;
  readonly domain: string;
  readonly server: string;
  readonly sequence: string;
}

/**
 * MariaDB, within the reading transaction: a replicated transaction writes its GTID into mysql.gtid_slave_pos itself,
 * so what this table says in a snapshot is exactly what the snapshot has (knowledge base, "mysql.gtid_slave_pos Table";
 * each domain's newest row has the greatest sub_id). Null: the table is no part of the snapshot (Followed.exact).
 */
export async function readPlaceInSnapshot(
  session: Session,
  followed: Followed,
  signal: AbortSignal,
): Promise<Bracket | null> {
  if (!followed.exact) return null;
  const rows = await session.rows<SlaveRow>(
    'SELECT domain_id AS domain, server_id AS server, seq_no AS sequence FROM mysql.gtid_slave_pos ORDER BY sub_id',
    [],
    signal,
  );
  const { position, scattered } = placeOfList(newest(rows), followed);
  const place = { atLeast: position, atMost: position };
  return scattered === null ? place : { ...place, contains: scattered.contains };
}

/** Of each domain the row that comes last. */
function newest(rows: readonly SlaveRow[]): GtidList {
  const list = new Map<bigint, { server: bigint; sequence: bigint }>();
  for (const { domain, server, sequence } of rows) {
    list.set(BigInt(domain), { server: BigInt(server), sequence: BigInt(sequence) });
  }
  return list;
}
