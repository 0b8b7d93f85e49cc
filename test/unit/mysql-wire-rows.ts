import * as fc from 'fast-check';
import type { WireOperation } from '../../connectors/mysql/wire-row.ts';
import { counted, type TestValue } from './mysql-packets.ts';

/**
 * What the transcoder has to do, said a second time and as plainly as can be: values of the binary protocol as they
 * are sent, and the bytes that each operation makes of them, by arithmetic that shares nothing with the transcoder's.
 */

/** A column as the server describes it. */
export interface TestColumn {
  readonly type: number;
  readonly unsigned: boolean;
  readonly operation: WireOperation;
}

export interface TestTable {
  readonly columns: readonly TestColumn[];
  readonly rows: readonly (readonly (TestValue | null)[])[];
}

const ascii = (text: string): Buffer => Buffer.from(text, 'latin1');

function littleEndian(value: bigint, width: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt.asUintN(64, value));
  return bytes.subarray(0, width);
}

function bigEndian(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt.asIntN(64, value));
  return bytes;
}

export function integerForm(value: bigint, operation: WireOperation): Buffer {
  if (operation === 'decimal') return ascii(value.toString());
  if (operation === 'boolean' && (value === 0n || value === 1n)) return Buffer.from([Number(value)]);
  return value >= 2n ** 63n ? ascii(value.toString()) : bigEndian(value);
}

const WIDTHS: readonly (readonly [type: number, width: number])[] = [
  [1, 1],
  [2, 2],
  [13, 2],
  [9, 4],
  [3, 4],
  [8, 8],
];

type ColumnOf = readonly [TestColumn, fc.Arbitrary<TestValue>];

const integers: fc.Arbitrary<ColumnOf> = fc
  .record({
    of: fc.constantFrom(...WIDTHS),
    unsigned: fc.boolean(),
    operation: fc.constantFrom<WireOperation>('copy', 'boolean', 'integer', 'decimal'),
  })
  .map(({ of: [type, width], unsigned, operation }): ColumnOf => {
    const bits = BigInt(width * 8);
    const min = unsigned ? 0n : -(2n ** (bits - 1n));
    const max = unsigned ? 2n ** bits - 1n : 2n ** (bits - 1n) - 1n;
    const value = fc
      .oneof(fc.bigInt({ min, max }), fc.constantFrom(min, max, 0n, 1n, max / 2n, max / 2n + 1n))
      .map((number): TestValue => {
        const sent = littleEndian(number, width);
        return { sent, expected: operation === 'copy' ? sent : integerForm(number, operation) };
      });
    return [{ type, unsigned, operation }, value];
  });

const bits: fc.Arbitrary<ColumnOf> = fc
  .constantFrom<WireOperation>('copy', 'boolean', 'integer', 'decimal')
  .map((operation): ColumnOf => {
    const value = fc.uint8Array({ minLength: 1, maxLength: 8 }).map((bytes): TestValue => {
      const number = BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
      return {
        sent: counted(bytes),
        expected: operation === 'copy' ? bytes : integerForm(number, operation),
      };
    });
    return [{ type: 16, unsigned: true, operation }, value];
  });

const digits = (maxLength: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...'0000123456789'.split('')), minLength: 1, maxLength });

/** By BigInt: the number of units in the last place, and how many places there are. */
export function decimalForm(text: string): Buffer {
  const match = /^(-?)(\d*)\.?(\d*)$/.exec(text);
  if (match === null || !/\d/.test(text)) return Buffer.concat([Buffer.from([0]), ascii(text)]);
  const [, sign = '', whole = '', fraction = ''] = match;
  let units = BigInt(whole + fraction);
  let places = fraction.length;
  while (places > 0 && units % 10n === 0n) {
    units /= 10n;
    places--;
  }
  if (units === 0n) return ascii('0');
  const all = units.toString().padStart(places + 1, '0');
  const point = all.length - places;
  return ascii(sign + all.slice(0, point) + (places === 0 ? '' : `.${all.slice(point)}`));
}

