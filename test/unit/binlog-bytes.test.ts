import { crc32 } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addressText } from '../../connectors/mysql/binlog-address.ts';
import { areSet, countSet, isSet } from '../../connectors/mysql/binlog-bits.ts';
import { checksumOf } from '../../connectors/mysql/binlog-checksum.ts';
import { decimalBytes, writeDecimal } from '../../connectors/mysql/binlog-decimal.ts';
import { encodeSet } from '../../connectors/mysql/binlog-dump.ts';
import { EventReader } from '../../connectors/mysql/binlog-event.ts';
import { doubleText } from '../../connectors/mysql/binlog-json.ts';
import { PacketCutter } from '../../connectors/mysql/binlog-packets.ts';
import { parseGtidSet } from '../../connectors/mysql/gtid-set.ts';
import { eventBytes, FORMAT } from './binlog-events.ts';
import { times } from './property-runs.ts';

const RUNS = { numRuns: times(100) };

describe('packets', () => {
  const payloads = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 12 });
  const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 });

  test('come out as they went in, wherever the stream is cut', () => {
    fc.assert(
      fc.property(payloads, cuts, (given, sizes) => {
        const stream = Buffer.concat(given.map((payload, index) => packet(payload, index + 1)));
        const { push, found } = newCutter();
        for (let at = 0, turn = 0; at < stream.length; turn += 1) {
          const size = sizes[turn % sizes.length] ?? 1;
          push(stream.subarray(at, at + size));
          at += size;
        }
        expect(found.map(hex)).toEqual(given.map(hex));
      }),
      RUNS,
    );
  });

  test('of full length are one with the next', () => {
    const large = new Uint8Array(0xff_ff_ff).fill(7);
    const { push, found } = newCutter();
    push(Buffer.concat([packet(large, 1), packet(Uint8Array.of(8), 2), packet(Uint8Array.of(9), 3)]));
    expect(found.map(({ length }) => length)).toEqual([0xff_ff_ff + 1, 1]);
    expect(found[0]?.at(-1)).toBe(8);
  });

  test('out of order are refused', () => {
    const wrong = Buffer.concat([packet(Uint8Array.of(1), 1), packet(Uint8Array.of(2), 3)]);
    expect(() => newCutter().push(wrong)).toThrow('packet 3 where 2 should come');
  });
});

function newCutter(): { push: (chunk: Uint8Array) => void; found: Uint8Array[] } {
  const found: Uint8Array[] = [];
  const cutter = new PacketCutter();
  const push = (chunk: Uint8Array): void => {
    cutter.feed(chunk);
    while (cutter.next()) found.push(cutter.bytes.slice(cutter.from, cutter.to));
  };
  return { push, found };
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function packet(payload: Uint8Array, number: number): Buffer {
  const header = Buffer.alloc(4);
  header.writeUIntLE(payload.length, 0, 3);
  header[3] = number & 0xff;
  return Buffer.concat([header, payload]);
}

describe('events', () => {
  test('with a checksum that is wrong are refused', () => {
    const reader = new EventReader();
    reader.read(FORMAT);
    const good = eventBytes(16, Buffer.alloc(8));
    expect(reader.read(good).bytes).toHaveLength(27);
    for (let at = 0; at < good.length; at += 1) {
      const bad = Uint8Array.from(good);
      bad[at] = (bad[at] ?? 0) ^ 1;
      expect(() => reader.read(bad)).toThrow('the binary log makes no sense');
    }
    expect(crc32(good.subarray(0, 27))).toBe(good.readUInt32LE(27));
  });

  test('have the checksum of the library, at any place and of any length', () => {
    const bytes = fc.uint8Array({ maxLength: 1100, size: 'max' });
    fc.assert(
      fc.property(bytes, fc.nat(20), (given, from) => {
        const start = Math.min(from, given.length);
        expect(checksumOf(given, start, given.length)).toBe(crc32(given.subarray(start)));
      }),
      RUNS,
    );
  });
});

test('bits of columns are all set where each one is', () => {
  const bytes = fc.array(fc.constantFrom(0xff, 0xff, 0x7f, 0xfe, 0x3f), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(bytes, fc.nat(24), (given, count) => {
      const bits = Uint8Array.from([0, ...given, 0, 0, 0]);
      const set = Array.from({ length: count }, (_, index) => isSet(bits, 1, index));
      expect(areSet(bits, 1, count)).toBe(set.every(Boolean));
      expect(countSet(bits, 1, count)).toBe(set.filter(Boolean).length);
    }),
    RUNS,
  );
});

describe('packed decimals', () => {
  const digits = fc.tuple(
    fc.integer({ min: 0, max: 35 }),
    fc.integer({ min: 0, max: 30 }),
    fc.boolean(),
    fc.bigInt({ min: 0n, max: 10n ** 65n - 1n }),
  );

  test('are the text that the server prints', () => {
    fc.assert(
      fc.property(digits, ([whole, scale, negative, random]) => {
        const precision = Math.max(1, whole + scale);
        const value = random % 10n ** BigInt(precision);
        const [bytes, text] = packed(value, precision, scale, negative && value > 0n);
        expect(bytes).toHaveLength(decimalBytes(precision, scale));
        const target = Buffer.alloc(100);
        const end = writeDecimal(bytes, 0, precision, scale, false, target, 3);
        expect(target.toString('latin1', 3, end)).toBe(text);
      }),
      RUNS,
    );
  });
});

/** A number of so many digits as the server packs and prints it. */
function packed(value: bigint, precision: number, scale: number, negative: boolean): [Uint8Array, string] {
  const all = value.toString().padStart(precision, '0');
  const [whole, fraction] = [all.slice(0, precision - scale), all.slice(precision - scale)];
  const groups = [...cut(whole, whole.length % 9), ...cut(fraction, 9)];
  const bytes = groups.flatMap((group) => {
    const size = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4][group.length] ?? 0;
    const buffer = Buffer.alloc(4);
    buffer.writeUInt32BE(Number(group));
    return Array.from(buffer.subarray(4 - size));
  });
  const signed = negative ? bytes.map((byte) => byte ^ 0xff) : bytes;
  signed[0] = (signed[0] ?? 0) ^ 0x80;
  const printed = `${negative ? '-' : ''}${whole.replace(/^0+/, '') || '0'}${scale > 0 ? `.${fraction}` : ''}`;
  return [Uint8Array.from(signed), printed];
}

