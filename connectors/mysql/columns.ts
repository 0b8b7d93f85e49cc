import type { ColumnEncoding, PairKind, PortableForm, PortableForms } from '../../src/connector/table.ts';

/** What information_schema.columns says of a column's type, on MySQL and MariaDB alike. */
export interface TypeFacts {
  /** DATA_TYPE: `varchar`. */
  readonly dataType: string;
  /** COLUMN_TYPE: `varchar(60)`, `int(10) unsigned zerofill`, `enum('a','b')`. */
  readonly columnType: string;
  /** CHARACTER_SET_NAME; null for what is no text. */
  readonly characterSet: string | null;
  /** COLLATION_NAME; null for what is no text. */
  readonly collation: string | null;
}

/** What a value is, as the binary protocol sends it and as a literal has to be written. */
export type ValueKind =
  | 'integer'
  | 'year'
  | 'decimal'
  | 'float'
  | 'double'
  | 'bit'
  | 'text'
  | 'label'
  | 'bytes'
  | 'date'
  | 'datetime'
  | 'time'
  | 'uuid'
  | 'address'
  | 'json'
  | 'geometry'
  | 'vector';

export interface MysqlType {
  readonly kind: ValueKind;
  readonly unsigned: boolean;
  /** Lowercase; null for what is no text. */
  readonly characterSet: string | null;
  readonly collation: string | null;
}

const KINDS: Readonly<Record<string, ValueKind>> = {
  tinyint: 'integer',
  smallint: 'integer',
  mediumint: 'integer',
  int: 'integer',
  bigint: 'integer',
  year: 'year',
  decimal: 'decimal',
  float: 'float',
  double: 'double',
  bit: 'bit',
  char: 'text',
  varchar: 'text',
  tinytext: 'text',
  text: 'text',
  mediumtext: 'text',
  longtext: 'text',
  enum: 'label',
  set: 'label',
  binary: 'bytes',
  varbinary: 'bytes',
  tinyblob: 'bytes',
  blob: 'bytes',
  mediumblob: 'bytes',
  longblob: 'bytes',
  date: 'date',
  datetime: 'datetime',
  timestamp: 'datetime',
  time: 'time',
  uuid: 'uuid',
  inet4: 'address',
  inet6: 'address',
  json: 'json',
  geometry: 'geometry',
  point: 'geometry',
  linestring: 'geometry',
  polygon: 'geometry',
  multipoint: 'geometry',
  multilinestring: 'geometry',
  multipolygon: 'geometry',
  geomcollection: 'geometry',
  geometrycollection: 'geometry',
  vector: 'vector',
};

/** The type behind a column; null for one that this version does not know. */
export function typeOf(facts: TypeFacts): MysqlType | null {
  const kind = KINDS[facts.dataType.toLowerCase()];
  if (kind === undefined) return null;
  return {
    kind,
    unsigned: /\bunsigned\b/.test(withoutLabels(facts.columnType)),
    characterSet: facts.characterSet === null ? null : characterSetName(facts.characterSet),
    collation: facts.collation?.toLowerCase() ?? null,
  };
}

/** MySQL before 8.0.28 says `utf8` for what all later servers, and MariaDB, call `utf8mb3`. */
function characterSetName(name: string): string {
  const lower = name.toLowerCase();
  return lower === 'utf8' ? 'utf8mb3' : lower;
}

/** Labels of enum and set may hold any word. */
function withoutLabels(columnType: string): string {
  return columnType.toLowerCase().replace(/'(?:[^']|'')*'/g, '');
}

/** The type as output shows it: that of SHOW CREATE TABLE, with the character set that values are stored in. */
export function typeName(facts: TypeFacts): string {
  const type = typeOf(facts);
  return type?.characterSet == null
    ? facts.columnType
    : `${facts.columnType} character set ${type.characterSet}`;
}

/**
 * What two columns must have in common for equal values to be equal bytes, and no more. So it names the character set
 * but no collation (bytes are compared), the scale of a decimal but not its precision, and no fraction of a second:
 * the binary protocol leaves out zeros there (protocol manual, "Binary Protocol Value":
 * ProtocolBinary::MYSQL_TYPE_DATETIME).
 */
export function baseTypeOf(facts: TypeFacts): string {
  const type = typeOf(facts);
  const name = facts.dataType.toLowerCase();
  const inSet = type?.characterSet == null ? '' : ` character set ${type.characterSet}`;
  switch (type?.kind) {
    case 'integer':
      return type.unsigned ? `${name} unsigned` : name;
    case 'decimal':
      return decimalBase(facts.columnType);
    case 'text':
      return `${name}${inSet}`;
    case 'label':
      return `${facts.columnType}${inSet}`;
    case 'bit':
      // The number of bytes follows from the width.
      return facts.columnType.toLowerCase();
    default:
      return name;
  }
}

