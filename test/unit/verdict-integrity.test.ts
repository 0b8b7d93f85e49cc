import { describe, expect, it } from 'vitest';
import type { Reason } from '../../src/compare/result.ts';
import type { ExcludedTable } from '../../src/verdict/evidence.ts';
import { judge } from '../../src/verdict/verdict.ts';
import {
  before,
  type Case,
  FAILOVER,
  INTEGRITY,
  NO_DIFFERENCES,
  outcomeOf,
  TABLE,
  withCoverage,
  withIntegrity,
} from './verdict-fixture.ts';

const NEVER = new Date(Number.NaN);

function found(code: string, severity: Reason['severity']): Reason {
  return { code, severity, subject: 'public.orders', message: 'm', hint: 'h' };
}

function excluded(decidedBy: ExcludedTable['decidedBy']): ExcludedTable {
  return { table: 'public.cache', reason: 'not needed', decidedBy };
}

describe('integrity', () => {
  const different = { ...TABLE, outcome: 'different' as const };
  const unproven = { ...TABLE, outcome: 'unproven' as const };
  const other = { ...TABLE, table: 'public.customers' };
  const cases: readonly Case[] = [
    [
      'a table differs',
      withIntegrity({ outcome: 'different', tables: [different, other] }),
      'NOT_SAFE',
      ['DIFFERENT'],
    ],
    [
      'a table differs, outcome says same',
      withIntegrity({ tables: [different, other] }),
      'NOT_SAFE',
      ['DIFFERENT'],
    ],
    ['different, no table named', withIntegrity({ outcome: 'different' }), 'NOT_SAFE', ['DIFFERENT']],
    [
      'different beside unproven',
      withIntegrity({ outcome: 'different', tables: [different, { ...unproven, table: 'public.t' }] }),
      'NOT_SAFE',
      ['DIFFERENT', 'UNPROVEN'],
    ],
    [
      'a table is unproven',
      withIntegrity({ outcome: 'unproven', tables: [unproven, other] }),
      'UNKNOWN',
      ['UNPROVEN'],
    ],
    [
      'a table is unproven, outcome says same',
      withIntegrity({ tables: [unproven, other] }),
      'UNKNOWN',
      ['UNPROVEN'],
    ],
    ['unproven, no table named', withIntegrity({ outcome: 'unproven' }), 'UNKNOWN', ['UNPROVEN']],
    [
      'empty scope',
      withIntegrity({ coverage: { tables: 0, compared: 0, excluded: [] }, tables: [] }),
      'UNKNOWN',
      ['EMPTY-SCOPE'],
    ],
    ['a table was not compared', withCoverage({ compared: 1 }), 'UNKNOWN', ['NOT-COMPARED']],
    ['a table has no result', withIntegrity({ tables: [TABLE] }), 'UNKNOWN', ['NOT-COMPARED']],
    ['excluded by the user', withCoverage({ excluded: [excluded('command line')] }), 'SAFE', []],
    ['excluded by the configuration', withCoverage({ excluded: [excluded('configuration')] }), 'SAFE', []],
    [
      'excluded by the tool',
      withCoverage({ excluded: [excluded('twinproof')] }),
      'UNKNOWN',
      ['CANNOT-COMPARE'],
    ],
    [
      'coverage enough',
      withCoverage({ excluded: [excluded('configuration')] }, { coverageMin: 2 / 3 }),
      'SAFE',
      [],
    ],
    [
      'coverage below policy',
      withCoverage({ excluded: [excluded('configuration')] }, { coverageMin: 0.67 }),
      'UNKNOWN',
      ['COVERAGE'],
    ],
    [
      'coverage policy that is no number',
      withCoverage({}, { coverageMin: Number.NaN }),
      'UNKNOWN',
      ['COVERAGE'],
    ],
    ['proven when?', withIntegrity({ provenAt: null }), 'UNKNOWN', ['STALE']],
    ['proven at the limit', withIntegrity({ provenAt: before(3_600_000) }), 'SAFE', []],
    ['stale by a millisecond', withIntegrity({ provenAt: before(3_600_001) }), 'UNKNOWN', ['STALE']],
    ['proven in the future', withIntegrity({ provenAt: before(-1) }), 'UNKNOWN', ['STALE']],
    ['proven at no date', withIntegrity({ provenAt: NEVER }), 'UNKNOWN', ['STALE']],
    ['resumed without a ledger', withIntegrity({ resumedSince: before(60_000) }), 'UNKNOWN', ['RESUMED']],
    [
      'resumed with a ledger',
      { ...FAILOVER, integrity: { ...INTEGRITY, resumedSince: before(60_000) } },
      'SAFE',
      [],
    ],
    [
      'a finding against the run',
      withIntegrity({ reasons: [found('TP-UNREADABLE', 'block')] }),
      'NOT_SAFE',
      ['TP-UNREADABLE'],
    ],
    [
      'a finding against a table that is otherwise same',
      withIntegrity({ tables: [{ ...TABLE, reasons: [found('TP-INDEX-CORRUPT', 'block')] }, other] }),
      'NOT_SAFE',
      ['TP-INDEX-CORRUPT'],
    ],
    [
      'a finding that says how a table differs',
      withIntegrity({ tables: [{ ...different, reasons: [found('TP-TABLE-MISSING', 'block')] }, other] }),
      'NOT_SAFE',
      ['TP-TABLE-MISSING'],
    ],
    [
      'different, said of the run as a whole',
      withIntegrity({ outcome: 'different', reasons: [found('TP-X', 'block')] }),
      'NOT_SAFE',
      ['TP-X'],
    ],
    [
      'a table differs, and a part of it is not proven',
      withIntegrity({ tables: [{ ...different, reasons: [found('TP-HOT-ROWS', 'warn')] }, other] }),
      'NOT_SAFE',
      ['DIFFERENT', 'TP-HOT-ROWS'],
    ],
    [
      'a warning about the run, outcome says same',
      withIntegrity({ reasons: [found('TP-PRIMARY-LOST', 'warn')] }),
      'UNKNOWN',
      ['TP-PRIMARY-LOST'],
    ],
    [
      'why a table is not proven',
      withIntegrity({
        outcome: 'unproven',
        coverage: { tables: 2, compared: 1, excluded: [] },
        tables: [{ ...unproven, reasons: [found('TP-HOT-ROWS', 'warn')] }, other],
      }),
      'UNKNOWN',
      ['TP-HOT-ROWS'],
    ],
    [
      'a remark does not say why a table is not proven',
      withIntegrity({ tables: [{ ...unproven, reasons: [found('TP-BY-VALUE', 'info')] }, other] }),
      'UNKNOWN',
      ['UNPROVEN', 'TP-BY-VALUE'],
    ],
    [
      'a remark does not say why the run is unproven',
      withIntegrity({ outcome: 'unproven', reasons: [found('TP-BY-VALUE', 'info')] }),
      'UNKNOWN',
      ['UNPROVEN', 'TP-BY-VALUE'],
    ],
    [
      'remarks, and a warning about a table that is proven',
      withIntegrity({
        reasons: [found('TP-BY-VALUE', 'info')],
        tables: [{ ...TABLE, reasons: [found('TP-COLUMN-EXTRA', 'warn')] }, other],
      }),
      'SAFE',
      ['TP-BY-VALUE', 'TP-COLUMN-EXTRA'],
    ],
  ];
  it.each(cases)('%s', (_, evidence, verdict, codes) => {
    expect(outcomeOf(evidence)).toEqual([verdict, codes]);
  });

  it.each(['missing', 'extra', 'changed'] as const)(
    'a counted %s row is a difference, whatever is said',
    (kind) => {
      const table = { ...TABLE, differences: { ...NO_DIFFERENCES, [kind]: 1n } };
      const judged = judge(withIntegrity({ tables: [table, other] }));
      expect(judged).toMatchObject({ verdict: 'NOT_SAFE', integrity: 'different' });
      expect(judged.reasons[0]?.message).toContain(`1 ${kind}`);
    },
  );

  it('is given apart from the verdict', () => {
    expect(judge(withIntegrity({ tables: [unproven, other] })).integrity).toBe('unproven');
    expect(judge(withIntegrity({ provenAt: null })).integrity).toBe('same');
    expect(judge(withCoverage({ excluded: [excluded('twinproof')] })).integrity).toBe('unproven');
  });
});