const decimals: fc.Arbitrary<ColumnOf> = fc
  .constantFrom<WireOperation>('copy', 'decimal')
  .map((operation): ColumnOf => {
    const number = fc
      .tuple(fc.constantFrom('', '-'), digits(35), fc.option(digits(30), { nil: null }))
      .map(([sign, whole, fraction]) => sign + whole + (fraction === null ? '' : `.${fraction}`));
    const odd = fc.constantFrom('', '-', '.', '.5', '5.', '1.2.3', '1e5', 'NaN', '+1', ' 1', '--1');
    const value = fc.oneof({ arbitrary: number, weight: 9 }, odd).map((text): TestValue => {
      const sent = ascii(text);
      return { sent: counted(sent), expected: operation === 'copy' ? sent : decimalForm(text) };
    });
    return [{ type: 246, unsigned: false, operation }, value];
  });

const floats: fc.Arbitrary<ColumnOf> = fc
  .record({ wide: fc.boolean(), copied: fc.boolean() })
  .map(({ wide, copied }): ColumnOf => {
    const size = wide ? 8 : 4;
    const special = wide
      ? ['0000000000000080', '000000000000f87f', '010000000000f0ff', '000000000000f07f', '0100000000000000']
      : ['00000080', '0000c07f', '010080ff', '0000807f', '01000000'];
    const value = fc
      .oneof(
        fc.uint8Array({ minLength: size, maxLength: size }),
        fc.constantFrom(...special).map((hex) => Buffer.from(hex, 'hex')),
      )
      .map((sent): TestValue => {
        if (copied) return { sent, expected: sent };
        const isNaN = Number.isNaN(wide ? Buffer.from(sent).readDoubleLE() : Buffer.from(sent).readFloatLE());
        const canonical = Buffer.from(wide ? '7ff8000000000000' : '7fc00000', 'hex');
        return { sent, expected: isNaN ? canonical : Uint8Array.from(sent).toReversed() };
      });
    const operation: WireOperation = copied ? 'copy' : wide ? 'float8' : 'float4';
    return [{ type: wide ? 5 : 4, unsigned: false, operation }, value];
  });

/** A date and time as the protocol has it: as short as it may be, or longer. */
function dateStructure(
  parts: readonly number[],
  length: number,
): { readonly structure: Buffer; readonly parts: readonly number[] } {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, micros = 0] = parts;
  const structure = Buffer.alloc(11);
  structure.writeUInt16LE(year, 0);
  structure.set([month, day, hour, minute, second], 2);
  structure.writeUInt32LE(micros, 7);
  const kept =
    length === 0 ? [] : length === 4 ? parts.slice(0, 3) : length === 7 ? parts.slice(0, 6) : parts;
  return { structure: structure.subarray(0, length), parts: kept };
}

/** By JavaScript's own calendar. Null: there is no such day or time. */
export function micros2000(parts: readonly number[]): bigint | null {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, micros = 0] = parts;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  const exists =
    date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  if (!exists || year === 0 || hour > 23 || minute > 59 || second > 59 || micros > 999_999) return null;
  const milliseconds = BigInt(date.getTime() - Date.UTC(2000, 0, 1));
  return milliseconds * 1000n + BigInt((hour * 60 + minute) * 60 + second) * 1_000_000n + BigInt(micros);
}

const raw = (structure: Uint8Array): Buffer => Buffer.concat([Buffer.from([0, 0]), structure]);

function dateForm(structure: Uint8Array, parts: readonly number[], operation: WireOperation): Uint8Array {
  if (operation === 'copy') return structure;
  const micros = parts.length === 0 ? null : micros2000(parts);
  if (micros === null) return raw(structure);
  if (operation !== 'date') return bigEndian(micros);
  const bytes = Buffer.alloc(4);
  if (micros % 86_400_000_000n !== 0n) return raw(structure);
  bytes.writeInt32BE(Number(micros / 86_400_000_000n));
  return bytes;
}

const upTo = (max: number): fc.Arbitrary<number> => fc.integer({ min: 0, max });

