import type { ReceiverFact } from '../connector/facts-postgres.ts';
import {
  BOTH_SITES,
  CANDIDATE,
  fail,
  judged,
  judgedBoth,
  noneOf,
  pass,
  PHYSICAL,
  POSTGRES,
  unknown,
  type Observation,
  type ReadinessInput,
  type Rule,
} from './rule.ts';

const MANUAL = 'https://www.postgresql.org/docs/current';
/** Log that a promotion has to replay before the site opens: at usual rates more than a few seconds. */
const UNREPLAYED_MAX = 64n * 1024n * 1024n;

/** Rules about how a standby is fed, and how it replays. */
export const POSTGRES_STANDBY_RULES: readonly Rule[] = [
  {
    code: 'TP-R-PG-RECEIVER',
    title: 'the standby receives log',
    severity: { switchover: 'block', failover: 'info' },
    pairs: PHYSICAL,
    engines: POSTGRES,
    reads: CANDIDATE,
    why: 'what the primary commits from now on does not arrive, so that a switchover would lose it',
    hint: 'look at primary_conninfo and the candidate’s log: the slot may be gone, or log that it needs removed; then it must be rebuilt',
    docs: [`${MANUAL}/monitoring-stats.html#MONITORING-PG-STAT-WAL-RECEIVER-VIEW`],
    observe: (input) =>
      judged(
        input,
        'candidate',
        ({ postgres }) => postgres?.receiver,
        (receiver) => {
          if (receiver === null) return [fail('candidate', 'no WAL receiver is running')];
          return [
            receiver.status === 'streaming'
              ? pass('candidate', `its WAL receiver streams from ${senderOf(receiver)}`)
              : fail('candidate', `its WAL receiver is ${receiver.status}`),
          ];
        },
      ),
  },
  {
    code: 'TP-R-PG-UPSTREAM',
    title: 'the standby is fed by the primary itself',
    severity: { switchover: 'warn', failover: 'info' },
    pairs: PHYSICAL,
    engines: POSTGRES,
    reads: BOTH_SITES,
    why: 'it hangs on another server, perhaps a third standby or one that was the primary once, and stands still when that one does',
    hint: 'compare primary_conninfo with the address of the primary; a cascade on purpose may be waived',
    docs: [`${MANUAL}/warm-standby.html#CASCADING-REPLICATION`],
    observe: observeUpstream,
  },
  {
    code: 'TP-R-PG-UNREPLAYED',
    title: 'received log is replayed',
    severity: 'warn',
    pairs: PHYSICAL,
    engines: POSTGRES,
    reads: CANDIDATE,
    why: 'a promotion replays it first, and the site stays closed for as long',
    hint: 'see whether a long query, a pause or the disk holds replay back',
    docs: [`${MANUAL}/functions-admin.html#FUNCTIONS-RECOVERY-INFO-TABLE`],
    observe: (input) =>
      judged(
        input,
        'candidate',
        ({ postgres }) => postgres?.unreplayedBytes,
        (bytes) => {
          const seen = `${megabytes(bytes ?? '0')} of received log wait to be replayed`;
          return [BigInt(bytes ?? '0') > UNREPLAYED_MAX ? fail('candidate', seen) : pass('candidate', seen)];
        },
      ),
  },
  {
    code: 'TP-R-PG-APPLY-DELAY',
    title: 'replay is not delayed on purpose',
    severity: 'warn',
    pairs: PHYSICAL,
    engines: POSTGRES,
    reads: CANDIDATE,
    why: 'the site is behind by that time always, and replays all of it before it opens',
    hint: 'choose another candidate, or set recovery_min_apply_delay = 0 and reload well before the promotion',
    docs: [`${MANUAL}/runtime-config-replication.html#GUC-RECOVERY-MIN-APPLY-DELAY`],
    observe: (input) =>
      judged(
        input,
        'candidate',
        ({ postgres }) => postgres?.settings,
        (settings) => {
          const delay = settings['recovery_min_apply_delay'] ?? '0';
          return [
            delay === '0'
              ? pass('candidate', 'replay is not delayed')
              : fail('candidate', `recovery_min_apply_delay is ${delay} ms`),
          ];
        },
      ),
  },
  {
    code: 'TP-R-PG-RECOVERY-TARGET',
    title: 'recovery has no target and follows the latest timeline',
    severity: 'block',
    pairs: PHYSICAL,
    engines: POSTGRES,
    reads: CANDIDATE,
    why: 'replay stops at the target, or does not follow the next promotion: the site is not a copy of the primary’s present',
    hint: 'clear recovery_target…, set recovery_target_timeline = latest, and restart the candidate',
    docs: [`${MANUAL}/runtime-config-wal.html#RUNTIME-CONFIG-WAL-RECOVERY-TARGET`],
    observe: observeTarget,
  },
  {
    code: 'TP-R-PG-CONFLICTS',
    title: 'replay has cancelled no queries',
    severity: 'info',
    pairs: PHYSICAL,
    engines: POSTGRES,
    reads: CANDIDATE,
    why: 'queries and replay compete on this standby; what reads from it now will meet the write load after the promotion',
    hint: 'hot_standby_feedback or max_standby_streaming_delay shift the balance',
    docs: [`${MANUAL}/hot-standby.html#HOT-STANDBY-CONFLICT`],
    observe: (input) =>
      judged(
        input,
        'candidate',
        ({ postgres }) => postgres?.conflicts,
        (found) =>
          noneOf(
            found.map(({ database, count }) =>
              fail(`database ${database}`, `replay has cancelled ${count} queries`),
            ),
            'replay has cancelled no queries',
          ),
      ),
  },
  {
    code: 'TP-R-PG-REWIND',
    title: 'the old primary can be rewound',
    severity: 'info',
    pairs: PHYSICAL,
    engines: POSTGRES,
    reads: CANDIDATE,
    why: 'after a failover the old primary cannot be made a standby by pg_rewind, but must be copied anew',
    hint: 'set wal_log_hints = on, or enable data checksums',
    docs: [`${MANUAL}/app-pgrewind.html`],
    observe: (input) =>
      judged(
        input,
        'candidate',
        ({ postgres }) => postgres?.settings,
        (settings) => {
          const ways = ['wal_log_hints', 'data_checksums'].filter((name) => settings[name] === 'on');
          return [
            ways.length > 0
              ? pass('candidate', `${ways.join(' and ')} allow pg_rewind`)
              : fail('candidate', 'neither wal_log_hints nor data checksums are on'),
          ];
        },
      ),
  },
];

