import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ReadinessResult } from '../../src/readiness/judge.ts';
import { applies, severityOf } from '../../src/readiness/rule.ts';
import { READINESS_RULES } from '../../src/readiness/rules.ts';
import type { LedgerEvidence, Coverage, Evidence, Loss, TableEvidence } from '../../src/verdict/evidence.ts';
import { judge, type VerdictWord } from '../../src/verdict/verdict.ts';
import { PRIMARY_IDENTITY, STANDBY_IDENTITY } from './readiness-fixture.ts';
import {
  before,
  BOUNDED_LOSS,
  CRASH,
  FAILOVER,
  INTEGRITY,
  NO_LOSS,
  NOW,
  POLICY,
  READINESS,
  SWITCHOVER,
  TABLE,
} from './verdict-fixture.ts';
import { times } from './property-runs.ts';

/** Mostly the good value, so that evidence that is good in every part comes up often. */
function mostly<T>(good: T, ...bad: readonly T[]): fc.Arbitrary<T> {
  return fc.oneof(
    { weight: 30, arbitrary: fc.constant(good) },
    { weight: 1, arbitrary: fc.constantFrom(...bad) },
  );
}

const readiness: fc.Arbitrary<readonly ReadinessResult[]> = fc
  .tuple(
    ...READINESS.map((result) =>
      mostly<ReadinessResult | null>(
        result,
        { ...result, state: 'fail' },
        { ...result, state: 'unknown' },
        null,
      ),
    ),
  )
  .map((results) => results.filter((result) => result !== null));

const loss: fc.Arbitrary<Loss> = fc.record({
  kind: fc.constantFrom('none', 'bounded', 'unbounded', 'unknown'),
  basis: mostly<Loss['basis']>('clean-shutdown', 'ledger', 'head', null),
  transactions: mostly<bigint | null>(0n, 3n, null),
  changes: mostly<bigint | null>(0n, 4n, null),
  keys: mostly<bigint | null>(0n, 4n, null),
  firstCommitAt: fc.constant(null),
  lastCommitAt: fc.constant(null),
  witnessedUntil: mostly<Date | null>(before(120_000), null, before(10)),
  tail: mostly<Loss['tail']>({ bytes: 0n, ms: 0 }, null, { bytes: 1n, ms: null }, { bytes: 1n, ms: 70_000 }),
  boundMs: mostly<number | null>(10_000, null, 40_000, Number.NaN, -1),
  atLeastMs: mostly<number | null>(0, null, 40_000),
  tables: fc.constant(null),
  recoverableBytes: mostly<bigint | null>(0n, null, 9n),
  shutDownAt: mostly<Date | null>(before(1000), null, before(1001), before(999)),
});
const doubt = { code: 'TP-V-X', subject: 's', message: 'm', hint: 'h' };

const table = mostly<TableEvidence>(
  TABLE,
  { ...TABLE, outcome: 'different' },
  { ...TABLE, outcome: 'unproven' },
  { ...TABLE, differences: { missing: 0n, extra: 1n, changed: 0n } },
  { ...TABLE, reasons: [{ code: 'TP-X', severity: 'block', subject: 't', message: 'm', hint: 'h' }] },
  { ...TABLE, reasons: [{ code: 'TP-X', severity: 'warn', subject: 't', message: 'm', hint: 'h' }] },
  {
    ...TABLE,
    outcome: 'unproven',
    reasons: [{ code: 'TP-X', severity: 'warn', subject: 't', message: 'm', hint: 'h' }],
  },
);

const integrity = fc.record({
  outcome: mostly<'same' | 'different' | 'unproven'>('same', 'different', 'unproven'),
  coverage: mostly<Coverage>(
    INTEGRITY.coverage,
    { tables: 0, compared: 0, excluded: [] },
    { tables: 2, compared: 1, excluded: [] },
    { tables: 2, compared: 2, excluded: [{ table: 't', reason: 'r', decidedBy: 'twinproof' }] },
    { tables: 2, compared: 2, excluded: [{ table: 't', reason: 'r', decidedBy: 'command line' }] },
  ),
  tables: fc.oneof(
    { weight: 20, arbitrary: fc.tuple(table, table) },
    { weight: 1, arbitrary: fc.constant([]) },
  ),
  reasons: mostly<Evidence['integrity']['reasons']>(
    [],
    [{ code: 'TP-UNREADABLE', severity: 'block', subject: 's', message: 'm', hint: 'h' }],
    [{ code: 'TP-QUERY', severity: 'warn', subject: 's', message: 'm', hint: 'h' }],
    [{ code: 'TP-BY-VALUE', severity: 'info', subject: 's', message: 'm', hint: 'h' }],
  ),
  provenAt: mostly<Date | null>(before(1000), null, before(-1), before(4_000_000)),
  resumedSince: mostly<Date | null>(null, before(1000)),
});

