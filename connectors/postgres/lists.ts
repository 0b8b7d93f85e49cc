import type { Session } from './session.ts';

type Values = readonly unknown[];

/**
 * All rows of a statement as one of lists, one for each of the columns that are named, as JSON has them: to take 80,000 rows apart
 * takes longer than the server needs to find them, and to group them by their tables it sorts them on disk (measured).
 */
export async function readLists(
  session: Session,
  columns: readonly string[],
  statement: string,
  signal: AbortSignal,
): Promise<readonly Values[]> {
  const lists = columns.map((name) => `pg_catalog.json_agg(f."${name}")::text as "${name}"`);
  const [row] = await session.rows<Readonly<Record<string, string | null>>>(
    `select ${lists.join(', ')} from (${statement}) f`,
    [],
    signal,
  );
  return columns.map((name) => {
    const values: Values = JSON.parse(row?.[name] ?? '[]');
    return values;
  });
}

/** The same, put together to rows again. */
export async function readRecords<Row>(
  session: Session,
  columns: readonly (keyof Row & string)[],
  statement: string,
  signal: AbortSignal,
): Promise<readonly Row[]> {
  const lists = await readLists(session, columns, statement, signal);
  return (lists[0] ?? []).map((_, place) => {
    const row: Row = Object.fromEntries(columns.map((name, index): Values => [name, lists[index]?.[place]]));
    return row;
  });
}
