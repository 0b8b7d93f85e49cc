import type { SlotFact } from '../connector/facts-postgres.ts';
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

/** Rules about slots, which are not replicated, and about commits that wait or are undecided. */
export const POSTGRES_SLOT_RULES: readonly Rule[] = [
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
    severity: { switchover: 'block', failover: 'warn' },
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
    severity: { switchover: 'info', failover: 'warn' },
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
];

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

/**
 * Those of the primary that serve others: not the candidate’s own, not those of a session, not failover slots of others.
 * Without ours a ledger names a gap and reads every row anew, and nobody loses anything.
 */
function observeSlots(input: ReadinessInput): readonly Observation[] {
  return judgedBoth(
    input,
    ({ postgres }) => postgres?.slots,
    ({ postgres }) => postgres?.slots,
    (theirs, ours) => {
      const own = ownSlot(input);
      const names = new Set(ours.map(({ name }) => name));
      const absent = theirs.filter(
        (slot) =>
          !slot.temporary &&
          (!slot.failover || slot.ours === true) &&
          slot.name !== own &&
          !names.has(slot.name),
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
      const wanted = theirs.filter((slot) => slot.failover && !slot.temporary && slot.ours !== true);
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
