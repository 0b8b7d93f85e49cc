import type { FollowedSource } from './ledger-sites.ts';

/** Another one for each history that a primary's log can have; the same for engines that have none. Pure. */
export function historyName({ timeline, details }: Pick<FollowedSource, 'timeline' | 'details'>): string {
  return `${timeline ?? ''} ${details['ancestors'] ?? ''}`;
}

/**
 * Whether a primary is on another history than it was: another server took its place. `namesake`: on another timeline of the
 * same number, as two standbys begin that are promoted without knowing of one another. Pure.
 */
export function historyChange(before: FollowedSource, now: FollowedSource): 'none' | 'another' | 'namesake' {
  if (before.timeline !== now.timeline) return 'another';
  // An earlier version did not remember what a timeline descends from.
  if (before.details['ancestors'] === undefined) return 'none';
  return historyName(before) === historyName(now) ? 'none' : 'namesake';
}
