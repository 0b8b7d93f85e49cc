import type { PortableForms } from '../../src/connector/table.ts';

/** A field of a Kafka Connect schema. */
export interface ConnectField {
  readonly name: string;
  /** `int64`, `string`, `struct`, …; what Connect calls FLOAT32 and FLOAT64 is `float` and `double` in JSON. */
  readonly type: string;
  /** `io.debezium.time.Date`, … Null: none. */
  readonly semantic: string | null;
  readonly parameters: Readonly<Record<string, string>>;
}

/** The database that the connector reads. */
export type SourceEngine = 'postgres' | 'mysql' | 'mariadb';

/** Settings of the connector, as its owner knows them; null: not known. */
export interface ConnectorSettings {
  /** `decimal.handling.mode` */
  readonly decimals: 'precise' | 'string' | 'double' | null;
  /** `time.precision.mode` */
  readonly times: 'adaptive' | 'adaptive_time_microseconds' | 'connect' | null;
  /** `binary.handling.mode` */
  readonly binary: 'bytes' | 'base64' | 'base64-url-safe' | 'hex' | null;
  /**
   * Said by the owner of a MySQL or MariaDB source: it holds no zero dates, no dates that are none, and no years before
   * 1000. Debezium sends those as other values, which nobody can tell from real ones.
   */
  readonly dates?: 'ordinary' | null;
}

export const UNKNOWN_SETTINGS: ConnectorSettings = { decimals: null, times: null, binary: null };

/** How a JSON value becomes the bytes of a form. */
export type Reading =
  | { readonly as: 'boolean' | 'integer' | 'float4' | 'float8' | 'uuid' | 'days' | 'zoned' }
  /** An integer that is only certain where it is not negative. */
  | { readonly as: 'unwrapped' }
  /** `blanks`: at the end of a text: they count, are padding, or nobody knows. */
  | { readonly as: 'text'; readonly blanks: 'kept' | 'padding' | 'unknown' }
  /** `hiding`: in an update a null may stand for what is stored apart and did not change. Absent: it does not. */
  | { readonly as: 'bytes'; readonly code: 'base64' | 'base64-url-safe' | 'hex'; readonly hiding?: true }
  | { readonly as: 'scaled'; readonly scale: number }
  | { readonly as: 'scaled-struct' }
  | { readonly as: 'decimal-text' }
  /** Units of a second. A span may be negative and longer than a day, which a clock may not. */
  | { readonly as: 'clock' | 'span' | 'moment'; readonly unit: 'ms' | 'us' };

export type Meaning =
  | { readonly forms: PortableForms; readonly reading: Reading }
  | { readonly forms: null; readonly reason: string };
