import type { Waiver } from '../config/waiver.ts';
import type { PairKind } from '../connector/table.ts';
import {
  applies,
  severityOf,
  wordsFor,
  type ModeSeverity,
  type Observation,
  type PromotionMode,
  type ReadinessInput,
  type ReadinessState,
  type Rule,
} from './rule.ts';
import { READINESS_RULES } from './rules.ts';
import { covers, isInForce } from './waiver.ts';

/** Results of one rule in one state that are listed one by one; what is beyond is counted. */
const LISTED_MAX = 20;

export interface ReadinessResult {
  readonly code: string;
  readonly state: ReadinessState;
  /** Of the rule: how much a failure weighs in each mode. */
  readonly severity: ModeSeverity;
  /** The site, or the table, sequence or subscription, as the site names it. */
  readonly subject: string;
  readonly message: string;
  /** Empty when the rule passed. */
  readonly hint: string;
  /** The documentation that the rule rests on. */
  readonly docs: readonly string[];
  /** The waiver in force that accepts this failure, or that this is unknown; null: none. */
  readonly waiver: Waiver | null;
}

/** Pure: the results of every rule that applies to the pair, passed or not. */
export function judgeReadiness(input: ReadinessInput): readonly ReadinessResult[] {
  const engine = engineOf(input);
  const asked = (rule: Rule): boolean => rule.deep !== true || input.deep === true;
  return READINESS_RULES.filter((rule) => asked(rule) && applies(rule, input.pair, engine)).flatMap((rule) =>
    shorten(rule.observe(input).map((observation) => resultOf(rule, observation, input, engine))),
  );
}

/** Rules of which an unknown, or no result at all, keeps a verdict of this mode from SAFE. */
export function blockingRules(pair: PairKind, engine: string | null, mode: PromotionMode): readonly Rule[] {
  return READINESS_RULES.filter(
    (rule) => rule.deep !== true && applies(rule, pair, engine) && severityOf(rule)[mode] === 'block',
  );
}

/** Sites that are not of different engines are of one, whichever of them answered. */
function engineOf({ pair, primary, candidate }: ReadinessInput): string | null {
  const own = candidate.identity?.engine ?? candidate.engine ?? null;
  return own ?? (pair === 'cross-engine' ? null : (primary.identity?.engine ?? primary.engine ?? null));
}

function resultOf(
  rule: Rule,
  observation: Observation,
  input: ReadinessInput,
  engine: string | null,
): ReadinessResult {
  const { state, subject, sql } = observation;
  const seen = observation.seen + ageOf(rule, input);
  const result = {
    code: rule.code,
    state,
    severity: severityOf(rule),
    subject,
    docs: rule.docs,
    waiver: null,
  };
  if (state === 'pass') return { ...result, message: seen, hint: '' };
  const { waiver, lapsed } = waiverOf(rule, subject, input);
  const note = waiverText(waiver, lapsed);
  if (state === 'fail') {
    const message = `${seen}: ${wordsFor(rule.why, engine)}${note}`;
    return { ...result, waiver, message, hint: wordsFor(rule.hint, engine) };
  }
  const hint = sql ?? hintFor(subject, input);
  return { ...result, waiver, message: `could not be checked: ${seen}${note}`, hint };
}

/** Of what could not be checked: was the site there at all? */
function hintFor(subject: string, input: ReadinessInput): string {
  if (subject === 'primary' && input.primary.facts === null) {
    return 'only the primary could tell: `watch` keeps its answers for such a day; without them look at the candidate by hand';
  }
  if (subject === 'candidate' && input.candidate.facts === null)
    return 'see why the candidate does not answer';
  return 'run `twinproof preflight` to see what this role may not read, then run again';
}

/** What a site told before it was lost is said to be of that time. */
function ageOf({ reads }: Rule, input: ReadinessInput): string {
  const ages = reads.flatMap((site) => {
    const { rememberedAt, facts } = input[site];
    return rememberedAt === undefined || facts === null
      ? []
      : [` (the ${site} as of ${dayOf(rememberedAt)})`];
  });
  return ages.join('');
}

function dayOf(date: Date): string {
  return Number.isNaN(date.getTime()) ? 'an unknown time' : date.toISOString();
}

function waiverText(waiver: Waiver | null, lapsed: Waiver | null): string {
  if (waiver !== null) return ` (waived by ${waiver.by} until ${dayOf(waiver.until)}: ${waiver.reason})`;
  return lapsed === null ? '' : ` (waived by ${lapsed.by} until ${dayOf(lapsed.until)}, which has passed)`;
}

function waiverOf(
  { code, unwaivable }: Rule,
  subject: string,
  { waiving }: ReadinessInput,
): { readonly waiver: Waiver | null; readonly lapsed: Waiver | null } {
  if (waiving === undefined || unwaivable === true) return { waiver: null, lapsed: null };
  const covering = waiving.waivers.filter((waiver) => covers(waiver, code, subject));
  const waiver = covering.find((one) => isInForce(one, waiving.now)) ?? null;
  return { waiver, lapsed: waiver === null ? (covering[0] ?? null) : null };
}

/** The results of one rule, bounded: after the first ones the rest is one more, which says how many they are. */
function shorten(results: readonly ReadinessResult[]): readonly ReadinessResult[] {
  const passed = results.filter(({ state }) => state === 'pass');
  const groups = new Map<string, ReadinessResult[]>();
  for (const result of results) {
    const { state, waiver } = result;
    if (state === 'pass') continue;
    const name = `${state}/${waiver === null ? '' : `${waiver.by}/${waiver.until.getTime()}/${waiver.reason}`}`;
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [result]);
    else group.push(result);
  }
  return [passed, ...groups.values()].flatMap(firstOf);
}

function firstOf(group: readonly ReadinessResult[]): readonly ReadinessResult[] {
  const listed = group.slice(0, LISTED_MAX);
  const [next, ...others] = group.slice(LISTED_MAX);
  if (next === undefined) return listed;
  if (others.length === 0) return [...listed, next];
  const subject = `${others.length + 1} more`;
  return [...listed, { ...next, subject, message: `such as ${next.subject}: ${next.message}` }];
}