const evidence: fc.Arbitrary<Evidence> = fc.record({
  mode: fc.constantFrom('switchover', 'failover'),
  pair: fc.constant('physical'),
  now: fc.constant(NOW),
  integrity,
  head: fc.record({
    quiesced: mostly(true, false),
    moved: mostly<boolean | null>(false, true, null),
    quiet: mostly<boolean | null>(true, false, null),
    applied: mostly<boolean | null>(true, false, null),
  }),
  ledger: fc.option(
    fc.record({
      loss,
      appliedCommitAt: mostly<Date | null>(before(2000), null, before(10)),
      gaps: mostly<readonly string[]>([], ['gap']),
      doubts: mostly<LedgerEvidence['doubts']>([], [doubt]),
    }),
  ),
  fence: mostly<Evidence['fence']>(
    { at: before(1000), by: 'x' },
    null,
    { at: before(-1), by: 'x' },
    { at: before(1000), by: '' },
  ),
  primary: mostly<Evidence['primary']>(PRIMARY_IDENTITY, null),
  candidate: mostly<Evidence['candidate']>(
    STANDBY_IDENTITY,
    null,
    { ...STANDBY_IDENTITY, writable: true },
    { ...STANDBY_IDENTITY, instance: PRIMARY_IDENTITY.instance },
  ),
  readiness: fc.oneof({ weight: 20, arbitrary: readiness }, { weight: 1, arbitrary: fc.constant(null) }),
  notChecked: fc.constant(SWITCHOVER.notChecked),
  policy: fc.record({
    rpoMs: mostly<number | null>(30_000, null),
    maxTailMs: mostly<number | null>(60_000, null),
    maxProofAgeMs: fc.constant(POLICY.maxProofAgeMs),
    certificateValidForMs: fc.constant(POLICY.certificateValidForMs),
    coverageMin: mostly<number | null>(null, 1),
  }),
});

/** DESIGN.md section 9, restated: what must hold, each by itself, beside the question of loss. */
function unmet(given: Evidence): readonly string[] {
  const { coverage, tables, provenAt, outcome, reasons } = given.integrity;
  const passed = new Set((given.readiness ?? []).map((one) => one.code));
  const conditions: Readonly<Record<string, boolean>> = {
    'the outcome is same': outcome === 'same',
    'every table is same': tables.every((one) => one.outcome === 'same'),
    'no row differs': tables.every(
      ({ differences: { missing, extra, changed } }) => missing + extra + changed === 0n,
    ),
    'something was compared': coverage.tables > 0,
    'everything was compared': coverage.compared === coverage.tables && tables.length === coverage.tables,
    'the tool left nothing out': coverage.excluded.every((one) => one.decidedBy !== 'twinproof'),
    'coverage is enough':
      coverage.compared / (coverage.tables + coverage.excluded.length) >= (given.policy.coverageMin ?? 0),
    'nothing but remarks': reasons.every((one) => one.severity === 'info'),
    'no finding against a table': tables.every(({ reasons: own }) =>
      own.every((one) => one.severity !== 'block'),
    ),
    'proven lately': provenAt !== null && provenAt <= NOW && NOW.getTime() - provenAt.getTime() <= 3_600_000,
    'proven in one piece': given.integrity.resumedSince === null || given.ledger !== null,
    'the sites are known': given.primary !== null && given.candidate !== null,
    'the sites are two': given.primary?.instance !== given.candidate?.instance,
    'one site writes': given.candidate?.writable === false,
    'every blocking check ran': READINESS_RULES.every(
      (rule) =>
        rule.deep === true ||
        severityOf(rule)[given.mode] !== 'block' ||
        !applies(rule, given.pair, 'postgres') ||
        passed.has(rule.code),
    ),
    'every blocking check passed': (given.readiness ?? []).every(
      (one) => one.severity[given.mode] !== 'block' || one.state === 'pass',
    ),
    'fenced after a loss':
      given.mode === 'switchover' ||
      (given.fence !== null &&
        given.fence.by !== '' &&
        given.fence.at <= NOW &&
        (given.ledger?.loss.witnessedUntil ?? before(1e9)) <= given.fence.at &&
        (given.ledger?.appliedCommitAt ?? before(1e9)) <= given.fence.at),
    'the ledger is whole': (given.ledger?.gaps ?? []).length === 0,
    'nothing is in doubt': (given.ledger?.doubts ?? []).length === 0,
    'a living primary stands still': given.mode === 'failover' || stands(given.head),
    'the tail is short':
      given.ledger === null || (given.ledger.loss.tail?.ms ?? Infinity) <= (given.policy.maxTailMs ?? 0),
  };
  return Object.entries(conditions)
    .filter(([, holds]) => !holds)
    .map(([name]) => name);
}

