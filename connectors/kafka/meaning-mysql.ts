import type { ConnectField, ConnectorSettings, Meaning } from './connect-field.ts';
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
 * What the values of a column of MySQL or MariaDB mean (Debezium documentation, "Data type mappings" of these
 * connectors); see meaning.ts. The type of the column is known where the connector propagates it
 * (`column.propagate.source.type`).
 *
 * | Connect type, semantic name                    | from                          | form            | exact when                     |
 * |------------------------------------------------|-------------------------------|-----------------|--------------------------------|
 * | boolean                                        | bit(1)                        | boolean         | the type is known: a converter makes one of tinyint(1), and 2 is lost |
 * | int16, int32                                   | smaller integers              | integer         | always                         |
 * | int64                                          | bigint, int unsigned          | integer         | not negative, or the type is known to be signed |
 * | int64                                          | bigint unsigned               | decimal         | the type is known; below 2^63  |
 * | int32 …time.Year                               | year                          | integer         | dates are ordinary             |
 * | double                                         | double                        | float8          | the type is known              |
 * | bytes …connect.data.Decimal                    | decimal, bigint unsigned      | decimal         | always                         |
 * | string                                         | varchar, text, char           | text            | value ends in no blank, or the type is known; not if decimal or binary |
 * | string …data.Enum, …data.EnumSet               | enum, set                     | text            | always                         |
 * | bytes                                          | varbinary, blob               | bytes           | the type is known              |
 * | int32 …time.Date, …connect.data.Date           | date                          | date            | dates are ordinary             |
 * | int64 …time.Timestamp, …time.MicroTimestamp    | datetime                      | datetime        | dates are ordinary             |
 * | string …time.ZonedTimestamp                    | timestamp                     | instant         | dates are ordinary             |
 * | int64 …time.MicroTime                          | time                          | time            | always                         |
 * | int32 …connect.data.Time, int64 ….Timestamp    | time, datetime                | time, datetime  | the same, and at most three digits of a second |
 * | everything else: float, bit(n), json, geometry |                               | none            |                                |
 */

/** What values of the field mean; `type` of the column, null: not known. Pure. */
export function mysqlMeaning(field: ConnectField, type: string | null, settings: ConnectorSettings): Meaning {
  const { semantic } = field;
  if (semantic === null) return plainMeaning(field.type, type, settings);
  switch (`${field.type} ${semantic}`) {
    case `bytes ${CONNECT}Decimal`:
      return scaledMeaning(field);
    case 'string io.debezium.data.Enum':
    case 'string io.debezium.data.EnumSet':
      return exact(['text'], { as: 'text', blanks: 'kept' });
    case `int64 ${TIME}MicroTime`:
      return exact(['time'], { as: 'span', unit: 'us' });
    case `int32 ${CONNECT}Time`:
      return isMilliseconds(type) ? exact(['time'], { as: 'span', unit: 'ms' }) : lostDigits();
    default:
      return semantic.startsWith(TIME) || semantic.startsWith(CONNECT)
        ? dateMeaning(`${field.type} ${semantic}`, type, settings)
        : none(`values of ${semantic} have no form that every engine shares`);
  }
}

function plainMeaning(connect: string, type: string | null, settings: ConnectorSettings): Meaning {
  const base = type === null ? null : baseOf(type);
  switch (connect) {
    case 'boolean':
      if (base === 'bit') return exact(['boolean'], { as: 'boolean' });
      return none('of a tinyint(1) that is sent as a boolean 2 cannot be told from 1');
    case 'int8':
    case 'int16':
    case 'int32':
      return exact(['integer', 'decimal'], { as: 'integer' });
    case 'int64':
      return integerMeaning(base);
    case 'float':
      return none('a float of MySQL is sent with as many digits as the server shows');
    case 'double':
      return base === 'double'
        ? exact(['float8'], { as: 'float8' })
        : none('it may be a decimal that decimal.handling.mode=double has rounded, or a float');
    case 'string':
      return stringMeaning(base, settings);
    case 'bytes':
      return base !== null && BYTES.has(base)
        ? exact(['bytes'], { as: 'bytes', code: 'base64' })
        : none('whether padding zeros are kept in binary(n) is not known');
    default:
      return none(`values of the Connect type ${connect} have no form that every engine shares`);
  }
}

/** `bigint.unsigned.handling.mode=long`, the default, makes large values negative. */
function integerMeaning(base: string | null): Meaning {
  if (base === 'bigint unsigned') return exact(['decimal'], { as: 'unwrapped' });
  const isSigned = base !== null && !base.includes('unsigned');
  return exact(['integer', 'decimal'], { as: isSigned ? 'integer' : 'unwrapped' });
}

/** The server takes blanks off the end of a char. */
const TEXTS = new Set(['char', 'varchar', 'tinytext', 'text', 'mediumtext', 'longtext']);
const BYTES = new Set(['varbinary', 'tinyblob', 'blob', 'mediumblob', 'longblob']);

function stringMeaning(base: string | null, { binary }: ConnectorSettings): Meaning {
  if (base === null) return exact(['text'], { as: 'text', blanks: 'unknown' });
  if (NUMERIC.has(base)) return exact(['decimal'], { as: 'decimal-text' });
  if (TEXTS.has(base)) return exact(['text'], { as: 'text', blanks: base === 'char' ? 'padding' : 'kept' });
  if (!BYTES.has(base)) return none(`values of ${base} have no form that every engine shares`);
  if (binary === null || binary === 'bytes') return none('binary.handling.mode is not known');
  return exact(['bytes'], { as: 'bytes', code: binary });
}

function dateMeaning(name: string, type: string | null, { dates }: ConnectorSettings): Meaning {
  if (dates !== 'ordinary') {
    return none('a zero date, or a year before 1000, of MySQL is sent as another value');
  }
  switch (name) {
    case `int32 ${TIME}Year`:
      return exact(['integer'], { as: 'integer' });
    case `int32 ${TIME}Date`:
    case `int32 ${CONNECT}Date`:
      return exact(['date'], { as: 'days' });
    case `int64 ${TIME}Timestamp`:
      return exact(['datetime'], { as: 'moment', unit: 'ms' });
    case `int64 ${TIME}MicroTimestamp`:
      return exact(['datetime'], { as: 'moment', unit: 'us' });
    case `string ${TIME}ZonedTimestamp`:
      return exact(['instant'], { as: 'zoned' });
    case `int64 ${CONNECT}Timestamp`:
      return isMilliseconds(type) ? exact(['datetime'], { as: 'moment', unit: 'ms' }) : lostDigits();
    default:
      return none(`values of ${name.split(' ')[1] ?? name} are not exact`);
  }
}
