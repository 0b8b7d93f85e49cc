import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ColumnEncoding, PortableForm } from '../../src/connector/table.ts';
import { keyStep, portableIdentity } from '../../src/row/portable-key.ts';
import { frameFields, keyFieldsOf } from '../../src/row/stream.ts';
import { times } from './property-runs.ts';

function converted(
  type: string,
  encoding: ColumnEncoding,
  form: PortableForm,
  value: Uint8Array,
): string | null {
  const step = keyStep(type, encoding, form);
  return step === null ? null : Buffer.from(step(value)).toString('hex');
}

const hex = (text: string): Buffer => Buffer.from(text, 'hex');
const ascii = (text: string): string => Buffer.from(text, 'latin1').toString('hex');

describe('a key of PostgreSQL’s own log', () => {
  it.each([
    ['smallint', 'integer', 'fffe', 'fffffffffffffffe'],
    ['character varying(9)', 'text', '61', '61'],
    ['timestamp(3) without time zone', 'datetime', '0000000000000001', '0000000000000001'],
    ['timestamp with time zone', 'datetime', '0000000000000001', null],
    ['numeric(9,0)', 'decimal', '00', null],
    ['character(3)', 'text', '61', null],
  ] as const)('of %s becomes %s', (type, form, value, expected) => {
    expect(converted(type, 'pg-binary', form, hex(value))).toBe(expected);
    expect(converted(type, 'pg-text', form, hex(value))).toBeNull();
  });

  it('keeps its other fields', () => {
    const steps = [keyStep('smallint', 'pg-binary', 'integer'), keyStep('text', 'pg-binary', 'text')];
    const known = steps.flatMap((step) => step ?? []);
    const fields = keyFieldsOf(portableIdentity(frameFields([hex('0002'), hex('61')]), known));
    expect(fields.map((field) => Buffer.from(field ?? []).toString('hex'))).toEqual([
      '0000000000000002',
      '61',
    ]);
  });
});

describe('a key of MySQL’s own log', () => {
  it.each([
    ['tinyint(4)', 'integer', 'fe', 'fffffffffffffffe'],
    ['smallint unsigned', 'integer', 'feff', '000000000000fffe'],
    ['mediumint', 'integer', 'feffffff', 'fffffffffffffffe'],
    ['int(10) unsigned zerofill', 'decimal', 'ffffffff', ascii('4294967295')],
    ['bigint', 'integer', '0100000000000080', '8000000000000001'],
    ['bigint unsigned', 'decimal', 'ffffffffffffffff', ascii('18446744073709551615')],
    ['bigint unsigned', 'integer', 'ffffffffffffffff', null],
    ['year(4)', 'integer', 'ea07', '00000000000007ea'],
    ['decimal(9,3)', 'decimal', ascii('-12.500'), ascii('-12.5')],
    ['decimal(9,3)', 'decimal', ascii('-0.000'), ascii('0')],
    ['decimal(9,0) zerofill', 'decimal', ascii('000000100'), ascii('100')],
    ['decimal(3,3)', 'decimal', ascii('0.050'), ascii('0.05')],
    ['varchar(9) character set utf8mb4', 'text', 'c3a9', 'c3a9'],
    ['varchar(9) character set latin1', 'text', 'e9', null],
    ["enum('int','b') character set utf8mb4", 'text', '62', null],
    ['varbinary(9)', 'bytes', '00ff', '00ff'],
    ['date', 'date', 'd0070101', '00000000'],
    ['date', 'date', 'cf070c1f', 'ffffffff'],
    ['date', 'date', '00000000', '000000000000'],
    ['datetime(6)', 'datetime', 'd007010200000001000000', '000000141dd76001'],
    ['timestamp', 'instant', 'd0070102', '000000141dd76000'],
    ['timestamp', 'datetime', 'd0070102', null],
    ['time(6)', 'time', '010100000001000005000000', 'ffffffeb0b94fbfb'],
    ['time', 'time', '', '0000000000000000'],
    ['uuid', 'uuid', ascii('00010203-0405-0607-0809-0a0b0c0d0e0f'), '000102030405060708090a0b0c0d0e0f'],
    ['double', 'float8', '0000000000000000', null],
  ] as const)('of %s becomes %s', (type, form, value, expected) => {
    expect(converted(type, 'mysql-binary', form, hex(value))).toBe(expected);
  });

  it('counts days as the calendar does', () => {
    const days = (date: string): number => Date.parse(`${date}T00:00:00Z`) / 86_400_000 - 10_957;
    fc.assert(
      fc.property(
        fc.date({
          min: new Date('1000-01-01T00:00:00Z'),
          max: new Date('9999-12-31T00:00:00Z'),
          noInvalidDate: true,
        }),
        (date) => {
          const text = date.toISOString().slice(0, 10);
          const [year = 0, month = 0, day = 0] = text.split('-').map(Number);
          const value = Buffer.from([year & 255, year >> 8, month, day]);
          const expected = Buffer.alloc(4);
          expected.writeInt32BE(days(text));
          expect(converted('date', 'mysql-binary', 'date', value)).toBe(expected.toString('hex'));
        },
      ),
      { numRuns: times(100) },
    );
  });
});
