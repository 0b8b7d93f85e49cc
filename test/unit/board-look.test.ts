import { describe, expect, it } from 'vitest';
import { sparkline } from '../../src/board/sparkline.ts';
import { STYLE } from '../../src/board/style.ts';
import { verdictIcon } from '../../src/board/parts.ts';
import { EN } from '../../src/board/words-en.ts';
import { KO } from '../../src/board/words-ko.ts';

/** Colours of a theme by name, as the first block of the sheet behind `selector` has them. */
function coloursOf(selector: string): ReadonlyMap<string, string> {
  const from = STYLE.indexOf(`${selector} {`);
  const block = STYLE.slice(from, STYLE.indexOf('}', from));
  return new Map(
    [...block.matchAll(/--([a-z-]+): (#[0-9a-f]{6})/g)].map(([, name, colour]) => [name ?? '', colour ?? '']),
  );
}

/** Relative luminance, WCAG 2.2. */
function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, other: string): number {
  const [light = 0, dark = 0] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

const TEXTS = [
  ['ink', 'bg'],
  ['ink', 'panel'],
  ['dim', 'bg'],
  ['dim', 'panel'],
  ...['safe', 'loss', 'not', 'unknown'].flatMap((tone) => [
    [tone, `${tone}-bg`],
    [tone, 'panel'],
    [tone, 'bg'],
  ]),
] as const;

describe('the look of the board', () => {
  it.each([[':root'], [":root[data-theme='dark']"], [":root:not([data-theme='light'])"]])(
    'can be read: every text of %s stands out from what it stands on, 4.5 to 1',
    (selector) => {
      const colours = coloursOf(selector);
      const faint = TEXTS.filter(([text = '', ground = '']) => {
        return !(contrast(colours.get(text) ?? '', colours.get(ground) ?? '') >= 4.5);
      });
      expect(faint).toEqual([]);
    },
  );

  it('has a shape and a word of its own for each verdict, in both languages', () => {
    const verdicts = ['SAFE', 'SAFE_WITH_LOSS', 'NOT_SAFE', 'UNKNOWN'] as const;
    const different = (of: (verdict: (typeof verdicts)[number]) => string): number =>
      new Set(verdicts.map(of)).size;
    expect([
      different((verdict) => verdictIcon(verdict).text),
      different((verdict) => EN.verdict[verdict].word),
      different((verdict) => KO.verdict[verdict].word),
    ]).toEqual([4, 4, 4]);
  });

  it('says everything in Korean that it says in English', () => {
    const texts = (value: unknown): readonly string[] =>
      typeof value === 'string' ? [value] : Object.values(Object(value)).flatMap(texts);
    const said = texts(KO).filter((text) => !/\p{Script=Hangul}/u.test(text));
    expect(said).toEqual([]);
    expect([420, 12_400, 8_160_000, 180_000_000].map(KO.time)).toEqual([
      '420밀리초',
      '12.4초',
      '2시간 16분',
      '2일 2시간',
    ]);
  });

  it('draws lag with gaps where it was unknown, and the objective where it comes near', () => {
    const samples = [100, 200, null, 4_000, 300].map((ms, index) => ({
      at: new Date(index * 10_000).toISOString(),
      ms,
      transportMs: null,
    }));
    const { text } = sparkline(samples, 5_000, EN);
    expect(text.match(/ d="([^"]*)"/)?.[1]?.match(/M/g)).toHaveLength(2);
    expect(text).toContain('class="objective"');
    expect(text).toContain('aria-label="Lag: 300 ms"');
    expect(sparkline(samples, 600_000, EN).text).not.toContain('class="objective"');
    expect(sparkline([], 5_000, EN).text).toContain('unknown');
  });
});
