import type { Session } from './session.ts';

/*
 * MariaDB: what InnoDB's own dictionary tells at once and information_schema only by opening every table, which takes
 * seconds where there are 10,000 (measured). Needs PROCESS (knowledge base, "Information Schema INNODB_SYS_… Tables").
 */

export interface KeyText {
  /** `schema.table`. */
  readonly table: string;
  /** `unique key (a, b)`, `foreign key to t on update … on delete …`. */
  readonly text: string;
}

export interface InnodbKeys {
  readonly keys: KeyText[];
  /** `schema.table` of tables of which InnoDB had to number the rows, for want of a key. */
  readonly keyless: string[];
}

/** Bits of an index's type (storage/innobase/include/dict0mem.h): DICT_UNIQUE, DICT_FTS, DICT_SPATIAL. */
const UNIQUE = 2;
const FULLTEXT = 32;
const SPATIAL = 64;

/** The clustered index of a table without a key, and the index that full text search adds. */
const NUMBERED = 'GEN_CLUST_INDEX';
const HIDDEN = 'FTS_DOC_ID_INDEX';

/** Indexes of the tables in the session's database, without prefix lengths. */
export async function readInnodbKeys(session: Session, signal: AbortSignal): Promise<InnodbKeys> {
  const [{ place } = { place: '' }] = await session.rows<{ place: string }>(
    'SELECT DATABASE() AS place',
    [],
    signal,
  );
  const tables = await session.rows<{ id: string; name: string }>(
    'SELECT t.table_id AS id, t.name AS name FROM information_schema.innodb_sys_tables t ORDER BY t.table_id',
    [],
    signal,
  );
  const names = tablesOf(tables, place);
  const fields = await session.rows<{ id: string; name: string }>(
    'SELECT f.index_id AS id, f.name AS name FROM information_schema.innodb_sys_fields f ORDER BY f.index_id, f.pos',
    [],
    signal,
  );
  const columns = new Map<string, string[]>();
  for (const { id, name } of fields) {
    const list = columns.get(id);
    if (list === undefined) columns.set(id, [name]);
    else list.push(name);
  }
  const indexes = await session.rows<Record<'id' | 'table' | 'name' | 'type', string>>(
    `SELECT i.index_id AS id, i.table_id AS \`table\`, i.name AS name, i.type AS type
     FROM information_schema.innodb_sys_indexes i`,
    [],
    signal,
  );
  const found: InnodbKeys = { keys: [], keyless: [] };
  for (const { id, table: tableId, name, type } of indexes) {
    const table = names.get(tableId);
    if (table === undefined || name === HIDDEN) continue;
    if (name === NUMBERED) found.keyless.push(table);
    else found.keys.push({ table, text: `${kindOf(Number(type))} (${(columns.get(id) ?? []).join(', ')})` });
  }
  found.keyless.sort();
  return found;
}

/** By table id. Of a partitioned table (`t#P#p0`) the first partition stands for all. */
function tablesOf(
  rows: readonly { readonly id: string; readonly name: string }[],
  place: string,
): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  const seen = new Set<string>();
  for (const { id, name } of rows) {
    const [schema, table] = plainName(name.replace(/#[Pp]#.*$/, ''));
    if (schema !== place || table.startsWith('#') || seen.has(table)) continue;
    seen.add(table);
    names.set(id, `${schema}.${table}`);
  }
  return names;
}

function kindOf(type: number): string {
  if ((type & FULLTEXT) !== 0) return 'fulltext index';
  if ((type & SPATIAL) !== 0) return 'spatial index';
  return (type & UNIQUE) === 0 ? 'index' : 'unique key';
}

/** Bits of `type`: what happens on DELETE and on UPDATE (knowledge base, "INNODB_SYS_FOREIGN Table"). */
export async function readInnodbForeignKeys(session: Session, signal: AbortSignal): Promise<KeyText[]> {
  const rows = await session.rows<Record<'from' | 'to' | 'type' | 'place', string>>(
    `SELECT f.for_name AS \`from\`, f.ref_name AS \`to\`, f.type AS type, DATABASE() AS place
     FROM information_schema.innodb_sys_foreign f`,
    [],
    signal,
  );
  return rows.flatMap(({ from, to, type, place }) => {
    const [schema, table] = plainName(from);
    if (schema !== place) return [];
    const bits = Number(type);
    const rule = (cascade: number, setNull: number): string =>
      (bits & cascade) !== 0 ? 'CASCADE' : (bits & setNull) !== 0 ? 'SET NULL' : 'RESTRICT';
    const [, target] = plainName(to);
    return [
      {
        table: `${schema}.${table}`,
        text: `foreign key to ${target} on update ${rule(4, 8)} on delete ${rule(1, 2)}`,
      },
    ];
  });
}

/**
 * `bank/t@002d1` is `bank` and `t-1`; letters with a short code of their own stay as they are (MySQL manual, "Mapping
 * of Identifiers to File Names").
 */
function plainName(name: string): readonly [schema: string, table: string] {
  const [schema = '', table = ''] = name
    .split('/')
    .map((part) =>
      part.replace(/@([0-9a-f]{4})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))),
    );
  return [schema, table];
}