function stands({ moved, quiet, applied }: Evidence['head']): boolean {
  return moved === false && quiet === true && applied === true;
}

function nothingLost({ mode, head, ledger, fence }: Evidence): boolean {
  if (ledger === null) {
    return mode === 'switchover' && head.quiesced && stands(head);
  }
  const { kind, basis, transactions, changes, keys, shutDownAt } = ledger.loss;
  const shutDown = fence !== null && shutDownAt !== null && fence.at <= shutDownAt;
  const based = mode === 'failover' ? basis === 'clean-shutdown' && shutDown : basis === 'ledger';
  const zero = transactions === 0n && changes === 0n && keys === 0n && (ledger.loss.atLeastMs ?? 0) === 0;
  return kind === 'none' && zero && based;
}

function lossAccepted({ ledger, policy: { rpoMs } }: Evidence): boolean {
  if (ledger === null || rpoMs === null) return false;
  const { kind, boundMs } = ledger.loss;
  return kind === 'bounded' && boundMs !== null && boundMs >= 0 && boundMs <= rpoMs;
}

function certainLossAccepted({ ledger, policy: { rpoMs } }: Evidence): boolean {
  return ledger === null || rpoMs === null || (ledger.loss.atLeastMs ?? 0) <= rpoMs;
}

const RUNS = { numRuns: times(700) };

describe('verdict properties', () => {
  it('SAFE exactly when every condition holds by itself', () => {
    let safe = 0;
    const rule = fc.property(evidence, (given) => {
      const expected = unmet(given).length === 0 && nothingLost(given) && certainLossAccepted(given);
      if (expected) safe += 1;
      return (judge(given).verdict === 'SAFE') === expected;
    });
    expect(() => fc.assert(rule, RUNS)).not.toThrow();
    // The property would hold of evidence that is never good.
    expect(safe).toBeGreaterThan(20);
  });

  it('SAFE_WITH_LOSS exactly when every condition but that of no loss holds, within the objective', () => {
    let accepted = 0;
    const rule = fc.property(evidence, (given) => {
      const expected = unmet(given).length === 0 && lossAccepted(given) && certainLossAccepted(given);
      if (expected) accepted += 1;
      return (judge(given).verdict === 'SAFE_WITH_LOSS') === expected;
    });
    expect(() => fc.assert(rule, RUNS)).not.toThrow();
    expect(accepted).toBeGreaterThan(20);
  });

  it('every verdict but SAFE has a reason, and every reason says what, where and what to do', () => {
    const rule = fc.property(evidence, (given) => {
      const { verdict, reasons, loss: judged } = judge(given);
      const effects = new Set(reasons.map((reason) => reason.effect));
      const word: VerdictWord = effects.has('not-safe')
        ? 'NOT_SAFE'
        : effects.has('unknown')
          ? 'UNKNOWN'
          : effects.has('loss')
            ? 'SAFE_WITH_LOSS'
            : 'SAFE';
      const spoken = reasons.every(({ code, subject, message, severity, effect }) => {
        const said = [code, subject, message].every((text) => text.length > 0);
        return said && (severity === 'block') === (effect === 'not-safe');
      });
      return verdict === word && spoken && (verdict !== 'SAFE' || judged.kind === 'none');
    });
    expect(() => fc.assert(rule, RUNS)).not.toThrow();
  });
});

type Weakening = (given: Evidence) => Evidence;

function inIntegrity(changed: Partial<Evidence['integrity']>): Weakening {
  return (given) => ({ ...given, integrity: { ...given.integrity, ...changed } });
}

function inHead(changed: Partial<Evidence['head']>): Weakening {
  return (given) => ({ ...given, head: { ...given.head, ...changed } });
}

function inLoss(changed: Partial<Loss>): Weakening {
  return (given) =>
    given.ledger === null
      ? given
      : { ...given, ledger: { ...given.ledger, loss: { ...given.ledger.loss, ...changed } } };
}

function inReadiness(change: (result: ReadinessResult, at: number) => readonly ReadinessResult[]): Weakening {
  return (given) => ({
    ...given,
    readiness: given.readiness === null ? null : given.readiness.flatMap(change),
  });
}

