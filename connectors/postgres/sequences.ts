import type { SequenceFact } from '../../src/connector/facts.ts';
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
  /** Whether its last value can be had: not that of an unlogged one on a standby. */
  readonly askable: boolean;
  readonly readable: boolean;
  readonly inRecovery: boolean;
}

interface FedColumn {
  /** Of the column that it feeds; null: none of a whole-number type. */
  readonly table: string | null;
  readonly tableName: string | null;
  readonly column: string | null;
  readonly columnName: string | null;
  /** Whether the extreme of the column is quickly found. */
  readonly cheap: boolean;
  /** An empty file: there is no value to look for. */
  readonly empty: boolean;
}

type FedSequence = SequenceRow & FedColumn;

const FEEDS_NOTHING: FedColumn = {
  table: null,
  tableName: null,
  column: null,
  columnName: null,
  cheap: false,
  empty: false,
};

/**
 * A sequence feeds the column that owns it (identity, serial), else the first whose default calls it. On a standby
 * sequences are replicated with everything else, so the column is not read there.
 */
const SEQUENCES = `
select c.oid::int8::float8 as oid, n.nspname || '.' || c.relname as name,
  pg_catalog.format('%I.%I', n.nspname, c.relname) as qualified,
  q.seqincrement::text as increment, q.seqstart::text as start, v.visible,
  v.visible and not (c.relpersistence = 'u' and pg_catalog.pg_is_in_recovery()) as askable, pg_catalog.has_sequence_privilege(q.seqrelid, 'SELECT') as readable,
  pg_catalog.pg_is_in_recovery() as "inRecovery"
from pg_sequence q join pg_class c on c.oid = q.seqrelid join pg_namespace n on n.oid = c.relnamespace
cross join lateral (select pg_catalog.has_sequence_privilege(q.seqrelid, 'SELECT, USAGE') as visible) v
where c.relpersistence <> 't' and n.nspname !~ '^pg_'
order by 2`;

/** Null: never called. */
const LAST = `select q.seqrelid::int8::float8 as oid, pg_catalog.pg_sequence_last_value(q.seqrelid)::text as last
from pg_sequence q where q.seqrelid = any($1::oid[])`;

/** Apart, since the planner joined the two row by row: 12 s with 5000 sequences, measured on a busy machine. */
const FED = `
with fed as materialized (
    select distinct on (sequence) sequence, relation, attnum from (
      select d.objid as sequence, d.refobjid as relation, d.refobjsubid as attnum, 1 as rank from pg_depend d
        join pg_sequence q on q.seqrelid = d.objid where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass
          and d.deptype in ('a', 'i') and d.refobjsubid > 0
      union all
      select d.refobjid, f.adrelid, f.adnum, 2 from pg_depend d join pg_attrdef f on f.oid = d.objid
        join pg_sequence q on q.seqrelid = d.refobjid where d.classid = 'pg_attrdef'::regclass and d.refclassid = 'pg_class'::regclass
    ) x order by sequence, rank, relation, attnum
  )
select f.sequence::int8::float8 as oid,
  pg_catalog.quote_ident(tn.nspname) || '.' || pg_catalog.quote_ident(t.relname) as "table", tn.nspname || '.' || t.relname as "tableName",
  pg_catalog.quote_ident(a.attname) as "column", a.attname as "columnName",
  t.relpages <= ${SCAN_BLOCKS_MAX} and t.relkind = 'r' or exists (select from pg_index i
    where i.indrelid = t.oid and i.indkey[0] = a.attnum and i.indisvalid and i.indpred is null) as cheap,
  coalesce(t.relkind = 'r' and not t.relhassubclass and pg_catalog.pg_relation_size(t.oid) = 0, false) as empty
from fed f join pg_class t on t.oid = f.relation and t.relkind in ('r', 'p')
join pg_namespace tn on tn.oid = t.relnamespace
join pg_attribute a on a.attrelid = f.relation and a.attnum = f.attnum
join pg_type y on y.oid = a.atttypid
  and (case y.typtype when 'd' then y.typbasetype else y.oid end)
    in ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype)`;

export async function readSequences(
  session: Session,
  signal: AbortSignal,
): Promise<{ sequences: SequenceFact[]; unread: Unread[] }> {
  const sequenceRows = await session.rows<SequenceRow>(SEQUENCES, [], signal);
  const columns = await session.rows<FedColumn & { readonly oid: number }>(FED, [], signal);
  const fed = new Map(columns.map((column) => [column.oid, column]));
  const rows = sequenceRows.map((row): FedSequence =>
    Object.assign({}, FEEDS_NOTHING, fed.get(row.oid), row),
  );
  const unread: Unread[] = [];
  const lasts = await readLasts(session, rows, signal);
  const starts = await readStarts(
    session,
    rows.filter(({ oid }) => !lasts.has(oid)),
    signal,
  );
  const extremes = await readExtremes(session, rows, unread, signal);
  const sequences = rows.map((row): SequenceFact => {
    if (!row.visible) {
      unread.push({
        fact: `sequences.${row.name}`,
        reason: `the role may not read it: GRANT SELECT ON SEQUENCE ${row.qualified}`,
      });
    }
    return {
      name: row.name,
      lastValue: lastValueOf(row, lasts.get(row.oid), starts.get(row.oid)),
      increment: BigInt(row.increment),
      ownedBy:
        row.tableName === null || row.columnName === null ? null : `${row.tableName}.${row.columnName}`,
      dataExtreme: extremes.get(row.oid) ?? null,
    };
  });
  return { sequences, unread };
}

