import { describe, expect, it } from 'vitest';
import type { ColumnDescription, TableDescription } from '../../src/connector/table.ts';
import { shapeOf } from '../../src/ledger/shape.ts';

function column(name: string, type: string): ColumnDescription {
  const encodings = { physical: 'pg-binary', logical: 'pg-binary', 'cross-engine': null } as const;
  return { name, type, baseType: type, encodings };
}

function described(columns: readonly ColumnDescription[]): TableDescription {
  return {
    name: 'public.t',
    schema: 'public',
    table: 't',
    columns,
    key: ['id'],
    keyOrder: 'portable',
    clustered: true,
    rowsEstimate: 0,
    bytesEstimate: 0,
    fingerprint: 'f',
    obstacle: null,
    handle: null,
  };
}

const relation = {
  columns: [
    { name: 'id', type: 'bigint', encoding: 'pg-binary' },
    { name: 'amount', type: 'numeric(12,2)', encoding: 'pg-binary' },
  ],
  absent: ['total'],
  keyFields: 1,
};
const table = described([
  column('amount', 'numeric(14,2)'),
  column('id', 'bigint'),
  column('total', 'bigint'),
]);

describe('how rows of a relation are read', () => {
  it('has the columns of the log in its order, without those that the log leaves out', () => {
    const { shape } = shapeOf(relation, table, 'logical', 'primary');
    expect(shape?.columns.map(({ name }) => name)).toEqual(['id', 'amount']);
    expect(shape).toMatchObject({ keyFields: 1, identity: 'key', pair: 'logical', table });
  });

  it.each([
    ['the log has no key', { ...relation, keyFields: null }, table],
    ['a type is another', relation, described([column('amount', 'text'), column('id', 'bigint')])],
    ['a column is missing', relation, described([column('id', 'bigint')])],
    [
      'a value never comes in a form that can be compared',
      { ...relation, columns: [{ name: 'id', type: 'bigint', encoding: null }] },
      table,
    ],
    ['the table cannot be read', relation, { ...table, obstacle: { code: 'X', message: 'no', hint: '' } }],
  ])('is not known when %s', (_, of, at) => {
    expect(shapeOf(of, at, 'physical', 'candidate').shape).toBeNull();
  });

  it('is not known when the primary has a column that the log does not know, and is when only the candidate has', () => {
    const more = described([...table.columns, column('added', 'text')]);
    expect(shapeOf(relation, more, 'logical', 'primary').problem).toBe('column "added" is not in the log');
    expect(shapeOf(relation, more, 'logical', 'candidate').shape).not.toBeNull();
  });
});
