import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { verdictText } from '../../src/report/verdict-text.ts';
import { widthOf } from '../../src/report/text-width.ts';
import type { Evidence } from '../../src/verdict/evidence.ts';
import { verdictJson } from '../../src/verdict/json.ts';
import { judge } from '../../src/verdict/verdict.ts';
import { anyText } from './any-text.ts';
import { STANDBY_IDENTITY } from './readiness-fixture.ts';
import {
  before,
  CRASH,
  FAILOVER,
  INTEGRITY,
  ledger,
  SWITCHOVER,
  TABLE,
  withCoverage,
  withIntegrity,
  withReadiness,
} from './verdict-fixture.ts';

const ESCAPE = '\u001b';

function text(evidence: Evidence, width = 80, colour = false): string {
  return verdictText(verdictJson(judge(evidence)), { width, colour });
}

function firstLine(evidence: Evidence): string {
  return text(evidence, 120).split('\n')[0] ?? '';
}

const BAD: Evidence = {
  ...withReadiness({ state: 'fail', severity: { switchover: 'warn', failover: 'warn' } }),
  ledger: ledger({ ...CRASH.ledger?.loss, tail: { bytes: null, ms: null } }),
  candidate: { ...STANDBY_IDENTITY, writable: true },
  integrity: {
    ...INTEGRITY,
    provenAt: null,
    reasons: [{ code: 'TP-X', severity: 'info', subject: 's', message: 'm', hint: '' }],
  },
};

describe('verdictText', () => {
  it('answers in the first line', () => {
    expect(firstLine(SWITCHOVER)).toBe(
      '✔ SAFE  the candidate can be promoted, and nothing is lost (switchover)',
    );
    expect(firstLine(CRASH)).toMatch(/^! SAFE_WITH_LOSS {2}.*\(failover\)$/);
    expect(firstLine(BAD)).toMatch(/^✖ NOT_SAFE {2}do not promote/);
    expect(firstLine({ ...FAILOVER, fence: null })).toMatch(/^\? UNKNOWN {2}it is not proven/);
  });

  it('reads like this', () => {
    const notChecked = [{ code: 'TP-N-INDEXES', subject: 'indexes', message: 'not compared' }];
    expect(text({ ...CRASH, notChecked }, 60))
      .toBe(`! SAFE_WITH_LOSS  the candidate can be promoted, at the loss
  below (failover)

integrity  same (2 of 2 tables compared)
loss       bounded, at most 12 s (objective 30 s)
known lost 7 transactions, 9 changes, 8 keys; committed from
           2026-01-02T03:57:50.000Z to
           2026-01-02T03:57:59.000Z
primary    last seen at 2026-01-02T03:58:00.000Z

Accepted by policy (1)
  ! up to 12 s of commits would be lost; the policy allows
    30 s (TP-V-LOSS-WITHIN-RPO)
    loss
    → someone must answer for this loss before the promotion

Not proven (1)
  - indexes: not compared

decided    2026-01-02T04:00:00.000Z
expires    2026-01-02T04:10:00.000Z; after that it says
           nothing
`);
  });

  it('groups the reasons by weight and gives each its hint', () => {
    const printed = text(BAD);
    const titles = printed.split('\n').filter((line) => /^[A-Z]/.test(line));
    expect(titles.map((title) => title.replace(/ \(.*/, ''))).toEqual([
      'Against promotion',
      'Short of proof',
      'Accepted by policy',
      'Warnings',
      'Notes',
      'Not proven',
    ]);
    expect(printed).toContain('→ fence one of the two');
    expect(printed).toContain('unknown size, unknown time');
  });

  it('says what is unknown, and never zero in its place', () => {
    const loss = {
      ...CRASH.ledger?.loss,
      changes: null,
      keys: null,
      firstCommitAt: null,
      lastCommitAt: null,
    };
    const printed = text({ ...CRASH, ledger: ledger({ ...loss, tail: { bytes: 5n, ms: 1500 } }) }, 200);
    expect(printed).toContain('7 transactions, unknown changes, unknown keys; committed from ? to ?');
    expect(printed).toContain('5 bytes, 1.5 s: on the candidate');
    expect(text({ ...FAILOVER, ledger: null, policy: { ...FAILOVER.policy, rpoMs: null } })).toContain(
      'loss       unknown (no objective set)',
    );
  });

  it('counts one as one, and says a long time as people do, beside its exact length', () => {
    const one = { transactions: 1n, changes: 1n, keys: 1n, boundMs: 5_430_500, recoverableTransactions: 1n };
    const tables = [
      { table: 'public.a', inserts: 1_234n, updates: 0n, deletes: 0n, truncates: 0n, keys: 1n },
    ];
    const evidence = { ...CRASH, ledger: ledger({ ...CRASH.ledger?.loss, ...one, tables }) };
    const printed = text({ ...evidence, policy: { ...CRASH.policy, rpoMs: 86_400_000 } }, 200);
    expect(printed).toContain('known lost 1 transaction, 1 change, 1 key; committed');
    expect(printed).toContain('public.a: 1,234 inserted (1 key)');
    expect(printed).toContain('1 transaction still to be applied');
    expect(printed).toContain('bounded, at most 5430.5 s, 1 h 31 min (objective 86400 s, 1 d)');
  });

  it('names who left a table out', () => {
    const excluded = [{ table: 'public.cache', reason: 'rebuilt', decidedBy: 'configuration' as const }];
    const printed = text(withCoverage({ excluded }));
    expect(printed).toContain('2 of 2 tables compared, 1 excluded');
    expect(printed).toContain('public.cache: rebuilt (left out by configuration)');
  });

  it('colours only when asked, and says the same without', () => {
    expect(text(BAD)).not.toContain(ESCAPE);
    const coloured = text(BAD, 80, true);
    expect(coloured.split('\n')[0]).toContain(`${ESCAPE}[31m✖ NOT_SAFE`);
    expect(coloured.replaceAll(new RegExp(`${ESCAPE}\\[[0-9;]*m`, 'g'), '')).toBe(text(BAD));
  });

  it('keeps any name and message from the terminal (property)', () => {
    const hostile = anyText();
    const rule = fc.property(hostile, hostile, fc.integer({ min: 0, max: 200 }), (table, message, width) => {
      const printed = text(
        withIntegrity({
          coverage: {
            ...INTEGRITY.coverage,
            excluded: [{ table, reason: message, decidedBy: 'command line' }],
          },
          tables: [
            { ...TABLE, table, outcome: 'unproven' },
            {
              ...TABLE,
              reasons: [{ code: message, severity: 'block', subject: table, message, hint: message }],
            },
          ],
          resumedSince: before(1),
        }),
        width,
      );
      const lines = printed.split('\n');
      const tame = lines.every((line) => !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(line));
      return tame && lines.every((line) => widthOf(line) <= Math.max(40, width));
    });
    expect(() => fc.assert(rule, { numRuns: 60 })).not.toThrow();
  });
});
