import { TwinproofError } from '../../src/errors.ts';
import type { ConnectTarget } from './address.ts';
import { readTimeline } from './replication-lineage.ts';
import { openSession, type Session } from './session.ts';

interface KnownTimeline {
  /** When the server was started, as it says itself: another one at that address begins anew. */
  readonly started: string;
  readonly timeline: number;
  /** Where it stood when it was asked; null: it was not. */
  readonly askedAt: string | null;
}

const KNOWN = new WeakMap<ConnectTarget, KnownTimeline>();

/**
 * The timeline that a server in recovery is on: what it shows by SQL may fall back to an earlier one when its receiver
 * ends (measured), while a server that runs never goes back.
 */
export function newestTimeline(target: ConnectTarget, started: string, shown: number): number {
  const known = KNOWN.get(target);
  const before = known?.started === started ? known : { started, timeline: shown, askedAt: null };
  const timeline = Math.max(before.timeline, shown);
  KNOWN.set(target, { ...before, timeline });
  return timeline;
}

interface RecoveryRow {
  readonly started: string;
  readonly standing: string | null;
  readonly isAsked: boolean;
}

const RECOVERY = `
select (extract(epoch from pg_catalog.pg_postmaster_start_time()) * 1000000)::bigint::text as started,
  pg_catalog.pg_last_wal_replay_lsn()::text as standing,
  pg_catalog.pg_is_in_recovery()
    and not exists (select from pg_stat_wal_receiver w where w.received_tli is not null)
    and exists (select from pg_roles r where r.rolname = current_user and (r.rolsuper or r.rolreplication)) as "isAsked"`;

/**
 * Learns which timeline a standby without a receiver replays: by SQL that shows only from its next restart point on, and a
 * walsender tells it (manual, "Streaming Replication Protocol", IDENTIFY_SYSTEM). Without the right to replicate it stays
 * as it is shown. For newestTimeline.
 */
export async function learnTimeline(session: Session, signal: AbortSignal): Promise<void> {
  const [row] = await session.rows<RecoveryRow>(RECOVERY, [], signal);
  if (row?.isAsked !== true) return;
  const { target } = session;
  const known = KNOWN.get(target);
  if (known?.started === row.started && known.askedAt === row.standing) return;
  const timeline = await askTimeline(target, signal);
  if (timeline === null) return;
  const newest = newestTimeline(target, row.started, timeline);
  KNOWN.set(target, { started: row.started, timeline: newest, askedAt: row.standing });
}

async function askTimeline(target: ConnectTarget, signal: AbortSignal): Promise<number | null> {
  try {
    const sender = await openSession(target, signal, { purpose: 'watch', replication: true });
    try {
      return Number((await readTimeline(sender, signal)).timeline);
    } finally {
      await sender.close();
    }
  } catch (error) {
    if (signal.aborted || !(error instanceof TwinproofError)) throw error;
    return null;
  }
}
