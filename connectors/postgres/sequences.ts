import type { SequenceFact } from '../../src/connector/facts.ts';
import type { SessionShare } from '../../src/connector/session-share.ts';
import { readRecords } from './lists.ts';
import {
  batchesOf,
  type FedColumn,
  nameOf,
  readExtremes,
  readFedColumns,
  readValues,
  type Unread,
} from './sequence-columns.ts';
import type { Session } from './session.ts';

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

/** Whoever may read all data may read each, without being asked for it. */
const READS_ALL = `(select pg_catalog.pg_has_role('pg_read_all_data', 'USAGE'))`;

/** On a standby sequences are replicated with everything else, and an unlogged one has no value there. */
const SEQUENCES = `
select c.oid::int8 as oid, n.nspname || '.' || c.relname as name,
  pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) as qualified,
  q.seqincrement::text as increment, q.seqstart::text as start,
  ${READS_ALL} or pg_catalog.has_sequence_privilege(q.seqrelid, 'SELECT, USAGE') as visible,
  c.relpersistence = 'u' and pg_catalog.pg_is_in_recovery() as emptied,
  ${READS_ALL} or pg_catalog.has_sequence_privilege(q.seqrelid, 'SELECT') as readable,
  pg_catalog.pg_is_in_recovery() as "inRecovery"
from pg_sequence q join pg_class c on c.oid = q.seqrelid join pg_namespace n on n.oid = c.relnamespace
where c.relpersistence <> 't' and n.nspname !~ '^pg_'
order by 2`;

const PARTS = [
  'oid',
  'name',
  'qualified',
  'increment',
  'start',
  'visible',
  'emptied',
  'readable',
  'inRecovery',
] as const satisfies readonly (keyof SequenceRow)[];

/**
 * Sequences of the database, in batches that are shared out among the sessions. Without `withData` the columns that they
 * feed are not looked at: to open every table for its largest value is most of the work.
 */
export async function readSequences(
  share: SessionShare<Session>,
  withData: boolean,
  signal: AbortSignal,
): Promise<Sequences> {
  const { rows, fed } = await share.run(async (session) => ({
    rows: await readRecords<SequenceRow>(session, PARTS, SEQUENCES, signal),
    fed: withData ? await readFedColumns(session, signal) : new Map<number, readonly FedColumn[]>(),
  }));
  const batches = await share.runAll(
    batchesOf(rows).map((batch) => (session: Session) => readBatch(session, batch, fed, signal)),
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

/**
 * The values in columns are read before those of the sequences: the other way round a row that comes in between would look as
 * if its sequence were behind.
 */
async function readBatch(
  session: Session,
  rows: readonly SequenceRow[],
  fed: ReadonlyMap<number, readonly FedColumn[]>,
  signal: AbortSignal,
): Promise<Sequences> {
  const unread: Unread[] = [];
  const furthest = await readFurthest(session, rows, fed, unread, signal);
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
    const [first] = fed.get(row.oid) ?? [];
    const column = furthest.get(row.oid)?.column ?? first;
    return {
      name: row.name,
      lastValue: lastValueOf(row, lasts.get(row.oid) ?? starts.get(row.oid)),
      increment: BigInt(row.increment),
      ownedBy: column === undefined ? null : nameOf(column),
      dataExtreme: furthest.get(row.oid)?.value ?? null,
    };
  });
  return { sequences, unread };
}

interface Furthest {
  readonly column: FedColumn;
  readonly value: bigint;
}

/** Of all columns that a sequence feeds the largest value, the smallest for a descending one; absent when there is no row. */
async function readFurthest(
  session: Session,
  rows: readonly SequenceRow[],
  fed: ReadonlyMap<number, readonly FedColumn[]>,
  unread: Unread[],
  signal: AbortSignal,
): Promise<ReadonlyMap<number, Furthest>> {
  const names = new Map(rows.map(({ oid, name }) => [oid, name]));
  const sought = rows
    .filter(({ inRecovery }) => !inRecovery)
    .flatMap(({ oid, increment }) =>
      (fed.get(oid) ?? []).map((column) => Object.assign({ down: increment.startsWith('-') }, column)),
    );
  const unreadable = ({ sequence }: FedColumn, reason: string): void => {
    unread.push({ fact: `sequences.${names.get(sequence) ?? ''}`, reason });
  };
  const furthest = new Map<number, Furthest>();
  for (const [column, value] of await readExtremes(session, sought, unreadable, signal)) {
    const known = furthest.get(column.sequence);
    if (value === null) continue;
    if (known === undefined || (column.down ? value < known.value : value > known.value))
      furthest.set(column.sequence, { column, value });
  }
  return furthest;
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
  const queries = `select (select pg_catalog.pg_sequence_last_value(q.seqrelid)::text from pg_sequence q
    where q.seqrelid = o.oid) from pg_catalog.unnest('{${oids.join()}}'::oid[]) with ordinality o (oid, place) order by place`;
  const [row] = await session.rows<{ found: readonly (string | null)[] }>(
    `select array(${queries}) as found`,
    [],
    signal,
  );
  const found = row?.found ?? [];
  return new Map(
    oids.flatMap((oid, place) => {
      const last = found[place] ?? null;
      return last === null ? [] : [[oid, BigInt(last)] as const];
    }),
  );
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