const dates: fc.Arbitrary<ColumnOf> = fc
  .constantFrom<readonly [number, WireOperation]>(
    [10, 'copy'],
    [10, 'date'],
    [12, 'datetime'],
    [12, 'copy'],
    [7, 'instant'],
    [7, 'datetime'],
  )
  .map(([type, operation]): ColumnOf => {
    const value = fc
      .tuple(
        fc.tuple(upTo(9999), upTo(13), upTo(32), upTo(24), upTo(60), upTo(60), upTo(1_000_000)),
        fc.constantFrom(0, 4, 7, 11),
      )
      .map(([fields, length]): TestValue => {
        const { structure, parts } = dateStructure(fields, length);
        return { sent: counted(structure), expected: dateForm(structure, parts, operation) };
      });
    return [{ type, unsigned: false, operation }, value];
  });

const times: fc.Arbitrary<ColumnOf> = fc
  .constantFrom<WireOperation>('copy', 'time')
  .map((operation): ColumnOf => {
    const value = fc
      .tuple(upTo(1), upTo(34), upTo(23), upTo(59), upTo(59), upTo(999_999), fc.constantFrom(0, 8, 12))
      .map(([negative, days, hours, minutes, seconds, micros, length]): TestValue => {
        const structure = Buffer.alloc(12);
        structure[0] = negative;
        structure.writeUInt32LE(days, 1);
        structure.set([hours, minutes, seconds], 5);
        structure.writeUInt32LE(micros, 8);
        const sent = structure.subarray(0, length);
        const whole = BigInt(((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1_000_000n;
        const size = length === 0 ? 0n : length === 8 ? whole : whole + BigInt(micros);
        const expected = operation === 'copy' ? sent : bigEndian(negative === 1 ? -size : size);
        return { sent: counted(sent), expected };
      });
    return [{ type: 11, unsigned: false, operation }, value];
  });

export function uuidForm(bytes: Uint8Array): Uint8Array {
  if (bytes.length === 16) return bytes;
  const text = Buffer.from(bytes).toString('latin1');
  return /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)
    ? Buffer.from(text.replaceAll('-', ''), 'hex')
    : Buffer.concat([Buffer.alloc(17), bytes]);
}

const uuids: fc.Arbitrary<ColumnOf> = fc.constantFrom(254, 253).map((type): ColumnOf => {
  const text = fc.oneof(
    fc.uuid(),
    fc.uuid().map((id) => id.toUpperCase()),
    fc.uuid().map((id) => id.replace(/.(.{3})$/, 'g$1')),
    fc.uuid().map((id) => id.replace('-', '0')),
    fc.uuid().map((id) => id.slice(1)),
  );
  const value = fc
    .oneof(
      text.map((id) => ascii(id)),
      fc.uint8Array({ minLength: 0, maxLength: 40 }),
      fc.uint8Array({ minLength: 15, maxLength: 17 }),
    )
    .map((bytes): TestValue => ({ sent: counted(bytes), expected: uuidForm(bytes) }));
  return [{ type, unsigned: false, operation: 'uuid' }, value];
});

const bytes: fc.Arbitrary<ColumnOf> = fc
  .tuple(
    fc.constantFrom(252, 253, 254, 245, 255, 247),
    fc.constantFrom<WireOperation>('copy', 'text', 'bytes'),
  )
  .map(([type, operation]): ColumnOf => {
    const value = fc
      .tuple(
        fc.oneof(
          fc.uint8Array({ maxLength: 20 }),
          fc.uint8Array({ minLength: 120, maxLength: 140 }),
          fc.uint8Array({ minLength: 240, maxLength: 260 }),
        ),
        fc.constantFrom(0, 0, 0, 2, 3, 8),
      )
      .map(([content, size]): TestValue => ({ sent: counted(content, size), expected: content }));
    return [{ type, unsigned: false, operation }, value];
  });

const column = fc.oneof(integers, bits, decimals, floats, dates, times, uuids, bytes);

/** A table with columns of every kind, in any number, and rows of it. */
export const tables: fc.Arbitrary<TestTable> = fc
  .array(column, { minLength: 1, maxLength: 20 })
  .chain((columns) =>
    fc
      .array(fc.tuple(...columns.map(([, value]) => fc.option(value, { freq: 4, nil: null }))), {
        maxLength: 20,
      })
      .map((rows) => ({ columns: columns.map(([description]) => description), rows })),
  );