/** A decimal is sent as text with all digits of its scale; with ZEROFILL with all of its precision too. */
function decimalBase(columnType: string): string {
  const match = /^decimal\((\d+)(?:,(\d+))?\)(.*)$/i.exec(columnType);
  if (match === null) return columnType.toLowerCase();
  const [, precision = '', scale = '0', attributes = ''] = match;
  return /zerofill/i.test(attributes) ? `decimal(${precision},${scale}) zerofill` : `decimal(*,${scale})`;
}

export type ColumnEncodings = Readonly<Record<PairKind, ColumnEncoding | null>>;

/**
 * The encodings of a column. A value has one form in the binary protocol, whatever path brought it into the row: a
 * FLOAT comes with all its bits, JSON as the text of what is stored, geometry as SRID and well-known binary. A type
 * that is not known has none: what its bytes mean cannot be said.
 */
export function encodingsOf(facts: TypeFacts): ColumnEncodings {
  const known = typeOf(facts) !== null;
  return {
    // No pair of this engine is physical.
    physical: null,
    logical: known ? 'mysql-binary' : null,
    'cross-engine': known && portableOf(facts) !== null ? 'portable' : null,
  };
}

/** The engine-neutral forms of a column; null: it has none. */
export function portableOf(facts: TypeFacts): PortableForms | null {
  const type = typeOf(facts);
  if (type === null) return null;
  const natural = NATURAL[type.kind](type, facts);
  const onRequest = onRequestForms(type, facts);
  return natural.length + onRequest.length === 0 ? null : { natural, onRequest, inZone: [] };
}

type NaturalForms = (type: MysqlType, facts: TypeFacts) => readonly PortableForm[];

const NATURAL: Readonly<Record<ValueKind, NaturalForms>> = {
  // A 64-bit unsigned value may not fit a signed one.
  integer: ({ unsigned }, { dataType }) =>
    unsigned && dataType.toLowerCase() === 'bigint' ? ['decimal'] : ['integer', 'decimal'],
  year: () => ['integer'],
  decimal: () => ['decimal'],
  float: () => ['float4'],
  double: () => ['float8'],
  bit: () => [],
  text: () => ['text'],
  label: () => ['text'],
  bytes: () => ['bytes'],
  date: () => ['date'],
  // A TIMESTAMP is stored in UTC and read in UTC (the session's time zone is pinned); a DATETIME is local to nobody.
  datetime: (_, { dataType }) => (dataType.toLowerCase() === 'timestamp' ? ['instant'] : ['datetime']),
  time: () => ['time'],
  uuid: () => ['uuid'],
  // The server's own text of an address, which other engines write otherwise (::ffff:1.2.3.4).
  address: () => [],
  // Order of keys, blanks and numbers are each engine's own.
  json: () => [],
  geometry: () => [],
  vector: () => [],
};

function onRequestForms(type: MysqlType, facts: TypeFacts): readonly PortableForm[] {
  const columnType = facts.columnType.toLowerCase();
  switch (type.kind) {
    case 'integer':
      return columnType.startsWith('tinyint(1)') ? ['boolean'] : [];
    case 'bit':
      return columnType === 'bit(1)' ? ['boolean'] : [];
    case 'text':
      return /^(?:var)?char\(36\)/.test(columnType) ? ['uuid'] : [];
    case 'bytes':
      return /^(?:var)?binary\(16\)/.test(columnType) ? ['uuid'] : [];
    default:
      return [];
  }
}

/** Character sets whose bytes are UTF-8 as they stand. */
const UTF8_SETS = new Set(['utf8mb4', 'utf8mb3', 'ascii']);

/** Whether the server must convert a text before its bytes are UTF-8. */
export function needsConversion(type: MysqlType): boolean {
  return type.characterSet !== null && !UTF8_SETS.has(type.characterSet);
}

/**
 * Kinds by which a table may be cut into ranges: compared by value exactly as their index orders them. Not floats,
 * whose literals round; nor enum and set, whose index goes by number while a comparison goes by label; nor the binary
 * addresses of MariaDB, which never were tried.
 */
const RANGEABLE: ReadonlySet<ValueKind> = new Set([
  'integer',
  'year',
  'decimal',
  'bit',
  'text',
  'bytes',
  'date',
  'datetime',
  'time',
  'uuid',
]);

export function isRangeable(type: MysqlType | null): type is MysqlType {
  return type !== null && RANGEABLE.has(type.kind);
}
