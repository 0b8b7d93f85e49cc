import type { ReceiverFact, SlotFact } from '../connector/facts-postgres.ts';
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
  PRIMARY,
  readOwn,
  unknown,
  unreadable,
  type Observation,
  type ReadinessInput,
  type Rule,
} from './rule.ts';

const MANUAL = 'https://www.postgresql.org/docs/current';
/** Log that a promotion has to replay before the site opens: at usual rates more than a few seconds. */
const UNREPLAYED_MAX = 64n * 1024n * 1024n;

/** Rules about how a standby is fed, and about what is kept only on the primary. */
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
    code: 'TP-R-PG-OWN-SLOT',
    title: 'the slot that keeps log for the standby is whole',
    severity: { switchover: 'warn', failover: 'info' },
    pairs: PHYSICAL,
    engines: POSTGRES,
    reads: BOTH_SITES,
    why: 'the primary does not keep the log that the standby needs: after the next interruption it may have to be rebuilt',
    hint: 'create the slot again on the primary: SELECT pg_create_physical_replication_slot(…); see max_slot_wal_keep_size',
    docs: [`${MANUAL}/warm-standby.html#STREAMING-REPLICATION-SLOTS`],
    observe: observeOwnSlot,
  },
  {
    code: 'TP-R-PG-SLOTS',
    title: 'the primary’s slots exist on the candidate',
    severity: 'warn',
    pairs: PHYSICAL,
    engines: POSTGRES,
    reads: BOTH_SITES,
    why: 'slots are not replicated: whoever reads from it finds none after the promotion, and what it had not read by then is gone for it',
    hint: 'create it on the candidate right after the promotion, before applications write; from version 17 logical slots can be synchronised (failover = true)',
    docs: [
      `${MANUAL}/logical-replication-failover.html`,
      `${MANUAL}/warm-standby.html#STREAMING-REPLICATION-SLOTS`,
    ],
    observe: observeSlots,
  },
  {
    code: 'TP-R-PG-FAILOVER-SLOTS',
    title: 'failover slots are synchronised',
    severity: 'block',
    pairs: PHYSICAL,
    engines: POSTGRES,
    reads: BOTH_SITES,
    why: 'its subscribers cannot go on from this site after the promotion without a gap, although that is what the slot was declared for',
    hint: 'on the candidate: sync_replication_slots = on, hot_standby_feedback = on, a primary_slot_name, dbname in primary_conninfo; wait until synced and not temporary',
    docs: [`${MANUAL}/logicaldecoding-explanation.html#LOGICALDECODING-REPLICATION-SLOTS-SYNCHRONIZATION`],
    observe: observeFailoverSlots,
  },
  {
    code: 'TP-R-PG-SYNCHRONOUS',
    title: 'commits wait for the candidate where they wait for anyone',
    severity: 'warn',
    pairs: PHYSICAL,
    engines: POSTGRES,
    reads: BOTH_SITES,
    why: 'commits are confirmed once another standby has them, so that this one may lack what clients were told is safe',
    hint: 'promote a synchronous standby, or wait until this one has all of the log',
    docs: [`${MANUAL}/warm-standby.html#SYNCHRONOUS-REPLICATION`],
    observe: observeSynchronous,
  },
  {
    code: 'TP-R-PG-SYNC-AFTERWARDS',
    title: 'commits will not wait for a standby that is not there',
    severity: 'warn',
    pairs: PHYSICAL,
    engines: POSTGRES,
    reads: CANDIDATE,
    why: 'after the promotion every commit hangs until a standby of that name is connected to this site',
    hint: "be ready to run ALTER SYSTEM SET synchronous_standby_names = '' and SELECT pg_reload_conf() on the candidate",
    docs: [`${MANUAL}/runtime-config-replication.html#GUC-SYNCHRONOUS-STANDBY-NAMES`],
    observe: (input) =>
      judged(
        input,
        'candidate',
        ({ postgres }) => postgres?.settings,
        (settings) => {
          const names = settings['synchronous_standby_names'] ?? '';
          return [
            names === ''
              ? pass('candidate', 'synchronous_standby_names is empty')
              : fail('candidate', `synchronous_standby_names is ${names}`),
          ];
        },
      ),
  },
  {
    code: 'TP-R-PG-PREPARED',
    title: 'no transaction is prepared and undecided',
    severity: 'warn',
    pairs: PHYSICAL,
    engines: POSTGRES,
    reads: PRIMARY,
    why: 'it comes along in the promotion with its locks, and holds back vacuum until its coordinator decides: does that one know the new site?',
    hint: 'COMMIT PREPARED or ROLLBACK PREPARED before a switchover; after a failover look at pg_prepared_xacts first',
    docs: [`${MANUAL}/sql-prepare-transaction.html`],
    observe: (input) =>
      judged(
        input,
        'primary',
        ({ postgres }) => postgres?.prepared,
        (found) =>
          noneOf(
            found.map(({ gid, database, owner }) => fail(gid, `prepared in ${database} by ${owner}`)),
            'it has no prepared transactions',
            'primary',
          ),
      ),
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

/** Named by the receiver while it runs, else by the setting. */
function ownSlot(input: ReadinessInput): string | null {
  const receiver = readOwn(input, 'candidate', ({ postgres }) => postgres?.receiver);
  const settings = readOwn(input, 'candidate', ({ postgres }) => postgres?.settings);
  const running = receiver.known ? (receiver.value?.slotName ?? null) : null;
  const configured = settings.known ? (settings.value['primary_slot_name'] ?? '') : '';
  return running ?? (configured === '' ? null : configured);
}

function observeOwnSlot(input: ReadinessInput): readonly Observation[] {
  return judgedBoth(
    input,
    ({ postgres }) => postgres?.slots,
    ({ postgres }) => postgres?.settings,
    (slots) => {
      const name = ownSlot(input);
      if (name === null) return [pass('candidate', 'it uses no slot')];
      const slot = slots.find((one) => one.name === name);
      if (slot === undefined)
        return [fail(`slot ${name}`, 'the candidate uses it, and the primary has none of that name')];
      const problem = problemOf(slot);
      if (problem !== null) return [fail(`slot ${name}`, problem)];
      return [
        slot.active
          ? pass(`slot ${name}`, 'it is active on the primary')
          : fail(`slot ${name}`, 'nobody uses it on the primary'),
      ];
    },
  );
}

function problemOf({ walStatus, invalidation }: SlotFact): string | null {
  if (invalidation !== null) return `the primary has invalidated it (${invalidation})`;
  return walStatus === 'lost' || walStatus === 'unreserved'
    ? `the primary no longer keeps its log (${walStatus})`
    : null;
}

/** Those of the primary that serve others: not the candidate’s own, not those of a session, not failover slots. */
function observeSlots(input: ReadinessInput): readonly Observation[] {
  return judgedBoth(
    input,
    ({ postgres }) => postgres?.slots,
    ({ postgres }) => postgres?.slots,
    (theirs, ours) => {
      const own = ownSlot(input);
      const names = new Set(ours.map(({ name }) => name));
      const absent = theirs.filter(
        (slot) => !slot.temporary && !slot.failover && slot.name !== own && !names.has(slot.name),
      );
      return noneOf(
        absent.map(({ name, type }) =>
          fail(`slot ${name}`, `the primary has this ${type} slot and the candidate does not`),
        ),
        'the primary has no slots of others that it lacks',
      );
    },
  );
}

function observeFailoverSlots(input: ReadinessInput): readonly Observation[] {
  return judgedBoth(
    input,
    ({ postgres }) => postgres?.slots,
    ({ postgres }) => postgres?.slots,
    (theirs, ours) => {
      const wanted = theirs.filter((slot) => slot.failover && !slot.temporary);
      if (wanted.length === 0) return [pass('primary', 'it has no slots that are to survive a failover')];
      return wanted.map(({ name }) => {
        const copy = ours.find((slot) => slot.name === name);
        if (copy === undefined) return fail(`slot ${name}`, 'the candidate has no copy of it');
        if (!copy.synced)
          return fail(`slot ${name}`, 'the candidate’s slot of that name is not a synchronised copy');
        if (copy.temporary) return fail(`slot ${name}`, 'the candidate’s copy is temporary still');
        return copy.invalidation === null
          ? pass(`slot ${name}`, 'it is synchronised')
          : fail(`slot ${name}`, `the candidate’s copy is invalidated (${copy.invalidation})`);
      });
    },
  );
}

function observeSynchronous(input: ReadinessInput): readonly Observation[] {
  return judgedBoth(
    input,
    ({ postgres }) => postgres?.senders,
    ({ postgres }) => postgres?.receiver,
    (senders, receiver) => {
      const waited = senders.filter(({ syncState }) => syncState === 'sync' || syncState === 'quorum');
      const settings = readOwn(input, 'primary', ({ postgres }) => postgres?.settings);
      if (!settings.known) return [unreadable('primary', settings)];
      if ((settings.value['synchronous_standby_names'] ?? '') === '') {
        return [pass('primary', 'its commits wait for no standby')];
      }
      const name = receiver?.applicationName ?? null;
      if (name === null) return [unknown('candidate', 'under which name it receives is not known')];
      return [
        waited.some((sender) => sender.applicationName === name)
          ? pass('candidate', 'the primary’s commits wait for it')
          : fail(
              'candidate',
              `the primary’s commits wait for ${waited.map((sender) => sender.applicationName).join(', ') || 'others'}`,
            ),
      ];
    },
  );
}
