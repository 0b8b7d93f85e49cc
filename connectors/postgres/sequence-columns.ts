import { escapeIdentifier } from 'pg';
import { TwinproofError } from '../../src/errors.ts';
import { readRecords } from './lists.ts';
import type { Session } from './session.ts';

/** A fact, or a part of one (`sequences.public.s`), that could not be read. */
export interface Unread {
  readonly fact: string;
  readonly reason: string;
}

/**
 * Sequences or columns looked at in one statement: enough to be quick, few enough to parse. The server keeps a lock on each
 * until the statement ends: 7,000 in one statement took the last room in its table of locks, from all sessions (measured).
 */
export const BATCH = 100;
/** A column without an index of its own is read whole only in tables up to this many blocks (80 MB). */
const SCAN_BLOCKS_MAX = 10_000;

/** A column of numbers that a sequence feeds. */
export interface FedColumn {
  /** The sequence's and the table's OID, and that of the table it inherits from or is a partition of. */
  readonly sequence: number;
  readonly relation: number;
  readonly parent: number | null;
  readonly schema: string;
  readonly table: string;
  readonly column: string;
  /** It holds no NULL. */
  readonly required: boolean;
  /** It holds whole numbers only. */
  readonly whole: boolean;
  /** Whether the extreme of the column is quickly found. */
  readonly cheap: boolean;
}

const FED_PARTS = [
  'sequence',
  'relation',
  'parent',
  'schema',
  'table',
  'column',
  'required',
  'whole',
  'cheap',
] as const satisfies readonly (keyof FedColumn)[];

/**
 * The column that owns a sequence (identity, serial), where the catalog says so, and every column whose default calls it. Apart,
 * since the planner joined all of it row by row: 12 s with 5000 sequences, measured on a busy machine. A domain is written out
 * as what it is at last a domain of (manual, "pg_type").
 */
const FED = `with fed as materialized (
  select d.objid as sequence, d.refobjid as relation, d.refobjsubid::int2 as attnum
    from pg_depend d join pg_sequence q on q.seqrelid = d.objid
    where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i')
      and d.refobjsubid > 0
  union
  select d.refobjid, f.adrelid, f.adnum
    from pg_depend d join pg_attrdef f on f.oid = d.objid join pg_sequence q on q.seqrelid = d.refobjid
    where d.classid = 'pg_attrdef'::regclass and d.refclassid = 'pg_class'::regclass
), numbers as materialized (
  select p.oid, p.typoutput = 'numeric_out'::regproc as fractions from pg_type p
  where p.typoutput in ('int2out'::regproc, 'int4out'::regproc, 'int8out'::regproc, 'numeric_out'::regproc))
select f.sequence::int8 as sequence, f.relation::int8 as relation, i.inhparent::int8 as parent, n.nspname as schema,
  t.relname as "table", a.attname as "column", a.attnotnull as required, not y.fractions as whole,
  t.relpages <= ${SCAN_BLOCKS_MAX} and t.relkind = 'r' or exists (select from pg_index x
    where x.indrelid = t.oid and x.indkey[0] = a.attnum and x.indisvalid and x.indpred is null) as cheap
from fed f join pg_class t on t.oid = f.relation and t.relkind in ('r', 'p')
join pg_namespace n on n.oid = t.relnamespace
cross join lateral (select x.attnum, x.attname, x.attnotnull, x.atttypid from pg_attribute x
  where x.attrelid = f.relation and x.attnum = f.attnum offset 0) a
join numbers y on y.oid = a.atttypid
left join pg_inherits i on i.inhrelid = f.relation and i.inhseqno = 1
order by 1, 2, a.attnum`;

/**
 * The columns of each sequence, by its OID. What a table reads includes its partitions and heirs, so those that the same
 * sequence feeds are left out.
 */
export async function readFedColumns(
  session: Session,
  signal: AbortSignal,
): Promise<ReadonlyMap<number, readonly FedColumn[]>> {
  const all = new Map<number, FedColumn[]>();
  for (const column of await readRecords<FedColumn>(session, FED_PARTS, FED, signal)) {
    const list = all.get(column.sequence);
    if (list === undefined) all.set(column.sequence, [column]);
    else list.push(column);
  }
  for (const [sequence, columns] of all) {
    if (columns.length === 1) continue;
    const relations = new Set(columns.map(({ relation }) => relation));
    all.set(
      sequence,
      columns.filter(({ parent }) => parent === null || !relations.has(parent)),
    );
  }
  return all;
}

