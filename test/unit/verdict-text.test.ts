import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { printable } from '../../src/report/printable.ts';
import { verdictText } from '../../src/report/verdict-text.ts';
import { columnsOf, wrap } from '../../src/report/wrap.ts';
import type { Evidence } from '../../src/verdict/evidence.ts';
import { verdictJson } from '../../src/verdict/json.ts';
import { judge } from '../../src/verdict/verdict.ts';
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
  ...withReadiness({ state: 'fail', severity: 'warn' }),
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
      '✔ SAFE: the candidate can be promoted, and nothing is lost (switchover)',
    );
    expect(firstLine(CRASH)).toMatch(/^! SAFE_WITH_LOSS: .*\(failover\)$/);
    expect(firstLine(BAD)).toMatch(/^✖ NOT_SAFE: do not promote/);
    expect(firstLine({ ...FAILOVER, fence: null })).toMatch(/^\? UNKNOWN: it is not proven/);
  });

  it('reads like this', () => {
    const notChecked = [{ code: 'TP-N-INDEXES', subject: 'indexes', message: 'not compared' }];
    expect(text({ ...CRASH, notChecked }, 60))
      .toBe(`! SAFE_WITH_LOSS: the candidate can be promoted, at the loss
  below (failover)

  integrity  same (2 of 2 tables compared)
  loss       bounded, at most 12 s (objective 30 s)
  known lost 7 transactions, 9 changes, 8 keys; committed
             from 2026-01-02T03:57:50.000Z to
             2026-01-02T03:57:59.000Z
  primary    last seen at 2026-01-02T03:58:00.000Z

Accepted by policy (1)
  ! loss [TP-V-LOSS-WITHIN-RPO]
    up to 12 s of commits would be lost; the policy allows
    30 s
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

  it('names who left a table out', () => {
    const excluded = [{ table: 'public.cache', reason: 'rebuilt', decidedBy: 'configuration' as const }];
    const printed = text(withCoverage({ excluded }));
    expect(printed).toContain('2 of 2 tables compared, 1 excluded');
    expect(printed).toContain('public.cache: rebuilt (left out by configuration)');
  });

  it('colours the answer only when asked, and only the answer', () => {
    expect(text(BAD)).not.toContain(ESCAPE);
    const coloured = text(BAD, 80, true);
    expect(coloured.startsWith(`${ESCAPE}[1;31m✖ NOT_SAFE`)).toBe(true);
    expect(coloured.replace(`${ESCAPE}[1;31m`, '').replace(`${ESCAPE}[0m`, '')).toBe(text(BAD));
  });

  it('keeps any name and message from the terminal (property)', () => {
    const hostile = fc.string({ unit: 'binary' });
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
      return tame && lines.every((line) => columnsOf(line) <= Math.max(40, width));
    });
    expect(() => fc.assert(rule, { numRuns: 60 })).not.toThrow();
  });
});

describe('printable', () => {
  it.each([
    ['plain 표 ü', 'plain 표 ü'],
    ['\u001b[31mred', '\\u{1b}[31mred'],
    ['a\nb\tc\r\u0007', 'a\\u{a}b\\u{9}c\\u{d}\\u{7}'],
    ['\u009b31m', '\\u{9b}31m'],
    ['\u202egnp.exe', '\\u{202e}gnp.exe'],
    ['zero\u200bwidth', 'zero\\u{200b}width'],
    ['\u2028', '\\u{2028}'],
    ['\ud800', '\\u{d800}'],
  ])('%j becomes %s', (raw, shown) => {
    expect(printable(raw)).toBe(shown);
  });
});

describe('wrap', () => {
  it('indents, breaks long words, and counts wide characters twice', () => {
    expect(wrap('one two three', 9, '- ', '  ')).toEqual(['- one two', '  three']);
    expect(wrap('abcdefghij', 6, '', '  ')).toEqual(['abcdef', '  ghij']);
    expect(wrap('가나다라', 4, '', '')).toEqual(['가나', '다라']);
    expect(columnsOf('가a\u0301')).toBe(3);
    expect(wrap('', 10, '- ', '  ')).toEqual(['-']);
  });

  it('loses nothing but spaces (property)', () => {
    const rule = fc.property(
      fc.string({ unit: 'grapheme' }),
      fc.integer({ min: 10, max: 60 }),
      (raw, width) => {
        const flat = raw.replace(/\s/g, ' ');
        return wrap(flat, width, '', '').join('').replaceAll(' ', '') === flat.replaceAll(' ', '');
      },
    );
    expect(() => fc.assert(rule)).not.toThrow();
  });
});
