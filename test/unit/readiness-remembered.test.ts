import { describe, expect, it } from 'vitest';
import { judgeReadiness } from '../../src/readiness/judge.ts';
import { READINESS_RULES } from '../../src/readiness/rules.ts';
import { PRIMARY_IDENTITY, readinessInput, SEQUENCE } from './readiness-fixture.ts';

const THEN = new Date('2026-01-02T03:00:00.000Z');
const NOTE = '(the primary as of 2026-01-02T03:00:00.000Z)';

describe('what a lost primary told last', () => {
  const input = readinessInput('logical');
  const remembered = judgeReadiness({ ...input, primary: { ...input.primary, rememberedAt: THEN } });

  it('stands in for it, with its age wherever a rule has read it', () => {
    const readers = new Set(
      READINESS_RULES.filter(({ reads }) => reads.includes('primary')).map(({ code }) => code),
    );
    const dated = remembered.filter(({ message }) => message.includes(NOTE));
    expect(new Set(dated.map(({ code }) => code))).toEqual(
      new Set(remembered.map(({ code }) => code).filter((code) => readers.has(code))),
    );
    expect(dated.length).toBeGreaterThan(20);
    expect(remembered.map(({ code, state }) => [code, state])).toEqual(
      judgeReadiness(input).map(({ code, state }) => [code, state]),
    );
  });

  it('is of an unknown time where that was not kept, and nothing where it told nothing', () => {
    const primary = { ...input.primary, rememberedAt: new Date(Number.NaN) };
    expect(judgeReadiness({ ...input, primary }).map(({ message }) => message)).toContainEqual(
      expect.stringContaining('(the primary as of an unknown time)'),
    );
    const silent = { facts: null, identity: PRIMARY_IDENTITY, rememberedAt: THEN };
    const results = judgeReadiness({ ...input, primary: silent });
    expect(results.find(({ code }) => code === 'TP-R-SEQUENCE-PRIMARY')).toMatchObject({ state: 'unknown' });
    expect(results.map(({ message }) => message).filter((text) => text.includes('as of'))).toEqual([]);
  });
});

it('of many results of one rule in one state the first are listed and the rest is counted', () => {
  const sequences = Array.from({ length: 60 }, (_, number) => ({
    ...SEQUENCE,
    name: `public.s${number}`,
    lastValue: number < 30 ? 100n : 1n,
  }));
  const results = judgeReadiness(readinessInput('logical', { candidate: { sequences } })).filter(
    ({ code }) => code === 'TP-R-SEQUENCE-DATA',
  );
  const subjects = (wanted: string): string[] =>
    results.filter(({ state }) => state === wanted).map(({ subject }) => subject);
  expect([subjects('pass').length, subjects('pass').at(-1)]).toEqual([21, '10 more']);
  expect([subjects('fail').length, subjects('fail').at(-1)]).toEqual([21, '10 more']);
});
