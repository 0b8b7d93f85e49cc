import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { colourWanted, painter, unicodeWanted } from '../../src/report/colour.ts';
import {
  bytesText,
  countOf,
  countText,
  durationText,
  shortNumber,
  timeText,
} from '../../src/report/quantity.ts';
import { terminalJson, terminalText } from '../../src/report/terminal-text.ts';
import { truncateMiddle, widthOf, wrap } from '../../src/report/text-width.ts';
import { anyCharacter, anyText } from './any-text.ts';
import { times } from './property-runs.ts';

const someText = anyText({ maxLength: 60 });
/** What a terminal acts on: C0, DEL, C1, bidirectional controls, zero width, line separators. */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const DANGEROUS = /[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/;

describe('text for a terminal', () => {
  it.each([
    ['plain text', 'plain text'],
    ['주문 🙂', '주문 🙂'],
    ['\u001b[31mred\u001b[0m', '\\x1b[31mred\\x1b[0m'],
    ['\u001b]0;title\u0007', '\\x1b]0;title\\x07'],
    ['a\nb\tc\rd', 'a\\nb\\tc\\rd'],
    ['\u009b2J', '\\x9b2J'],
    ['abc\u202ecba', 'abc\\u{202e}cba'],
    ['a\u200bb\u00a0c', 'a\\u{200b}b\\xa0c'],
    ['\ud800', '\\u{d800}'],
    ['C:\\temp', 'C:\\temp'],
  ])('%j is %j', (text, expected) => {
    expect(terminalText(text)).toBe(expected);
  });

  it('is ASCII where nothing else is shown', () => {
    expect(terminalText('주문 é', false)).toBe('\\u{c8fc}\\u{bb38} \\xe9');
  });

  it('holds nothing that acts, whatever comes in, and stays what it is when escaped again', () => {
    fc.assert(
      fc.property(someText, fc.boolean(), (text, unicode) => {
        const safe = terminalText(text, unicode);
        expect(safe).not.toMatch(DANGEROUS);
        expect(terminalText(safe, unicode)).toBe(safe);
      }),
    );
  });

  it('is JSON that parses to the same', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: anyCharacter }), (value) => {
        const json = terminalJson(value);
        expect(json).not.toMatch(DANGEROUS);
        expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});

describe('width', () => {
  it.each([
    ['abc', 3],
    ['주문', 4],
    ['ａ', 2],
    ['é', 1],
    ['e\u0301', 1],
    ['🙂', 2],
    ['…', 1],
    [painter(true)('red', 'abc'), 3],
    ['', 0],
  ])('of %j is %d', (text, width) => {
    expect(widthOf(text)).toBe(width);
  });

  it('is the same whether a segmenter was asked or not', () => {
    const ranges = [
      [0x20, 0x7e],
      [0xa1, 0xac],
      [0xae, 0xff],
      [0x2010, 0x2015],
      [0x2190, 0x21ff],
      [0x2500, 0x259f],
      [0x3041, 0x3096],
      [0x30a1, 0x30fa],
      [0x4e00, 0x9fff],
      [0xac00, 0xd7a3],
    ] as const;
    const character = fc
      .oneof(...ranges.map(([min, max]) => fc.integer({ min, max })))
      .map((code) => String.fromCodePoint(code));
    fc.assert(
      fc.property(fc.string({ unit: character }), (text) => {
        // The segmenter is asked wherever there is an emoji, which takes two columns.
        expect(widthOf(text)).toBe(widthOf(`${text}🙂`) - 2);
      }),
      { numRuns: times(100) },
    );
  });

  it.each([
    ['public.orders', 20, 'public.orders'],
    ['public.orders_2024_01', 12, 'public…24_01'],
    ['public.orders_2024_01', 3, 'p…1'],
    ['주문주문주문', 7, '주…주문'],
    ['abc', 1, 'a'],
    ['abc', 0, ''],
  ])('%s in %d columns is %s', (text, width, expected) => {
    expect(truncateMiddle(text, width)).toBe(expected);
  });

  it('is kept when text is cut or wrapped, and wrapping loses nothing but spaces', () => {
    fc.assert(
      fc.property(
        someText,
        fc.integer({ min: 2, max: 30 }),
        fc.integer({ min: 2, max: 30 }),
        (text, width, first) => {
          const safe = terminalText(text);
          expect(widthOf(truncateMiddle(safe, width))).toBeLessThanOrEqual(width);
          const lines = wrap(safe, width, first);
          for (const [index, line] of lines.entries()) {
            expect(widthOf(line)).toBeLessThanOrEqual(index === 0 ? first : width);
          }
          expect(lines.join('').replaceAll(' ', '')).toBe(safe.replaceAll(' ', ''));
        },
      ),
      { numRuns: times(200) },
    );
  });
});

describe('colour', () => {
  it.each([
    [{}, true, true],
    [{}, false, false],
    [{ NO_COLOR: '1' }, true, false],
    [{ NO_COLOR: '' }, true, true],
    [{ FORCE_COLOR: '1' }, false, true],
    [{ FORCE_COLOR: '' }, false, true],
    [{ FORCE_COLOR: '0' }, true, false],
    [{ FORCE_COLOR: 'false' }, true, false],
    [{ FORCE_COLOR: '1', NO_COLOR: '1' }, false, true],
    [{ TERM: 'dumb' }, true, false],
  ])('with %j on a terminal (%s): %s', (environment, isTerminal, expected) => {
    expect(colourWanted(environment, isTerminal)).toBe(expected);
  });

  it.each([
    [{}, true],
    [{ LANG: 'ko_KR.UTF-8' }, true],
    [{ LANG: 'C' }, false],
    [{ LANG: 'C', LC_ALL: 'C.utf8' }, true],
    [{ LANG: 'ko_KR.eucKR' }, false],
    [{ LC_ALL: '', LANG: 'en_US.UTF-8' }, true],
  ])('the locale %j shows more than ASCII: %s', (environment, expected) => {
    expect(unicodeWanted(environment)).toBe(expected);
  });
});

describe('quantities', () => {
  it.each([
    [countText(0), '0'],
    [countText(1_234_567n), '1,234,567'],
    [countText(999), '999'],
    [countOf(1, 'row'), '1 row'],
    [countOf(2_000n, 'row'), '2,000 rows'],
    [durationText(12), '12 ms'],
    [durationText(12_345), '12.3 s'],
    [durationText(59_999), '1 min'],
    [durationText(185_000), '3 min 5 s'],
    [durationText(3_599_600), '1 h'],
    [durationText(7_800_000), '2 h 10 min'],
    [durationText(273_600_000), '3 d 4 h'],
    [shortNumber(0), '0'],
    [shortNumber(999), '999'],
    [shortNumber(999.6), '1.00k'],
    [shortNumber(12_345), '12.3k'],
    [shortNumber(999_999), '1.00M'],
    [shortNumber(123_456_789), '123M'],
    [bytesText(950), '950 B'],
    [bytesText(1_200_000n), '1.20 MB'],
    [timeText(new Date('2026-03-01T03:04:05.999Z')), '2026-03-01 03:04:05 UTC'],
  ])('%s', (text, expected) => {
    expect(text).toBe(expected);
  });
});
