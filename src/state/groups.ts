import type { ConsistencyGroup, FleetFacts } from '../config/fleet.ts';
import type { VerdictWord } from '../verdict/verdict.ts';
import type { SystemStanding } from './standing.ts';

export interface GroupMember {
  readonly name: string;
  readonly fleet: Pick<FleetFacts, 'dependsOn'>;
  readonly standing: SystemStanding;
}

/** A consumer that shows effects of what its producer has lost. */
export interface AheadMember {
  readonly consumer: string;
  readonly producer: string;
  readonly ms: number;
}

export interface GroupStanding {
  readonly name: string;
  readonly verdict: VerdictWord;
  /** Why it is no better, in words of the reasons' kind; stable. */
  readonly why: 'members' | 'unknown-points' | 'skew-beyond-policy' | 'no-skew-policy' | null;
  /** Milliseconds between the oldest and the newest recovery point; null: not every member's is known. */
  readonly skewMs: number | null;
  readonly maxSkewMs: number | null;
  /** The newest moment that every member can be shown to have reached; null: unknown. */
  readonly commonPointAt: Date | null;
  readonly ahead: readonly AheadMember[];
  readonly members: readonly { readonly name: string; readonly recoveryPointAt: Date | null }[];
}

const WORST: readonly VerdictWord[] = ['NOT_SAFE', 'UNKNOWN', 'SAFE_WITH_LOSS', 'SAFE'];

/**
 * How the systems of a group stand together, each with its best candidate. Recovery points are on the clocks of the
 * members' own primaries, so the skew is as good as these agree. Pure.
 */
export function groupStanding(group: ConsistencyGroup, members: readonly GroupMember[]): GroupStanding {
  const points = members.map(({ name, standing }) => ({ name, recoveryPointAt: recoveryPoint(standing) }));
  const known = points.flatMap(({ recoveryPointAt: at }) => (at === null ? [] : [at.getTime()]));
  const complete = known.length === points.length && known.length > 0;
  const oldest = Math.min(...known);
  const skewMs = complete ? Math.max(...known) - oldest : null;
  const worst = WORST.find((word) => members.some(({ standing }) => standing.verdict === word)) ?? 'UNKNOWN';
  return {
    name: group.name,
    ...judge(worst, skewMs, group.maxSkew),
    skewMs,
    maxSkewMs: group.maxSkew,
    commonPointAt: complete ? new Date(oldest) : null,
    ahead: aheadOf(members),
    members: points,
  };
}

/** Up to when everything is on the best candidate; null: unknown, or known of a past that nobody vouches for now. */
export function recoveryPoint({ fresh, best }: SystemStanding): Date | null {
  const at = fresh ? (best?.candidate.recoveryPointAt ?? null) : null;
  return at === null ? null : new Date(at);
}

function judge(
  worst: VerdictWord,
  skewMs: number | null,
  maxSkewMs: number | null,
): Pick<GroupStanding, 'verdict' | 'why'> {
  if (worst === 'NOT_SAFE') return { verdict: worst, why: 'members' };
  if (skewMs !== null && maxSkewMs !== null && skewMs > maxSkewMs) {
    return { verdict: 'NOT_SAFE', why: 'skew-beyond-policy' };
  }
  if (worst === 'UNKNOWN') return { verdict: worst, why: 'members' };
  if (skewMs === null) return { verdict: 'UNKNOWN', why: 'unknown-points' };
  if (maxSkewMs === null && skewMs > 0) return { verdict: 'UNKNOWN', why: 'no-skew-policy' };
  return { verdict: worst, why: worst === 'SAFE' ? null : 'members' };
}

/** Within the group a system consumes what those that it depends on produce. */
function aheadOf(members: readonly GroupMember[]): readonly AheadMember[] {
  const points = new Map(members.map(({ name, standing }) => [name, recoveryPoint(standing)]));
  return members.flatMap(({ name, fleet }) =>
    fleet.dependsOn.flatMap((producer): AheadMember[] => {
      const [own, theirs] = [points.get(name) ?? null, points.get(producer) ?? null];
      if (own === null || theirs === null || own.getTime() <= theirs.getTime()) return [];
      return [{ consumer: name, producer, ms: own.getTime() - theirs.getTime() }];
    }),
  );
}
