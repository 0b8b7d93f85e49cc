import { TwinproofError } from '../../src/errors.ts';
import { formatLsn, type Lsn, parseLsn } from './lsn.ts';
import type { Session } from './session.ts';

/** Names of what the DBA made for us. */
export interface StreamNames {
  readonly slot: string;
  readonly publication: string;
}

const DECODING_STANDBY = 160_000;

/** What the server says of itself, of the slot and of the publication, before anything is streamed. */
export interface StreamFacts {
  readonly database: string;
  readonly inRecovery: boolean;
  readonly walLevel: string;
  /** max_slot_wal_keep_size in megabytes; −1: a slot that nobody reads may fill the disk. */
  readonly slotKeepMb: number;
  readonly role: string;
  readonly mayReplicate: boolean;
  /** How far the log is written; null on a standby, which may lag. */
  readonly head: Lsn | null;
  readonly slot: SlotFacts | null;
  readonly publication: PublicationFacts | null;
}

export interface SlotFacts {
  readonly plugin: string | null;
  /** Null for a physical slot. */
  readonly database: string | null;
  readonly temporary: boolean;
  readonly twoPhase: boolean;
  /** Version 17 and later: standbys keep copies of it; and it is such a copy, of use once its server is promoted. */
  readonly failover: boolean;
  readonly synced: boolean;
  readonly activePid: number | null;
  /** Up to here the server believes that everything is durable at the client. */
  readonly confirmed: Lsn | null;
  /** pg_replication_slots.wal_status: reserved, extended, unreserved, lost. */
  readonly walStatus: string | null;
  /** Why the slot is of no use any more; null: it is. Named by version 17, guessed from `conflicting` by 16. */
  readonly invalidated: string | null;
}

export interface PublicationFacts {
  /** Kinds of changes that it leaves out. */
  readonly withheld: readonly string[];
  readonly viaRoot: boolean;
  readonly allTables: boolean;
}

interface FactsRow {
  readonly database: string;
  readonly inRecovery: boolean;
  readonly walLevel: string;
  readonly slotKeepMb: number;
  readonly role: string;
  readonly mayReplicate: boolean;
  readonly head: string | null;
  readonly plugin: string | null;
  readonly slotName: string | null;
  readonly slotDatabase: string | null;
  readonly temporary: boolean | null;
  readonly twoPhase: boolean | null;
  readonly failover: boolean | null;
  readonly synced: boolean | null;
  readonly activePid: number | null;
  readonly confirmed: string | null;
  readonly walStatus: string | null;
  readonly invalidated: string | null;
  readonly pubName: string | null;
  readonly withheld: string[] | null;
  readonly viaRoot: boolean | null;
  readonly allTables: boolean | null;
}

/** Columns that came with later versions pass through jsonb. pg_settings gives the size in its unit, which is MB. */
const FACTS = `
select pg_catalog.current_database()::text as database, pg_catalog.pg_is_in_recovery() as "inRecovery",
  pg_catalog.current_setting('wal_level') as "walLevel",
  (select g.setting::int8::float8 from pg_settings g where g.name = 'max_slot_wal_keep_size') as "slotKeepMb",
  current_user::text as role,
  (select r.rolsuper or r.rolreplication from pg_roles r where r.rolname = current_user) as "mayReplicate",
  case when not pg_catalog.pg_is_in_recovery() then pg_catalog.pg_current_wal_flush_lsn() end::text as head,
  s.slot_name::text as "slotName", s.plugin::text as plugin, s.database::text as "slotDatabase", s.temporary,
  (to_jsonb(s) ->> 'two_phase')::bool as "twoPhase", (to_jsonb(s) ->> 'failover')::bool as failover,
  (to_jsonb(s) ->> 'synced')::bool as synced, s.active_pid as "activePid",
  s.confirmed_flush_lsn::text as confirmed, s.wal_status as "walStatus",
  coalesce(to_jsonb(s) ->> 'invalidation_reason',
    case when (to_jsonb(s) ->> 'conflicting')::bool then 'conflicting' end) as invalidated,
  p.pubname::text as "pubName", p.pubviaroot as "viaRoot", p.puballtables as "allTables",
  array_remove(array[case when not p.pubinsert then 'insert' end, case when not p.pubupdate then 'update' end,
    case when not p.pubdelete then 'delete' end, case when not p.pubtruncate then 'truncate' end], null) as withheld
from (select) one
left join pg_replication_slots s on s.slot_name = $1
left join pg_publication p on p.pubname = $2`;

