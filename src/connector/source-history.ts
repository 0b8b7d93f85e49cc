import { z } from 'zod';
import type { FollowedSource } from './ledger-sites.ts';

/** Another one for each history that a primary's log can have; the same for engines that have none. Pure. */
export function historyName({ timeline, details }: Pick<FollowedSource, 'timeline' | 'details'>): string {
  return `${timeline ?? ''} ${details['ancestors'] ?? ''}`;
}

/**
 * Whether a primary is on another history than it was: another server took its place. `namesake`: of some number both have
 * a timeline, and not the same one, as two standbys begin that are promoted without knowing of one another; so places of
 * the two logs may have the same names. Throws SyntaxError and ZodError for what no connector told. Pure.
 */
export function historyChange(before: FollowedSource, now: FollowedSource): 'none' | 'another' | 'namesake' {
  const isSameNumber = before.timeline === now.timeline;
  // An earlier version did not remember what a timeline descends from.
  if (before.details['ancestors'] === undefined) return isSameNumber ? 'none' : 'another';
  const ours = beginningsOf(before);
  for (const [timeline, beginning] of beginningsOf(now))
    if ((ours.get(timeline) ?? beginning) !== beginning) return 'namesake';
  return isSameNumber ? 'none' : 'another';
}

const ancestorsSchema = z.array(z.tuple([z.string(), z.string()]));

/** The timelines of a log by their numbers, each with what it descends from. */
function beginningsOf({ timeline, details }: FollowedSource): ReadonlyMap<string, string> {
  const left = ancestorsSchema.parse(JSON.parse(details['ancestors'] ?? '[]'));
  const timelines = [...left.map(([name]) => name), timeline ?? ''];
  return new Map(timelines.map((name, place) => [name, JSON.stringify(left.slice(0, place))]));
}
