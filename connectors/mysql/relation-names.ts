import { readVariables } from './identity-variables.ts';
import type { Channel } from './relation-channels.ts';
import type { Session } from './session.ts';

export interface NamedDatabases {
  readonly candidate: string;
  readonly primary: string;
}

/**
 * Why the databases that the two URLs name are not the same tables; null: they are. A replica has every database of its
 * primary under its own name: in another one each table would seem to be missing. Only a channel that renames the very
 * database brings it elsewhere. Pure.
 */
export function otherDatabase(
  label: string,
  { candidate, primary }: NamedDatabases,
  channels: readonly Pick<Channel, 'filters'>[],
): string | null {
  if (candidate === primary) return null;
  if (channels.some(({ filters }) => filters.some((filter) => isRenaming(filter, primary, candidate))))
    return null;
  return `the candidate ${label} is a replica of the primary, and database ${candidate} was named there, but ${primary} of the primary: name the same one`;
}

/** As SHOW REPLICA STATUS writes it: `(a,b),(c,d)` on MySQL, `a->b,c->d` on MariaDB (10.11 and later). */
function isRenaming(filter: string, from: string, to: string): boolean {
  const [name, ...rest] = filter.split('=');
  const listed = `,${rest.join('=').replaceAll(', ', ',')},`;
  return (
    name === 'replicate_rewrite_db' &&
    [`,(${from},${to}),`, `,${from}->${to},`].some((one) => listed.includes(one))
  );
}

/**
 * Why the two sites cannot mean the same tables by their names; null: they can. Where lower_case_table_names differs, a
 * name in capitals is kept as it was written on one site and in lower case on the other (MySQL manual, "Identifier Case
 * Sensitivity"): every such table would look missing here and extra there. Names without capitals are the same
 * everywhere.
 */
export async function nameConfusion(
  candidate: Session,
  primary: Session,
  signal: AbortSignal,
): Promise<string | null> {
  const [ours, theirs] = [await setting(candidate, signal), await setting(primary, signal)];
  if (ours === theirs) return null;
  const name = (await capitals(primary, signal)) ?? (await capitals(candidate, signal));
  if (name === null) return null;
  return `lower_case_table_names is ${theirs} on the primary and ${ours} on the candidate, and the name ${name} has capitals: tables cannot be told by their names`;
}

async function setting(session: Session, signal: AbortSignal): Promise<string> {
  return (
    (await readVariables(session, ['lower_case_table_names'], signal)).get('lower_case_table_names') ?? ''
  );
}

async function capitals(session: Session, signal: AbortSignal): Promise<string | null> {
  const [row] = await session.rows<{ name: string }>(
    `SELECT t.table_name AS name FROM information_schema.tables t WHERE t.table_schema = DATABASE()
       AND CAST(t.table_name AS BINARY) <> CAST(LOWER(t.table_name) AS BINARY) ORDER BY 1 LIMIT 1`,
    [],
    signal,
  );
  return row?.name ?? null;
}
