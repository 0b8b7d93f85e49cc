import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';
import type { Waiver } from '../../src/config/waiver.ts';
import { judgeReadiness, type ReadinessResult } from '../../src/readiness/judge.ts';
import { READINESS_RULES } from '../../src/readiness/rules.ts';
import { summarise } from '../../src/readiness/summary.ts';
import { judge } from '../../src/verdict/verdict.ts';
import { readinessInput } from './readiness-fixture.ts';
import { NOW, SWITCHOVER } from './verdict-fixture.ts';

const WAIVER: Waiver = {
  rule: 'TP-R-UNLOGGED',
  subject: 'public.cache_*',
  candidate: null,
  reason: 'the application rebuilds it',
  by: 'Kim Minji',
  until: new Date(NOW.getTime() + 300_000),
};

const UNLOGGED = { candidate: { unloggedTables: ['public.cache_a'] } };

function results(waivers: readonly Waiver[], changed = UNLOGGED): readonly ReadinessResult[] {
  return judgeReadiness({ ...readinessInput('physical', changed), waiving: { waivers, now: NOW } });
}

function failed(waivers: readonly Waiver[]): ReadinessResult | undefined {
  return results(waivers).find(({ code, state }) => code === 'TP-R-UNLOGGED' && state === 'fail');
}

describe('a waiver in force', () => {
  it('accepts the finding that it names, and says who, why and until when', () => {
    expect(failed([WAIVER])).toMatchObject({ waiver: WAIVER });
    expect(failed([WAIVER])?.message).toMatch(
      /waived by Kim Minji until 2026-.*: the application rebuilds it/,
    );
    expect(summarise(results([WAIVER]), 'switchover')).toMatchObject({ word: 'ready', blocking: 0 });
  });

  it('appears in the certificate under what is not proven, which lapses with it', () => {
    const verdict = judge({ ...SWITCHOVER, readiness: results([WAIVER]) });
    expect(verdict.verdict).toBe('SAFE');
    expect(verdict.notProven).toContainEqual({
      code: 'TP-N-WAIVED',
      subject: 'TP-R-UNLOGGED public.cache_a',
      message: `waived by Kim Minji until ${WAIVER.until.toISOString()}: the application rebuilds it`,
      decidedBy: 'configuration',
    });
    expect(verdict.expiresAt).toEqual(WAIVER.until);
  });

  it('accepts also that the rule could not be checked', () => {
    const input = readinessInput('physical', { candidate: { unloggedTables: null } });
    const waivers = [{ ...WAIVER, subject: null }];
    const unknown = judgeReadiness({ ...input, waiving: { waivers, now: NOW } }).find(
      ({ state }) => state === 'unknown',
    );
    expect(unknown).toMatchObject({ code: 'TP-R-UNLOGGED', waiver: waivers[0] });
  });
});

describe('nothing is waived', () => {
  it.each([
    ['by one that has ended', { until: NOW }],
    ['by one of no date', { until: new Date(Number.NaN) }],
    ['by one of another rule', { rule: 'TP-R-REPLAY-PAUSED' }],
    ['by one of another subject', { subject: 'public.cache' }],
    ['by one whose pattern only begins alike', { subject: 'public.c.che_a' }],
  ])('%s', (_, changed) => {
    expect(failed([{ ...WAIVER, ...changed }])?.waiver).toBeNull();
    expect(summarise(results([{ ...WAIVER, ...changed }]), 'failover')).toMatchObject({ word: 'not-ready' });
    expect(judge({ ...SWITCHOVER, readiness: results([{ ...WAIVER, ...changed }]) }).verdict).toBe(
      'NOT_SAFE',
    );
  });

  it('that voids the evidence itself', () => {
    const waivers = [{ ...WAIVER, rule: 'TP-R-SECOND-WRITER', subject: null }];
    const input = readinessInput('physical', { candidate: { writable: true } });
    const found = judgeReadiness({ ...input, waiving: { waivers, now: NOW } });
    expect(found.find(({ code }) => code === 'TP-R-SECOND-WRITER')).toMatchObject({
      state: 'fail',
      waiver: null,
    });
    expect(found.find(({ code }) => code === 'TP-R-WAIVER')?.message).toMatch(/cannot be waived/);
  });

  it('and a waiver that has ended, or names no rule, is told', () => {
    const told = (changed: Partial<Waiver>): string | undefined =>
      results([{ ...WAIVER, ...changed }]).find(({ code }) => code === 'TP-R-WAIVER')?.message;
    expect(told({})).toMatch(/all 1 are in force/);
    expect(told({ until: NOW })).toMatch(/it ended at .*Kim Minji/);
    expect(told({ rule: 'TP-R-NONE' })).toMatch(/there is no such rule/);
    expect(failed([{ ...WAIVER, until: NOW }])?.message).toMatch(/until .*, which has passed/);
  });
});

it('a waiver never changes what another rule says (property)', () => {
  const codes = READINESS_RULES.map(({ code }) => code);
  fc.assert(
    fc.property(fc.constantFrom(...codes), (rule) => {
      const plain = results([]).filter(({ code }) => code !== rule && code !== 'TP-R-WAIVER');
      const waived = results([{ ...WAIVER, rule, subject: null }]);
      expect(waived.filter(({ code }) => code !== rule && code !== 'TP-R-WAIVER')).toEqual(plain);
    }),
  );
});

describe('in the configuration', () => {
  const parse = (waiver: string): readonly Waiver[] | undefined =>
    parseConfig(
      `systems:\n  bank:\n    primary: { url: "postgres://v@p/bank" }\n    candidates: [{ name: gasan, url: "postgres://v@g/bank" }]\n    waivers: [${waiver}]\n`,
      '/etc/tp/twinproof.yaml',
      {},
    ).systems[0]?.waivers;

  it('a waiver has a rule, a reason, a person and an end', () => {
    expect(
      parse('{ rule: TP-R-UNLOGGED, subject: "public.cache_*", reason: r, by: Kim, until: 2027-01-31 }'),
    ).toEqual([
      {
        rule: 'TP-R-UNLOGGED',
        subject: 'public.cache_*',
        candidate: null,
        reason: 'r',
        by: 'Kim',
        until: new Date('2027-02-01T00:00:00.000Z'),
      },
    ]);
    expect(parse('{ rule: TP-R-X, reason: r, by: k, until: "2027-01-31T18:00+09:00" }')?.[0]?.until).toEqual(
      new Date('2027-01-31T09:00:00.000Z'),
    );
  });

  it.each([
    '{ rule: TP-R-X, reason: r, by: k }',
    '{ rule: TP-R-X, reason: " ", by: k, until: 2027-01-31 }',
    '{ rule: TP-R-X, reason: r, until: 2027-01-31 }',
    '{ rule: TP-R-X, reason: r, by: k, until: never }',
    '{ rule: TP-R-X, reason: r, by: k, until: 2027-02-30 }',
    '{ rule: TP-R-X, reason: r, by: k, until: "2027-01-31T18:00" }',
    '{ rule: unlogged, reason: r, by: k, until: 2027-01-31 }',
  ])('%s is refused', (waiver) => {
    expect(() => parse(waiver)).toThrow(/waivers\[0\]/);
  });
});
