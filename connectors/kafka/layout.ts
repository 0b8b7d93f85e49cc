import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { StreamedColumn, StreamedTable } from '../../src/connector/changes.ts';
import type { PortableForm } from '../../src/connector/table.ts';
import { mysqlField } from './declared-mysql.ts';
import type { ConnectField, ConnectorSettings, Reading, SourceEngine } from './connect-field.ts';
import { meaningOf, postgresField } from './meaning.ts';

/** A column as its owner declares it, for records without a schema: the type as the source prints it. */
export interface DeclaredColumn {
  readonly name: string;
  readonly type: string;
}

/** A streamed column with the form that its bytes have. */
export interface TopicColumn extends StreamedColumn {
  /** Null: every value of it is unread. */
  readonly form: PortableForm | null;
  /** Why it is unread; null: it is not. */
  readonly unproven: string | null;
}

export interface TopicTable extends StreamedTable {
  readonly columns: readonly TopicColumn[];
}

/** How the rows of a table stand in its records. */
export interface Layout {
  readonly table: TopicTable;
  /** In the order of `table.columns`. Null: unread. */
  readonly readings: readonly (Reading | null)[];
  /**
   * Names as they are written in JSON, and where each goes in `table.columns`, in the order in which records hold them.
   */
  readonly written: readonly { readonly name: Uint8Array; readonly place: number }[];
  /** The members of the record's key, likewise; null: records have no key. */
  readonly key: readonly { readonly name: Uint8Array; readonly place: number }[] | null;
}

/** What a layout is made of. */
export interface LayoutParts {
  readonly name: string;
  readonly engine: SourceEngine;
  readonly fields: readonly ConnectField[];
  /** Names of the members of the record's key; null: there is none. */
  readonly key: readonly string[] | null;
  /** Types of the source's columns, by name, where they are declared. */
  readonly declared: readonly DeclaredColumn[] | null;
  readonly settings: ConnectorSettings;
}

/** Null: a member of the key is no column. Pure. */
export function layoutOf(parts: LayoutParts): Layout | null {
  const { name, engine, fields, key, declared, settings } = parts;
  const places = new Map<string, number>();
  for (const column of key ?? []) places.set(column, places.size);
  for (const { name: column } of fields) if (!places.has(column)) places.set(column, places.size);
  if (places.size !== fields.length) return null;
  const columns: TopicColumn[] = [];
  const readings: (Reading | null)[] = [];
  for (const field of fields) {
    const place = places.get(field.name) ?? 0;
    const type =
      declared?.find((column) => column.name === field.name)?.type ?? propagatedType(field, engine);
    const meaning = meaningOf(field, { engine, type }, settings);
    const [form = null] = meaning.forms?.natural ?? [];
    columns[place] = {
      name: field.name,
      type: type ?? field.semantic ?? field.type,
      encoding: form === null ? null : 'portable',
      form,
      unproven: meaning.forms === null ? meaning.reason : null,
    };
    readings[place] = meaning.forms === null ? null : meaning.reading;
  }
  const written = (names: readonly string[]): { name: Uint8Array; place: number }[] =>
    names.map((column) => ({ name: jsonName(column), place: places.get(column) ?? 0 }));
  return {
    table: {
      id: name,
      leaf: name,
      root: name,
      columns,
      // A key with a value that is not certain does not tell rows apart.
      keyFields:
        key !== null && readings.slice(0, key.length).every((one) => one !== null) ? key.length : null,
      absent: [],
      fingerprint: fingerprintOf(parts),
    },
    readings,
    written: written(fields.map((field) => field.name)),
    key: key === null ? null : written(key),
  };
}

/** Of what decides over rows and their bytes: the rest of a schema is another with every version of the connector. */
function fingerprintOf({ fields, key, declared, settings }: LayoutParts): string {
  const columns = fields.map(({ name, type, semantic, parameters }) => [
    name,
    type,
    semantic,
    Object.entries(parameters).sort(([a], [b]) => (a < b ? -1 : 1)),
  ]);
  return createHash('sha256')
    .update(JSON.stringify([columns, key, declared, settings]))
    .digest('hex')
    .slice(0, 32);
}

/** A name as Kafka Connect's converter writes it. */
function jsonName(name: string): Uint8Array {
  return Buffer.from(JSON.stringify(name).slice(1, -1), 'utf8');
}

/** With `column.propagate.source.type` the schema says which type the source's column has. */
function propagatedType({ parameters }: ConnectField, engine: SourceEngine): string | null {
  const type = parameters['__debezium.source.column.type'];
  if (type === undefined) return null;
  const length = parameters['__debezium.source.column.length'];
  const scale = parameters['__debezium.source.column.scale'];
  const name = engine === 'postgres' ? (PROPAGATED.get(type.toLowerCase()) ?? type) : type;
  if (length === undefined) return name;
  return scale === undefined ? `${name}(${length})` : `${name}(${length},${scale})`;
}

/** PostgreSQL's internal names of types, which Debezium propagates in capitals. */
const PROPAGATED: ReadonlyMap<string, string> = new Map([
  ['int2', 'smallint'],
  ['int4', 'integer'],
  ['int8', 'bigint'],
  ['float4', 'real'],
  ['float8', 'double precision'],
  ['bool', 'boolean'],
  ['bpchar', 'character'],
  ['varchar', 'character varying'],
]);

/** The fields of declared columns; one of which nothing is certain has a type that means nothing. Pure. */
export function declaredFields(
  columns: readonly DeclaredColumn[],
  engine: SourceEngine,
  settings: ConnectorSettings,
): readonly ConnectField[] {
  const fieldOfType = engine === 'postgres' ? postgresField : mysqlField;
  return columns.map(
    ({ name, type }) =>
      fieldOfType(name, type, settings) ?? { name, type: 'undeclared', semantic: null, parameters: {} },
  );
}

const connectSchema = z.object({
  type: z.string(),
  field: z.string().optional(),
  name: z.string().optional(),
  parameters: z.record(z.string(), z.string()).optional(),
  get fields() {
    return z.array(connectSchema).optional();
  },
});

type ConnectSchema = z.infer<typeof connectSchema>;

/** The columns of `after` in the schema of an envelope; null: it is none of Debezium's. Pure. */
export function envelopeFields(schema: Uint8Array): readonly ConnectField[] | null {
  const parsed = parseSchema(schema);
  const after = parsed?.fields?.find(({ field }) => field === 'after');
  return after?.fields?.map(fieldOf) ?? null;
}

/** The names of a key's members; null: it is no struct. Pure. */
export function keyNames(schema: Uint8Array): readonly string[] | null {
  return parseSchema(schema)?.fields?.map(({ field }) => field ?? '') ?? null;
}

/** Schemas are no values: they hold names and whole numbers, and are read once. */
function parseSchema(schema: Uint8Array): ConnectSchema | null {
  try {
    const parsed = connectSchema.safeParse(JSON.parse(Buffer.from(schema).toString('utf8')));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

function fieldOf({ field, type, name, parameters }: ConnectSchema): ConnectField {
  return { name: field ?? '', type, semantic: name ?? null, parameters: parameters ?? {} };
}
