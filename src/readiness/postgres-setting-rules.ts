import {
  ALL_PAIRS,
  BOTH_SITES,
  CANDIDATE,
  fail,
  judged,
  judgedBoth,
  LOGICAL,
  noneOf,
  pass,
  PHYSICAL,
  POSTGRES,
  SAME_ENGINE,
  unknown,
  type Observation,
  type ReadinessInput,
  type Rule,
} from './rule.ts';

const MANUAL = 'https://www.postgresql.org/docs/current';

/** In these a hot standby must equal or exceed its primary, or replay pauses (manual, "Hot Standby", "Administrator"). */
const STANDBY_LIMITS = [
  'max_connections',
  'max_locks_per_transaction',
  'max_prepared_transactions',
  'max_wal_senders',
  'max_worker_processes',
];

/** What the applications will want of the candidate as they have it of the primary. */
const CAPACITY = [
  'max_connections',
  'max_logical_replication_workers',
  'max_prepared_transactions',
  'max_replication_slots',
  'max_wal_senders',
];

const WAL_LEVELS = ['minimal', 'replica', 'logical'];
const BEHAVIOUR = ['default_text_search_config', 'default_transaction_isolation', 'password_encryption'];
/** Sessions of this program are read-only by themselves. */
const OWN_READ_ONLY = 'ALTER ROLE … RESET default_transaction_read_only;';
const PRELOADS = ['shared_preload_libraries', 'session_preload_libraries'];

/** Rules about settings: will the candidate do what the primary does? */
export const POSTGRES_SETTING_RULES: readonly Rule[] = [
  {
    code: 'TP-R-PG-STANDBY-LIMITS',
    title: 'limits that replay depends on are not below the primary’s',
    severity: { switchover: 'block', failover: 'warn' },
    pairs: PHYSICAL,
    engines: POSTGRES,
    reads: BOTH_SITES,
    why: 'replay pauses when it meets the primary’s larger value, and the candidate does not start again with its own',
    hint: 'raise it on the candidate to the primary’s value and restart the candidate',
    docs: [`${MANUAL}/hot-standby.html#HOT-STANDBY-ADMIN`],
    observe: (input) => observeNotBelow(input, STANDBY_LIMITS),
  },
  {
    code: 'TP-R-PG-CAPACITY',
    title: 'limits on clients and replication are not below the primary’s',
    severity: 'warn',
    pairs: LOGICAL,
    engines: POSTGRES,
    reads: BOTH_SITES,
    why: 'clients or standbys that the primary serves are refused by this site',
    hint: 'raise it on the candidate and restart it before the promotion',
    docs: [`${MANUAL}/runtime-config-connection.html#GUC-MAX-CONNECTIONS`],
    observe: (input) => observeNotBelow(input, CAPACITY),
  },
  {
    code: 'TP-R-PG-SLOT-LIMITS',
    title: 'there is room for as many slots and workers as on the primary',
    severity: 'warn',
    pairs: PHYSICAL,
    engines: POSTGRES,
    reads: BOTH_SITES,
    why: 'after the promotion slots that the primary has cannot all be made here',
    hint: 'raise it on the candidate and restart it before the promotion',
    docs: [`${MANUAL}/runtime-config-replication.html#GUC-MAX-REPLICATION-SLOTS`],
    observe: (input) => observeNotBelow(input, ['max_replication_slots', 'max_logical_replication_workers']),
  },
  {
    code: 'TP-R-PG-WAL-LEVEL',
    title: 'the log of the candidate will hold what the primary’s holds',
    severity: 'warn',
    pairs: SAME_ENGINE,
    engines: POSTGRES,
    reads: BOTH_SITES,
    why: 'what reads the primary’s log (standbys, archives, subscribers) cannot read this site’s after the promotion without a restart',
    hint: 'set wal_level as on the primary and restart the candidate',
    docs: [`${MANUAL}/runtime-config-wal.html#GUC-WAL-LEVEL`],
    observe: observeWalLevel,
  },
  {
    code: 'TP-R-PG-READ-ONLY',
    title: 'transactions will not be read-only by default',
    severity: 'block',
    pairs: ALL_PAIRS,
    engines: POSTGRES,
    reads: CANDIDATE,
    why: 'after the promotion applications are refused to write although the site takes writes',
    hint: 'ALTER SYSTEM RESET default_transaction_read_only and reload, on the candidate; look into its conf.d too',
    docs: [`${MANUAL}/runtime-config-client.html#GUC-DEFAULT-TRANSACTION-READ-ONLY`],
    observe: observeReadOnly,
  },
  {
    code: 'TP-R-PG-DURABILITY',
    title: 'commits survive a crash of the candidate',
    severity: 'warn',
    pairs: ALL_PAIRS,
    engines: POSTGRES,
    reads: CANDIDATE,
    why: 'a crash of the machine or a power cut can leave the promoted site corrupt',
    hint: 'turn it on and reload; then, since what was written before is not certain to be on disk, restart the candidate in order',
    docs: [`${MANUAL}/runtime-config-wal.html#GUC-FSYNC`],
    observe: observeDurability,
  },
  {
    code: 'TP-R-PG-SETTINGS',
    title: 'settings that change what statements do are the primary’s',
    severity: 'warn',
    pairs: SAME_ENGINE,
    engines: POSTGRES,
    reads: BOTH_SITES,
    why: 'the same statement of an application does something else on this site',
    hint: 'set it as on the primary, or set it for the role or the database, which a standby takes over',
    docs: [`${MANUAL}/runtime-config-client.html`],
    observe: observeBehaviour,
  },
  {
    code: 'TP-R-PG-PRELOAD',
    title: 'libraries that the primary loads are loaded',
    severity: 'warn',
    pairs: SAME_ENGINE,
    engines: POSTGRES,
    reads: BOTH_SITES,
    why: 'what they do on the primary (auditing, jobs, statistics, an extension’s own tables) does not happen on this site',
    hint: 'install the library on the candidate, add it to the setting and restart',
    docs: [`${MANUAL}/runtime-config-client.html#GUC-SHARED-PRELOAD-LIBRARIES`],
    observe: observePreloads,
  },
];

