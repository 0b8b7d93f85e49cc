import type { TablePatterns } from './selection.ts';
import type { SiteAddress } from './url.ts';

/** How the connector that writes the topics is set (Debezium documentation, "Connector properties"); null: not known. */
export const DECIMAL_MODES = ['precise', 'string', 'double'] as const;
export const TIME_MODES = ['adaptive', 'adaptive_time_microseconds', 'connect'] as const;
export const BINARY_MODES = ['bytes', 'base64', 'base64-url-safe', 'hex'] as const;
/** Of MySQL and MariaDB, no setting but what the owner says: no zero dates and no years before 1000 are there. */
export const DATE_KINDS = ['ordinary'] as const;

/** What is known of topics that carry a database's changes. */
export interface TopicSettings {
  /** Those whose tables are selected are read. */
  readonly tables: TablePatterns;
  readonly decimals: (typeof DECIMAL_MODES)[number] | null;
  readonly times: (typeof TIME_MODES)[number] | null;
  readonly binary: (typeof BINARY_MODES)[number] | null;
  readonly dates: (typeof DATE_KINDS)[number] | null;
  /** `before` of a change is a whole row: REPLICA IDENTITY FULL, or binlog_row_image=FULL. */
  readonly wholeBefore: boolean;
  /** `unavailable.value.placeholder`; null: Debezium's own. */
  readonly placeholder: string | null;
  /** Of `schema.table`: its columns in order, name and type as the source prints it. For records without a schema. */
  readonly columns: ReadonlyMap<string, readonly { readonly name: string; readonly type: string }[]>;
}

/** What writes a candidate from topics. */
export interface SinkSettings {
  /** The consumer group whose offsets say what was written. */
  readonly group: string;
  /** Brokers and prefix of the topics that it reads. */
  readonly address: SiteAddress;
  readonly topics: TopicSettings;
}
