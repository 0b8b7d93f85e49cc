import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ConnectField, type Reading, UNKNOWN_SETTINGS } from '../../connectors/kafka/connect-field.ts';
import { JsonReader } from '../../connectors/kafka/json-reader.ts';
import { meaningOf } from '../../connectors/kafka/meaning.ts';
import { RowWriter } from '../../connectors/kafka/row-writer.ts';
import { placeholderOf, writeValue } from '../../connectors/kafka/values.ts';
import { portableText } from '../../src/row/portable-text.ts';
import { times } from './property-runs.ts';

/** The bytes of a JSON value in hexadecimal, or `null`, `unchanged`, `unread`. */
function written(json: string, reading: Reading, form: string, isUpdate = true): string {
  const reader = new JsonReader();
  reader.open(Buffer.from(json));
  reader.take();
  const out = new RowWriter();
  writeValue(reader, reading, form, placeholderOf(), isUpdate, out);
  const bytes = Buffer.from(out.take());
  const length = bytes.readInt32BE(0);
  if (length >= 0) return bytes.subarray(4).toString('hex');
  return length === -1 ? 'null' : length === -2 ? 'unchanged' : 'unread';
}

const ascii = (hex: string): string => Buffer.from(hex, 'hex').toString('latin1');

describe('values of change topics', () => {
  it('integers are exact over all 64 bits, and nothing else is taken for one', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        const bytes = Buffer.from(written(value.toString(), { as: 'integer' }, 'integer'), 'hex');
        expect(bytes.readBigInt64BE()).toBe(value);
        expect(ascii(written(value.toString(), { as: 'integer' }, 'decimal'))).toBe(value.toString());
        const certain = written(value.toString(), { as: 'unwrapped' }, 'integer') !== 'unread';
        expect(certain).toBe(value >= 0n);
      }),
      { numRuns: times(30) },
    );
    for (const other of [
      '1.0',
      '1e3',
      '"1"',
      'true',
      '01',
      '9223372036854775808',
      '-9223372036854775809',
      '{}',
    ]) {
      expect(() => written(other, { as: 'integer' }, 'integer')).toThrow(/integer/);
    }
  });

  it('decimals lose nothing, in whichever way they are sent', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }),
        fc.integer({ min: -5, max: 45 }),
        (unscaled, scale) => {
          const bytes = twosComplement(unscaled).toString('base64');
          const text = ascii(written(JSON.stringify(bytes), { as: 'scaled', scale }, 'decimal'));
          expect(text).toMatch(/^(?:0|-?(?:0|[1-9]\d*)(?:\.\d*[1-9])?)$/);
          const [whole = '', fraction = ''] = text.split('.');
          expect(BigInt(whole + fraction) * 10n ** BigInt(60 - fraction.length)).toBe(
            unscaled * 10n ** BigInt(60 - scale),
          );
          const struct = JSON.stringify({ scale, value: bytes });
          expect(ascii(written(struct, { as: 'scaled-struct' }, 'decimal'))).toBe(text);
          expect(ascii(written(`"${unscaled}E${-scale}"`, { as: 'decimal-text' }, 'decimal'))).toBe(text);
        },
      ),
      { numRuns: times(30) },
    );
  });

  it('instants and local times are those of the calendar, to the microsecond', () => {
    const years = {
      min: new Date('1583-01-01T00:00:00Z'),
      max: new Date('9999-12-31T23:59:59Z'),
      noInvalidDate: true,
    };
    fc.assert(
      fc.property(fc.date(years), fc.integer({ min: 0, max: 999 }), (date, us) => {
        const micros = BigInt(date.getTime()) * 1000n + BigInt(us);
        const iso = date.toISOString().replace('Z', `${String(us).padStart(3, '0')}Z`);
        const expected = BigInt.asUintN(64, micros - 946_684_800_000_000n)
          .toString(16)
          .padStart(16, '0');
        expect(written(`"${iso}"`, { as: 'zoned' }, 'instant')).toBe(expected);
        expect(written(micros.toString(), { as: 'moment', unit: 'us' }, 'datetime')).toBe(expected);
      }),
      { numRuns: times(30) },
    );
    for (const other of [
      '1582-12-31T23:59:59Z',
      '+10000-01-01T00:00:00Z',
      '2024-01-01T00:00:00+09:00',
      '2024-01-01T00:00:00.0000001Z',
    ]) {
      expect(written(`"${other}"`, { as: 'zoned' }, 'instant')).toBe('unread');
    }
    expect(written('"2024-07-01T09:00:00.5Z"', { as: 'zoned' }, 'instant')).toBe(
      written('1719824400500000', { as: 'moment', unit: 'us' }, 'instant'),
    );
  });

  it('floats are the ones that were meant; every NaN is one', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true }), fc.float({ noNaN: true }), (double, single) => {
        const text = Number.isFinite(double) ? String(double) : `"${double}"`;
        const json = Object.is(double, -0) ? '-0.0' : text;
        expect(Buffer.from(written(json, { as: 'float8' }, 'float8'), 'hex').readDoubleBE()).toBe(double);
        const shown = Buffer.alloc(4);
        shown.writeFloatBE(single);
        const digits = Number.isFinite(single) && single !== 0 ? single.toPrecision(9) : '1';
        const hex = written(digits, { as: 'float4' }, 'float4');
        expect(hex).toBe(digits === '1' ? '3f800000' : shown.toString('hex'));
      }),
      { numRuns: times(30) },
    );
    expect(written('"NaN"', { as: 'float8' }, 'float8')).toBe('7ff8000000000000');
    expect(written('"NaN"', { as: 'float4' }, 'float4')).toBe('7fc00000');
    // In the middle between two singles: the digits may have meant either.
    expect(written('16777217', { as: 'float4' }, 'float4')).toBe('unread');
  });

  it('placeholders of unchanged values are values where nothing can be unchanged', () => {
    const text: Reading = { as: 'text', blanks: 'kept' };
    expect(written('"__debezium_unavailable_value"', text, 'text')).toBe('unchanged');
    expect(written('"__debezium_unavailable_value"', text, 'text', false)).toBe('unread');
    const base64 = Buffer.from('__debezium_unavailable_value').toString('base64');
    expect(written(`"${base64}"`, { as: 'bytes', code: 'base64' }, 'bytes')).toBe('unchanged');
    expect(written('null', text, 'text')).toBe('null');
  });

  it('blanks at the end count, do not, or are not certain', () => {
    const read = (blanks: 'kept' | 'padding' | 'unknown', json: string) =>
      written(json, { as: 'text', blanks }, 'text');
    expect([read('kept', '"a "'), read('padding', '"a "'), read('unknown', '"a "')]).toEqual([
      '6120',
      '61',
      'unread',
    ]);
    expect([read('unknown', '" a"'), read('unknown', '""')]).toEqual(['2061', '']);
  });
});

