import { describe, expect, it } from 'vitest';
import type { Reason } from '../../src/compare/result.ts';
import type { Evidence, ExcludedTable } from '../../src/verdict/evidence.ts';
import { isFresh } from '../../src/verdict/integrity.ts';
import { decide, judge, type VerdictWord } from '../../src/verdict/verdict.ts';
import { STANDBY_IDENTITY } from './readiness-fixture.ts';
import {
  STILL,
  before,
  type Case,
  CRASH,
  FAILOVER,
  INTEGRITY,
  NOW,
  outcomeOf,
  SWITCHOVER,
  withCoverage,
  withIntegrity,
  withLoss,
  withReadiness,
} from './verdict-fixture.ts';

function found(code: string, severity: Reason['severity']): Reason {
  return { code, severity, subject: 'public.orders', message: 'm', hint: 'h' };
}

function excluded(decidedBy: ExcludedTable['decidedBy']): ExcludedTable {
  return { table: 'public.cache', reason: 'not needed', decidedBy };
}

function msLeft(evidence: Evidence): number {
  return judge(evidence).expiresAt.getTime() - NOW.getTime();
}

/** Nobody had to say that the writers were stopped. */
const LEDGER_HEAD = { ...STILL, quiesced: false };

describe('nothing wrong', () => {
  const cases: readonly Case[] = [
    ['switchover on a primary that stands still', SWITCHOVER, 'SAFE', []],
    ['failover after a clean shutdown', FAILOVER, 'SAFE', []],
    [
      'switchover with a ledger, on a primary that stands still',
      { ...withLoss(FAILOVER, { basis: 'ledger' }), mode: 'switchover', fence: null, head: LEDGER_HEAD },
      'SAFE',
      [],
    ],
    ['failover after a crash', CRASH, 'SAFE_WITH_LOSS', ['LOSS-WITHIN-RPO']],
    [
      'a loss of exactly the objective',
      withLoss(CRASH, { boundMs: 30_000 }),
      'SAFE_WITH_LOSS',
      ['LOSS-WITHIN-RPO'],
    ],
    [
      'bounded at nothing is still not none',
      withLoss(CRASH, { boundMs: 0 }),
      'SAFE_WITH_LOSS',
      ['LOSS-WITHIN-RPO'],
    ],
  ];
  it.each(cases)('%s', (_, evidence, verdict, codes) => {
    expect(outcomeOf(evidence)).toEqual([verdict, codes]);
  });
});

describe('the verdict', () => {
  it('gives every reason, the weightiest first, with the severity of its effect', () => {
    const judged = judge({
      ...withReadiness({ state: 'fail', severity: { switchover: 'warn', failover: 'warn' } }),
      ledger: CRASH.ledger,
      candidate: { ...STANDBY_IDENTITY, writable: true },
      integrity: { ...INTEGRITY, provenAt: null, reasons: [found('TP-NEW', 'info')] },
    });
    expect(judged.reasons.map(({ code, effect, severity }) => [code, effect, severity])).toEqual([
      ['TP-V-TWO-WRITERS', 'not-safe', 'block'],
      ['TP-V-STALE', 'unknown', 'warn'],
      ['TP-V-LOSS-WITHIN-RPO', 'loss', 'warn'],
      ['TP-NEW', 'none', 'info'],
      ['TP-R-RECOVERY', 'none', 'warn'],
    ]);
    expect(judged.verdict).toBe('NOT_SAFE');
  });

  it('lists what is not proven, by whose decision', () => {
    const judged = judge(withCoverage({ excluded: [excluded('command line')] }));
    expect(judged.notProven[0]).toEqual({
      code: 'TP-N-EXCLUDED',
      subject: 'public.cache',
      message: 'not needed',
      decidedBy: 'command line',
    });
    expect(judged.notProven.slice(1).map((entry) => entry.code)).toEqual(
      SWITCHOVER.notChecked.map((entry) => entry.code),
    );
    expect(judged.notProven.slice(1).every((entry) => entry.decidedBy === null)).toBe(true);
  });

  it('expires with the policy’s period, or with its oldest proof', () => {
    expect(msLeft(SWITCHOVER)).toBe(600_000);
    expect(msLeft(withIntegrity({ provenAt: before(3_500_000) }))).toBe(100_000);
    expect(msLeft(withIntegrity({ provenAt: before(9_000_000) }))).toBe(600_000);
    expect(msLeft(withIntegrity({ provenAt: null }))).toBe(600_000);
  });

  it('isFresh takes only a past within the limit', () => {
    expect([0, 1, 10, 11, -1].map((age) => isFresh(before(age), NOW, 10))).toEqual([
      true,
      true,
      true,
      false,
      false,
    ]);
    expect(isFresh(null, NOW, 10)).toBe(false);
    expect(isFresh(NOW, NOW, Number.NaN)).toBe(false);
  });
});

describe('decide', () => {
  const cases: readonly (readonly [Parameters<typeof decide>, VerdictWord])[] = [
    [['same', 'none', []], 'SAFE'],
    [['same', 'none', ['none']], 'SAFE'],
    [['same', 'none', ['loss']], 'UNKNOWN'],
    [['same', 'bounded', ['loss']], 'SAFE_WITH_LOSS'],
    [['same', 'bounded', []], 'UNKNOWN'],
    [['same', 'unbounded', ['loss']], 'UNKNOWN'],
    [['same', 'unknown', []], 'UNKNOWN'],
    [['same', 'none', ['unknown']], 'UNKNOWN'],
    [['same', 'none', ['unknown', 'not-safe']], 'NOT_SAFE'],
    [['unproven', 'none', []], 'UNKNOWN'],
    [['unproven', 'unknown', ['not-safe']], 'NOT_SAFE'],
    [['different', 'none', []], 'NOT_SAFE'],
    [['different', 'unknown', ['unknown']], 'NOT_SAFE'],
  ];
  it.each(cases)('%j gives %s', (input, expected) => {
    expect(decide(...input)).toBe(expected);
  });
});
