import type { SequenceFact } from '../../src/connector/facts.ts';
import type { SessionShare } from '../../src/connector/session-share.ts';
import { TwinproofError } from '../../src/errors.ts';
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
const BATCH = 100;
/** A column without an index of its own is read whole only in tables up to this many blocks (80 MB). */
const SCAN_BLOCKS_MAX = 10_000;

interface SequenceRow {
  readonly oid: number;
  readonly name: string;
  readonly qualified: string;
  readonly increment: string;
  readonly start: string;
  readonly visible: boolean;
  readonly emptied: boolean;
  readonly readable: boolean;
  readonly inRecovery: boolean;
}

interface FedColumn {
  /** Of the column that it feeds; null: none of a whole-number type. */
  readonly table: string | null;
  readonly tableName: string | null;
  readonly column: string | null;
  readonly columnName: string | null;
  /** It holds no NULL. */
  readonly required: boolean;
  /** Whether the extreme of the column is quickly found. */
  readonly cheap: boolean;
}

type FedSequence = SequenceRow & FedColumn;

const FEEDS_NOTHING: FedColumn = {
  table: null,
  tableName: null,
  column: null,
  columnName: null,
  required: false,
  cheap: false,
};

/** Whoever may read all data may read each, without being asked for it. */
const READS_ALL = `(select pg_catalog.pg_has_role('pg_read_all_data', 'USAGE'))`;

/** On a standby sequences are replicated with everything else, and an unlogged one has no value there. */
const SEQUENCES = `
select c.oid::int8::float8 as oid, n.nspname || '.' || c.relname as name,
  pg_catalog.format('%I.%I', n.nspname, c.relname) as qualified,
  q.seqincrement::text as increment, q.seqstart::text as start,
  ${READS_ALL} or pg_catalog.has_sequence_privilege(q.seqrelid, 'SELECT, USAGE') as visible,
  c.relpersistence = 'u' and pg_catalog.pg_is_in_recovery() as emptied,
  ${READS_ALL} or pg_catalog.has_sequence_privilege(q.seqrelid, 'SELECT') as readable,
  pg_catalog.pg_is_in_recovery() as "inRecovery"
from pg_sequence q join pg_class c on c.oid = q.seqrelid join pg_namespace n on n.oid = c.relnamespace
where c.relpersistence <> 't' and n.nspname !~ '^pg_'
order by 2`;

/** Null: never called. */
const LAST = `select q.seqrelid::int8::float8 as oid, pg_catalog.pg_sequence_last_value(q.seqrelid)::text as last
from pg_sequence q where q.seqrelid = any($1::oid[])`;

/** The column that owns a sequence (identity, serial), where the catalog says so. */
const OWNERS = `select d.objid as sequence, d.refobjid as relation, d.refobjsubid::int2 as attnum
    from pg_depend d join pg_sequence q on q.seqrelid = d.objid
    where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i')
      and d.refobjsubid > 0`;

/** The first column whose default calls a sequence, of those sequences ($1). */
const CALLERS = `select distinct on (1) d.refobjid as sequence, f.adrelid as relation, f.adnum as attnum
    from pg_depend d join pg_attrdef f on f.oid = d.objid
    where d.classid = 'pg_attrdef'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = any($1::oid[])
    order by 1, 2, 3`;

/** Apart, since the planner joined all of it row by row: 12 s with 5000 sequences, measured on a busy machine. */
function fedBy(columns: string): string {
  return `with fed as materialized (${columns})
select f.sequence::int8::float8 as oid,
  pg_catalog.quote_ident(tn.nspname) || '.' || pg_catalog.quote_ident(t.relname) as "table", tn.nspname || '.' || t.relname as "tableName",
  pg_catalog.quote_ident(a.attname) as "column", a.attname as "columnName", a.attnotnull as required,
  t.relpages <= ${SCAN_BLOCKS_MAX} and t.relkind = 'r' or exists (select from pg_index i
    where i.indrelid = t.oid and i.indkey[0] = a.attnum and i.indisvalid and i.indpred is null) as cheap
from fed f join pg_class t on t.oid = f.relation and t.relkind in ('r', 'p')
join pg_namespace tn on tn.oid = t.relnamespace
join pg_attribute a on a.attrelid = f.relation and a.attnum = f.attnum
join pg_type y on y.oid = a.atttypid
  and (case y.typtype when 'd' then y.typbasetype else y.oid end)
    in ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype)`;
}

/**
 * Sequences of the database, in batches that are shared out among the sessions. Without `withData` the columns that they
 * feed are not looked at: to open every table for its largest value is most of the work.
 */
export async function readSequences(
  share: SessionShare<Session>,
  withData: boolean,
  signal: AbortSignal,
): Promise<Sequences> {
  const rows = await share.run((session) => readRows(session, withData, signal));
  const batches = await share.runAll(
    batchesOf(rows).map((batch) => (session: Session) => readBatch(session, batch, signal)),
  );
  return {
    sequences: batches.flatMap(({ sequences }) => sequences),
    unread: batches.flatMap(({ unread }) => unread),
  };
}

interface Sequences {
  readonly sequences: readonly SequenceFact[];
  readonly unread: readonly Unread[];
}

async function readRows(
  session: Session,
  withData: boolean,
  signal: AbortSignal,
): Promise<readonly FedSequence[]> {
  const rows = await session.rows<SequenceRow>(SEQUENCES, [], signal);
  if (!withData) return rows.map((row): FedSequence => Object.assign({}, FEEDS_NOTHING, row));
  const columns = new Map<number, FedColumn>();
  const add = async (query: string, parameters: readonly unknown[]): Promise<void> => {
    for (const column of await session.rows<FedColumn & { readonly oid: number }>(query, parameters, signal))
      columns.set(column.oid, column);
  };
  await add(fedBy(OWNERS), []);
  const others = rows.filter(({ oid }) => !columns.has(oid)).map(({ oid }) => oid);
  if (others.length > 0) await add(fedBy(CALLERS), [others]);
  return rows.map((row): FedSequence => Object.assign({}, FEEDS_NOTHING, columns.get(row.oid), row));
}