/** A sequence that was never called stands one step before its first value, so that the next value is the first. */
function lastValueOf(row: SequenceRow, last: bigint | undefined, first: bigint | undefined): bigint | null {
  if (!row.visible) return null;
  return last ?? (first ?? BigInt(row.start)) - BigInt(row.increment);
}

/** The last value of those that were called. */
async function readLasts(
  session: Session,
  rows: readonly SequenceRow[],
  signal: AbortSignal,
): Promise<ReadonlyMap<number, bigint>> {
  const lasts = new Map<number, bigint>();
  for (const batch of batchesOf(rows.filter(({ askable }) => askable))) {
    const oids = batch.map(({ oid }) => oid);
    const found = await session.rows<{ oid: number; last: string | null }>(LAST, [oids], signal);
    for (const { oid, last } of found) if (last !== null) lasts.set(oid, BigInt(last));
  }
  return lasts;
}

/** The first value of sequences that were never called: their start, or what setval(…, false) made of it. */
async function readStarts(
  session: Session,
  rows: readonly SequenceRow[],
  signal: AbortSignal,
): Promise<ReadonlyMap<number, bigint>> {
  const starts = new Map<number, bigint>();
  const fresh = rows.filter(({ readable, inRecovery }) => readable && !inRecovery);
  for (const batch of batchesOf(fresh)) {
    const parts = batch.map(
      ({ oid, qualified }) =>
        `select ${oid} as oid, last_value::text as value, is_called as called from ${qualified}`,
    );
    const found = await session.rows<{ oid: number; value: string; called: boolean }>(
      parts.join(' union all '),
      [],
      signal,
    );
    for (const { oid, value, called } of found) if (!called) starts.set(oid, BigInt(value));
  }
  return starts;
}

/** The largest value of each fed column, the smallest for a descending sequence; absent when there is no row. */
async function readExtremes(
  session: Session,
  rows: readonly FedSequence[],
  unread: Unread[],
  signal: AbortSignal,
): Promise<ReadonlyMap<number, bigint>> {
  const extremes = new Map<number, bigint>();
  const fed = rows.filter(({ table, empty, inRecovery }) => table !== null && !empty && !inRecovery);
  for (const row of fed) {
    if (!row.cheap)
      unread.push({ fact: `sequences.${row.name}`, reason: `${row.tableName} has no index on the column` });
  }
  const cheap = fed.filter((row) => row.cheap);
  for (const batch of batchesOf(cheap)) {
    try {
      for (const [oid, value] of await extremesOf(session, batch, signal)) extremes.set(oid, value);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      // One column that cannot be read must not hide the others.
      for (const row of batch) {
        try {
          for (const [oid, value] of await extremesOf(session, [row], signal)) extremes.set(oid, value);
        } catch (single) {
          if (!isRefusal(single)) throw single;
          unread.push({ fact: `sequences.${row.name}`, reason: single.message });
        }
      }
    }
  }
  return extremes;
}

async function extremesOf(
  session: Session,
  batch: readonly FedSequence[],
  signal: AbortSignal,
): Promise<(readonly [number, bigint])[]> {
  const parts = batch.map(({ oid, table, column, increment }) => {
    const extreme = increment.startsWith('-') ? 'min' : 'max';
    const whole = increment.startsWith('-') ? 'floor' : 'ceil';
    return `select ${oid} as oid, (select pg_catalog.${whole}(pg_catalog.${extreme}(${column})::numeric) from ${table})::text as value`;
  });
  const rows = await session.rows<{ oid: number; value: string | null }>(
    parts.join(' union all '),
    [],
    signal,
  );
  const found: (readonly [number, bigint])[] = [];
  for (const { oid, value } of rows) {
    // A numeric column may hold NaN or Infinity, which no sequence reaches.
    if (value !== null && /^-?\d+$/.test(value)) found.push([oid, BigInt(value)]);
  }
  return found;
}

function isRefusal(error: unknown): error is TwinproofError {
  return (
    error instanceof TwinproofError &&
    (error.code === 'TP-PERMISSION' || error.code === 'TP-QUERY' || error.code === 'TP-DEFINITION-CHANGED')
  );
}

function* batchesOf<Item>(items: readonly Item[]): Generator<readonly Item[]> {
  for (let at = 0; at < items.length; at += BATCH) yield items.slice(at, at + BATCH);
}
