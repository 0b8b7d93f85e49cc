import { refused } from './facts-reading.ts';
import { serverErrno } from './failure.ts';
import type { Session } from './session.ts';

/** Engines whose tables are judged elsewhere: they lose their rows at a restart, or never had any. */
const UNKEPT = new Set(['MEMORY', 'BLACKHOLE']);

export interface TableFacts {
  readonly otherEngines: string[];
  readonly keyless: string[];
  readonly keys: Record<string, string[]>;
}

type KeyRow = Readonly<
  Record<'table' | 'index' | 'unique' | 'nullable' | 'type', string> &
    Record<'column' | 'prefix' | 'direction', string | null>
>;

/** Two queries for the whole database, and two more for constraints; none asks for statistics, which are slow. */
export async function readTableFacts(session: Session, signal: AbortSignal): Promise<TableFacts> {
  const tables = await session.rows<{ name: string; engine: string | null }>(
    `SELECT CONCAT(t.table_schema, '.', t.table_name) AS name, t.engine AS engine FROM information_schema.tables t
     WHERE t.table_schema = DATABASE() AND t.table_type = 'BASE TABLE' ORDER BY 1`,
    [],
    signal,
  );
  const indexes = await readIndexes(session, signal);
  const keys: Record<string, string[]> = {};
  const add = (table: string, key: string): void => {
    (keys[table] ??= []).push(key);
  };
  const identified = new Set<string>();
  for (const parts of indexes) {
    const [first] = parts;
    if (first === undefined) continue;
    add(first.table, indexText(first, parts));
    if (first.unique === 'YES' && parts.every(isCertain)) identified.add(first.table);
  }
  for (const { table, text } of await readConstraints(session, signal)) add(table, text);
  for (const list of Object.values(keys)) list.sort();
  return {
    otherEngines: tables.flatMap(({ name, engine }) => {
      const kind = engine ?? 'no engine';
      return kind.toUpperCase() === 'INNODB' || UNKEPT.has(kind.toUpperCase()) ? [] : [`${name} (${kind})`];
    }),
    keyless: tables.map(({ name }) => name).filter((name) => !identified.has(name)),
    keys,
  };
}

/** A part of a unique key tells rows apart if it is a whole column that is never NULL. */
function isCertain({ column, nullable }: KeyRow): boolean {
  return column !== null && nullable !== 'YES';
}

function indexText({ unique, type }: KeyRow, parts: readonly KeyRow[]): string {
  const kind = type === 'BTREE' ? (unique === 'YES' ? 'unique key' : 'index') : `${type.toLowerCase()} index`;
  const columns = parts.map(({ column, prefix, direction }) => {
    const length = prefix === null ? '' : `(${prefix})`;
    return `${column ?? 'expression'}${length}${direction === 'D' ? ' desc' : ''}`;
  });
  return `${kind} (${columns.join(', ')})`;
}

/** The parts of each index, in their order. */
async function readIndexes(session: Session, signal: AbortSignal): Promise<KeyRow[][]> {
  const rows = await session.rows<KeyRow>(
    `SELECT CONCAT(s.table_schema, '.', s.table_name) AS \`table\`, s.index_name AS \`index\`,
       CASE s.non_unique WHEN 0 THEN 'YES' ELSE 'NO' END AS \`unique\`, s.nullable AS nullable,
       s.index_type AS type, s.column_name AS \`column\`, s.sub_part AS prefix, s.collation AS direction
     FROM information_schema.statistics s WHERE s.table_schema = DATABASE()
     ORDER BY s.table_name, s.index_name, s.seq_in_index`,
    [],
    signal,
  );
  const indexes: KeyRow[][] = [];
  for (const row of rows) {
    const last = indexes.at(-1);
    if (last?.[0]?.table === row.table && last[0].index === row.index) last.push(row);
    else indexes.push([row]);
  }
  return indexes;
}

/** Foreign keys and checks. */
async function readConstraints(
  session: Session,
  signal: AbortSignal,
): Promise<{ readonly table: string; readonly text: string }[]> {
  const foreign = await session.rows<Record<'table' | 'target' | 'update' | 'delete', string>>(
    `SELECT CONCAT(r.constraint_schema, '.', r.table_name) AS \`table\`, r.referenced_table_name AS target,
       r.update_rule AS \`update\`, r.delete_rule AS \`delete\`
     FROM information_schema.referential_constraints r WHERE r.constraint_schema = DATABASE()`,
    [],
    signal,
  );
  return foreign.map(({ table, target, update, delete: remove }) => ({
    table,
    text: `foreign key to ${target} on update ${update} on delete ${remove}`,
  }));
}

/** ER_XAER_RMERR: how MySQL refuses XA RECOVER without XA_RECOVER_ADMIN (manual, "XA Transaction SQL Statements"). */
const NO_XA_RECOVER = 1401;

/** XA transactions that are prepared. */
export async function readPrepared(session: Session, signal: AbortSignal): Promise<number> {
  try {
    return (await session.rows('XA RECOVER', [], signal)).length;
  } catch (error) {
    throw serverErrno(error) === NO_XA_RECOVER ? refused() : error;
  }
}
