import type { PortableForm } from '../../src/connector/table.ts';
import type { ConnectField, Meaning, Reading } from './connect-field.ts';

/** What the names of semantic types begin with: Debezium's of time, Kafka Connect's own. */
export const TIME = 'io.debezium.time.';
export const CONNECT = 'org.apache.kafka.connect.data.';

export const NUMERIC: ReadonlySet<string> = new Set(['numeric', 'decimal']);

export function exact(natural: readonly PortableForm[], reading: Reading): Meaning {
  return { forms: { natural, onRequest: [], inZone: [] }, reading };
}

export function none(reason: string): Meaning {
  return { forms: null, reason };
}

/** Of Connect's Decimal: its scale stands in the schema. */
export function scaledMeaning({ parameters }: ConnectField): Meaning {
  const { scale } = parameters;
  if (scale === undefined || !/^-?\d{1,5}$/.test(scale)) return none('the scale of the decimal is not known');
  return exact(['decimal'], { as: 'scaled', scale: Number(scale) });
}

export function lostDigits(): Meaning {
  return none('time.precision.mode=connect leaves out digits behind the millisecond');
}

/** Whether a type holds no more than milliseconds: `timestamp(3) without time zone`, `DATETIME(3)`. */
export function isMilliseconds(type: string | null): boolean {
  return type !== null && /\([0-3]\)/.test(type);
}

/** `numeric` of `numeric(12,2)`; `character varying` of `character varying(20)`. */
export function baseOf(type: string): string {
  return type
    .toLowerCase()
    .replace(/\s*\([^)]*\)/, '')
    .trim();
}
