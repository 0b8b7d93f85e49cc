import type { Reading } from './reading.ts';

/**
 * Facts of a PostgreSQL server that only its own rules look at (src/readiness/postgres-*.ts). Names of relations are
 * `schema.table`, unquoted. Counts that may pass 2^53 are strings.
 */
export interface PostgresFacts {
  readonly versionNumber: number;
  /** Settings as configured (`pg_settings.reset_val`), by name; absent: no such setting, or the role may not see it. */
  readonly settings: Reading<Readonly<Record<string, string>>>;
  /** Settings whose changed value waits for a restart. */
  readonly pendingRestart: Reading<readonly string[]>;
  readonly configErrors: Reading<readonly FileError[]>;
  readonly hbaErrors: Reading<readonly FileError[]>;
  /** Null: no process receives log. */
  readonly receiver: Reading<ReceiverFact | null>;
  /** Log received and not yet replayed. Null: it is no standby. */
  readonly unreplayedBytes: Reading<string | null>;
  readonly senders: Reading<readonly SenderFact[]>;
  readonly slots: Reading<readonly SlotFact[]>;
  readonly prepared: Reading<readonly PreparedFact[]>;
  readonly collations: Reading<readonly CollationFact[]>;
  /** `schema.index`. */
  readonly invalidIndexes: Reading<readonly string[]>;
  /** `schema.table.constraint`. */
  readonly unvalidated: Reading<readonly string[]>;
  readonly checksumFailures: Reading<readonly DatabaseCount[]>;
  readonly ages: Reading<readonly AgeFact[]>;
  readonly extensions: Reading<readonly ExtensionFact[]>;
  readonly tablespaces: Reading<readonly TablespaceFact[]>;
  readonly archiver: Reading<ArchiverFact>;
  /** Queries that replay has cancelled, by database. */
  readonly conflicts: Reading<readonly DatabaseCount[]>;
  /** Where the data directory can be looked at from here. */
  readonly disk: Reading<{ readonly path: string; readonly freeBytes: string }>;
  /** Sessions of clients that are writing at the moment. */
  readonly writers: Reading<readonly WriterFact[]>;
  /** Only on request. */
  readonly indexChecks?: Reading<readonly IndexCheckFact[]>;
  /** Only on logical pairs. */
  readonly logical?: PostgresLogicalFacts;
}

export interface FileError {
  /** `pg_hba.conf:12`. */
  readonly place: string;
  readonly error: string;
}

export interface ReceiverFact {
  readonly status: string;
  readonly slotName: string | null;
  /** By which the sender lists it. */
  readonly applicationName: string | null;
  readonly senderHost: string | null;
  readonly senderPort: number | null;
}

export interface SenderFact {
  readonly applicationName: string;
  readonly state: string;
  readonly syncState: string;
}

export interface SlotFact {
  readonly name: string;
  readonly type: 'physical' | 'logical';
  readonly active: boolean;
  /** `reserved`, `extended`, `unreserved`, `lost`; null: it keeps nothing. */
  readonly walStatus: string | null;
  readonly temporary: boolean;
  /** Whether it is to be kept on standbys, and is a copy kept here; false before version 17. */
  readonly failover: boolean;
  readonly synced: boolean;
  readonly invalidation: string | null;
  /** A watch of ours reads from it now. Absent: an earlier version wrote the facts down. */
  readonly ours?: boolean;
}

export interface PreparedFact {
  readonly gid: string;
  readonly database: string;
  readonly owner: string;
}

export interface CollationFact {
  /** `database bank`, `collation public.german`. */
  readonly name: string;
  /** The version in the catalog, with which indexes were built; null: none is recorded. */
  readonly recorded: string | null;
  /** What the library here provides; null: it gives none. */
  readonly actual: string | null;
}

export interface DatabaseCount {
  readonly database: string;
  readonly count: string;
}

/** Transactions (and multixacts) since the oldest that is not frozen; at 2^31 the server refuses to write. */
export interface AgeFact {
  readonly database: string;
  readonly transactions: number;
  readonly multixacts: number;
}

export interface ExtensionFact {
  readonly name: string;
  readonly version: string;
  /** Whether this version's files are installed here. */
  readonly installed: boolean;
}

export interface TablespaceFact {
  readonly name: string;
  readonly location: string;
  /** Whether anything of this database is kept there. */
  readonly used: boolean;
  /** Databases with a folder there. */
  readonly databases: number;
}

export interface ArchiverFact {
  readonly archived: string;
  readonly failed: string;
  /** The last attempt failed. */
  readonly failing: boolean;
}

export interface WriterFact {
  readonly role: string;
  readonly application: string;
  readonly database: string;
}

export interface IndexCheckFact {
  readonly index: string;
  /** Null: it is sound. */
  readonly problem: string | null;
}

export interface PostgresLogicalFacts {
  readonly subscriptions: Reading<readonly SubscriptionSource[]>;
  readonly publications: Reading<readonly PublicationFact[]>;
  /** Tables, on the publisher, by publication. */
  readonly published: Reading<readonly PublishedTable[]>;
  /** Tables whose updates and deletes cannot be told to a subscriber. */
  readonly withoutIdentity: Reading<readonly string[]>;
  readonly roles: Reading<readonly RoleFact[]>;
  readonly largeObjects: Reading<string>;
  /** `ALTER DATABASE … SET` and `ALTER ROLE … SET` that hold in this database: `role app: search_path=…`. */
  readonly overrides: Reading<readonly string[]>;
  readonly encoding: Reading<{ readonly encoding: string; readonly locale: string }>;
  readonly objects: Reading<readonly SchemaObject[]>;
}

export interface SubscriptionSource {
  readonly name: string;
  readonly publications: readonly string[];
  readonly slot: string | null;
  /** `schema.table` of what it brings: of the publications' tables those that it has been told of. */
  readonly tables: readonly string[];
}

export interface PublicationFact {
  readonly name: string;
  /** Of insert, update, delete and truncate: those that it leaves out. */
  readonly leavesOut: readonly string[];
}

export interface PublishedTable {
  readonly publication: string;
  readonly table: string;
  readonly rowFilter: boolean;
  readonly columnList: boolean;
  /** Of a partition the tables above it that the publication names: it may come as one of them. Absent or null: none. */
  readonly under?: readonly string[] | null;
}

export interface RoleFact {
  readonly name: string;
  readonly login: boolean;
  readonly superuser: boolean;
  readonly replication: boolean;
  /** Attributes and memberships as text. */
  readonly attributes: string;
}

export type ObjectFamily =
  | 'table'
  | 'column'
  | 'default'
  | 'key'
  | 'constraint'
  | 'index'
  | 'trigger'
  | 'view'
  | 'matview'
  | 'foreign'
  | 'routine'
  | 'type'
  | 'policy'
  | 'grant'
  | 'extension';

/** One thing in the catalog that a promotion needs and that does not come with the rows. */
export interface SchemaObject {
  readonly family: ObjectFamily;
  /** The table that it belongs to; null: none. */
  readonly table: string | null;
  readonly name: string;
  /** Equal where the object is: text, or a hash of it. */
  readonly definition: string;
}
