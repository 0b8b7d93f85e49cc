import type { CandidateSession } from './candidate-session.ts';
import type { WatchedRoot } from './candidate-tables.ts';
import type { Differences } from './differences.ts';
import type { Scrubber } from './scrubber.ts';
import type { WatchLog } from './watch-log.ts';

/** What a look at a candidate has come to: for status lines and for who waits for the end. */
export interface CandidateState {
  readonly connected: boolean;
  readonly dirty: number;
  readonly differences: number;
  readonly moreDifferences: boolean;
  /** Tables of which something is not proven, by name. */
  readonly unproven: readonly string[];
  /** Up to this place of the journal every key that changed was looked at; those that are left differ. 0: it was not. */
  readonly lookedAtUpTo: number;
  /** Nothing that the candidate had applied was left to be looked at: a long backlog takes many rounds. */
  readonly drained: boolean;
  /** Everything that can be proven is. */
  readonly proven: boolean;
  /** How often it was looked at, so that an old answer is not taken for a new one. */
  readonly looks: number;
}

/** Of a candidate that was never reached. */
export const UNSEEN: CandidateState = {
  connected: false,
  dirty: 0,
  differences: 0,
  moreDifferences: false,
  unproven: [],
  lookedAtUpTo: 0,
  drained: false,
  proven: false,
  looks: 0,
};

/** How a candidate stands after a round. */
export function lookAt(
  session: CandidateSession,
  scrubber: Scrubber,
  differences: Differences,
  { looks, drained }: Pick<CandidateState, 'looks' | 'drained'>,
): CandidateState {
  const { watched, bound, roots } = session;
  const { listed } = watched.candidates.dirtyCounts(bound);
  const unproven = [...roots.values()].filter(
    (root) => !root.complete || scrubber.due(root)?.provenAtUs === null,
  );
  const clear = differences.more || listed <= differences.count;
  return {
    connected: true,
    dirty: listed,
    differences: differences.count,
    moreDifferences: differences.more,
    unproven: unproven.map(({ root }) => root),
    lookedAtUpTo: clear ? bound.cursor : 0,
    drained,
    proven: scrubber.done && isKnown(roots, watched.unreadable),
    looks,
  };
}

/** Every row that the ledger can know is known to it: before that nothing is proven of the rest. */
function isKnown(roots: ReadonlyMap<string, WatchedRoot>, unreadable: ReadonlySet<string>): boolean {
  const known = [...roots.values()].every(
    ({ followed, complete, relations }) =>
      !followed ||
      complete ||
      relations.some(({ table, keyFields }) => keyFields === null || unreadable.has(table)),
  );
  return known && roots.size > 0;
}

/** Says when a candidate is ready, and when it is not any more. */
export function tellState(
  { differences, proven, unproven, lookedAtUpTo, drained }: CandidateState,
  name: string,
  log: WatchLog,
): void {
  const about = { site: name, event: 'proven' } as const;
  if (differences > 0) {
    const message = 'rows differ from the primary’s: it must not be promoted';
    log.state({ ...about, level: 'error', message });
  } else if (!proven) {
    log.over({ ...about, level: 'warn', message: 'not every row is proven equal any more' });
  } else if (drained && lookedAtUpTo > 0) {
    const some = unproven.length === 1 ? '1 table' : `${unproven.length} tables`;
    const but = unproven.length === 0 ? '' : `, but for ${some} that cannot be proven`;
    log.state({ ...about, level: 'info', message: `every row is proven equal${but}` });
  }
}