/** By name; absent: no such setting, or the role may not see it. */
export type Settings = Readonly<Record<string, string>>;

/** Observes with the settings of both sites. */
export function bothSettings(
  input: ReadinessInput,
  observe: (theirs: Settings, ours: Settings) => readonly Observation[],
): readonly Observation[] {
  return judgedBoth(
    input,
    ({ postgres }) => postgres?.settings,
    ({ postgres }) => postgres?.settings,
    observe,
  );
}

function observeNotBelow(input: ReadinessInput, names: readonly string[]): readonly Observation[] {
  return bothSettings(input, (theirs, ours) => {
    const below = names.flatMap((name) => {
      const [wanted, had] = [theirs[name], ours[name]];
      if (wanted === undefined || had === undefined) return [unknown(name, 'a site did not tell its value')];
      return Number(had) < Number(wanted)
        ? [fail(name, `${had} on the candidate, ${wanted} on the primary`)]
        : [];
    });
    return below.length > 0
      ? below
      : [pass('candidate', `none of ${names.join(', ')} is below the primary’s`)];
  });
}

function observeWalLevel(input: ReadinessInput): readonly Observation[] {
  return bothSettings(input, (theirs, ours) => {
    const [wanted, had] = [theirs['wal_level'] ?? '', ours['wal_level'] ?? ''];
    const seen = `wal_level is ${had} on the candidate and ${wanted} on the primary`;
    return [
      WAL_LEVELS.indexOf(had) < WAL_LEVELS.indexOf(wanted)
        ? fail('wal_level', seen)
        : pass('wal_level', seen),
    ];
  });
}

/** The role or database that the reader uses may have its own value, which hides the server's. */
function observeReadOnly(input: ReadinessInput): readonly Observation[] {
  return judged(
    input,
    'candidate',
    ({ postgres }) => postgres?.settings,
    (settings) => {
      const value = settings['default_transaction_read_only'];
      if (value === undefined)
        return [
          unknown(
            'candidate',
            'this role or database has its own default_transaction_read_only',
            OWN_READ_ONLY,
          ),
        ];
      return [
        value === 'on'
          ? fail('candidate', 'default_transaction_read_only is on')
          : pass('candidate', 'transactions write unless told otherwise'),
      ];
    },
  );
}

function observeDurability(input: ReadinessInput): readonly Observation[] {
  return judged(
    input,
    'candidate',
    ({ postgres }) => postgres?.settings,
    (settings) => {
      const off = ['fsync', 'full_page_writes'].filter((name) => settings[name] === 'off');
      return noneOf(
        off.map((name) => fail(name, 'it is off')),
        'fsync and full_page_writes are on',
      );
    },
  );
}

function observeBehaviour(input: ReadinessInput): readonly Observation[] {
  return bothSettings(input, (theirs, ours) => {
    const other = BEHAVIOUR.filter((name) => theirs[name] !== undefined && theirs[name] !== ours[name]);
    return noneOf(
      other.map((name) =>
        fail(name, `${ours[name] ?? 'not told'} on the candidate, ${theirs[name] ?? ''} on the primary`),
      ),
      `${BEHAVIOUR.join(', ')} are as on the primary`,
    );
  });
}

function observePreloads(input: ReadinessInput): readonly Observation[] {
  return bothSettings(input, (theirs, ours) => {
    const observations = PRELOADS.flatMap((name) => {
      const [wanted, had] = [theirs[name], ours[name]];
      if (wanted === undefined || had === undefined) {
        return [unknown(name, 'it is shown only to members of pg_read_all_settings')];
      }
      const loaded = new Set(librariesOf(had));
      return librariesOf(wanted)
        .filter((library) => !loaded.has(library))
        .map((library) => fail(library, `the primary loads it (${name}), the candidate does not`));
    });
    return observations.length > 0 ? observations : [pass('candidate', 'it loads what the primary loads')];
  });
}

function librariesOf(list: string): readonly string[] {
  return list
    .split(',')
    .map((part) => part.trim().replaceAll('"', ''))
    .filter((part) => part !== '');
}
