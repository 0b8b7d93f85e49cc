import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { VerifyResult } from '../../src/compare/result.ts';
import { widthOf } from '../../src/report/text-width.ts';
import { groupReasons } from '../../src/report/reason-list.ts';
import { verifyDocument, verifyJson } from '../../src/report/verify-json.ts';
import { verifyText } from '../../src/report/verify-text.ts';
import { anyText } from './any-text.ts';
import { MIXED, resultOf, tableOf } from './report-sample.ts';
import { times } from './property-runs.ts';

// oxlint-disable-next-line no-control-regex -- what a terminal acts on is what is looked for
const DANGEROUS = /[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/;

const plain = { colour: false, width: 100 };
const linesOf = (result: VerifyResult, width: number, more = {}) =>
  verifyText(result, { colour: false, width, ...more }).split('\n');

describe('a verification as JSON', () => {
  it('has exactly the fields that are promised, counts as strings and times in UTC', () => {
    const document = verifyDocument(MIXED);
    expect(Object.keys(document)).toEqual([
      'schema',
      'outcome',
      'pair',
      'startedAt',
      'finishedAt',
      'primary',
      'candidate',
      'coverage',
      'tables',
      'reasons',
      'resumed',
      'bytesRead',
    ]);
    expect(document).toMatchObject({
      schema: 'twinproof.verify/v1',
      outcome: 'different',
      pair: 'physical',
      startedAt: '2026-03-01T03:04:05.678Z',
      finishedAt: '2026-03-01T03:05:28.678Z',
      primary: { engine: 'postgres', position: '7301234567890123456/1/2A/3F0001A8' },
      coverage: { tables: 4, compared: 3 },
      resumed: { ranges: 120, rows: '3000000', provenSince: '2026-02-28T22:00:00.000Z' },
      bytesRead: '1234567890',
    });
    expect(document.tables[1]).toEqual({
      table: 'public.orders',
      outcome: 'different',
      encoding: 'pg-binary',
      method: 'block',
      rows: { primary: '5000000', candidate: '4999999' },
      differences: { missing: '1', extra: '0', changed: '12' },
      samples: [
        { kind: 'missing', key: { id: '12345' } },
        { kind: 'changed', key: { id: '12346', region: '서울' }, columns: ['amount', 'status'] },
        {
          kind: 'changed',
          key: { id: '12347' },
          columns: ['amount'],
          values: { amount: { primary: '10.00', candidate: null } },
        },
      ],
      reasons: [],
    });
  });

  it('is one object and a newline, exact beyond 2^53', () => {
    const json = verifyJson(MIXED);
    expect(json.endsWith('}\n')).toBe(true);
    expect(JSON.parse(json)).toEqual(verifyDocument(MIXED));
    expect(json).toContain('"9223372036854775807"');
  });

  it('says null for what is not known', () => {
    const unreached = resultOf('unproven', [], {
      primary: { engine: 'postgres', identity: null, position: null, headBefore: null },
    });
    expect(verifyDocument(unreached).primary).toEqual({
      engine: 'postgres',
      identity: null,
      position: null,
      headBefore: null,
    });
  });

  it('lets nothing through that was added to a result', () => {
    const sneaky = {
      ...MIXED,
      password: 'canary-s3cret',
      primary: { ...MIXED.primary, url: 'canary-s3cret' },
    };
    expect(verifyJson(sneaky)).not.toContain('canary');
  });
});

describe('a verification as text', () => {
  it.each([
    [resultOf('same', [tableOf('public.a')]), /^✔ SAME {2}every row of 1 table is the same/],
    [MIXED, /^✖ DIFFERENT {2}13 rows in 1 table differ: .* 1 table\n/],
    [
      resultOf('unproven', [tableOf('public.a', 'unproven')]),
      /^\? UNPROVEN {2}no difference was found, but 1 table/,
    ],
    [resultOf('unproven', []), /^\? UNPROVEN {2}it is not known/],
    [resultOf('different', []), /^✖ DIFFERENT {2}the candidate is not a faithful copy of the primary; see/],
    [resultOf('different', [tableOf('public.a', 'different')]), /^✖ DIFFERENT {2}1 table differs:/],
  ])('opens with the outcome (%#)', (result, expected) => {
    expect(verifyText(result, plain)).toMatch(expected);
  });

  it('shows sites, tables, rows, reasons, coverage and what to do', () => {
    const text = verifyText(MIXED, { ...plain, width: 160 });
    for (const part of [
      'postgres 15.6 at 10.20.30.40:5432, database bank; primary, writable',
      'head from 7301234567890123456/1/2A/3E000000 to 7301234567890123456/1/2A/3F0001A8',
      'applied up to 7301234567890123456/1/2A/3F0001A8',
      'changed  id=12346, region=서울: amount, status',
      'amount: primary "10.00", candidate NULL',
      '10 more rows',
      'the role may not read this (TP-PERMISSION)',
      '→ run `twinproof preflight` to see the missing grants',
      '3 of 4 tables in scope compared',
      '2 tables, left out by --exclude public.cache_*: public.cache_a, public.cache_b',
      '120 ranges with 3,000,000 rows from the state file, proven since 2026-02-28 22:00:00 UTC',
      'took 1 min 23 s',
      '14.9 MB/s',
      'do not promote the candidate',
    ]) {
      expect(text).toContain(part);
    }
    expect(text.indexOf('public.orders')).toBeLessThan(text.indexOf('public.고객'));
  });

  it('says so when a site was not reached', () => {
    const site = { engine: 'postgres', identity: null, position: null, headBefore: null };
    const text = verifyText(resultOf('unproven', [], { primary: site, candidate: site }), plain);
    expect(text).toContain('never reached');
    expect(text).toContain('what it has applied is not known');
    expect(text).not.toMatch(/null|undefined|NaN|Infinity/);
  });

  it('lists only what is not the same when there are many tables, unless asked', () => {
    const tables = Array.from({ length: 200 }, (_, i) => tableOf(`public.part_${i}`));
    const result = resultOf('unproven', [...tables, tableOf('public.odd', 'unproven')]);
    const text = verifyText(result, plain);
    expect(text).toContain('public.odd');
    expect(text).not.toContain('public.part_7');
    expect(text).toContain('200 more tables, the same on both sites');
    expect(verifyText(result, { ...plain, showAllTables: true })).toContain('public.part_199');
  });

  it('fits from 24 columns to 200', () => {
    for (let width = 24; width <= 200; width += width < 120 ? 1 : 8) {
      const unicode = width % 3 !== 0;
      const tooWide = linesOf(MIXED, width, { unicode }).filter((line) => widthOf(line) > width);
      expect(tooWide, `${width} columns`).toEqual([]);
    }
  });

  it('fits when it is coloured, and says the same', () => {
    const coloured = verifyText(MIXED, { colour: true, width: 80 });
    expect(coloured).toContain('\u001b[31m');
    // oxlint-disable-next-line no-control-regex -- colours are what is taken out
    expect(coloured.replaceAll(/\u001b\[\d+m/g, '').replaceAll(/ +\n/g, '\n')).toBe(
      verifyText(MIXED, { colour: false, width: 80 }).replaceAll(/ +\n/g, '\n'),
    );
  });

  it('is ASCII when it must be', () => {
    expect(verifyText(MIXED, { ...plain, unicode: false })).toMatch(/^[\x20-\x7e\n]*$/);
  });

  it('lets no name, key, value or message act on the terminal, and fits whatever they are', () => {
    const text = anyText({ maxLength: 90 });
    fc.assert(
      fc.property(text, text, text, fc.integer({ min: 24, max: 130 }), (name, key, message, width) => {
        const reason = { code: message, severity: 'warn' as const, subject: name, message, hint: key };
        const table = tableOf(name, 'different', {
          encoding: message,
          samples: [
            {
              table: name,
              kind: 'changed',
              key: { [name]: key },
              columns: [name],
              values: { [name]: { primary: key, candidate: message } },
            },
          ],
          reasons: [reason],
        });
        const result = resultOf('different', [table], {
          reasons: [reason],
          coverage: { tables: 1, compared: 1, excluded: [{ table: name, reason: message }] },
        });
        const lines = linesOf(result, width);
        expect(lines.join('')).not.toMatch(DANGEROUS);
        expect(lines.filter((line) => widthOf(line) > width)).toEqual([]);
      }),
      {
        numRuns: times(15),
        // A name whose columns a table library counted otherwise.
        examples: [['\u{1f3cd}\u0000\u{2ee5e}\u{14647}', '', '', 72]],
      },
    );
  });
});

const reason = (subject: string, severity: 'block' | 'info', message = 'a query failed', hint = '') => ({
  code: 'TP-QUERY',
  severity,
  subject,
  message,
  hint,
});
describe('reasons', () => {
  it('that say the same of several subjects are one, the weightiest first', () => {
    const groups = groupReasons([
      reason('a', 'info'),
      reason('b', 'block'),
      reason('c', 'block'),
      reason('b', 'block'),
    ]);
    expect(groups.map(({ reason: { severity }, subjects }) => [severity, subjects])).toEqual([
      ['block', ['b', 'c']],
      ['info', ['a']],
    ]);
  });

  it('that have the same hint give it once, behind the last of them', () => {
    const groups = groupReasons([
      reason('a', 'block', '1 row', 'mend it'),
      reason('b', 'block', '2 rows', 'mend it'),
      reason('c', 'block', '3 rows', 'wait'),
    ]);
    expect(groups.map(({ advice }) => advice)).toEqual(['', 'mend it', 'wait']);
  });
});
