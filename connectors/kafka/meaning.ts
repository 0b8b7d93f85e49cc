import type { ConnectField, ConnectorSettings, Meaning, SourceEngine } from './connect-field.ts';
import { mysqlMeaning } from './meaning-mysql.ts';
import {
  baseOf,
  CONNECT,
  exact,
  isMilliseconds,
  lostDigits,
  none,
  NUMERIC,
  scaledMeaning,
  TIME,
} from './meaning-terms.ts';

/*
 * What the values of a column mean, decided by three things: the type that Kafka Connect's schema gives them with its
 * semantic name (Debezium documentation, "Data type mappings" of each connector), the type of the source's column where
 * it is known, and the connector's settings where they are known. What a setting has made lossy, or what may be one of
 * two things, has no meaning here: the column is unproven, by the reason given. Nothing is guessed. Of PostgreSQL
 * (MySQL and MariaDB: meaning-mysql.ts):
 *
 * | Connect type, semantic name                    | from                          | form            | exact when                     |
 * |------------------------------------------------|-------------------------------|-----------------|--------------------------------|
 * | boolean                                        | boolean                       | boolean         | always                         |
 * | int8, int16, int32                             | smaller integers              | integer         | always                         |
 * | int64                                          | bigint                        | integer         | always                         |
 * | float                                          | real                          | float4          | always                         |
 * | double                                         | double precision, or numeric  | float8          | the type is known, or decimals are known not to be doubles |
 * | bytes …connect.data.Decimal                    | numeric(p,s)                  | decimal         | always                         |
 * | struct …data.VariableScaleDecimal              | numeric                       | decimal         | always                         |
 * | string                                         | text, varchar, char           | text            | value ends in no blank, or the type is known; not if numeric or bytes |
 * | string …data.Enum                              | enum                          | text            | always                         |
 * | string …data.Uuid                              | uuid                          | uuid            | always                         |
 * | bytes                                          | bytea                         | bytes           | always                         |
 * | int32 …time.Date, …connect.data.Date           | date                          | date            | always                         |
 * | int32 …time.Time, int64 …time.MicroTime        | time                          | time            | always                         |
 * | int64 …time.Timestamp, …time.MicroTimestamp    | timestamp                     | datetime        | always                         |
 * | string …time.ZonedTimestamp                    | timestamptz                   | instant         | always                         |
 * | int32 …connect.data.Time, int64 ….Timestamp    | time, timestamp               | time, datetime  | at most three digits of a second |
 * | everything else                                |                               | none            |                                |
 */

/** What is known of the source's column. */
export interface SourceColumn {
  readonly engine: SourceEngine;
  /** As the source prints it, with its modifier; null: not known. */
  readonly type: string | null;
}

/** What values of the field mean. Pure. */
export function meaningOf(field: ConnectField, source: SourceColumn, settings: ConnectorSettings): Meaning {
  if (source.engine !== 'postgres') return mysqlMeaning(field, source.type, settings);
  if (field.semantic === null) return plainMeaning(field.type, source, settings);
  const { type, semantic } = field;
  switch (`${type} ${semantic}`) {
    case `bytes ${CONNECT}Decimal`:
      return scaledMeaning(field);
    case 'struct io.debezium.data.VariableScaleDecimal':
      return exact(['decimal'], { as: 'scaled-struct' });
    case 'string io.debezium.data.Enum':
      return exact(['text'], { as: 'text', blanks: 'kept' });
    case 'string io.debezium.data.Uuid':
      return exact(['uuid'], { as: 'uuid' });
    default:
      return semantic.startsWith(TIME) || semantic.startsWith(CONNECT)
        ? timeMeaning(`${type} ${semantic}`, source)
        : none(`values of ${semantic} have no form that every engine shares`);
  }
}

function plainMeaning(type: string, source: SourceColumn, settings: ConnectorSettings): Meaning {
  switch (type) {
    case 'boolean':
      return exact(['boolean'], { as: 'boolean' });
    case 'int8':
    case 'int16':
    case 'int32':
    case 'int64':
      return exact(['integer', 'decimal'], { as: 'integer' });
    case 'float':
      return exact(['float4'], { as: 'float4' });
    case 'double':
      return float8Meaning(source, settings);
    case 'string':
      return stringMeaning(source, settings);
    case 'bytes':
      return exact(['bytes'], { as: 'bytes', code: 'base64' });
    default:
      return none(`values of the Connect type ${type} have no form that every engine shares`);
  }
}

function float8Meaning({ type }: SourceColumn, { decimals }: ConnectorSettings): Meaning {
  const base = type === null ? null : baseOf(type);
  const certain = base === null ? decimals === 'precise' || decimals === 'string' : FLOAT8.has(base);
  if (certain) return exact(['float8'], { as: 'float8' });
  return none('it may be a decimal that decimal.handling.mode=double has rounded');
}

const FLOAT8 = new Set(['double precision', 'float8']);
const PADDED = new Set(['character', 'char', 'bpchar']);
const UNPADDED = new Set(['text', 'character varying', 'varchar', 'name']);

