import type { ConnectField, ConnectorSettings } from './connect-field.ts';
import { baseOf, CONNECT, NUMERIC, TIME } from './meaning-terms.ts';

const PLAIN: ReadonlyMap<string, string> = new Map([
  ['tinyint', 'int16'],
  ['tinyint unsigned', 'int16'],
  ['smallint', 'int16'],
  ['smallint unsigned', 'int32'],
  ['mediumint', 'int32'],
  ['mediumint unsigned', 'int32'],
  ['int', 'int32'],
  ['int unsigned', 'int64'],
  ['bigint', 'int64'],
  ['bigint unsigned', 'int64'],
  ['double', 'double'],
  ['char', 'string'],
  ['varchar', 'string'],
  ['tinytext', 'string'],
  ['text', 'string'],
  ['mediumtext', 'string'],
  ['longtext', 'string'],
]);
const BYTES = new Set(['varbinary', 'tinyblob', 'blob', 'mediumblob', 'longblob']);

/**
 * The field that Debezium's connectors of MySQL and MariaDB make of a column (`type` as SHOW COLUMNS prints it), for
 * topics whose records carry no schema. Null: it depends on a setting that is not known, or the type is not one of
 * those that are exact. Pure.
 */
export function mysqlField(name: string, type: string, settings: ConnectorSettings): ConnectField | null {
  const field = (connect: string, semantic: string | null = null): ConnectField => ({
    name,
    type: connect,
    semantic,
    parameters: {},
  });
  const base = baseOf(type).replace(/ zerofill$/, '');
  const plain = PLAIN.get(base);
  if (plain !== undefined) return field(plain);
  if (NUMERIC.has(base)) return decimalField(field, type, settings);
  if (BYTES.has(base)) {
    if (settings.binary === null) return null;
    return field(settings.binary === 'bytes' ? 'bytes' : 'string');
  }
  switch (base) {
    case 'bit':
      return type.toLowerCase() === 'bit(1)' ? field('boolean') : null;
    case 'enum':
      return field('string', 'io.debezium.data.Enum');
    case 'set':
      return field('string', 'io.debezium.data.EnumSet');
    case 'year':
      return field('int32', `${TIME}Year`);
    case 'timestamp':
      return field('string', `${TIME}ZonedTimestamp`);
    default:
      return timeField(field, base, type, settings);
  }
}

type MakeField = (type: string, semantic?: string | null) => ConnectField;

function decimalField(field: MakeField, type: string, { decimals }: ConnectorSettings): ConnectField | null {
  if (decimals === null) return null;
  if (decimals === 'double') return field('double');
  if (decimals === 'string') return field('string');
  const scale = /\(\s*\d+\s*(?:,\s*(\d+)\s*)?\)/.exec(type)?.[1] ?? '0';
  return { ...field('bytes', `${CONNECT}Decimal`), parameters: { scale } };
}

function timeField(
  field: MakeField,
  base: string,
  type: string,
  { times }: ConnectorSettings,
): ConnectField | null {
  if (times === null) return null;
  const connect = times === 'connect';
  switch (base) {
    case 'date':
      return field('int32', connect ? `${CONNECT}Date` : `${TIME}Date`);
    case 'time':
      return connect ? field('int32', `${CONNECT}Time`) : field('int64', `${TIME}MicroTime`);
    case 'datetime':
      if (connect) return field('int64', `${CONNECT}Timestamp`);
      return field('int64', /\([4-6]\)/.test(type) ? `${TIME}MicroTimestamp` : `${TIME}Timestamp`);
    default:
      return null;
  }
}
