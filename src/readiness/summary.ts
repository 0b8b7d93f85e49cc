import type { ReadinessResult } from './judge.ts';
import type { PromotionMode } from './rule.ts';

/** `not-ready`: something blocks. `unknown`: a rule that would block could not be checked. */
export type ReadyWord = 'ready' | 'not-ready' | 'unknown';

export interface ReadinessSummary {
  readonly word: ReadyWord;
  readonly blocking: number;
  /** Rules that would block and could not be checked. */
  readonly unknown: number;
  readonly warnings: number;
}

/** Pure: what the results come to in one mode. Nothing that was checked is no readiness either. */
export function summarise(results: readonly ReadinessResult[], mode: PromotionMode): ReadinessSummary {
  const open = results.filter(({ state, waiver }) => state !== 'pass' && waiver === null);
  const blocking = open.filter(
    ({ state, severity }) => state === 'fail' && severity[mode] === 'block',
  ).length;
  const unknown = open.filter(
    ({ state, severity }) => state === 'unknown' && severity[mode] === 'block',
  ).length;
  const warnings = open.filter(({ state, severity }) => state === 'fail' && severity[mode] === 'warn').length;
  let word: ReadyWord = 'ready';
  if (unknown > 0 || results.length === 0) word = 'unknown';
  if (blocking > 0) word = 'not-ready';
  return { word, blocking, unknown, warnings };
}
