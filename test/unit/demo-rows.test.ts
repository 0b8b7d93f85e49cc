import { describe, expect, it } from 'vitest';
import { type BrokenRow, type FoundRow, matchRows } from '../../src/demo/broken-row.ts';
import { writeComparison } from '../../src/demo/row-comparison.ts';
import { Page } from '../../src/report/page.ts';

const CHANGED: BrokenRow = {
  table: 'public.account',
  kind: 'changed',
  key: { id: '31007' },
  columns: ['balance'],
  done: 'balance raised by 0.10',
};
const DELETED: BrokenRow = {
  table: 'public.transfer',
  kind: 'missing',
  key: { id: '90210', booked_at: '2025-01-10 21:00:00+00' },
  columns: [],
  done: 'row deleted',
};

function finding({ table, kind, key, columns }: BrokenRow, change: Partial<FoundRow> = {}): FoundRow {
  return { table, kind, key, columns, ...change };
}

function wrong(found: readonly FoundRow[]): number {
  const matches = matchRows([CHANGED, DELETED], found);
  return matches.filter((match) => match.broken === null || match.found === null).length;
}

function text(found: readonly FoundRow[], width: number): readonly string[] {
  const page = new Page({ width, colour: false });
  writeComparison(page, matchRows([CHANGED, DELETED], found));
  return page.toString().trimEnd().split('\n');
}

describe('rows broken and rows found', () => {
  it('are the same in any order of rows and keys', () => {
    const [id, booked] = ['90210', '2025-01-10 21:00:00+00'];
    expect(wrong([finding(DELETED, { key: { booked_at: booked, id } }), finding(CHANGED)])).toBe(0);
  });

  it.each<[string, readonly FoundRow[], number]>([
    ['a row that was missed', [finding(CHANGED)], 1],
    [
      'a row of which nothing is known',
      [CHANGED, DELETED, { ...CHANGED, key: { id: '1' } }].map((row) => finding(row)),
      1,
    ],
    ['a row found twice', [finding(CHANGED), finding(CHANGED), finding(DELETED)], 1],
    ['another column', [finding(CHANGED, { columns: ['iban'] }), finding(DELETED)], 2],
    ['one column more', [finding(CHANGED, { columns: ['balance', 'iban'] }), finding(DELETED)], 2],
    ['another kind', [finding(CHANGED), finding(DELETED, { kind: 'extra' })], 2],
    ['another table', [finding(CHANGED), finding(DELETED, { table: 'public.purchase' })], 2],
    ['nothing at all', [], 2],
  ])('are not with %s', (_what, found, count) => {
    expect(wrong(found)).toBe(count);
  });

  it('stand side by side, each with a mark', () => {
    expect(text([finding(CHANGED), finding(CHANGED, { key: { id: '7' } })], 80)).toEqual([
      '   row              what was broken            what was found',
      '   account 31007    balance raised by 0.10   ✔ changed: balance',
      '   transfer 90210   row deleted              ✖ not found',
      '   account 7        nothing was done to it   ✖ changed: balance',
    ]);
  });

  it('stand below one another where there is no room', () => {
    expect(text([finding(CHANGED), finding(DELETED)], 50)).toEqual([
      '   account 31007: balance raised by 0.10',
      '     ✔ found: changed: balance',
      '   transfer 90210: row deleted',
      '     ✔ found: missing',
    ]);
  });
});
