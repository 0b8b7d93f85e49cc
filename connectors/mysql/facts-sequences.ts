import type { SequenceFact } from '../../src/connector/facts.ts';
import type { CounterFact } from '../../src/connector/facts-mysql.ts';
import { ended, type SessionShare } from '../../src/connector/session-share.ts';
import { batchesOf, isRefusal, orUnread, quoted, type Unread } from './facts-parts.ts';
import { readObjects } from './facts-fed.ts';
import type { TableEntry } from './facts-tables.ts';
import type { Session } from './session.ts';
import type { Flavor } from './settings.ts';

export interface Sequences {
  readonly sequences: SequenceFact[];
  readonly unread: Unread[];
  /** Counters that have used more than half of their column's range. */
  readonly counters: CounterFact[];
}

function nothing(): Sequences {
  return { sequences: [], unread: [], counters: [] };
}

/** Tables looked at in one statement. */
const BATCH: Readonly<Record<Flavor, number>> = { mysql: 500, mariadb: 50 };

/**
 * What hands out numbers: MariaDB's sequence objects and, of a candidate, the AUTO_INCREMENT counters of `columns`. A
 * primary's (null) are left out: they are ahead of a replica's by every number that was given to a transaction that did
 * not commit, and none of those is in a row. What matters is that a replica's counter is not behind its own rows.
 */
export async function readSequences(
  share: SessionShare<Session>,
  flavor: Flavor,
  tables: readonly TableEntry[],
  columns: readonly CounterColumn[] | null,
  signal: AbortSignal,
): Promise<Sequences> {
  const sequences = tables.filter(({ kind }) => kind === 'SEQUENCE').map(({ name }) => name);
  const [objects, counters] = await ended([
    share.run((session) => readObjects(session, sequences, columns !== null, signal)),
    readCounters(share, flavor, kept(flavor, tables), columns ?? [], signal),
  ]);
  return {
    sequences: [...objects.sequences, ...counters.sequences],
    unread: [...objects.unread, ...counters.unread],
    counters: counters.counters,
  };
}

/**
 * Tables of which the server itself keeps the counter beyond every value: MySQL's InnoDB since 8.0, whether a value
 * came by INSERT, UPDATE or replication (manual, "InnoDB AUTO_INCREMENT Counter Initialization"). There the values are
 * not looked for, since MySQL takes a millisecond for each table (measured).
 */
function kept(flavor: Flavor, tables: readonly TableEntry[]): ReadonlySet<string> {
  if (flavor !== 'mysql') return new Set();
  return new Set(tables.filter(({ engine }) => engine?.toUpperCase() === 'INNODB').map(({ name }) => name));
}

export type CounterColumn = Readonly<Record<'schema' | 'table' | 'column' | 'type', string>>;

/** The columns of the database that have a counter. */
export function readCounterColumns(session: Session, signal: AbortSignal): Promise<readonly CounterColumn[]> {
  return session.rows<CounterColumn>(
    `SELECT c.table_schema AS \`schema\`, c.table_name AS \`table\`, c.column_name AS \`column\`,
       c.column_type AS type
     FROM information_schema.columns c WHERE c.table_schema = DATABASE() AND c.extra LIKE '%auto_increment%'
     ORDER BY 2`,
    [],
    signal,
  );
}

async function readCounters(
  share: SessionShare<Session>,
  flavor: Flavor,
  keptTables: ReadonlySet<string>,
  columns: readonly CounterColumn[],
  signal: AbortSignal,
): Promise<Sequences> {
  const found = nothing();
  const largest = new Map<string, string | null>();
  const next: Next = new Map();
  const isKept = ({ schema, table }: CounterColumn): boolean => keptTables.has(`${schema}.${table}`);
  await share.runAll(
    batchesOf(columns, BATCH[flavor]).map((batch) => async (session: Session) => {
      // The values come before the counters: the other way round a row in between would look as if its counter were
      // behind.
      for (const part of batchesOf(
        batch.filter((column) => !isKept(column)),
        BATCH.mariadb,
      )) {
        await readLargest(session, part, largest, found.unread, signal);
      }
      await addNext(session, batch, next, signal);
    }),
  );
  for (const column of columns) {
    const name = nameOf(column);
    const value = isKept(column) ? null : largest.get(name);
    if (value === undefined) continue;
    found.sequences.push(counterOf(name, next.get(column.table) ?? null, value));
    found.counters.push(...usedCounter(column, next.get(column.table) ?? null));
  }
  return found;
}