/**
 * The values in columns are read before those of the sequences: the other way round a row that comes in between would look as
 * if its sequence were behind.
 */
async function readBatch(
  session: Session,
  rows: readonly FedSequence[],
  signal: AbortSignal,
): Promise<Sequences> {
  const unread: Unread[] = [];
  const extremes = await readExtremes(session, rows, unread, signal);
  const lasts = await readLasts(session, rows, signal);
  const uncalled = rows.filter(({ oid }) => !lasts.has(oid));
  const starts = await readStarts(session, uncalled, signal);
  const sequences = rows.map((row): SequenceFact => {
    if (!row.visible) {
      unread.push({
        fact: `sequences.${row.name}`,
        reason: `the role may not read it: GRANT SELECT ON SEQUENCE ${row.qualified}`,
      });
    }
    return {
      name: row.name,
      lastValue: lastValueOf(row, lasts.get(row.oid) ?? starts.get(row.oid)),
      increment: BigInt(row.increment),
      ownedBy:
        row.tableName === null || row.columnName === null ? null : `${row.tableName}.${row.columnName}`,
      dataExtreme: extremes.get(row.oid) ?? null,
    };
  });
  return { sequences, unread };
}

/** A sequence that was never called stands one step before its first value, so that the next value is the first. */
function lastValueOf(row: SequenceRow, last: bigint | undefined): bigint | null {
  if (!row.visible) return null;
  return last ?? BigInt(row.start) - BigInt(row.increment);
}

/** The last value of those that were called. */
async function readLasts(
  session: Session,
  rows: readonly SequenceRow[],
  signal: AbortSignal,
): Promise<ReadonlyMap<number, bigint>> {
  const oids = rows.filter(({ visible, emptied }) => visible && !emptied).map(({ oid }) => oid);
  if (oids.length === 0) return new Map();
  const found = await session.rows<{ oid: number; last: string | null }>(LAST, [oids], signal);
  return new Map(found.flatMap(({ oid, last }) => (last === null ? [] : [[oid, BigInt(last)] as const])));
}

/**
 * Of sequences that nobody had called: one step before their first value, which is their start or what setval(…, false)
 * made of it; the last value if somebody has called them meanwhile.
 */
async function readStarts(
  session: Session,
  rows: readonly SequenceRow[],
  signal: AbortSignal,
): Promise<ReadonlyMap<number, bigint>> {
  const fresh = rows.filter(({ readable, inRecovery }) => readable && !inRecovery);
  if (fresh.length === 0) return new Map();
  const queries = fresh.map(
    ({ qualified, increment }) =>
      `select (last_value::numeric - case when is_called then 0 else ${increment} end)::text from ${qualified}`,
  );
  const values = await readValues(session, queries, signal);
  return new Map(
    fresh.flatMap(({ oid }, index) => {
      const value = values[index] ?? null;
      return value === null ? [] : [[oid, BigInt(value)] as const];
    }),
  );
}

/** The largest value of each fed column, the smallest for a descending sequence; absent when there is no row. */
async function readExtremes(
  session: Session,
  rows: readonly FedSequence[],
  unread: Unread[],
  signal: AbortSignal,
): Promise<ReadonlyMap<number, bigint>> {
  const fed = rows.filter(({ table, inRecovery }) => table !== null && !inRecovery);
  for (const row of fed) {
    if (!row.cheap)
      unread.push({ fact: `sequences.${row.name}`, reason: `${row.tableName} has no index on the column` });
  }
  const cheap = fed.filter((row) => row.cheap);
  if (cheap.length === 0) return new Map();
  try {
    return new Map(await extremesOf(session, cheap, signal));
  } catch (error) {
    if (!isRefusal(error)) throw error;
  }
  // One column that cannot be read must not hide the others.
  const extremes = new Map<number, bigint>();
  for (const row of cheap) {
    try {
      for (const [oid, value] of await extremesOf(session, [row], signal)) extremes.set(oid, value);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      unread.push({ fact: `sequences.${row.name}`, reason: error.message });
    }
  }
  return extremes;
}

/** By ORDER BY and not by max(), for which the server makes two plans a table. */
async function extremesOf(
  session: Session,
  batch: readonly FedSequence[],
  signal: AbortSignal,
): Promise<(readonly [number, bigint])[]> {
  const queries = batch.map(({ table, column, required, increment }) => {
    const [whole, order] = increment.startsWith('-') ? ['floor', 'asc'] : ['ceil', 'desc'];
    const held = required ? '' : `where ${column} is not null`;
    return `select pg_catalog.${whole}(${column}::numeric)::text from ${table} ${held} order by ${column} ${order} limit 1`;
  });
  const values = await readValues(session, queries, signal);
  return batch.flatMap(({ oid }, index) => {
    const value = values[index] ?? null;
    // A numeric column may hold NaN or Infinity, which no sequence reaches.
    return value !== null && /^-?\d+$/.test(value) ? [[oid, BigInt(value)] as const] : [];
  });
}

/** What each query gives, none or one text. As parts of one row: a UNION of as many is planned anew for each arm. */
async function readValues(
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

function batchesOf<Item>(items: readonly Item[]): (readonly Item[])[] {
  const batches: (readonly Item[])[] = [];
  for (let at = 0; at < items.length; at += BATCH) batches.push(items.slice(at, at + BATCH));
  return batches;
}
