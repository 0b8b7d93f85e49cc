import type { PostgresFacts, PostgresLogicalFacts } from '../../src/connector/facts-postgres.ts';
import type { Reading } from '../../src/connector/reading.ts';

export function known<T>(value: T): Reading<T> {
  return { known: true, value };
}

export const SETTINGS: Readonly<Record<string, string>> = {
  archive_command: '',
  archive_mode: 'off',
  autovacuum_freeze_max_age: '200000000',
  autovacuum_multixact_freeze_max_age: '400000000',
  data_checksums: 'on',
  default_text_search_config: 'pg_catalog.simple',
  default_transaction_isolation: 'read committed',
  default_transaction_read_only: 'off',
  fsync: 'on',
  full_page_writes: 'on',
  max_connections: '100',
  max_locks_per_transaction: '64',
  max_logical_replication_workers: '4',
  max_prepared_transactions: '0',
  max_replication_slots: '10',
  max_wal_senders: '10',
  max_wal_size: '1024',
  max_worker_processes: '8',
  password_encryption: 'scram-sha-256',
  primary_slot_name: '',
  recovery_min_apply_delay: '0',
  recovery_target_timeline: 'latest',
  session_preload_libraries: '',
  shared_preload_libraries: '',
  synchronous_standby_names: '',
  wal_level: 'logical',
  wal_log_hints: 'off',
};

const SLOT = {
  name: 'dr',
  type: 'logical',
  active: true,
  walStatus: 'reserved',
  temporary: false,
  failover: false,
  synced: false,
  invalidation: null,
} as const;

/** A primary to which a standby called `standby` is connected. */
export const POSTGRES_PRIMARY: PostgresFacts = {
  versionNumber: 170_002,
  settings: known(SETTINGS),
  pendingRestart: known([]),
  configErrors: known([]),
  hbaErrors: known([]),
  receiver: known(null),
  unreplayedBytes: known(null),
  senders: known([{ applicationName: 'standby', state: 'streaming', syncState: 'async' }]),
  slots: known([]),
  prepared: known([]),
  collations: known([{ name: 'database bank', recorded: '2.36', actual: '2.36' }]),
  invalidIndexes: known([]),
  unvalidated: known([]),
  checksumFailures: known([]),
  ages: known([{ database: 'bank', transactions: 1000, multixacts: 0 }]),
  extensions: known([{ name: 'plpgsql', version: '1.0', installed: true }]),
  tablespaces: known([]),
  archiver: known({ archived: '0', failed: '0', failing: false }),
  conflicts: known([]),
  disk: known({ path: '/data', freeBytes: '1099511627776' }),
  writers: known([]),
  indexChecks: known([{ index: 'public.orders_pkey', problem: null }]),
};

export const POSTGRES_STANDBY: PostgresFacts = {
  ...POSTGRES_PRIMARY,
  receiver: known({
    status: 'streaming',
    slotName: null,
    applicationName: 'standby',
    senderHost: '10.0.0.1',
    senderPort: 5432,
  }),
  unreplayedBytes: known('0'),
  senders: known([]),
};

const LOGICAL: PostgresLogicalFacts = {
  subscriptions: known([]),
  publications: known([{ name: 'dr', leavesOut: [] }]),
  published: known([{ publication: 'dr', table: 'public.orders', rowFilter: false, columnList: false }]),
  withoutIdentity: known([]),
  roles: known([{ name: 'app', login: true, superuser: false, replication: false, attributes: 'login' }]),
  largeObjects: known('0'),
  overrides: known([]),
  encoding: known({ encoding: 'UTF8', locale: 'C/C' }),
  objects: known([
    { family: 'table', table: 'public.orders', name: 'public.orders', definition: '' },
    { family: 'column', table: 'public.orders', name: 'public.orders.id', definition: 'bigint not null' },
  ]),
};

export const POSTGRES_PUBLISHER: PostgresFacts = {
  ...POSTGRES_PRIMARY,
  slots: known([SLOT]),
  logical: LOGICAL,
};

export const POSTGRES_SUBSCRIBER: PostgresFacts = {
  ...POSTGRES_PRIMARY,
  senders: known([]),
  logical: {
    ...LOGICAL,
    subscriptions: known([{ name: 'dr', publications: ['dr'], slot: 'dr', tables: ['public.orders'] }]),
    publications: known([]),
    published: known([]),
  },
};
