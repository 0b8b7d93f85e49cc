import type { VerdictWord } from '../verdict/verdict.ts';
import type { ReadState } from './file.ts';
import type { CandidateState, SystemState } from './schema.ts';

/** The publisher's clock may be ahead of ours by this much. */
const AHEAD_MS_MAX = 60_000;

/**
 * Why a verdict is not shown as it was written. `absent`: nobody has published the system. `unreadable`: its file says
 * nothing. `stale`: whoever publishes it has stopped. `none`: no verdict was reached. `expired`: it is too old.
 * `ahead`: it is from the future, so one of two clocks is wrong.
 */
export type Doubt = 'absent' | 'unreadable' | 'stale' | 'ahead' | 'none' | 'expired';

/** What may be said of one candidate at this moment. */
export interface CandidateStanding {
  readonly name: string;
  readonly verdict: VerdictWord;
  /** Null: the verdict is the one that was written. */
  readonly doubt: Doubt | null;
  /** CandidateState.outlook, while that counts as well as the verdict does. */
  readonly outlook: CandidateState['outlook'];
  readonly candidate: CandidateState;
}

/** What may be said of a system at this moment. */
export interface SystemStanding {
  readonly system: string;
  /** That of the best candidate. */
  readonly verdict: VerdictWord;
  readonly doubt: Doubt | null;
  /** Its publisher is at work. */
  readonly fresh: boolean;
  /** Null: there is none that can be read. */
  readonly state: SystemState | null;
  readonly problem: string | null;
  readonly best: CandidateStanding | null;
  /** The best first. */
  readonly candidates: readonly CandidateStanding[];
}

const ORDER: readonly VerdictWord[] = ['SAFE', 'SAFE_WITH_LOSS', 'UNKNOWN', 'NOT_SAFE'];

/** Pure. What was written counts only while it is fresh, and a verdict only until it expires: after that UNKNOWN. */
export function standingOf(system: string, read: ReadState | null, now: Date): SystemStanding {
  const nothing = { system, verdict: 'UNKNOWN', fresh: false, best: null, candidates: [] } as const;
  if (read === null) return { ...nothing, doubt: 'absent', state: null, problem: null };
  if (read.state === null) return { ...nothing, doubt: 'unreadable', state: null, problem: read.problem };
  const { state } = read;
  const age = now.getTime() - Date.parse(state.writtenAt);
  const fresh = age <= state.staleAfterMs && age >= -AHEAD_MS_MAX;
  const late: Doubt | null = fresh ? null : age < 0 ? 'ahead' : 'stale';
  const candidates = state.candidates
    .map((candidate) => candidateStanding(candidate, late, now))
    .sort(
      (a, b) =>
        ORDER.indexOf(a.verdict) - ORDER.indexOf(b.verdict) ||
        Number(b.name === state.best?.candidate) - Number(a.name === state.best?.candidate),
    );
  const best = candidates[0] ?? null;
  return {
    system,
    verdict: best?.verdict ?? 'UNKNOWN',
    doubt: late ?? best?.doubt ?? (best === null ? 'none' : null),
    fresh,
    state,
    problem: null,
    best,
    candidates,
  };
}

function candidateStanding(candidate: CandidateState, late: Doubt | null, now: Date): CandidateStanding {
  const { name, verdict, outlook } = candidate;
  const doubt = late ?? doubtOf(verdict, now);
  return {
    name,
    candidate,
    doubt,
    outlook: doubt === null && doubtOf(outlook, now) === null ? outlook : null,
    verdict: doubt === null && verdict !== null ? verdict.verdict : 'UNKNOWN',
  };
}

/** Where clocks were set back since, nobody can say how old it is. */
function doubtOf(verdict: CandidateState['verdict'], now: Date): Doubt | null {
  if (verdict === null) return 'none';
  if (!(now.getTime() < Date.parse(verdict.expiresAt))) return 'expired';
  return Date.parse(verdict.decidedAt) - now.getTime() <= AHEAD_MS_MAX ? null : 'ahead';
}
