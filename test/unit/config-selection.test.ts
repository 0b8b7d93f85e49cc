import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compileSelection,
  patternProblem,
  quotedPattern,
  selecting,
  type TablePatterns,
  unmatchedPatterns,
} from '../../src/config/selection.ts';
import { anyText } from './any-text.ts';
import { times } from './property-runs.ts';

const matches = (selection: TablePatterns, schema: string, table: string): boolean =>
  selecting(selection)(schema, table);

const only = (pattern: string) => ({ include: [pattern], exclude: [] });

describe('table patterns', () => {
  it.each([
    ['public.*', 'public', 'orders', true],
    ['public.*', 'publicity', 'orders', false],
    ['*.orders', 'sales', 'orders', true],
    ['orders', 'sales', 'orders', true],
    ['orders', 'sales', 'orders_old', false],
    ['orders', 'orders', 'x', false],
    ['*', 'any', 'thing', true],
    ['*.*', 'any', 'thing', true],
    ['cache_?', 'public', 'cache_1', true],
    ['cache_?', 'public', 'cache_12', false],
    ['cache_?', 'public', 'cache_', false],
    ['Orders', 'public', 'orders', false],
    ['"My.Schema"."My Table"', 'My.Schema', 'My Table', true],
    ['"My.Schema".*', 'My.Schema', 'x', true],
    ['"a*"', 'public', 'a*', true],
    ['"a*"', 'public', 'abc', false],
    ['"say ""hi"""', 'public', 'say "hi"', true],
    ['"a."*', 'public', 'a.b', true],
    ['주문_*', 'public', '주문_2024', true],
    ['?', 'public', '🙂', true],
    ['public.a[bc]', 'public', 'a[bc]', true],
  ])('%s against %s.%s: %s', (pattern, schema, table, expected) => {
    expect(matches(only(pattern), schema, table)).toBe(expected);
    expect(patternProblem(pattern)).toBeNull();
  });

  it.each(['public.a.b', '', 'public.', '.a', '""', '"a', 'x'.repeat(1_025)])('refuses %s', (pattern) => {
    expect(patternProblem(pattern)).not.toBeNull();
    expect(() => matches(only(pattern), 'public', 'a')).toThrow(
      expect.objectContaining({ code: 'TP-USAGE' }),
    );
  });

  it('lets exclusion win and says which pattern decided', () => {
    const decide = compileSelection({ include: ['public.*', 'audit'], exclude: ['public.cache_*'] });
    expect(decide('public', 'orders')).toEqual({ selected: true, by: 'public.*' });
    expect(decide('public', 'cache_a')).toEqual({ selected: false, by: 'public.cache_*' });
    expect(decide('sales', 'orders')).toEqual({ selected: false, by: null });
  });

  it('selects nothing when nothing is included', () => {
    expect(matches({ include: [], exclude: [] }, 'public', 'orders')).toBe(false);
  });

  it('names inclusions that match no table', () => {
    const tables = [{ schema: 'public', table: 'orders' }];
    expect(unmatchedPatterns({ include: ['public.*', 'ordres'], exclude: ['public.*'] }, tables)).toEqual([
      'ordres',
    ]);
  });

  it('matches any name by its quoted pattern, and only that', () => {
    const name = anyText({ minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(name, name, name, (schema, table, other) => {
        const selection = only(quotedPattern(schema, table));
        expect(matches(selection, schema, table)).toBe(true);
        expect(matches(selection, schema, other)).toBe(other === table);
      }),
    );
  });

  it('agrees with the obvious recursive definition', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), minLength: 1, maxLength: 8 });
    const text = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 8 });
    fc.assert(
      fc.property(letters, text, (glob, name) => {
        expect(matches(only(glob), 's', name)).toBe(obvious(glob, name));
      }),
      { numRuns: times(1_000) },
    );
  });

  it('is not slowed down by a pattern made for that', () => {
    const started = performance.now();
    expect(matches(only('a*'.repeat(500)), 's', `${'a'.repeat(5_000)}b`.repeat(4))).toBe(true);
    expect(matches(only(`${'a*'.repeat(500)}c`), 's', 'a'.repeat(20_000))).toBe(false);
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});

function obvious(glob: string, text: string): boolean {
  if (glob === '') return text === '';
  const rest = glob.slice(1);
  if (glob.startsWith('*')) return obvious(rest, text) || (text !== '' && obvious(glob, text.slice(1)));
  return text !== '' && (glob.startsWith('?') || glob[0] === text[0]) && obvious(rest, text.slice(1));
}