export async function readStreamFacts(
  session: Session,
  names: StreamNames,
  signal: AbortSignal,
): Promise<StreamFacts> {
  const [row] = await session.rows<FactsRow>(FACTS, [names.slot, names.publication], signal);
  if (row === undefined) throw new TwinproofError('TP-BUG', { message: 'the server told nothing of itself' });
  const { database, inRecovery, walLevel, slotKeepMb, role, mayReplicate } = row;
  return {
    database,
    inRecovery,
    walLevel,
    slotKeepMb,
    role,
    mayReplicate,
    head: lsnOrNull(row.head),
    slot: row.slotName === null ? null : slotOf(row),
    publication:
      row.pubName === null
        ? null
        : {
            withheld: row.withheld ?? [],
            viaRoot: row.viaRoot === true,
            allTables: row.allTables === true,
          },
  };
}

function slotOf(row: FactsRow): SlotFacts {
  return {
    plugin: row.plugin,
    database: row.slotDatabase,
    temporary: row.temporary === true,
    twoPhase: row.twoPhase === true,
    failover: row.failover === true,
    synced: row.synced === true,
    activePid: row.activePid,
    confirmed: lsnOrNull(row.confirmed),
    walStatus: row.walStatus,
    invalidated: row.invalidated,
  };
}

function lsnOrNull(text: string | null): Lsn | null {
  return text === null ? null : parseLsn(text);
}

/**
 * Where to start, or why not. Pure. `after`: what is durable here, already known to be of this lineage; null: nothing.
 *
 * Throws TP-GAP when commits after `after` are gone for us: START_REPLICATION itself would silently go on at the slot's
 * own position (measured). Throws TP-STREAM-SETUP for everything that a DBA must mend first.
 */
export function startPoint(
  facts: StreamFacts,
  names: StreamNames,
  after: Lsn | null,
  allowUnboundedWal: boolean,
): Lsn {
  demandServer(facts, allowUnboundedWal);
  demandPublication(facts, names);
  const slot = demandSlot(facts, names, after);
  if (slot.confirmed === null) throw setup(`slot ${names.slot} is still being created`, null, true);
  if (after === null) return slot.confirmed;
  if (slot.confirmed > after) {
    throw new TwinproofError('TP-GAP', {
      message:
        `slot ${names.slot} stands at ${formatLsn(slot.confirmed)}, beyond ${formatLsn(after)} where our store ends: ` +
        'somebody else read or advanced it, or made it anew',
    });
  }
  if (facts.head !== null && facts.head < after) {
    throw new TwinproofError('TP-GAP', {
      message:
        `the server’s log ends at ${formatLsn(facts.head)}, before ${formatLsn(after)} where our store ends: ` +
        'the server was restored, or lost the end of its log',
    });
  }
  return after;
}

/** Standbys decode their log from version 16 on (release notes). Throws TP-STREAM-SETUP. */
export function demandDecoding({ inRecovery }: StreamFacts, versionNumber: number): void {
  if (!inRecovery || versionNumber >= DECODING_STANDBY) return;
  throw setup(
    `a standby of version ${Math.trunc(versionNumber / 10_000)} cannot stream changes`,
    'let primary.url name the primary itself; standbys can from version 16 on',
  );
}

