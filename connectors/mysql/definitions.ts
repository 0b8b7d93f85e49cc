import type { TableDescription } from '../../src/connector/table.ts';
import { readVariables } from './identity-variables.ts';
import { readLogFilters } from './positions-log.ts';
import type { Session } from './session.ts';
import { readDefinedTables } from './tables.ts';

/** A table as the catalog has it now, for those who follow its changes. A partitioned table is one table. */
export interface Definition {
  /** `schema.table`: the log knows tables by nothing else that stays. */
  readonly id: string;
  readonly leaf: string;
  /** Changes with everything that changes the form of rows, and not with TRUNCATE; all else is in the log as DDL. */
  readonly fingerprint: string;
  readonly description: TableDescription;
  /** Why its changes do not come with the log; null: nothing is known that keeps them out. */
  readonly unfollowed: string | null;
}

/**
 * The tables of the connected database that `selects` takes. Throws TP-PERMISSION when some may be hidden from the
 * account, or without REPLICATION CLIENT (MySQL) or BINLOG MONITOR (MariaDB).
 */
export async function readDefinitions(
  session: Session,
  selects: (schema: string, table: string) => boolean,
  signal: AbortSignal,
): Promise<Definition[]> {
  const withheld = await readWithheld(session, signal);
  const tables = await readDefinedTables(session, selects, signal);
  return tables.map(({ description, definition }) => ({
    id: description.name,
    leaf: description.name,
    fingerprint: definition,
    description,
    unfollowed: withheld ?? description.obstacle?.message ?? keyProblem(description),
  }));
}

function keyProblem({ key }: TableDescription): string | null {
  return key === null ? 'it has no key by which the log could say which of its rows changed' : null;
}

/** Why nothing of the connected database is in the log; null: nothing is known that keeps it out. */
async function readWithheld(session: Session, signal: AbortSignal): Promise<string | null> {
  const variables = await readVariables(session, ['log_bin'], signal);
  if (variables.get('log_bin')?.toUpperCase() !== 'ON') return 'the server keeps no binary log';
  const filters = await readLogFilters(session, signal);
  const [here] = await session.rows<{ name: string }>('SELECT DATABASE() AS name', [], signal);
  return isLeftOut(here?.name ?? '', filters) ? 'the binary log leaves out its database' : null;
}

/** Pure. With row logging the database is that of the table (manual, "Evaluation of Database-Level Options"). */
export function isLeftOut(
  database: string,
  { kept, left }: { readonly kept: readonly string[]; readonly left: readonly string[] },
): boolean {
  const has = (names: readonly string[]): boolean =>
    names.some((name) => name.toLowerCase() === database.toLowerCase());
  return kept.length > 0 ? !has(kept) : has(left);
}
