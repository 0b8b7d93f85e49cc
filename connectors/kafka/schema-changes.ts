import { z } from 'zod';
import { jsonOf } from './transaction-record.ts';
import type { RecordSource } from './record-source.ts';

/** A statement that redefined tables, as Debezium's topic of schema changes (`PREFIX`) tells it. */
export interface SchemaChange {
  /** It stands there because a snapshot read it, and nothing happened. */
  readonly snapshot: boolean;
  /** Microseconds since 1970, on the source's clock. */
  readonly timeUs: bigint;
  /** RecordSource.place; null: not told. */
  readonly place: RecordSource['place'];
  readonly database: string;
  /** `schema.table` of what it names; empty: it does not say. */
  readonly tables: readonly string[];
  readonly statement: string;
}

const text = z.string().nullish();
const changeSchema = z.object({
  source: z.object({
    snapshot: z.union([z.string(), z.boolean()]).nullish(),
    ts_ms: z.int(),
    file: text,
    pos: z.int().nullish(),
  }),
  databaseName: text,
  ddl: text,
  tableChanges: z.array(z.object({ id: z.string(), previousId: text, type: text })).nullish(),
});
const wrappedSchema = z.object({ payload: changeSchema }).transform(({ payload }) => payload);
const eitherSchema = z.union([changeSchema, wrappedSchema]);

const ROW_BITS = 32n;

/**
 * Null: it cannot be understood. It holds no values of columns. Debezium documentation, "Schema change topic". Pure.
 */
export function readSchemaChange(value: Uint8Array): SchemaChange | null {
  const parsed = eitherSchema.safeParse(jsonOf(value));
  if (!parsed.success) return null;
  const { source, databaseName, ddl, tableChanges } = parsed.data;
  const named = (tableChanges ?? []).flatMap(({ id, previousId }) => [id, previousId ?? '']);
  const file = /\.(\d{1,18})$/.exec(source.file ?? '')?.[1];
  return {
    snapshot: String(source.snapshot ?? 'false') !== 'false',
    timeUs: BigInt(source.ts_ms) * 1000n,
    place: file === undefined || source.pos == null ? null : [BigInt(file), BigInt(source.pos) << ROW_BITS],
    database: databaseName ?? '',
    tables: [...new Set(named.flatMap((id) => tableOf(id) ?? []))],
    statement: ddl ?? '',
  };
}

/** `"bank"."accounts"`, perhaps with a catalog in front. */
function tableOf(id: string): string | null {
  const parts = [...id.matchAll(/"((?:[^"]|"")+)"/g)].map(([, name = '']) => name.replaceAll('""', '"'));
  return parts.length < 2 ? null : parts.slice(-2).join('.');
}

/** What can change no row, whatever the table. */
const HARMLESS = /^\s*(?:CREATE\s+(?:UNIQUE\s+|FULLTEXT\s+|SPATIAL\s+)?INDEX|DROP\s+INDEX)\b[^;]*;?\s*$/i;

/** When a snapshot of a table was read: place in the source's log, and time. */
type SnapshotTime = Pick<RecordSource, 'place' | 'timeUs'>;

/** Knows of which tables a statement voids what is known. */
export class SchemaChanges {
  readonly #read: () => readonly string[];
  readonly #snapshots = new Map<string, SnapshotTime>();

  /** `read`: tables whose topics are read, `schema.table`, as far as they were met by now. */
  constructor(read: () => readonly string[]) {
    this.#read = read;
  }

  /** A row of a whole snapshot of the table. */
  snapshot(table: string, { place, timeUs, snapshotMark }: RecordSource): void {
    if (snapshotMark !== null) this.#snapshots.set(table, { place, timeUs });
  }

  /**
   * Empty: of none. What is older than the snapshot that its rows come from is known by it: older by both its place
   * in the log and its time, since another server has other places, and clocks differ.
   */
  voidedBy({ snapshot, database, tables, statement, place, timeUs }: SchemaChange): readonly string[] {
    if (snapshot || HARMLESS.test(statement)) return [];
    const every = this.#read();
    // Of a table that was renamed only the new name is told.
    const renamed = /\brename\b/i.test(statement) ? every.filter((table) => isIn(statement, table)) : [];
    const named = [...tables, ...renamed];
    const meant = named.length > 0 ? named : every.filter((name) => name.startsWith(`${database}.`));
    return [...new Set(meant)].filter((table) => {
      if (!every.includes(table)) return false;
      const known = this.#snapshots.get(table);
      return known === undefined || !(timeUs < known.timeUs && isBefore(place, known.place));
    });
  }
}

/** Whether the name of a table, without its database, is a word of a statement. */
function isIn(statement: string, table: string): boolean {
  const words = statement.toLowerCase().split(/[\s`"'.,;()]+/);
  return words.includes(table.slice(table.indexOf('.') + 1).toLowerCase());
}

function isBefore(a: RecordSource['place'], b: RecordSource['place']): boolean {
  if (a === null || b === null) return false;
  return a[0] < b[0] || (a[0] === b[0] && a[1] <= b[1]);
}
