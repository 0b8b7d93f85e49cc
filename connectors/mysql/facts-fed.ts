import type { SequenceFact } from '../../src/connector/facts.ts';
import { batchesOf, orUnread, quoted, type Unread } from './facts-parts.ts';
import type { Session } from './session.ts';

interface Objects {
  readonly sequences: readonly SequenceFact[];
  readonly unread: readonly Unread[];
}

/** The smallest and the largest value in a column, whole numbers; null when there is no row. */
interface Span {
  readonly column: string;
  readonly smallest: string | null;
  readonly largest: string | null;
}

/** Columns looked at in one statement. */
const BATCH = 50;
/** A column without an index of its own is read whole only in tables up to this many bytes. */
const SCAN_BYTES_MAX = 80_000_000;

/**
 * MariaDB's sequence objects (`schema.sequence`), which are replicated like rows: a replica that has caught up stands
 * where the primary stands (knowledge base, "Sequence Overview"). With `withData` each is told with the column furthest
 * ahead of those whose default calls it; a sink, or an INSERT that brings its own value, does not move the sequence.
 * The values come before the sequences: the other way round a row in between would look as if its sequence were behind.
 */
export async function readObjects(
  session: Session,
  sequences: readonly string[],
  withData: boolean,
  signal: AbortSignal,
): Promise<Objects> {
  const unread: Unread[] = [];
  const found: SequenceFact[] = [];
  if (sequences.length === 0) return { sequences: found, unread };
  const spans = withData ? await readSpans(session, unread, signal) : new Map<string, Span[]>();
  const { database } = session.target;
  for (const label of sequences) {
    await orUnread(unread, label, async () => {
      const name = label.slice(database.length + 1);
      const [row] = await session.rows<{ next: string; increment: string }>(
        `SELECT s.next_not_cached_value AS next, s.increment AS increment FROM ${quoted(database)}.${quoted(name)} s`,
        [],
        signal,
      );
      if (row === undefined) return;
      // An increment of 0 stands for auto_increment_increment.
      const increment = row.increment === '0' ? 1n : BigInt(row.increment);
      found.push({
        name: label,
        lastValue: BigInt(row.next) - increment,
        increment,
        ...furthestOf(spans.get(label) ?? [], increment < 0n),
      });
    });
  }
  return { sequences: found, unread };
}

function furthestOf(spans: readonly Span[], down: boolean): Pick<SequenceFact, 'ownedBy' | 'dataExtreme'> {
  let [ownedBy, dataExtreme]: [string | null, bigint | null] = [spans[0]?.column ?? null, null];
  for (const { column, smallest, largest } of spans) {
    const text = down ? smallest : largest;
    if (text === null) continue;
    const value = BigInt(text);
    if (dataExtreme === null || (down ? value < dataExtreme : value > dataExtreme))
      [ownedBy, dataExtreme] = [column, value];
  }
  return { ownedBy, dataExtreme };
}

interface FedColumn {
  readonly schema: string;
  readonly table: string;
  readonly column: string;
  /** `schema.sequence` of each that the default calls. */
  readonly sequences: readonly string[];
}

/** Spans of the columns of numbers whose default calls a sequence, by the sequence. */
async function readSpans(
  session: Session,
  unread: Unread[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Span[]>> {
  const spans = new Map<string, Span[]>();
  for (const batch of batchesOf(await readFed(session, signal), BATCH)) {
    const slow = await readSlow(session, batch, signal);
    for (const fed of batch) {
      const column = `${fed.schema}.${fed.table}.${fed.column}`;
      if (fed.sequences.length === 0 || slow.has(fed)) {
        const reason = slow.has(fed)
          ? `${fed.schema}.${fed.table} has no index on the column`
          : 'its default calls a sequence that could not be made out';
        unread.push({ fact: `sequences.${column}`, reason });
        continue;
      }
      await orUnread(unread, column, async () => {
        const span = { column, ...(await readSpan(session, fed, signal)) };
        for (const name of fed.sequences) spans.set(name, [...(spans.get(name) ?? []), span]);
      });
    }
  }
  return spans;
}

/** The server prints the call as nextval(`schema`.`sequence`), however it was written. */
const CALL = /nextval\(`((?:[^`]|``)+)`\.`((?:[^`]|``)+)`\)/gi;

async function readFed(session: Session, signal: AbortSignal): Promise<readonly FedColumn[]> {
  const rows = await session.rows<Readonly<Record<'schema' | 'table' | 'column' | 'text', string>>>(
    `SELECT c.table_schema AS \`schema\`, c.table_name AS \`table\`, c.column_name AS \`column\`,
       c.column_default AS text
     FROM information_schema.columns c
     WHERE c.table_schema = DATABASE() AND c.column_default LIKE '%nextval(%'
       AND c.data_type IN ('tinyint', 'smallint', 'mediumint', 'int', 'bigint', 'decimal')
     ORDER BY c.table_name, c.ordinal_position`,
    [],
    signal,
  );
  return rows.map(({ schema, table, column, text }) => ({
    schema,
    table,
    column,
    sequences: [...text.matchAll(CALL)].map(([, database = '', name = '']) =>
      [database, name].map((part) => part.replaceAll('``', '`')).join('.'),
    ),
  }));
}

/** Those of large tables in which no index begins with the column. */
async function readSlow(
  session: Session,
  columns: readonly FedColumn[],
  signal: AbortSignal,
): Promise<ReadonlySet<FedColumn>> {
  const parts = columns.map(
    (_, place) => `SELECT ${place} AS place FROM information_schema.tables t
      WHERE t.table_schema = ? AND t.table_name = ? AND t.data_length > ${SCAN_BYTES_MAX}
        AND NOT EXISTS (SELECT 1 FROM information_schema.statistics s
          WHERE s.table_schema = ? AND s.table_name = ? AND s.column_name = ? AND s.seq_in_index = 1)`,
  );
  const rows = await session.rows<{ place: string }>(
    parts.join(' UNION ALL '),
    columns.flatMap(({ schema, table, column }) => [schema, table, schema, table, column]),
    signal,
  );
  const places = new Set(rows.map(({ place }) => Number(place)));
  return new Set(columns.filter((_, place) => places.has(place)));
}

async function readSpan(
  session: Session,
  { schema, table, column }: FedColumn,
  signal: AbortSignal,
): Promise<Omit<Span, 'column'>> {
  const [row] = await session.rows<{ smallest: string | null; largest: string | null }>(
    `SELECT FLOOR(MIN(c.${quoted(column)})) AS smallest, CEILING(MAX(c.${quoted(column)})) AS largest
     FROM ${quoted(schema)}.${quoted(table)} c`,
    [],
    signal,
  );
  return row ?? { smallest: null, largest: null };
}
