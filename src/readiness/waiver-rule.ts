import type { Waiver } from '../config/waiver.ts';
import {
  ALL_PAIRS,
  BOTH_SITES,
  fail,
  pass,
  type Observation,
  type ReadinessInput,
  type Rule,
} from './rule.ts';
import { isInForce } from './waiver.ts';

/** Do the waivers say what their authors think? `rules` are all the others. */
export function waiverRule(rules: readonly Rule[]): Rule {
  return {
    code: 'TP-R-WAIVER',
    title: 'every waiver is in force and names a rule',
    severity: 'warn',
    pairs: ALL_PAIRS,
    reads: BOTH_SITES,
    unwaivable: true,
    why: 'it accepts nothing',
    hint: 'correct it in the configuration, renew it by a new decision, or take it out',
    docs: [],
    observe: (input) => observeWaivers(input, rules),
  };
}

function observeWaivers({ waiving }: ReadinessInput, rules: readonly Rule[]): readonly Observation[] {
  if (waiving === undefined || waiving.waivers.length === 0) return [pass('waivers', 'there are none')];
  const failed = waiving.waivers.flatMap((waiver) => {
    const problem = problemOf(waiver, rules, waiving.now);
    return problem === null ? [] : [fail(`waiver of ${waiver.rule}`, problem)];
  });
  return failed.length > 0 ? failed : [pass('waivers', `all ${waiving.waivers.length} are in force`)];
}

function problemOf(waiver: Waiver, rules: readonly Rule[], now: Date): string | null {
  const rule = rules.find(({ code }) => code === waiver.rule);
  if (rule === undefined) return 'there is no such rule';
  if (rule.unwaivable === true) return 'this rule cannot be waived: what it finds voids the evidence itself';
  return isInForce(waiver, now) ? null : `it ended at ${endText(waiver.until)} (${waiver.by})`;
}

function endText(until: Date): string {
  return Number.isNaN(until.getTime()) ? 'an unknown time' : until.toISOString();
}
