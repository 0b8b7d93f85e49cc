import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JsonError } from '../../connectors/kafka/json-error.ts';
import { unescaped } from '../../connectors/kafka/json-escape.ts';
import { JsonReader } from '../../connectors/kafka/json-reader.ts';
import { anyCharacter, anyText } from './any-text.ts';
import { times } from './property-runs.ts';

/** The members of an object: names, kinds, and strings without their escapes or other values as they are written. */
function membersOf(text: string): unknown[][] {
  const json = new JsonReader();
  json.open(Buffer.from(text));
  const found: unknown[][] = [];
  json.enter();
  while (json.member()) {
    const name: unknown = JSON.parse(`"${json.name()}"`);
    json.take();
    const { bytes, from, to, kind } = json;
    const value = kind === 'string' ? unescaped(bytes, from, to) : bytes.subarray(from, to);
    found.push([name, kind, Buffer.from(value).toString()]);
  }
  json.end();
  return found;
}

const value = fc.jsonValue({ maxDepth: 3, stringUnit: anyCharacter });

describe('JSON as bytes', () => {
  it('finds what JSON.parse finds, where it stands', () => {
    fc.assert(
      fc.property(fc.dictionary(anyText(), value), fc.constantFrom(0, 2), (object, indent) => {
        const text = JSON.stringify(object, null, indent);
        // Two equal names, which JSON.parse takes for one, do not come out of JSON.stringify.
        const parsed: Record<string, unknown> = JSON.parse(text);
        const found = membersOf(text);
        expect(found.map(([name]) => name)).toEqual(Object.keys(parsed));
        for (const [name, kind, written] of found) {
          const expected = parsed[String(name)];
          expect(kind === 'string' ? written : JSON.parse(String(written))).toEqual(expected);
        }
      }),
      { numRuns: times(20) },
    );
  });

  it('finds the end of long strings, whatever is escaped in them', () => {
    const piece = fc.constantFrom('x'.repeat(47), 'y', '"', '\\', '\\"', 'é', '\u0001', 'z'.repeat(200));
    const text = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(''));
    fc.assert(
      fc.property(fc.array(text, { maxLength: 6 }), (texts) => {
        const object = Object.fromEntries(
          texts.map((one, index) => [`${index}`, { deep: one, plain: [one] }]),
        );
        const found = membersOf(JSON.stringify({ ...object, long: texts.join('') }));
        expect(found.at(-1)?.[0]).toBe('long');
        expect(
          found.map(([name, , written]) => (name === 'long' ? written : JSON.parse(String(written)))),
        ).toEqual([...Object.values(object), texts.join('')]);
      }),
      { numRuns: times(40) },
    );
  });

  it('resolves every escape as JSON.parse does, and refuses halves of characters', () => {
    for (const text of [String.raw`\"\\\/\b\f\n\r\t`, String.raw`é\u00E9\u20ac\ud83d\ude00\u0000`, '']) {
      const bytes = Buffer.from(text);
      const expected: unknown = JSON.parse(`"${text}"`);
      expect(Buffer.from(unescaped(bytes, 0, bytes.length)).toString()).toBe(expected);
    }
    for (const text of [
      String.raw`\ud83d`,
      String.raw`\ude00`,
      String.raw`\ud83d\u0041`,
      String.raw`\x`,
      String.raw`\u12`,
    ]) {
      const bytes = Buffer.from(text);
      expect(() => unescaped(bytes, 0, bytes.length)).toThrow(JsonError);
    }
  });

  it.each([
    '',
    '[]',
    '{',
    '{"a"',
    '{"a":',
    '{"a":1',
    '{"a":1,}',
    '{"a" 1}',
    '{"a":1 "b":2}',
    '{a:1}',
    '{"a":tru}',
    '{"a":"x}',
    '{"a":"\n"}',
    '{"a":[1}',
    '{"a":1}{',
    `{"a":${'['.repeat(100)}${']'.repeat(100)}}`,
    '{"a":+1}',
  ])('refuses %s', (text) => {
    expect(() => membersOf(text)).toThrow(JsonError);
  });

  it('never takes what was cut off for whole', () => {
    const whole = JSON.stringify({ a: 'x"\\', b: { c: [1, { d: null }] }, e: -1.5e10, f: true });
    for (let length = 0; length < whole.length; length += 1) {
      expect(() => membersOf(whole.slice(0, length))).toThrow(JsonError);
    }
    expect(membersOf(whole)).toHaveLength(4);
  });
});
