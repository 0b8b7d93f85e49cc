import { JsonError } from './json-error.ts';
import { JsonReader } from './json-reader.ts';
import {
  declaredFields,
  type DeclaredColumn,
  envelopeFields,
  keyNames,
  type Layout,
  layoutOf,
} from './layout.ts';
import { type DebeziumRecord, type Operation, OPERATIONS } from './change-record.ts';
import type { ConnectorSettings } from './connect-field.ts';
import { type RecordSource, SourceFacts } from './record-source.ts';
import { SourceReader } from './source-reader.ts';
import { ColumnPlaces } from './column-places.ts';
import { demandOwnKey, isBlank } from './delete-key.ts';
import { keyOf, type RecordBytes } from './record-bytes.ts';
import { RowValues } from './row-values.ts';
import { ScannedRecords } from './scanned-records.ts';
import { placeholderOf } from './values.ts';

export interface DecoderOptions {
  readonly settings: ConnectorSettings;
  /** By `schema.table`. Of a table whose records carry schemas, it may say more of types than the schema does. */
  readonly declared: ReadonlyMap<string, readonly DeclaredColumn[]>;
  /**
   * Whether `before` holds whole rows: REPLICA IDENTITY FULL, or binlog_row_image=FULL. Otherwise Debezium fills what
   * the log does not have with nulls, and nobody can tell.
   */
  readonly beforeImages: boolean;
  /** `unavailable.value.placeholder`; null or absent: Debezium's own. */
  readonly placeholder?: string | null;
}

const NAME = (text: string): Uint8Array => Buffer.from(text, 'latin1');
const SCHEMA = NAME('schema');
const PAYLOAD = NAME('payload');
const BEFORE = NAME('before');
const AFTER = NAME('after');
const SOURCE = NAME('source');
const OPERATION = NAME('op');
const TRANSACTION = NAME('transaction');
const NOWHERE = -1;
const OPEN_OBJECT = 0x7b;
/** What the serializers of schema registries begin with; no JSON does. */
const REGISTRY_MAGIC = 0;

/** The value of a record, with its schema if it carries one. Offsets into `bytes`. */
interface Parts {
  readonly bytes: Uint8Array;
  readonly schema: Uint8Array | null;
  /** Where the payload begins. */
  readonly payload: number;
}

/** Where the members of an envelope begin; -1: absent or null. */
interface Envelope {
  readonly before: number;
  readonly after: number;
  readonly source: number;
  readonly op: string;
  /** `transaction` is there. */
  readonly tied: boolean;
}

interface KnownLayout {
  readonly value: Uint8Array | null;
  readonly key: Uint8Array | null;
  readonly layout: Layout;
}

/**
 * Decodes records that Kafka Connect's JsonConverter made of Debezium's change events (Debezium documentation, "Data
 * change events"), with and without schemas. Not for records that a transformation has flattened.
 */
export class DebeziumDecoder {
  readonly #options: DecoderOptions;
  readonly #json = new JsonReader();
  readonly #values: RowValues;
  readonly #scanned: ScannedRecords;
  readonly #source = new SourceReader();
  readonly #facts = new SourceFacts();
  readonly #layouts = new Map<string, KnownLayout>();
  readonly #columns = new ColumnPlaces();

