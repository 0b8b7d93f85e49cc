import type { SequenceFact } from '../../src/connector/facts.ts';
import type { CounterFact } from '../../src/connector/facts-mysql.ts';
import { TwinproofError } from '../../src/errors.ts';
import type { Session } from './session.ts';

/** A fact, or a part of one (`sequences.bank.s`), that could not be read. */
export interface Unread {
  readonly fact: string;
  readonly reason: string;
}

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
const BATCH = 50;

/**
 * What hands out numbers: MariaDB's sequence objects, and on a candidate AUTO_INCREMENT counters. A primary's counters are
 * left out: they are ahead of a replica's by every number that was given to a transaction that did not commit, and none
 * of those is in a row. What matters is that a replica's counter is not behind its own rows.
 */
export async function readSequences(
  session: Session,
  withCounters: boolean,
  signal: AbortSignal,
): Promise<Sequences> {
  const objects = await readObjects(session, signal);
  const counters = withCounters ? await readCounters(session, signal) : nothing();
  return {
    sequences: [...objects.sequences, ...counters.sequences],
    unread: [...objects.unread, ...counters.unread],
    counters: counters.counters,
  };
}

/** Replicated like rows: a replica that has caught up stands where the primary stands (knowledge base, "Sequence Overview"). */
async function readObjects(session: Session, signal: AbortSignal): Promise<Sequences> {
  const found = nothing();
  if (session.flavor !== 'mariadb') return found;
  const rows = await session.rows<{ schema: string; name: string }>(
    `SELECT t.table_schema AS \`schema\`, t.table_name AS name FROM information_schema.tables t
     WHERE t.table_schema = DATABASE() AND t.table_type = 'SEQUENCE' ORDER BY 2`,
    [],
    signal,
  );
  for (const { schema, name } of rows) {
    const label = `${schema}.${name}`;
    await orUnread(found.unread, label, async () => {
      const [row] = await session.rows<{ next: string; increment: string }>(
        `SELECT s.next_not_cached_value AS next, s.increment AS increment FROM ${quoted(schema)}.${quoted(name)} s`,
        [],
        signal,
      );
      if (row === undefined) return;
      // An increment of 0 stands for auto_increment_increment.
      const increment = row.increment === '0' ? 1n : BigInt(row.increment);
      found.sequences.push({
        name: label,
        lastValue: BigInt(row.next) - increment,
        increment,
        ownedBy: null,
        dataExtreme: null,
      });
    });
  }
  return found;
}

interface CounterRow {
  readonly [name: string]: string | null;
  readonly schema: string;
  readonly table: string;
  readonly column: string;
  /** `int(10) unsigned`. */
  readonly type: string;
  /** The next value; null: the server does not say. */
  readonly next: string | null;
}

async function readCounters(session: Session, signal: AbortSignal): Promise<Sequences> {
  const rows = await readCounterRows(session, signal);
  const found: Sequences = { ...nothing(), counters: rows.flatMap(usedCounter) };
  for (let at = 0; at < rows.length; at += BATCH) {
    const batch = rows.slice(at, at + BATCH);
    try {
      await addCounters(session, batch, found, signal);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      // One table that cannot be read must not hide the others.
      for (const row of batch) {
        await orUnread(found.unread, nameOf(row), () => addCounters(session, [row], found, signal));
      }
    }
  }
  return found;
}

/** Two queries: a join of the two views takes MariaDB a minute where there are 10,000 tables (measured). */
async function readCounterRows(session: Session, signal: AbortSignal): Promise<CounterRow[]> {
  const columns = await session.rows<Record<'schema' | 'table' | 'column' | 'type', string>>(
    `SELECT c.table_schema AS \`schema\`, c.table_name AS \`table\`, c.column_name AS \`column\`,
       c.column_type AS type
     FROM information_schema.columns c WHERE c.table_schema = DATABASE() AND c.extra LIKE '%auto_increment%'
     ORDER BY 2`,
    [],
    signal,
  );
  if (columns.length === 0) return [];
  const tables = await session.rows<{ table: string; next: string | null }>(
    `SELECT t.table_name AS \`table\`, t.auto_increment AS next FROM information_schema.tables t
     WHERE t.table_schema = DATABASE() AND t.table_type = 'BASE TABLE'`,
    [],
    signal,
  );
  const next = new Map(tables.map((one) => [one.table, one.next]));
  return columns
    .filter(({ table }) => next.has(table))
    .map(({ schema, table, column, type }) => ({
      schema,
      table,
      column,
      type,
      next: next.get(table) ?? null,
    }));
}

/** Bits of a whole number by the name of its type (MySQL manual, "Integer Types"). */
const BITS: Readonly<Record<string, number>> = {
  tinyint: 8,
  smallint: 16,
  mediumint: 24,
  int: 32,
  bigint: 64,
};

function usedCounter(row: CounterRow): CounterFact[] {
  const type = /^[a-z]+/.exec(row.type.toLowerCase())?.[0] ?? '';
  const bits = BITS[type];
  if (bits === undefined || row.next === null) return [];
  const max = (1n << BigInt(/\bunsigned\b/i.test(row.type) ? bits : bits - 1)) - 1n;
  return BigInt(row.next) * 2n > max ? [{ column: nameOf(row), next: row.next, max: max.toString() }] : [];
}

/** The column has an index of its own, or is the first of one, so that its largest value is found at once. */
async function addCounters(
  session: Session,
  rows: readonly CounterRow[],
  found: Sequences,
  signal: AbortSignal,
): Promise<void> {
  const parts = rows.map(
    ({ schema, table, column }, index) =>
      `SELECT ${index} AS place, (SELECT MAX(${quoted(column)}) FROM ${quoted(schema)}.${quoted(table)}) AS largest`,
  );
  const values = await session.rows<{ place: string; largest: string | null }>(
    parts.join(' UNION ALL '),
    [],
    signal,
  );
  for (const [index, row] of rows.entries()) {
    const largest = values.find(({ place }) => place === String(index))?.largest ?? null;
    found.sequences.push({
      name: nameOf(row),
      lastValue: row.next === null ? null : BigInt(row.next) - 1n,
      increment: 1n,
      ownedBy: nameOf(row),
      // A counter may feed a float, whose largest value may be no whole number.
      dataExtreme: largest !== null && /^-?\d+$/.test(largest) ? BigInt(largest) : null,
    });
  }
}

async function orUnread(unread: Unread[], name: string, query: () => Promise<void>): Promise<void> {
  try {
    await query();
  } catch (error) {
    if (!isRefusal(error)) throw error;
    unread.push({ fact: `sequences.${name}`, reason: error.message });
  }
}

function isRefusal(error: unknown): error is TwinproofError {
  return (
    error instanceof TwinproofError &&
    (error.code === 'TP-PERMISSION' || error.code === 'TP-QUERY' || error.code === 'TP-DEFINITION-CHANGED')
  );
}

function nameOf({ schema, table, column }: CounterRow): string {
  return `${schema}.${table}.${column}`;
}

function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}