function cut(text: string, first: number): string[] {
  const groups = first > 0 && first < text.length ? [text.slice(0, first)] : [];
  for (let at = groups.length === 0 ? 0 : first; at < text.length; at += 9)
    groups.push(text.slice(at, at + 9));
  return groups;
}

test.each([
  [1, '1.0'],
  [-0, '-0.0'],
  [0.1, '0.1'],
  [-1.5e300, '-1.5e300'],
  [123_456_789_012_345, '123456789012345.0'],
  [1e15, '1e15'],
  [1.5e15, '1.5e15'],
  [1_036_278_052_466_835.8, '1036278052466835.8'],
  [1.0370990060296772e16, '1.0370990060296772e16'],
  [1e-14, '0.00000000000001'],
  [1e-16, '1e-16'],
  [5e-324, '5e-324'],
])('a double %d in JSON is printed as %s', (value, text) => {
  expect(doubleText(value)).toBe(text);
});

test.each([
  ['00000000000000000000000000000000', '::'],
  ['00000000000000000000000000000001', '::1'],
  ['20010db8000000000000000000000001', '2001:db8::1'],
  ['20010db8000000010001000100010001', '2001:db8:0:1:1:1:1:1'],
  ['00010000000000020000000000000003', '1:0:0:2::3'],
  ['00000000000000000000ffff01020304', '::ffff:1.2.3.4'],
  ['00000000000000000000000001020304', '::1.2.3.4'],
  ['00010002000300040005000600070000', '1:2:3:4:5:6:7:0'],
  ['0a000001', '10.0.0.1'],
])('the address %s is printed as %s', (bytes, text) => {
  expect(addressText(Buffer.from(bytes, 'hex'))).toBe(text);
});

test('sets of GTIDs are asked for as the server reads them', () => {
  const uuid = '00112233-4455-6677-8899-aabbccddeeff';
  const digits = uuid.replaceAll('-', '');
  const number = (value: number): string => `${value.toString(16).padStart(2, '0')}${'00'.repeat(7)}`;
  expect(encodeSet(parseGtidSet(`${uuid}:1-5:7`)).toString('hex')).toBe(
    [number(1), digits, number(2), number(1), number(6), number(7), number(8)].join(''),
  );
  const tagged = encodeSet(parseGtidSet(`${uuid}:1:red:2-3`)).toString('hex');
  expect(tagged).toBe(
    [
      `0102${'00'.repeat(5)}01`,
      `${digits}00${number(1)}${number(1)}${number(2)}`,
      `${digits}06726564${number(1)}${number(2)}${number(4)}`,
    ].join(''),
  );
});