  constructor(options: DecoderOptions) {
    this.#options = options;
    this.#values = new RowValues(placeholderOf(options.placeholder ?? undefined), options.beforeImages);
    this.#scanned = new ScannedRecords(options.beforeImages, {
      values: this.#values,
      facts: this.#facts,
      layout: (table) => this.#bareLayout(table),
    });
  }

  /**
   * The bytes of a batch must stay as they are while its records are decoded. @throws JsonError for what is none of
   * Debezium's records. Nothing is remembered of it.
   */
  decode(record: RecordBytes): DebeziumRecord {
    if (record.valueFrom < 0) return { kind: 'nothing' };
    const scanned = this.#scanned.decode(record);
    if (scanned !== null) return scanned;
    const { bytes, valueFrom, valueTo } = record;
    return this.#decode(keyOf(record), bytes.subarray(valueFrom, valueTo));
  }

  /** Of any record, with or without schemas. */
  #decode(key: Uint8Array | null, value: Uint8Array): DebeziumRecord {
    if (value[0] === REGISTRY_MAGIC) {
      throw new JsonError('no JSON, but what a schema registry describes (Avro, Protobuf)', 0);
    }
    let envelope = this.#envelope(value, 0);
    // What has an operation is the envelope itself; else it may stand within a schema and its payload.
    const parts = envelope.op === '' ? this.#parts(value) : { bytes: value, schema: null, payload: 0 };
    if (parts.schema !== null) envelope = this.#envelope(value, parts.payload);
    if (envelope.op === 'm') return { kind: 'nothing' };
    if (envelope.source === NOWHERE) {
      throw new JsonError('no change event, or one that a transformation has flattened: no `source`', 0);
    }
    const source = this.#facts.told(this.#json, this.#source.values, this.#source.at);
    if (envelope.op === 't') return { kind: 'truncate', source, tied: envelope.tied };
    const operation = OPERATIONS.get(envelope.op);
    if (operation === undefined) throw new JsonError('an unknown operation', 0);
    const keyParts = key === null ? null : this.#parts(key);
    const layout = this.#layout(parts, keyParts, source);
    return this.#change(layout, { operation, envelope, source }, value, keyParts);
  }

  /** Of a table whose last record had no schema; null: it had, or there was none. */
  #bareLayout(table: string): Layout | null {
    const known = this.#layouts.get(table);
    return known === undefined || known.value !== null || known.key !== null ? null : known.layout;
  }

  #change(
    layout: Layout,
    { operation, envelope, source }: { operation: Operation; envelope: Envelope; source: RecordSource },
    value: Uint8Array,
    keyParts: Parts | null,
  ): DebeziumRecord {
    const { table } = layout;
    const isUpdate = operation === 'update';
    if ((envelope.after === NOWHERE) !== (operation === 'delete')) {
      throw new JsonError('the row after the change is there, or missing, against its operation', 0);
    }
    const key = table.keyFields === null || keyParts === null ? null : this.#key(layout, keyParts);
    const mayLackKey = operation === 'delete' && !this.#options.beforeImages && envelope.before !== NOWHERE;
    if (mayLackKey && key !== null && isBlank(key)) {
      demandOwnKey(this.#json, layout, value, envelope.before);
    }
    const hasBefore = this.#options.beforeImages && envelope.before !== NOWHERE;
    const before = hasBefore ? this.#row(layout, value, envelope.before, false) : null;
    const after = envelope.after === NOWHERE ? null : this.#row(layout, value, envelope.after, isUpdate);
    return { kind: 'change', operation, table, key, before, after, source, tied: envelope.tied };
  }

  /** `{"schema":…,"payload":…}`, or the payload alone. */
  #parts(bytes: Uint8Array): Parts {
    const json = this.#json;
    json.open(bytes);
    json.enter();
    let schema: Uint8Array | null = null;
    let payload = NOWHERE;
    while (json.member()) {
      const isSchema = json.isNamed(SCHEMA);
      const isPayload = json.isNamed(PAYLOAD);
      if (!isSchema && !isPayload) return { bytes, schema: null, payload: 0 };
      const { at } = json;
      json.take();
      if (isPayload) payload = at;
      else if (json.kind === 'object') schema = bytes.subarray(json.from, json.to);
    }
    json.end();
    const isWrapped = payload !== NOWHERE && schema !== null;
    return isWrapped ? { bytes, schema, payload } : { bytes, schema: null, payload: 0 };
  }

  #envelope(bytes: Uint8Array, at: number): Envelope {
    const json = this.#json;
    json.open(bytes, at);
    json.enter();
    const found = { before: NOWHERE, after: NOWHERE, source: NOWHERE, op: '', tied: false };
    while (json.member()) {
      const isBefore = json.isNamed(BEFORE);
      const isAfter = json.isNamed(AFTER);
      const isSource = json.isNamed(SOURCE);
      const isOperation = json.isNamed(OPERATION);
      const isTransaction = json.isNamed(TRANSACTION);
      const start = json.at;
      const isTwice =
        (isBefore && found.before !== NOWHERE) ||
        (isAfter && found.after !== NOWHERE) ||
        (isSource && found.source !== NOWHERE);
      if (isTwice) throw new JsonError('a part of the envelope stands there twice', start);
      if (isSource && bytes[start] === OPEN_OBJECT) {
        this.#source.walk(json);
        found.source = start;
        continue;
      }
      json.take();
      if (isOperation && json.kind === 'string') found.op = operationOf(json);
      if (json.kind !== 'object') continue;
      if (isBefore) found.before = start;
      else if (isAfter) found.after = start;
      else if (isTransaction) found.tied = true;
    }
    // Behind a payload its wrapping follows.
    if (at === 0) json.end();
    return found;
  }

  #layout(value: Parts, key: Parts | null, source: RecordSource): Layout {
    const keySchema = key?.schema ?? null;
    const known = this.#layouts.get(source.table);
    if (known !== undefined && isEqual(known.value, value.schema) && isEqual(known.key, keySchema)) {
      if ((known.layout.key === null) === (key === null)) return known.layout;
    }
    const layout = this.#newLayout(value, key, source);
    // Copied: the records of a fetch share one buffer, which would stay as long as the schema.
    const copy = (bytes: Uint8Array | null): Uint8Array | null =>
      bytes === null ? null : new Uint8Array(bytes);
    this.#layouts.set(source.table, { value: copy(value.schema), key: copy(keySchema), layout });
    return layout;
  }

  #newLayout(value: Parts, key: Parts | null, source: RecordSource): Layout {
    const { settings, declared: all } = this.#options;
    const declared = all.get(source.table) ?? null;
    const names = key === null ? null : key.schema === null ? this.#names(key) : keyNames(key.schema);
    const fields =
      value.schema !== null
        ? envelopeFields(value.schema)
        : declared !== null
          ? declaredFields(declared, source.engine, settings)
          : null;
    if (fields === null) {
      throw new JsonError('the record has no schema, and the columns of its table are not declared', 0);
    }
    const layout = layoutOf({
      name: source.table,
      engine: source.engine,
      fields,
      key: names,
      declared,
      settings,
    });
    if (layout === null) throw new JsonError('the key of the record is none of the columns', 0);
    return layout;
  }

  #names({ bytes, payload }: Parts): readonly string[] {
    const json = this.#json;
    const names: string[] = [];
    json.open(bytes, payload);
    json.enter();
    while (json.member()) {
      names.push(json.name());
      json.take();
    }
    return names;
  }

  #key(layout: Layout, { bytes, payload }: Parts): Uint8Array {
    const written = layout.key ?? [];
    this.#columns.find(this.#json, written, bytes, payload);
    // Behind a payload its wrapping follows.
    if (payload === 0) this.#json.end();
    return this.#values.key(this.#json, layout, this.#columns);
  }

  #row(layout: Layout, bytes: Uint8Array, at: number, isUpdate: boolean): Uint8Array {
    this.#columns.find(this.#json, layout.written, bytes, at);
    return this.#values.row(this.#json, layout, this.#columns, isUpdate);
  }
}

/** Debezium's are single letters; nothing is made of others. */
function operationOf({ bytes, from, to }: JsonReader): string {
  return to - from === 1 ? String.fromCharCode(bytes[from] ?? 0) : '?';
}

function isEqual(a: Uint8Array | null, b: Uint8Array | null): boolean {
  if (a === null || b === null) return a === b;
  return a.length === b.length && Buffer.compare(a, b) === 0;
}
