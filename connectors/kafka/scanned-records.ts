import { type DebeziumRecord, OPERATIONS } from './change-record.ts';
import { isBlank } from './delete-key.ts';
import { JsonError } from './json-error.ts';
import { JsonReader } from './json-reader.ts';
import type { Layout } from './layout.ts';
import type { RecordBytes } from './record-bytes.ts';
import { RecordScan } from './record-scan.ts';
import type { RecordSource, SourceFacts } from './record-source.ts';
import type { RowValues } from './row-values.ts';
import { ScannedColumns } from './scanned-columns.ts';
import { ScannedSource } from './scanned-source.ts';

export interface ScannedRecordsParts {
  readonly values: RowValues;
  readonly facts: SourceFacts;
  /** Of a table, by its name, as its records without schemas are; null: it is not known. */
  readonly layout: (table: string) => Layout | null;
}

const MESSAGE = 'm';
const TRUNCATE = 't';

/**
 * The fast way through records without schemas of tables that are known. What is not certain to be one of these is none
 * for it: it never says what is wrong with a record, and takes none that the slow way would not take alike.
 */
export class ScannedRecords {
  readonly #parts: ScannedRecordsParts;
  readonly #beforeImages: boolean;
  readonly #json = new JsonReader();
  readonly #scan: RecordScan;
  readonly #source: ScannedSource;
  readonly #key: ScannedColumns;
  readonly #before: ScannedColumns;
  readonly #after: ScannedColumns;

  /** Throws TP-INSTALL. */
  constructor(beforeImages: boolean, parts: ScannedRecordsParts) {
    this.#parts = parts;
    this.#beforeImages = beforeImages;
    this.#scan = new RecordScan(beforeImages);
    this.#source = new ScannedSource(this.#scan);
    this.#key = new ScannedColumns(this.#scan, 'key');
    this.#before = new ScannedColumns(this.#scan, 'before');
    this.#after = new ScannedColumns(this.#scan, 'after');
  }

  /** Null: this is for others. */
  decode(record: RecordBytes): DebeziumRecord | null {
    const scan = this.#scan;
    if (!scan.scan(record)) return null;
    const json = this.#json;
    json.open(record.bytes);
    // All four, whatever becomes of the record: they remember what the last one said.
    const isOnce = this.#source.scanned(json);
    this.#key.scanned();
    this.#before.scanned();
    this.#after.scanned();
    if (!isOnce) return null;
    try {
      return this.#decode(record.keyFrom >= 0);
    } catch (error) {
      if (error instanceof JsonError) return null;
      throw error;
    }
  }

  #decode(hasKey: boolean): DebeziumRecord | null {
    const { operation: letter, tied } = this.#scan;
    const op = String.fromCharCode(letter);
    if (op === MESSAGE) return { kind: 'nothing' };
    const source = this.#parts.facts.told(this.#json, this.#source.values, 0);
    if (op === TRUNCATE) return { kind: 'truncate', source, tied };
    const operation = OPERATIONS.get(op);
    const layout = this.#parts.layout(source.table);
    if (operation === undefined || layout === null || (layout.key !== null) !== hasKey) return null;
    const isThere = this.#scan.count('after') >= 0;
    return isThere === (operation === 'delete') ? null : this.#change(layout, operation, source, tied);
  }

  #change(
    layout: Layout,
    operation: 'insert' | 'update' | 'delete' | 'read',
    source: RecordSource,
    tied: boolean,
  ): DebeziumRecord | null {
    const { values } = this.#parts;
    const json = this.#json;
    const isRow = this.#scan.count('after') >= 0;
    const hasBefore = this.#beforeImages && this.#scan.count('before') >= 0;
    if (layout.key !== null && !this.#key.has(layout.key, json)) return null;
    if (hasBefore && !this.#before.has(layout.written, json)) return null;
    if (isRow && !this.#after.has(layout.written, json)) return null;
    const { table } = layout;
    const key = table.keyFields === null || layout.key === null ? null : values.key(json, layout, this.#key);
    // Whether it is the row's is told by the row before.
    if (operation === 'delete' && !this.#beforeImages && key !== null && isBlank(key)) return null;
    const before = hasBefore ? values.row(json, layout, this.#before, false) : null;
    const after = isRow ? values.row(json, layout, this.#after, operation === 'update') : null;
    return { kind: 'change', operation, table, key, before, after, source, tied };
  }
}