function stringMeaning({ type }: SourceColumn, { binary }: ConnectorSettings): Meaning {
  if (type === null) return exact(['text'], { as: 'text', blanks: 'unknown' });
  const base = baseOf(type);
  if (NUMERIC.has(base)) return exact(['decimal'], { as: 'decimal-text' });
  if (base === 'bytea') {
    if (binary === null || binary === 'bytes') return none('binary.handling.mode is not known');
    // For that a text is wanted, which Debezium has for bytes alone (3.3.1; before 2.6 for hex neither).
    return exact(['bytes'], { as: 'bytes', code: binary, hiding: true });
  }
  if (PADDED.has(base)) return exact(['text'], { as: 'text', blanks: 'padding' });
  if (UNPADDED.has(base)) return exact(['text'], { as: 'text', blanks: 'kept' });
  return none(`values of ${base} have no form that every engine shares`);
}

function timeMeaning(name: string, source: SourceColumn): Meaning {
  switch (name) {
    case `int32 ${TIME}Date`:
    case `int32 ${CONNECT}Date`:
      return exact(['date'], { as: 'days' });
    case `int32 ${TIME}Time`:
      return exact(['time'], { as: 'clock', unit: 'ms' });
    case `int64 ${TIME}MicroTime`:
      return exact(['time'], { as: 'clock', unit: 'us' });
    case `int64 ${TIME}Timestamp`:
      return exact(['datetime'], { as: 'moment', unit: 'ms' });
    case `int64 ${TIME}MicroTimestamp`:
      return exact(['datetime'], { as: 'moment', unit: 'us' });
    case `string ${TIME}ZonedTimestamp`:
      return exact(['instant'], { as: 'zoned' });
    case `int32 ${CONNECT}Time`:
      return isMilliseconds(source.type) ? exact(['time'], { as: 'clock', unit: 'ms' }) : lostDigits();
    case `int64 ${CONNECT}Timestamp`:
      return isMilliseconds(source.type) ? exact(['datetime'], { as: 'moment', unit: 'ms' }) : lostDigits();
    default:
      return none(`values of ${name.split(' ')[1] ?? name} are not exact`);
  }
}

/**
 * The field that Debezium's PostgreSQL connector makes of a column, for topics whose records carry no schema. Null: it
 * depends on a setting that is not known, or the type is not one of those that are exact. Pure.
 */
export function postgresField(name: string, type: string, settings: ConnectorSettings): ConnectField | null {
  const field = (connect: string, semantic: string | null = null): ConnectField => ({
    name,
    type: connect,
    semantic,
    parameters: {},
  });
  const base = baseOf(type);
  const plain = PLAIN_OF_POSTGRES.get(base);
  if (plain !== undefined) return field(plain);
  if (NUMERIC.has(base)) return decimalField(field, type, settings);
  switch (base) {
    case 'bytea':
      if (settings.binary === null) return null;
      return field(settings.binary === 'bytes' ? 'bytes' : 'string');
    case 'uuid':
      return field('string', 'io.debezium.data.Uuid');
    case 'date':
      return settings.times === null ? null : field('int32', `${TIME}Date`);
    case 'time without time zone':
      return clockField(field, type, settings);
    case 'timestamp without time zone':
      return momentField(field, type, settings);
    case 'timestamp with time zone':
      return field('string', `${TIME}ZonedTimestamp`);
    default:
      return null;
  }
}

type MakeField = (type: string, semantic?: string | null) => ConnectField;

const PLAIN_OF_POSTGRES: ReadonlyMap<string, string> = new Map([
  ['boolean', 'boolean'],
  ['smallint', 'int16'],
  ['integer', 'int32'],
  ['bigint', 'int64'],
  ['real', 'float'],
  ['double precision', 'double'],
  ['text', 'string'],
  ['character varying', 'string'],
  ['character', 'string'],
  ['name', 'string'],
]);

function decimalField(field: MakeField, type: string, { decimals }: ConnectorSettings): ConnectField | null {
  if (decimals === null) return null;
  if (decimals === 'double') return field('double');
  if (decimals === 'string') return field('string');
  const scale = /\(\s*\d+\s*(?:,\s*(-?\d+)\s*)?\)/.exec(type);
  if (scale === null) return field('struct', 'io.debezium.data.VariableScaleDecimal');
  return { ...field('bytes', `${CONNECT}Decimal`), parameters: { scale: scale[1] ?? '0' } };
}

function clockField(field: MakeField, type: string, { times }: ConnectorSettings): ConnectField | null {
  if (times === null) return null;
  if (times === 'connect') return field('int32', `${CONNECT}Time`);
  return times === 'adaptive' && isMilliseconds(type)
    ? field('int32', `${TIME}Time`)
    : field('int64', `${TIME}MicroTime`);
}

function momentField(field: MakeField, type: string, { times }: ConnectorSettings): ConnectField | null {
  if (times === null) return null;
  if (times === 'connect') return field('int64', `${CONNECT}Timestamp`);
  return field('int64', isMilliseconds(type) ? `${TIME}Timestamp` : `${TIME}MicroTimestamp`);
}
