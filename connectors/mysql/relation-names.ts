import { readVariables } from './identity-variables.ts';
import type { Session } from './session.ts';

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
