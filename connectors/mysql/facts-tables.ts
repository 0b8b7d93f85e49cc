import { refused } from './facts-reading.ts';
import { type InnodbKeys, type KeyText, readInnodbForeignKeys, readInnodbKeys } from './facts-innodb.ts';
import { serverErrno } from './failure.ts';
import type { Session } from './session.ts';

/** Engines whose tables are judged elsewhere: they lose their rows at a restart, or never had any. */
const UNKEPT = new Set(['MEMORY', 'BLACKHOLE']);

/** A table, view or sequence of the database, as information_schema names its kind. */
export interface TableEntry {
  /** `schema.table`. */
  readonly name: string;
  readonly kind: string;
  readonly engine: string | null;
}

/** One query for all who ask: on MariaDB each look at this view opens the definition of every table. */
export async function readTableList(session: Session, signal: AbortSignal): Promise<readonly TableEntry[]> {
  return session.rows<{ name: string; kind: string; engine: string | null }>(
    `SELECT CONCAT(t.table_schema, '.', t.table_name) AS name, t.table_type AS kind, t.engine AS engine
     FROM information_schema.tables t WHERE t.table_schema = DATABASE() ORDER BY 1`,
    [],
    signal,
  );
}

/** Tables that lose their rows at a restart, or never had any. */
export function unkeptOf(tables: readonly TableEntry[]): string[] {
  return tables.filter(({ engine }) => UNKEPT.has(engine?.toUpperCase() ?? '')).map(({ name }) => name);
}

/** Base tables that are not InnoDB and keep their rows, `schema.table (ENGINE)`. */
export function otherEnginesOf(tables: readonly TableEntry[]): string[] {
  return tables.flatMap(({ name, kind, engine }) => {
    const word = engine?.toUpperCase() ?? '';
    return kind !== 'BASE TABLE' || word === 'INNODB' || UNKEPT.has(word)
      ? []
      : [`${name} (${engine ?? 'no engine'})`];
  });
}

export interface TableKeys {
  readonly keyless: string[];
  readonly keys: Record<string, string[]>;
}

/** Keys, indexes and foreign keys of the base tables. Throws TP-PERMISSION without PROCESS on MariaDB. */
export async function readTableKeys(
  session: Session,
  tables: readonly TableEntry[],
  signal: AbortSignal,
): Promise<TableKeys> {
  const base = tables.filter(({ kind }) => kind === 'BASE TABLE').map(({ name }) => name);
  const isMariadb = session.flavor === 'mariadb';
  const found = isMariadb
    ? await readInnodbKeys(session, signal)
    : await readCatalogKeys(session, base, signal);
  const foreign = isMariadb
    ? await readInnodbForeignKeys(session, signal)
    : await readForeignKeys(session, signal);
  const known = new Set(base);
  const keys: Record<string, string[]> = {};
  for (const { table, text } of [...found.keys, ...foreign]) {
    // InnoDB also lists tables of its own that full text search needs.
    if (known.has(table)) (keys[table] ??= []).push(text);
  }
  for (const list of Object.values(keys)) list.sort();
  return { keyless: found.keyless.filter((name) => known.has(name)), keys };
}

type KeyRow = Readonly<
  Record<'table' | 'index' | 'unique' | 'nullable' | 'type', string> &
    Record<'column' | 'prefix' | 'direction', string | null>
>;

async function readCatalogKeys(
  session: Session,
  tables: readonly string[],
  signal: AbortSignal,
): Promise<InnodbKeys> {
  const identified = new Set<string>();
  const keys: KeyText[] = [];
  for (const parts of await readIndexes(session, signal)) {
    const [first] = parts;
    if (first === undefined) continue;
    keys.push({ table: first.table, text: indexText(first, parts) });
    if (first.unique === 'YES' && parts.every(isCertain)) identified.add(first.table);
  }
  return { keys, keyless: tables.filter((name) => !identified.has(name)) };
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

async function readForeignKeys(session: Session, signal: AbortSignal): Promise<KeyText[]> {
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
