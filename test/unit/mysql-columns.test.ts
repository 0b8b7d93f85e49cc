import { describe, expect, test } from 'vitest';
import {
  baseTypeOf,
  encodingsOf,
  portableOf,
  type TypeFacts,
  typeName,
  typeOf,
} from '../../connectors/mysql/columns.ts';

function facts(columnType: string, characterSet: string | null = null, collation?: string): TypeFacts {
  const dataType = /^\w+/.exec(columnType)?.[0] ?? '';
  const named = characterSet === null ? null : (collation ?? `${characterSet}_general_ci`);
  return { dataType, columnType, characterSet, collation: named };
}

const base = (...of: Parameters<typeof facts>): string => baseTypeOf(facts(...of));

describe('two columns compare byte for byte', () => {
  test.each([
    ['int(11)', 'int'],
    ['bigint(20) unsigned zerofill', 'bigint unsigned'],
    ['decimal(12,2)', 'decimal(10,2) unsigned'],
    ['decimal(10)', 'decimal(12,0)'],
    ['float(7,3)', 'float'],
    ['datetime', 'datetime(6)'],
    ['time(3)', 'time'],
    ['varbinary(10)', 'varbinary(20)'],
    ['year(4)', 'year'],
  ])('%s with %s', (ours, theirs) => {
    expect(base(ours)).toBe(base(theirs));
  });

  test('text of any length and collation, if its character set is the same', () => {
    expect(base('varchar(60)', 'utf8mb4', 'utf8mb4_bin')).toBe(base('varchar(90)', 'utf8mb4'));
    expect(base('char(6)', 'utf8')).toBe(base('char(6)', 'utf8mb3'));
  });
});

describe('two columns do not compare byte for byte', () => {
  test.each([
    ['int', 'int unsigned'],
    ['int', 'bigint'],
    ['decimal(10,2)', 'decimal(10,3)'],
    ['decimal(10,2) zerofill', 'decimal(10,2)'],
    ['decimal(10,2) zerofill', 'decimal(12,2) zerofill'],
    ['bit(8)', 'bit(9)'],
    ['datetime', 'timestamp'],
    ['float', 'double'],
    ["enum('a','b')", "enum('b','a')"],
    ["set('a')", "set('a','b')"],
  ])('%s with %s', (ours, theirs) => {
    const characterSet = /^(?:enum|set)/.test(ours) ? 'utf8mb4' : null;
    expect(base(ours, characterSet)).not.toBe(base(theirs, characterSet));
  });

  test('text of two character sets, and the type as printed says why', () => {
    expect(base('varchar(60)', 'utf8mb4')).not.toBe(base('varchar(60)', 'latin1'));
    expect(typeName(facts('varchar(60)', 'latin1'))).toBe('varchar(60) character set latin1');
    expect(typeName(facts('int(11)'))).toBe('int(11)');
  });
});

describe('what a column is read as', () => {
  test('an unknown type has no encoding at all', () => {
    expect(encodingsOf(facts('xmltype'))).toEqual({ physical: null, logical: null, 'cross-engine': null });
    expect(portableOf(facts('xmltype'))).toBeNull();
  });

  test('a known type has its own bytes, and a portable form where there is one', () => {
    expect(encodingsOf(facts('json'))).toMatchObject({ logical: 'mysql-binary', 'cross-engine': null });
    expect(encodingsOf(facts('date'))).toMatchObject({ logical: 'mysql-binary', 'cross-engine': 'portable' });
  });

  test('a label that says unsigned does not make an enum unsigned', () => {
    expect(typeOf(facts("enum('unsigned','it''s')", 'utf8mb4'))?.unsigned).toBe(false);
    expect(typeOf(facts('int unsigned'))?.unsigned).toBe(true);
  });
});

describe('portable forms', () => {
  test.each([
    ['bigint', ['integer', 'decimal'], []],
    ['int unsigned', ['integer', 'decimal'], []],
    ['bigint unsigned', ['decimal'], []],
    ['tinyint(1)', ['integer', 'decimal'], ['boolean']],
    ['tinyint(4)', ['integer', 'decimal'], []],
    ['bit(1)', [], ['boolean']],
    ['decimal(65,30)', ['decimal'], []],
    ['float', ['float4'], []],
    ['double', ['float8'], []],
    ['binary(16)', ['bytes'], ['uuid']],
    ['varbinary(160)', ['bytes'], []],
    ['longblob', ['bytes'], []],
    ['date', ['date'], []],
    ['time(6)', ['time'], []],
    ['datetime(6)', ['datetime'], []],
    ['timestamp', ['instant'], []],
    ['year', ['integer'], []],
    ['uuid', ['uuid'], []],
  ])('of %s', (type, natural, onRequest) => {
    expect(portableOf(facts(type))).toEqual({ natural, onRequest, inZone: [] });
  });

  test.each([
    ['char(36)', ['uuid']],
    ['varchar(360)', []],
    ['longtext', []],
    ["enum('a')", []],
  ])('of the text %s', (type, onRequest) => {
    expect(portableOf(facts(type, 'utf8mb4'))).toEqual({ natural: ['text'], onRequest, inZone: [] });
  });

  test.each(['bit(9)', 'json', 'point', 'inet6', 'vector'])('%s has none', (type) => {
    expect(portableOf(facts(type))).toBeNull();
  });
});