/** A column of a sequence that counts down has its furthest value at the lower end. */
interface Sought extends FedColumn {
  readonly down: boolean;
}

/** The furthest value in a column; null when there is no row. */
type Extreme = readonly [column: Sought, value: bigint | null];

/**
 * The furthest value in each column that tells it quickly; the others go to `unreadable`, with the reason. Throws what is no
 * refusal.
 */
export async function readExtremes(
  session: Session,
  columns: readonly Sought[],
  unreadable: (column: FedColumn, reason: string) => void,
  signal: AbortSignal,
): Promise<readonly Extreme[]> {
  for (const column of columns) {
    if (!column.cheap) unreadable(column, `${column.schema}.${column.table} has no index on the column`);
  }
  const found: Extreme[] = [];
  for (const batch of batchesOf(columns.filter(({ cheap }) => cheap))) {
    found.push(...(await extremesOfBatch(session, batch, unreadable, signal)));
  }
  return found;
}

async function extremesOfBatch(
  session: Session,
  batch: readonly Sought[],
  unreadable: (column: FedColumn, reason: string) => void,
  signal: AbortSignal,
): Promise<readonly Extreme[]> {
  try {
    return await extremesOf(session, batch, signal);
  } catch (error) {
    if (!isRefusal(error)) throw error;
  }
  // One column that cannot be read must not hide the others.
  const found: Extreme[] = [];
  for (const column of batch) {
    try {
      found.push(...(await extremesOf(session, [column], signal)));
    } catch (error) {
      if (!isRefusal(error)) throw error;
      unreadable(column, error.message);
    }
  }
  return found;
}

/** By ORDER BY and not by max(), for which the server makes two plans a table. */
async function extremesOf(
  session: Session,
  batch: readonly Sought[],
  signal: AbortSignal,
): Promise<Extreme[]> {
  const queries = batch.map(({ schema, table, column, required, whole, down }) => {
    // By itself, ORDER BY would take it for what is selected, which is text.
    const name = `c.${escapeIdentifier(column)}`;
    const held = required ? '' : `where ${name} is not null`;
    const from = `from ${escapeIdentifier(schema)}.${escapeIdentifier(table)} c`;
    const order = `order by ${name} ${down ? 'asc' : 'desc'} limit 1`;
    if (whole) return `select ${name}::text ${from} ${held} ${order}`;
    // No sequence reaches the infinities and NaN, which stands above them in the server's order.
    const rounded = `pg_catalog.${down ? 'floor' : 'ceil'}(${name}::numeric)`;
    return `select ${rounded}::text ${from} where ${name} ${down ? "> '-Infinity'" : "< 'Infinity'"} ${order}`;
  });
  const values = await readValues(session, queries, signal);
  return batch.map((column, index) => {
    const value = values[index] ?? null;
    // Of a column that is counted down in, NaN is what is left when there is nothing else.
    return [column, value !== null && /^-?\d+$/.test(value) ? BigInt(value) : null];
  });
}

/** What each query gives, none or one text. As parts of one row: a UNION of as many is planned anew for each arm. */
export async function readValues(
  session: Session,
  queries: readonly string[],
  signal: AbortSignal,
): Promise<readonly (string | null)[]> {
  const [row] = await session.rows<{ found: readonly (string | null)[] }>(
    `select array[${queries.map((query) => `(${query})`).join(', ')}]::text[] as found`,
    [],
    signal,
  );
  return row?.found ?? [];
}

function isRefusal(error: unknown): error is TwinproofError {
  return (
    error instanceof TwinproofError &&
    (error.code === 'TP-PERMISSION' || error.code === 'TP-QUERY' || error.code === 'TP-DEFINITION-CHANGED')
  );
}

/** `schema.table.column`. */
export function nameOf({ schema, table, column }: FedColumn): string {
  return `${schema}.${table}.${column}`;
}

export function batchesOf<Item>(items: readonly Item[]): (readonly Item[])[] {
  const batches: (readonly Item[])[] = [];
  for (let at = 0; at < items.length; at += BATCH) batches.push(items.slice(at, at + BATCH));
  return batches;
}
