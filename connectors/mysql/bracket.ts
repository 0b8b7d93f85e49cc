import type { Bracket } from '../../src/connector/ledger-sites.ts';
import { readOwned } from './commits.ts';
import type { GtidList } from './gtid-list.ts';
import { unite } from './gtid-set.ts';
import { boundsOf, type Followed, placeOfList } from './ledger-candidate.ts';
import { readExecuted } from './positions.ts';
import type { Session } from './session.ts';

/** Asked before a read; what it returns is to be called once the snapshot of the read stands. */
export type BracketEnd = () => Promise<Bracket>;

/**
 * MySQL. Before the read: gtid_executed has a transaction only when it is visible, so all of it is in the read. After its
 * snapshot: a transaction that is visible is executed, or still owned by the worker that applies it (sql/rpl_gtid_state.cc,
 * update_gtids_impl); what is owned is read first, so nothing slips through between the two.
 */
export async function openBracket(
  session: Session,
  followed: Followed,
  signal: AbortSignal,
): Promise<BracketEnd> {
  const { atLeast } = boundsOf(await readExecuted(session, signal), followed);
  return async () => {
    const owned = await readOwned(session, signal);
    const { atMost } = boundsOf(unite(owned, await readExecuted(session, signal)), followed);
    return { atLeast, atMost };
  };
}

interface SlaveRow {
  readonly [name: string]: string | null;
  readonly domain: string;
  readonly server: string;
  readonly sequence: string;
}

/**
 * MariaDB, within the reading transaction: a replicated transaction writes its GTID into mysql.gtid_slave_pos itself, so
 * what this table says in a snapshot is exactly what the snapshot has (knowledge base, "mysql.gtid_slave_pos Table"; each
 * domain's newest row has the greatest sub_id). Null: the table is no part of the snapshot (Followed.exact).
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
  const place = placeOfList(newest(rows), followed);
  return { atLeast: place, atMost: place };
}

/** Of each domain the row that comes last. */
function newest(rows: readonly SlaveRow[]): GtidList {
  const list = new Map<bigint, { server: bigint; sequence: bigint }>();
  for (const { domain, server, sequence } of rows) {
    list.set(BigInt(domain), { server: BigInt(server), sequence: BigInt(sequence) });
  }
  return list;
}
