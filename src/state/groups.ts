import type { ConsistencyGroup } from '../config/fleet.ts';
import type { VerdictWord } from '../verdict/verdict.ts';
import type { SystemStanding } from './standing.ts';

export interface GroupMember {
  readonly name: string;
  readonly standing: SystemStanding;
}

/** Of each system those that it depends on, members of a group or not. */
export type Dependencies = ReadonlyMap<string, readonly string[]>;

/** A consumer that shows effects of what its producer has lost. */
export interface AheadMember {
  readonly consumer: string;
  readonly producer: string;
  /** At least so many milliseconds. */
  readonly ms: number;
}

export interface GroupStanding {
  readonly name: string;
  readonly verdict: VerdictWord;
  /** Why it is no better, in words of the reasons' kind; stable. */
  readonly why:
    'members' | 'unknown-points' | 'skew-beyond-policy' | 'skew-unsettled' | 'no-skew-policy' | null;
  /** Milliseconds between the oldest and the newest recovery point as they were seen; null: not every member's is known. */
  readonly skewMs: number | null;
  /** What is left of it if a point that was seen earlier has gone on since, as the clock has; null: as above. */
  readonly skewAtLeastMs: number | null;
  readonly maxSkewMs: number | null;
  /** The newest moment that every member can be shown to have reached; null: unknown. */
  readonly commonPointAt: Date | null;
  readonly ahead: readonly AheadMember[];
  readonly members: readonly { readonly name: string; readonly recoveryPointAt: Date | null }[];
}

/** A recovery point, and when it was seen. Both in epoch milliseconds. */
interface Point {
  readonly at: number;
  readonly seenAt: number;
  /** It may have gone on since: nobody has found the primary gone. */
  readonly moves: boolean;
}

const WORST: readonly VerdictWord[] = ['NOT_SAFE', 'UNKNOWN', 'SAFE_WITH_LOSS', 'SAFE'];

/**
 * How the systems of a group stand together, each with its best candidate. Recovery points are on the clocks of the
 * members' own primaries, so the skew is as good as these agree; and they are seen one after the other, so that of two
 * systems which both go on, the one that was seen first seems to be behind. Pure.
 */
export function groupStanding(
  group: ConsistencyGroup,
  members: readonly GroupMember[],
  dependencies: Dependencies,
): GroupStanding {
  const points = new Map(members.map(({ name, standing }) => [name, pointOf(standing)]));
  const known = [...points.values()].filter((point) => point !== null);
  const complete = known.length === points.size && known.length > 0;
  const times = known.map(({ at }) => at);
  const oldest = Math.min(...times);
  const skewMs = complete ? Math.max(...times) - oldest : null;
  const skewAtLeastMs = complete ? mostApart(known) : null;
  const worst = WORST.find((word) => members.some(({ standing }) => standing.verdict === word)) ?? 'UNKNOWN';
  return {
    name: group.name,
    ...judge(worst, { skewMs, skewAtLeastMs, maxSkewMs: group.maxSkew }),
    skewMs,
    skewAtLeastMs,
    maxSkewMs: group.maxSkew,
    commonPointAt: complete ? new Date(oldest) : null,
    ahead: aheadOf(points, dependencies),
    members: members.map(({ name, standing }) => ({ name, recoveryPointAt: recoveryPoint(standing) })),
  };
}

/** Up to when everything is on the best candidate; null: unknown, or known of a past that nobody vouches for now. */
export function recoveryPoint({ fresh, best }: SystemStanding): Date | null {
  const at = fresh ? (best?.candidate.recoveryPointAt ?? null) : null;
  return at === null ? null : new Date(at);
}

function pointOf(standing: SystemStanding): Point | null {
  const at = recoveryPoint(standing);
  if (at === null || standing.state === null) return null;
  const { primary, writtenAt } = standing.state;
  const seenAt = Date.parse(standing.best?.candidate.lag?.at ?? writtenAt);
  return { at: at.getTime(), seenAt, moves: primary.state === 'alive' || primary.state === 'unknown' };
}

/** By how many milliseconds `one` is ahead of `other` at least: whatever was seen earlier has had time to go on. */
function aheadBy(one: Point, other: Point): number {
  return one.at - other.at - (other.moves ? Math.max(0, one.seenAt - other.seenAt) : 0);
}

function mostApart(points: readonly Point[]): number {
  return Math.max(0, ...points.flatMap((one) => points.map((other) => aheadBy(one, other))));
}

function judge(
  worst: VerdictWord,
  { skewMs, skewAtLeastMs, maxSkewMs }: Pick<GroupStanding, 'skewMs' | 'skewAtLeastMs' | 'maxSkewMs'>,
): Pick<GroupStanding, 'verdict' | 'why'> {
  if (worst === 'NOT_SAFE') return { verdict: worst, why: 'members' };
  if (skewAtLeastMs !== null && maxSkewMs !== null && skewAtLeastMs > maxSkewMs) {
    return { verdict: 'NOT_SAFE', why: 'skew-beyond-policy' };
  }
  if (worst === 'UNKNOWN') return { verdict: worst, why: 'members' };
  if (skewMs === null) return { verdict: 'UNKNOWN', why: 'unknown-points' };
  if (maxSkewMs === null && skewMs > 0) return { verdict: 'UNKNOWN', why: 'no-skew-policy' };
  if (maxSkewMs !== null && skewMs > maxSkewMs) return { verdict: 'UNKNOWN', why: 'skew-unsettled' };
  return { verdict: worst, why: worst === 'SAFE' ? null : 'members' };
}

/** A system consumes what those produce that it depends on, through others too. */
function aheadOf(
  points: ReadonlyMap<string, Point | null>,
  dependencies: Dependencies,
): readonly AheadMember[] {
  return [...points].flatMap(([consumer, own]) => {
    if (own === null) return [];
    return producersOf(consumer, points, dependencies).flatMap(([producer, theirs]): AheadMember[] => {
      const ms = aheadBy(own, theirs);
      return ms > 0 ? [{ consumer, producer, ms }] : [];
    });
  });
}

/** The nearest members that it depends on and whose points are known: others are looked through. */
function producersOf(
  consumer: string,
  points: ReadonlyMap<string, Point | null>,
  dependencies: Dependencies,
): readonly (readonly [string, Point])[] {
  const seen = new Set([consumer]);
  const waiting = [...(dependencies.get(consumer) ?? [])];
  const found: (readonly [string, Point])[] = [];
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    if (seen.has(next)) continue;
    seen.add(next);
    const point = points.get(next) ?? null;
    if (point === null) waiting.push(...(dependencies.get(next) ?? []));
    else found.push([next, point]);
  }
  return found;
}
