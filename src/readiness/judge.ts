import type { Severity } from '../connector/identity.ts';
import { APPLY_RULES } from './apply-rules.ts';
import type { Observation, ReadinessInput, ReadinessState, Rule } from './rule.ts';
import { SITE_RULES } from './site-rules.ts';

/** Every rule, in the order of output. The codes and their meaning are stable. */
export const READINESS_RULES: readonly Rule[] = [...SITE_RULES, ...APPLY_RULES];

export interface ReadinessResult {
  readonly code: string;
  readonly state: ReadinessState;
  /** Of the rule: how much a failure weighs. */
  readonly severity: Severity;
  /** The site, or the table, sequence or subscription, as the site names it. */
  readonly subject: string;
  readonly message: string;
  /** Empty when the rule passed. */
  readonly hint: string;
}

/** Pure: the results of every rule that applies to the pair, passed or not. */
export function judgeReadiness(input: ReadinessInput): readonly ReadinessResult[] {
  return READINESS_RULES.filter((rule) => rule.pairs.includes(input.pair)).flatMap((rule) =>
    rule.observe(input).map((observation) => resultOf(rule, observation)),
  );
}

function resultOf(rule: Rule, { state, subject, seen }: Observation): ReadinessResult {
  const { code, severity } = rule;
  if (state === 'pass') return { code, state, severity, subject, message: seen, hint: '' };
  if (state === 'fail') {
    return { code, state, severity, subject, message: `${seen}: ${rule.why}`, hint: rule.hint };
  }
  return {
    code,
    state,
    severity,
    subject,
    message: `could not be checked: ${seen}`,
    hint: 'run `twinproof preflight` to see what this role may not read, then run again',
  };
}