/** One table that cannot be read must not hide the others. */
async function readLargest(
  session: Session,
  columns: readonly CounterColumn[],
  largest: Map<string, string | null>,
  unread: Unread[],
  signal: AbortSignal,
): Promise<void> {
  try {
    await addLargest(session, columns, largest, signal);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    for (const one of columns) {
      await orUnread(unread, nameOf(one), () => addLargest(session, [one], largest, signal));
    }
  }
}

function counterOf(name: string, next: string | null, largest: string | null): SequenceFact {
  return {
    name,
    lastValue: next === null ? null : BigInt(next) - 1n,
    increment: 1n,
    ownedBy: name,
    // A counter may feed a float, whose largest value may be no whole number.
    dataExtreme: largest !== null && /^-?\d+$/.test(largest) ? BigInt(largest) : null,
  };
}

const NEXT = 'SELECT t.table_name AS `table`, t.auto_increment AS next FROM information_schema.tables t';

type Next = Map<string, string | null>;

/**
 * MariaDB opens each table for it, so it is asked while the tables are open, and finds them at once only if each is
 * named by itself: of 10,000 tables this takes 0.7 s of the server's time, one look at all 1.1 s, and a join with the
 * view of columns a minute (measured).
 */
async function addNext(
  session: Session,
  columns: readonly CounterColumn[],
  next: Next,
  signal: AbortSignal,
): Promise<void> {
  const [{ schema } = { schema: '' }] = columns;
  const names = columns.map(({ table }) => table);
  const rows = await session.rows<{ table: string; next: string | null }>(
    session.flavor === 'mysql'
      ? `${NEXT} WHERE t.table_schema = ? AND t.table_name IN (${names.map(() => '?').join(', ')})`
      : columns.map(() => `${NEXT} WHERE t.table_schema = ? AND t.table_name = ?`).join(' UNION ALL '),
    session.flavor === 'mysql' ? [schema, ...names] : names.flatMap((name) => [schema, name]),
    signal,
  );
  for (const row of rows) next.set(row.table, row.next);
}

/** Bits of a whole number by the name of its type (MySQL manual, "Integer Types"). */
const BITS: Readonly<Record<string, number>> = {
  tinyint: 8,
  smallint: 16,
  mediumint: 24,
  int: 32,
  bigint: 64,
};

function usedCounter(column: CounterColumn, next: string | null): CounterFact[] {
  const type = /^[a-z]+/.exec(column.type.toLowerCase())?.[0] ?? '';
  const bits = BITS[type];
  if (bits === undefined || next === null) return [];
  const max = (1n << BigInt(/\bunsigned\b/i.test(column.type) ? bits : bits - 1)) - 1n;
  return BigInt(next) * 2n > max ? [{ column: nameOf(column), next, max: max.toString() }] : [];
}

/** The column has an index of its own, or is the first of one, so that its largest value is found at once. */
async function addLargest(
  session: Session,
  columns: readonly CounterColumn[],
  largest: Map<string, string | null>,
  signal: AbortSignal,
): Promise<void> {
  const parts = columns.map(
    ({ schema, table, column }, index) =>
      `SELECT ${index} AS place, (SELECT MAX(${quoted(column)}) FROM ${quoted(schema)}.${quoted(table)}) AS largest`,
  );
  const values = await session.rows<{ place: string; largest: string | null }>(
    parts.join(' UNION ALL '),
    [],
    signal,
  );
  for (const { place, largest: value } of values) {
    const column = columns[Number(place)];
    if (column !== undefined) largest.set(nameOf(column), value);
  }
}

function nameOf({ schema, table, column }: CounterColumn): string {
  return `${schema}.${table}.${column}`;
}