function demandServer(facts: StreamFacts, allowUnboundedWal: boolean): void {
  if (facts.walLevel !== 'logical') {
    throw setup(
      `wal_level is ${facts.walLevel}`,
      'set wal_level = logical and restart the server; on a standby its primary too',
    );
  }
  if (!facts.mayReplicate) {
    throw setup(
      `role ${facts.role} may not replicate`,
      'let a superuser run ALTER ROLE … REPLICATION; `twinproof preflight --sql` prints it',
    );
  }
  if (facts.slotKeepMb < 0 && !allowUnboundedWal) {
    throw setup(
      'max_slot_wal_keep_size is not limited: should watch stand still, its slot could fill the server’s disk',
      'set max_slot_wal_keep_size well below the free space, or allow an unbounded one explicitly',
    );
  }
}

function demandPublication({ publication }: StreamFacts, names: StreamNames): void {
  if (publication === null) throw setup(`publication ${names.publication} does not exist`, null);
  if (publication.withheld.length > 0) {
    throw setup(
      `publication ${names.publication} withholds ${publication.withheld.join(', ')}`,
      `ALTER PUBLICATION … SET (publish = 'insert, update, delete, truncate')`,
    );
  }
  if (publication.viaRoot) {
    throw setup(
      `publication ${names.publication} hides in which partition a row lies`,
      'ALTER PUBLICATION … SET (publish_via_partition_root = false), or make one of our own',
    );
  }
}

function demandSlot(facts: StreamFacts, names: StreamNames, after: Lsn | null): SlotFacts {
  const { slot } = facts;
  if (slot === null) {
    const hint = facts.inRecovery ? standbySlotHint(names) : null;
    // A standby may get its slot later, from its primary or by hand: whether that is a gap shows then.
    if (after === null || facts.inRecovery)
      throw setup(`replication slot ${names.slot} does not exist`, hint, facts.inRecovery);
    throw new TwinproofError('TP-GAP', {
      message: `replication slot ${names.slot} has gone, and with it the log after ${formatLsn(after)}`,
    });
  }
  if (slot.synced && facts.inRecovery) {
    throw setup(
      `slot ${names.slot} is a copy that this standby keeps of its primary’s: it can be read when the standby is promoted`,
      'let primary.url lead to the primary until then',
      true,
    );
  }
  const foreign = foreignSlot(slot, facts.database);
  if (foreign !== null) {
    throw setup(
      `slot ${names.slot} ${foreign}`,
      'it is somebody else’s: name another slot in the configuration',
    );
  }
  if (slot.twoPhase) {
    throw setup(
      `slot ${names.slot} sends transactions when they are prepared, and not again when they are committed`,
      'drop it and create it without two_phase',
    );
  }
  if (slot.walStatus === 'lost' || slot.invalidated !== null) {
    const why = slot.invalidated ?? 'its log was removed (max_slot_wal_keep_size)';
    throw new TwinproofError('TP-GAP', { message: `slot ${names.slot} is lost: ${why}` });
  }
  if (slot.activePid !== null) {
    throw setup(
      `slot ${names.slot} is in use by process ${slot.activePid}`,
      'another watch runs; or the process is one of a lost connection, and goes away by itself',
      true,
    );
  }
  return slot;
}

/** A standby makes a slot when its primary logs which transactions run (manual, pg_log_standby_snapshot). */
function standbySlotHint({ slot }: StreamNames): string {
  return (
    `run SELECT pg_create_logical_replication_slot('${slot.replaceAll("'", "''")}', 'pgoutput') on the standby, and meanwhile ` +
    'SELECT pg_log_standby_snapshot() on its primary; hot_standby_feedback = on keeps the slot from being lost'
  );
}

function foreignSlot(slot: SlotFacts, database: string): string | null {
  if (slot.plugin === null || slot.database === null) return 'is a physical one';
  if (slot.plugin !== 'pgoutput') return `belongs to the plugin ${slot.plugin}`;
  if (slot.database !== database) return `belongs to database ${slot.database}`;
  return slot.temporary ? 'is temporary: it goes with the session that made it' : null;
}

function setup(message: string, hint: string | null, retryable = false): TwinproofError {
  return new TwinproofError('TP-STREAM-SETUP', { message, retryable, ...(hint === null ? {} : { hint }) });
}