describe('what a column means', () => {
  const field = (type: string, semantic: string | null = null): ConnectField => ({
    name: 'c',
    type,
    semantic,
    parameters: {},
  });

  it.each([
    ['mysql', field('int64'), 'unwrapped'],
    ['postgres', field('int64'), 'integer'],
    ['mysql', field('double'), null],
    ['postgres', field('double'), null],
    ['mysql', field('int32', 'io.debezium.time.Date'), null],
    ['postgres', field('int64', 'org.apache.kafka.connect.data.Timestamp'), null],
    ['postgres', field('int64', 'io.debezium.time.NanoTimestamp'), null],
    ['postgres', field('bytes', 'org.apache.kafka.connect.data.Decimal'), null],
    ['postgres', field('string', 'io.debezium.time.ZonedTime'), null],
    ['postgres', field('array'), null],
    ['postgres', field('string', 'io.debezium.data.Json'), null],
  ] as const)('of %s: %o is read as %s', (engine, given, as) => {
    const meaning = meaningOf(given, { engine, type: null }, UNKNOWN_SETTINGS);
    expect(meaning.forms === null ? null : meaning.reading.as).toBe(as);
    expect(meaning.forms === null ? meaning.reason : '').toMatch(as === null ? /\w/ : /^$/);
  });

  it('a time stamp of milliseconds loses nothing in the mode connect', () => {
    const given = field('int64', 'org.apache.kafka.connect.data.Timestamp');
    const type = 'timestamp(3) without time zone';
    const meaning = meaningOf(given, { engine: 'postgres', type }, UNKNOWN_SETTINGS);
    const reading: Reading = meaning.forms === null ? { as: 'integer' } : meaning.reading;
    const bytes = Buffer.from(written('1719824400123', reading, 'datetime'), 'hex');
    expect(portableText(bytes, 'datetime')).toBe('2024-07-01 09:00:00.123');
  });
});

function twosComplement(value: bigint): Buffer {
  let size = 1;
  while (BigInt.asIntN(size * 8, value) !== value) size += 1;
  return Buffer.from(
    BigInt.asUintN(size * 8, value)
      .toString(16)
      .padStart(size * 2, '0'),
    'hex',
  );
}