/** Each takes something away, or makes one piece worse. */
const WEAKENINGS: Readonly<Record<string, Weakening>> = {
  'outcome different': inIntegrity({ outcome: 'different' }),
  'outcome unproven': inIntegrity({ outcome: 'unproven' }),
  'no tables': inIntegrity({ tables: [], coverage: { tables: 0, compared: 0, excluded: [] } }),
  'tables unproven': (given) =>
    inIntegrity({ tables: given.integrity.tables.map((one) => ({ ...one, outcome: 'unproven' })) })(given),
  'one result gone': (given) => inIntegrity({ tables: given.integrity.tables.slice(1) })(given),
  'excluded by the tool': (given) =>
    inIntegrity({
      coverage: {
        ...given.integrity.coverage,
        excluded: [...given.integrity.coverage.excluded, { table: 't', reason: 'r', decidedBy: 'twinproof' }],
      },
    })(given),
  'proof undated': inIntegrity({ provenAt: null }),
  'proof old': inIntegrity({ provenAt: before(1e9) }),
  resumed: inIntegrity({ resumedSince: before(1e6) }),
  'not quiesced': inHead({ quiesced: false }),
  'head moved': inHead({ moved: true }),
  'head unknown': inHead({ moved: null }),
  'not quiet': inHead({ quiet: false }),
  'quiet unknown': inHead({ quiet: null }),
  'applied unknown': inHead({ applied: null }),
  'loss unknown': inLoss({ kind: 'unknown' }),
  'loss unbounded': inLoss({ kind: 'unbounded' }),
  'no basis': inLoss({ basis: null }),
  'transactions unknown': inLoss({ transactions: null }),
  'bound unknown': inLoss({ boundMs: null }),
  'tail unknown': inLoss({ tail: null }),
  'more is certain': inLoss({ atLeastMs: 1e9 }),
  gap: (given) => (given.ledger === null ? given : { ...given, ledger: { ...given.ledger, gaps: ['gap'] } }),
  doubt: (given) =>
    given.ledger === null ? given : { ...given, ledger: { ...given.ledger, doubts: [doubt] } },
  'no fence': (given) => ({ ...given, fence: null }),
  'no primary': (given) => ({ ...given, primary: null }),
  'no candidate': (given) => ({ ...given, candidate: null }),
  'candidate writes': (given) => ({ ...given, candidate: { ...STANDBY_IDENTITY, writable: true } }),
  'no readiness': (given) => ({ ...given, readiness: null }),
  'one check gone': inReadiness((result, at) => (at === 0 ? [] : [result])),
  'checks unknown': inReadiness((result) => [
    result.state === 'pass' ? { ...result, state: 'unknown' } : result,
  ]),
  'later by a day': (given) => ({ ...given, now: new Date(given.now.getTime() + 86_400_000) }),
  'no objective': (given) => ({ ...given, policy: { ...given.policy, rpoMs: null } }),
  'no tail allowed': (given) => ({ ...given, policy: { ...given.policy, maxTailMs: null } }),
  'full coverage asked': (given) => ({ ...given, policy: { ...given.policy, coverageMin: 1 } }),
};

const GOOD: readonly VerdictWord[] = ['SAFE', 'SAFE_WITH_LOSS'];

describe('weakening', () => {
  it('any one piece of evidence never turns a verdict into SAFE, nor bad into good', () => {
    const rule = fc.property(
      evidence,
      fc.constantFrom(...Object.entries(WEAKENINGS)),
      (given, [, weaken]) => {
        const [strong, weak] = [judge(given).verdict, judge(weaken(given)).verdict];
        return (strong === 'SAFE' || weak !== 'SAFE') && (GOOD.includes(strong) || !GOOD.includes(weak));
      },
    );
    expect(() => fc.assert(rule, RUNS)).not.toThrow();
  });

  /** What is not looked at on that ground: the head has no say after a loss, a fence none with a living primary. */
  const needless: Readonly<Record<string, readonly string[]>> = {
    switchover: ['no fence', 'full coverage asked', 'no objective', 'no tail allowed', 'gap', 'doubt'],
    failover: ['full coverage asked', 'no objective', 'no tail allowed', 'resumed', 'bound unknown'],
    crash: ['full coverage asked', 'no tail allowed', 'resumed', 'no basis', 'transactions unknown'],
  };
  it.each([
    ['switchover', SWITCHOVER, /^(loss|no basis|transactions|bound|tail|more)/],
    [
      'failover',
      { ...FAILOVER, ledger: { loss: NO_LOSS, appliedCommitAt: null, gaps: [], doubts: [] } },
      /quiesced|head|quiet|applied/,
    ],
    [
      'crash',
      { ...CRASH, ledger: { loss: BOUNDED_LOSS, appliedCommitAt: null, gaps: [], doubts: [] } },
      /quiesced|head|quiet|applied/,
    ],
  ] as const)('from good evidence, each piece that counts is missed (%s)', (name, good, elsewhere) => {
    expect(GOOD).toContain(judge(good).verdict);
    const harmless = Object.entries(WEAKENINGS)
      .filter(([weakening]) => !elsewhere.test(weakening))
      .filter(([, weaken]) => GOOD.includes(judge(weaken(good)).verdict))
      .map(([weakening]) => weakening);
    expect(harmless.sort()).toEqual([...(needless[name] ?? [])].sort());
  });
});
