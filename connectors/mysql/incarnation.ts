import { readIdentity } from './identity.ts';
import type { Session } from './session.ts';

/**
 * What tells this candidate from any other that could stand in its place: who it is, and when it was started. A copy of
 * it starts at another moment, and so does itself after a restart, which voids proofs: nothing that a server says of itself
 * tells a restart from the start of a copy of its folder. What is written to it while it runs, and a dump that is loaded
 * into it, is in its own log, or that log has a gap (ownChanges).
 */
export async function readIncarnation(session: Session, signal: AbortSignal): Promise<string> {
  const { instance, database, role } = await readIdentity(session, signal);
  return [role, instance, database].join('/');
}
