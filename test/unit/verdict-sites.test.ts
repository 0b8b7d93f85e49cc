import { describe, expect, it } from 'vitest';
import { judge } from '../../src/verdict/verdict.ts';
import { PRIMARY_IDENTITY, STANDBY_IDENTITY } from './readiness-fixture.ts';
import {
  before,
  type Case,
  CRASH,
  FAILOVER,
  ledger,
  NOW,
  outcomeOf,
  READINESS,
  SWITCHOVER,
  withLoss,
  withReadiness,
} from './verdict-fixture.ts';

const WARN = { switchover: 'warn', failover: 'warn' } as const;
const NEVER = new Date(Number.NaN);

describe('sites', () => {
  const cases: readonly Case[] = [
    ['primary unknown', { ...SWITCHOVER, primary: null }, 'UNKNOWN', ['IDENTITY']],
    ['candidate unknown', { ...SWITCHOVER, candidate: null }, 'UNKNOWN', ['IDENTITY']],
    ['both unknown', { ...SWITCHOVER, primary: null, candidate: null }, 'UNKNOWN', ['IDENTITY', 'IDENTITY']],
    [
      'one server twice',
      { ...SWITCHOVER, candidate: { ...STANDBY_IDENTITY, instance: PRIMARY_IDENTITY.instance } },
      'UNKNOWN',
      ['SAME-SERVER'],
    ],
    [
      'two writable sites',
      { ...SWITCHOVER, candidate: { ...STANDBY_IDENTITY, writable: true } },
      'NOT_SAFE',
      ['TWO-WRITERS'],
    ],
    ['no fence', { ...FAILOVER, fence: null }, 'UNKNOWN', ['LOSS-UNKNOWN', 'NO-FENCE']],
    [
      'a fence nobody answers for',
      { ...CRASH, fence: { at: before(1000), by: ' ' } },
      'UNKNOWN',
      ['NO-FENCE', 'LOSS-WITHIN-RPO'],
    ],
    ['fenced just now', { ...CRASH, fence: { at: NOW, by: 'x' } }, 'SAFE_WITH_LOSS', ['LOSS-WITHIN-RPO']],
    [
      'fenced in the future',
      { ...CRASH, fence: { at: before(-1), by: 'x' } },
      'UNKNOWN',
      ['FENCE-TIME', 'LOSS-WITHIN-RPO'],
    ],
    [
      'fenced at no date',
      { ...FAILOVER, fence: { at: NEVER, by: 'x' } },
      'UNKNOWN',
      ['LOSS-UNKNOWN', 'FENCE-TIME'],
    ],
    ['fenced when last seen', { ...FAILOVER, fence: { at: before(120_000), by: 'x' } }, 'SAFE', []],
    [
      'seen after the fence',
      { ...FAILOVER, fence: { at: before(120_001), by: 'x' } },
      'UNKNOWN',
      ['FENCE-TIME'],
    ],
    [
      'a commit of after the fence on the candidate',
      { ...FAILOVER, ledger: { ...ledger(), appliedCommitAt: before(99_999) } },
      'UNKNOWN',
      ['FENCE-TIME'],
    ],
    ['never witnessed', withLoss(FAILOVER, { witnessedUntil: null }), 'SAFE', []],
    ['a blocking check failed', withReadiness({ state: 'fail' }), 'NOT_SAFE', ['TP-R-RECOVERY']],
    ['a blocking check is unknown', withReadiness({ state: 'unknown' }), 'UNKNOWN', ['TP-R-RECOVERY']],
    ['a warning check failed', withReadiness({ state: 'fail', severity: WARN }), 'SAFE', ['TP-R-RECOVERY']],
    [
      'a warning check is unknown',
      withReadiness({ state: 'unknown', severity: WARN }),
      'SAFE',
      ['TP-R-RECOVERY'],
    ],
    [
      'a blocking check was not run',
      { ...SWITCHOVER, readiness: READINESS.slice(1) },
      'UNKNOWN',
      ['NOT-CHECKED'],
    ],
  ];
  it.each(cases)('%s', (_, evidence, verdict, codes) => {
    expect(outcomeOf(evidence)).toEqual([verdict, codes]);
  });

  it.each([null, []])('no check at all (%j) is unknown, check by check', (readiness) => {
    const judged = judge({ ...SWITCHOVER, readiness });
    expect(judged.verdict).toBe('UNKNOWN');
    expect(judged.reasons.map((one) => one.subject)).toEqual(
      [
        ...new Set(
          READINESS.filter(({ severity }) => severity.switchover === 'block').map(({ code }) => code),
        ),
      ].filter((code) => code !== 'TP-R-PG-INDEX-DAMAGE'),
    );
  });

  it('a writable subscriber is no second writer', () => {
    const candidate = { ...STANDBY_IDENTITY, writable: true };
    const codes = judge({ ...SWITCHOVER, pair: 'logical', candidate }).reasons.map((one) => one.code);
    expect(codes).not.toContain('TP-V-TWO-WRITERS');
  });
});