function senderOf({ senderHost, senderPort }: ReceiverFact): string {
  return senderHost === null ? 'a server it does not name' : `${senderHost}:${senderPort ?? '?'}`;
}

function megabytes(bytes: string): string {
  return `${(BigInt(bytes) + 524_288n) >> 20n} MB`;
}

/** The primary lists whom it sends to by application name; which of two equal names is ours cannot be told. */
function observeUpstream(input: ReadinessInput): readonly Observation[] {
  return judgedBoth(
    input,
    ({ postgres }) => postgres?.senders,
    ({ postgres }) => postgres?.receiver,
    (senders, receiver) => {
      if (receiver === null) return [unknown('candidate', 'no WAL receiver is running')];
      const name = receiver.applicationName;
      if (name === null) return [unknown('candidate', 'under which name it receives is not known')];
      const sent = senders.some((sender) => sender.applicationName === name);
      const from = senderOf(receiver);
      return [
        sent
          ? pass('candidate', `the primary sends to ${name}, which receives from ${from}`)
          : fail(
              'candidate',
              `it receives from ${from} as ${name}, and the primary sends to nobody of that name`,
            ),
      ];
    },
  );
}

const TARGETS = [
  'recovery_target',
  'recovery_target_lsn',
  'recovery_target_name',
  'recovery_target_time',
  'recovery_target_xid',
];

function observeTarget(input: ReadinessInput): readonly Observation[] {
  return judged(
    input,
    'candidate',
    ({ postgres }) => postgres?.settings,
    (settings) => {
      const set = TARGETS.filter((name) => (settings[name] ?? '') !== '').map(
        (name) => `${name} is ${settings[name]}`,
      );
      const timeline = settings['recovery_target_timeline'] ?? 'latest';
      if (timeline !== 'latest') set.push(`recovery_target_timeline is ${timeline}`);
      return noneOf(
        set.map((seen) => fail('candidate', seen)),
        'it follows the latest timeline without a target',
      );
    },
  );
}
