import type { Verdict, VerdictWord } from './verdict.ts';

/** A candidate and what became of it. */
export interface RankedCandidate {
  readonly name: string;
  readonly verdict: Verdict;
}

export interface Ranking {
  /** Best first. */
  readonly candidates: readonly RankedCandidate[];
  /** Why the first one is, in words; empty if it is the only one. */
  readonly why: string;
}

/** A candidate that may be promoted, then one of which too little is known, then one that must not be. */
const WORD_ORDER: readonly VerdictWord[] = ['SAFE', 'SAFE_WITH_LOSS', 'UNKNOWN', 'NOT_SAFE'];
const OUTCOME_ORDER = ['same', 'unproven', 'different'] as const;

/** By verdict, then by what is proven of its rows, then by how little is lost; names decide last, so the order is stable. */
export function rankCandidates(candidates: readonly RankedCandidate[]): Ranking {
  const ranked = [...candidates].sort((a, b) =>
    CRITERIA.reduce((order, { compare }) => order || compare(a, b), 0),
  );
  const [first, second] = ranked;
  if (first === undefined || second === undefined) return { candidates: ranked, why: '' };
  const decided = CRITERIA.find(({ compare }) => compare(first, second) !== 0);
  return { candidates: ranked, why: decided?.words(first, second) ?? '' };
}

interface Criterion {
  readonly compare: (a: RankedCandidate, b: RankedCandidate) => number;
  readonly words: (best: RankedCandidate, next: RankedCandidate) => string;
}

const CRITERIA: readonly Criterion[] = [
  {
    compare: (a, b) => WORD_ORDER.indexOf(a.verdict.verdict) - WORD_ORDER.indexOf(b.verdict.verdict),
    words: (best, next) => `it is ${best.verdict.verdict}, and ${next.name} is ${next.verdict.verdict}`,
  },
  {
    compare: (a, b) =>
      OUTCOME_ORDER.indexOf(a.verdict.integrity) - OUTCOME_ORDER.indexOf(b.verdict.integrity),
    words: (best, next) =>
      `its rows are ${best.verdict.integrity}, those of ${next.name} are ${next.verdict.integrity}`,
  },
  {
    compare: (a, b) => byCount(a.verdict.loss.transactions, b.verdict.loss.transactions),
    words: (best, next) =>
      `it lacks ${countWords(best.verdict.loss.transactions)} of the known transactions, ${next.name} ${countWords(next.verdict.loss.transactions)}`,
  },
  {
    compare: (a, b) => byCount(b.verdict.loss.tail?.bytes ?? 0n, a.verdict.loss.tail?.bytes ?? 0n),
    words: (_, next) => `it has more of what the ledger never saw than ${next.name}`,
  },
  {
    compare: (a, b) => byCount(b.verdict.loss.recoverableBytes ?? 0n, a.verdict.loss.recoverableBytes ?? 0n),
    words: (_, next) => `it has received more that is still to be applied than ${next.name}`,
  },
  {
    compare: (a, b) => (a.name < b.name ? -1 : Number(a.name !== b.name)),
    words: (_, next) => `nothing tells it from ${next.name}`,
  },
];

/** What is unknown comes last. */
function byCount(a: bigint | null, b: bigint | null): number {
  if (a === b) return 0;
  if (a === null) return 1;
  if (b === null) return -1;
  return a < b ? -1 : 1;
}

function countWords(count: bigint | null): string {
  return count === null ? 'an unknown number' : count.toString();
}
