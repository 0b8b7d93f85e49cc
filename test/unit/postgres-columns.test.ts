import { describe, expect, it } from 'vitest';
import type { ColumnRow, IndexRow } from '../../connectors/postgres/catalog.ts';
import {
  baseTypeOf,
  encodingsOf,
  ordersPortably,
  type TypeFacts,
} from '../../connectors/postgres/columns.ts';
import { chooseKey } from '../../connectors/postgres/keys.ts';

let lastOid = 0;
const types = new Map<number, TypeFacts>();

function type(name: string, facts: Partial<TypeFacts> = {}): number {
  lastOid += 1;
  const oid = lastOid;
  types.set(oid, { oid, name, kind: 'b', builtin: true, sends: true, parts: [], array: false, ...facts });
  return oid;
}

const user = { builtin: false };
const int = type('integer');
const text = type('text');
const float = type('double precision');
const numeric = type('numeric');
const domain = type('public.positive', { ...user, kind: 'd', parts: [int] });
const nested = type('public.small', { ...user, kind: 'd', parts: [domain] });
const mood = type('public.mood', { ...user, kind: 'e' });
const address = type('public.address', { ...user, kind: 'c', parts: [text, int] });
const aclitem = type('aclitem', { sends: false });
const opaque = type('public.opaque', { ...user, sends: false });
const citext = type('public.citext', user);
const regclass = type('regclass');
const array = (of: number): number => type('…[]', { parts: [of], array: true });
const range = (of: number, facts: Partial<TypeFacts> = {}): number =>
  type('…range', { kind: 'r', parts: [of], ...facts });

function encodings(oid: number): string {
  const { physical, logical, 'cross-engine': cross } = encodingsOf(oid, types);
  expect(cross).toBe(null);
  return `${physical} ${logical}`;
}

describe('encodings', () => {
  it.each([
    ['integer', int, 'pg-binary pg-binary'],
    ['text', text, 'pg-binary pg-binary'],
    ['character(3)', type('character'), 'pg-binary pg-binary'],
    ['double precision', float, 'pg-binary pg-binary'],
    ['jsonb', type('jsonb'), 'pg-binary pg-binary'],
    ['enum', mood, 'pg-binary pg-binary'],
    ['domain over integer', domain, 'pg-binary pg-binary'],
    ['domain over a domain', nested, 'pg-binary pg-binary'],
    ['range of numeric', range(numeric), 'pg-binary pg-binary'],
    ['multirange of it', type('…multirange', { kind: 'm', parts: [range(numeric)] }), 'pg-binary pg-binary'],
    ['array of integer', array(int), 'pg-binary pg-text'],
    ['domain over an array', type('d', { kind: 'd', parts: [array(int)] }), 'pg-binary pg-text'],
    ['composite', address, 'pg-binary pg-text'],
    ['range of float', range(float, user), 'pg-binary pg-text'],
    ['range of text', range(text, user), 'pg-binary pg-text'],
    ['multirange of it', type('…multirange', { kind: 'm', parts: [range(text)] }), 'pg-binary pg-text'],
    ['regclass', regclass, 'pg-binary pg-text'],
    ['point', type('point'), 'pg-binary pg-text'],
    ['tsquery', type('tsquery'), 'pg-binary pg-text'],
    ['type of an extension', citext, 'pg-binary pg-text'],
    ['a type of the user’s that is called integer', type('integer', user), 'pg-binary pg-text'],
    ['aclitem', aclitem, 'pg-text pg-text'],
    ['no send function', opaque, 'pg-text pg-text'],
    ['array of such', array(opaque), 'pg-text pg-text'],
    ['composite with such', type('c', { ...user, kind: 'c', parts: [int, opaque] }), 'pg-text pg-text'],
    ['domain over such', type('d', { kind: 'd', parts: [aclitem] }), 'pg-text pg-text'],
    ['array of composites with such', array(type('c', { kind: 'c', parts: [opaque] })), 'pg-text pg-text'],
    ['pseudo-type', type('anyelement', { kind: 'p' }), 'null null'],
    ['type made since', 999_999, 'null null'],
  ])('%s', (_name, oid, expected) => {
    expect(encodings(oid)).toBe(expected);
  });

  it('see through domains', () => {
    expect(baseTypeOf(nested, types)?.name).toBe('integer');
  });
});

describe('key order', () => {
  it('is portable for numbers, and for text by bytes only', () => {
    expect(ordersPortably(nested, false, types)).toBe(true);
    expect(ordersPortably(numeric, false, types)).toBe(true);
    expect(ordersPortably(text, true, types)).toBe(true);
    expect(ordersPortably(text, false, types)).toBe(false);
    expect(ordersPortably(float, true, types)).toBe(false);
    expect(ordersPortably(mood, true, types)).toBe(false);
    expect(ordersPortably(citext, true, types)).toBe(false);
  });
});

const column = (attnum: number, name: string, typeOid: number, notNull = true): ColumnRow => ({
  relation: 1,
  attnum,
  name,
  quoted: name,
  type: '',
  typeOid,
  collation: 0,
  notNull,
  generated: '',
  identity: '',
});

const index = (name: string, attnums: readonly number[], facts: Partial<IndexRow> = {}): IndexRow => ({
  relation: 1,
  oid: 1,
  qualified: name,
  primary: false,
  replicaIdentity: false,
  attnums,
  defaultOrder: attnums.map(() => true),
  byteOrder: attnums.map(() => false),
  ...facts,
});

describe('the key', () => {
  const columns = [
    column(1, 'id', int),
    column(2, 'b', int),
    column(3, 'a', text),
    column(5, 'n', int, false),
  ];
  const chosen = (...indexes: IndexRow[]): string | undefined =>
    chooseKey(indexes, columns, types)?.index.qualified;

  it('is the primary key before all others', () => {
    const primary = index('pk', [3, 2], { primary: true });
    expect(chosen(index('u', [1]), index('r', [2], { replicaIdentity: true }), primary)).toBe('pk');
  });

  it('is the replica identity, then the shortest, then the first by name', () => {
    expect(chosen(index('u', [1]), index('r', [1, 2], { replicaIdentity: true }))).toBe('r');
    expect(chosen(index('two', [1, 2]), index('one', [2]))).toBe('one');
    expect(chosen(index('id', [1]), index('b', [2]), index('a', [3]))).toBe('a');
  });

  it('has no column that may be null, or that has gone', () => {
    expect(chosen(index('n', [5]))).toBe(undefined);
    expect(chosen(index('n', [1, 5]), index('gone', [4]))).toBe(undefined);
    expect(chosen()).toBe(undefined);
  });

  it('keeps the index’s order of columns and says whether it orders alike everywhere', () => {
    const key = chooseKey([index('k', [2, 1])], columns, types);
    expect(key?.columns.map(({ name }) => name)).toEqual(['b', 'id']);
    expect(key?.order).toBe('portable');
    expect(chooseKey([index('k', [3])], columns, types)?.order).toBe('local');
    expect(chooseKey([index('k', [3], { byteOrder: [true] })], columns, types)?.order).toBe('portable');
    expect(chooseKey([index('k', [1], { defaultOrder: [false] })], columns, types)?.order).toBe('local');
  });
});
