import type { Reading } from './reading.ts';

/** Each of the values, or why it could not be read. */
export type MysqlFacts = { readonly [Name in keyof MysqlValues]: Reading<MysqlValues[Name]> };

/**
 * Facts of a MySQL or MariaDB server that only its own rules look at (src/readiness/mysql-*.ts), of the session's
 * database where they belong to one. Names of variables and columns are MySQL's newest; MariaDB's are translated.
 */
export interface MysqlValues {
  /** Global variables that rules look at, by name in lower case; absent: this server has none of that name. */
  readonly variables: Readonly<Record<string, string>>;
  /** States and counters (SHOW GLOBAL STATUS), likewise. */
  readonly status: Readonly<Record<string, string>>;
  /** Every channel by which this server replicates from another; none on a server that replicates from nobody. */
  readonly channels: readonly ChannelFact[];
  /** Every transaction in this server's log or, on MySQL, in its GTID set. */
  readonly transactions: readonly TransactionsFact[];
  /** What was received and not yet applied, in the server's notation; empty: nothing. */
  readonly unapplied: string;
  /** What the binary log leaves out (`binlog_ignore_db=…`). */
  readonly logFilters: readonly string[];
  /** Active plugins, by name. */
  readonly plugins: readonly string[];
  /** Whether time zones have names here, as in CONVERT_TZ(…, 'Asia/Seoul'). */
  readonly namedZones: boolean;
  /** Scheduled events. */
  readonly events: readonly EventFact[];
  /** `user@host` of every account and role. */
  readonly accounts: readonly string[];
  /** A digest of all that an account is granted, by `user@host`. */
  readonly grants: Readonly<Record<string, string>>;
  /** Views and routines, which act with the rights of the account that defined them. */
  readonly definers: readonly DefinerFact[];
  readonly triggers: readonly DefinerFact[];
  /** Base tables that are not InnoDB, `schema.table (ENGINE)`. */
  readonly otherEngines: readonly string[];
  /** Base tables without a primary key and without a unique key that allows no NULL, `schema.table`. */
  readonly keyless: readonly string[];
  /** Indexes and foreign keys of each base table, in words, by `schema.table`. Names of indexes are left out. */
  readonly keys: Readonly<Record<string, readonly string[]>>;
  /** AUTO_INCREMENT counters of which more than half the range of the column's type is used. */
  readonly counters: readonly CounterFact[];
  /** XA transactions that are prepared and wait for their decision. */
  readonly prepared: number;
}

export interface ChannelFact {
  /** As messages show it: `(default)`, `from_north`. */
  readonly name: string;
  readonly receiving: 'yes' | 'connecting' | 'no';
  readonly applying: boolean;
  /** Numbers of the errors that stand in the way; 0: none. */
  readonly receiveErrno: number;
  readonly applyErrno: number;
  readonly delaySeconds: number;
  /** Asks for what it lacks by GTID, not by file and offset. */
  readonly byGtid: boolean;
  /** `setting=value`. */
  readonly filters: readonly string[];
  /** Errors of single workers, where the server tells them apart and lets them be seen. */
  readonly workers: readonly string[];
}

/** The transactions of one server, as first and last numbers; decimal text, for they have 64 bits. */
export interface TransactionsFact {
  /** server_uuid (MySQL) or server_id (MariaDB) of the server that first committed them. */
  readonly server: string;
  /** As it stands in a GTID: `uuid`, `uuid:tag`, `domain-server`. */
  readonly source: string;
  readonly ranges: readonly (readonly [first: string, last: string])[];
}

export interface EventFact {
  /** `schema.event`. */
  readonly name: string;
  /** `replica`: disabled because it came by replication. */
  readonly status: 'enabled' | 'disabled' | 'replica';
  /** `user@host`. */
  readonly definer: string;
}

export interface DefinerFact {
  /** `view bank.v`. */
  readonly object: string;
  /** `user@host`. */
  readonly definer: string;
}

export interface CounterFact {
  /** `schema.table.column`. */
  readonly column: string;
  /** Decimal text. */
  readonly next: string;
  readonly max: string;
}
