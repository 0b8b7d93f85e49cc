import { gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32c } from '../../connectors/kafka/crc32c.ts';
import { decodeFetch } from '../../connectors/kafka/fetch-response.ts';
import { RecordCursor } from '../../connectors/kafka/record-batch.ts';
import { RecordNamer } from '../../connectors/kafka/record-name.ts';
import { TwinproofError } from '../../src/errors.ts';
import { times } from './property-runs.ts';

interface Sent {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly (readonly [string, Uint8Array | null])[];
  /** Milliseconds behind the first record's. */
  readonly age: number;
  /** Offsets behind the record before. */
  readonly step: number;
}

interface Batch {
  readonly base: bigint;
  readonly records: readonly Sent[];
  readonly attributes?: number;
  readonly producer?: bigint;
}

const TIME = 1_700_000_000_000;

/** As the documentation of Kafka describes it ("Record Batch"). */
function encoded({ base, records, attributes = 0, producer = -1n }: Batch): Buffer {
  let offset = -1;
  const bodies = records.map(({ key, value, headers, age, step }) => {
    offset += step;
    const body = [
      Buffer.from([0]),
      varint(age),
      varint(offset),
      sized(key),
      sized(value),
      varint(headers.length),
    ];
    for (const [name, text] of headers) body.push(sized(Buffer.from(name)), sized(text));
    const bytes = Buffer.concat(body);
    return Buffer.concat([varint(bytes.length), bytes]);
  });
  const plain = Buffer.concat(bodies);
  const content = (attributes & 7) === 1 ? gzipSync(plain) : plain;
  const head = Buffer.alloc(61);
  head.writeBigInt64BE(base, 0);
  head.writeInt32BE(49 + content.length, 8);
  head.writeInt8(2, 16);
  head.writeInt16BE(attributes, 21);
  head.writeInt32BE(Math.max(offset, 0), 23);
  head.writeBigInt64BE(BigInt(TIME), 27);
  head.writeBigInt64BE(BigInt(TIME + 7), 35);
  head.writeBigInt64BE(producer, 43);
  head.writeInt32BE(records.length, 57);
  return summed(Buffer.concat([head, content]));
}

/** With the check sum of what stands there now. */
function summed(batch: Buffer): Buffer {
  batch.writeUInt32BE(crc32c(batch, 21), 17);
  return batch;
}

function withBase(batch: Buffer, base: bigint): Buffer {
  const other = Buffer.from(batch);
  other.writeBigInt64BE(base, 0);
  return other;
}

/** Zigzag, in groups of seven bits. */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  let left = BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n));
  for (; left > 127n; left >>= 7n) bytes.push(Number(left & 127n) | 128);
  return Buffer.from([...bytes, Number(left)]);
}

function sized(bytes: Uint8Array | null): Buffer {
  return bytes === null ? varint(-1) : Buffer.concat([varint(bytes.length), bytes]);
}

/** The answer to a fetch of version 10 with one partition, which ends at 900 and can be read up to `stable`. */
function answer(
  records: Buffer,
  aborted: readonly (readonly [bigint, bigint])[] = [],
  stable = 900n,
): Buffer {
  const int = (size: 2 | 4 | 8, value: bigint | number): Buffer => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64BE(BigInt(value));
    return bytes.subarray(8 - size);
  };
  const list = aborted.flatMap(([producer, first]) => [int(8, producer), int(8, first)]);
  const partition = [
    int(4, 0),
    int(2, 0),
    int(8, 900),
    int(8, stable),
    int(8, 3),
    int(4, aborted.length),
    ...list,
  ];
  const name = [int(2, 1), Buffer.from('t')];
  const head = [int(4, 0), int(2, 0), int(4, 0), int(4, 1), ...name, int(4, 1)];
  return Buffer.concat([...head, ...partition, int(4, records.length), records]);
}

async function decoded(records: Buffer, aborted: readonly (readonly [bigint, bigint])[] = []) {
  const { partitions } = await decodeFetch(answer(records, aborted), 10);
  const [partition] = partitions;
  if (partition === undefined) throw new Error('no partition came');
  return partition;
}

const bytes = fc.option(fc.uint8Array({ maxLength: 200 }));
const record = fc.record({
  key: bytes,
  value: bytes,
  headers: fc.array(fc.tuple(fc.string(), bytes), { maxLength: 2 }),
  age: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
  step: fc.integer({ min: 1, max: 300 }),
});

const asText = (given: Uint8Array | null): string | null => given && Buffer.from(given).toString('hex');

describe('fetched records', () => {
  it('are those that were sent, with their offsets and times, compressed or not', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(record, { maxLength: 6 }), fc.boolean(), async (records, zipped) => {
        const base = 9_007_199_254_740_993n;
        const { batches, high, low } = await decoded(encoded({ base, records, attributes: zipped ? 1 : 0 }));
        expect([high, low, batches.length]).toEqual([900n, 3n, 1]);
        const cursor = new RecordCursor();
        let offset = base - 1n;
        for (const batch of batches) cursor.open(batch);
        for (const sent of records) {
          expect(cursor.next()).toBe(true);
          offset += BigInt(sent.step);
          expect([cursor.offset, cursor.timestamp]).toEqual([offset, TIME + sent.age]);
          expect([asText(cursor.key), asText(cursor.value)]).toEqual([asText(sent.key), asText(sent.value)]);
        }
        expect(cursor.next()).toBe(false);
      }),
      { numRuns: times(20) },
    );
  });

  it('end where the last whole batch ends, and are never taken from half of one', async () => {
    const sent = { key: null, value: Buffer.from('value'), headers: [], age: 0, step: 1 };
    const first = encoded({ base: 5n, records: [sent] });
    const both = Buffer.concat([first, encoded({ base: 6n, records: [sent, sent] })]);
    for (let length = 0; length <= both.length; length += 1) {
      const { batches } = await decoded(both.subarray(0, length));
      const whole = length === both.length ? [5n, 7n] : length >= first.length ? [5n] : [];
      expect(batches.map(({ lastOffset }) => lastOffset)).toEqual(whole);
    }
  });

  it('of transactions that were taken back are told from others, and so are the ends of transactions', async () => {
    const sent = { key: Buffer.from([0, 0, 0, 0]), value: null, headers: [], age: 0, step: 1 };
    const batch = (base: bigint, producer: bigint, attributes: number): Buffer =>
      encoded({ base, records: [sent], attributes, producer });
    const [transactional, marker] = [0x10, 0x30];
    const log = Buffer.concat([
      batch(1n, 7n, transactional),
      batch(2n, 8n, transactional),
      batch(3n, -1n, 0),
      batch(4n, 7n, marker),
      batch(5n, 8n, marker),
      batch(6n, 7n, transactional),
      batch(7n, 7n, marker),
    ]);
    const { batches } = await decoded(log, [[7n, 1n]]);
    expect(batches.map(({ kind }) => kind)).toEqual([
      'aborted',
      'data',
      'data',
      'marker',
      'marker',
      'data',
      'marker',
    ]);
  });

  it('have the broker’s time where the topic says so', async () => {
    const sent = { key: null, value: null, headers: [], age: -5, step: 1 };
    const { batches } = await decoded(encoded({ base: 0n, records: [sent], attributes: 8 }));
    const cursor = new RecordCursor();
    for (const batch of batches) cursor.open(batch);
    cursor.next();
    expect(cursor.timestamp).toBe(TIME + 7);
  });

  it('in other compressions and older formats are refused, and so is what is none', async () => {
    const sent = { key: null, value: Buffer.from('v'), headers: [], age: 0, step: 1 };
    await expect(decoded(encoded({ base: 0n, records: [sent], attributes: 5 }))).rejects.toMatchObject({
      code: 'TP-STREAM-SETUP',
      hint: expect.stringContaining('gzip'),
    });
    const old = encoded({ base: 0n, records: [sent] });
    old.writeInt8(1, 16);
    await expect(decoded(old)).rejects.toMatchObject({ code: 'TP-STREAM-SETUP' });
    const cursor = new RecordCursor();
    const lengthless = encoded({ base: 0n, records: [sent] });
    lengthless[61] = 0x7e;
    const { batches } = await decoded(summed(lengthless));
    for (const batch of batches) cursor.open(batch);
    expect(() => cursor.next()).toThrow(/no record batch/);
  });

  it('end before the first record of a transaction that is still open', async () => {
    const { partitions } = await decodeFetch(answer(Buffer.alloc(0), [], 7n), 10);
    expect(partitions.map(({ high }) => high)).toEqual([7n]);
  });

  it('of an older format are refused also where there is one small record alone', async () => {
    const old = Buffer.alloc(34);
    old.writeInt32BE(22, 8);
    await expect(decoded(old)).rejects.toMatchObject({ code: 'TP-STREAM-SETUP' });
  });

  it('that are compressed come in parts where together they would take too much memory', async () => {
    const sent = { key: null, value: Buffer.alloc(1000), headers: [], age: 0, step: 1 };
    const first = encoded({ base: 0n, records: [sent], attributes: 1 });
    const log = Buffer.concat([first, summed(withBase(first, 1n)), summed(withBase(first, 2n))]);
    const lasts = async (records: Buffer, atOnce: number): Promise<bigint[]> => {
      const { partitions } = await decodeFetch(answer(records), 10, atOnce);
      return partitions.flatMap(({ batches }) => batches.map(({ lastOffset }) => lastOffset));
    };
    expect(await lasts(log, 1500)).toEqual([0n, 1n]);
    expect(await lasts(log, 10)).toEqual([0n]);
    expect(await lasts(log.subarray(2 * first.length), 10)).toEqual([2n]);
  });

  it('whose answer ends in the middle, or whose compression makes no sense, are no bug of ours', async () => {
    const sent = { key: null, value: Buffer.from('value'), headers: [], age: 0, step: 1 };
    const whole = answer(encoded({ base: 0n, records: [sent] }));
    for (let length = 0; length < 59; length += 1) {
      const cut = decodeFetch(whole.subarray(0, length), 10);
      await expect(cut).rejects.toMatchObject({ code: 'TP-STREAM-PROTOCOL', retryable: true });
    }
    const zipped = encoded({ base: 0n, records: [sent], attributes: 1 });
    zipped.fill(0, 61);
    await expect(decoded(summed(zipped))).rejects.toMatchObject({ code: 'TP-STREAM-PROTOCOL' });
  });

  it('that were damaged are refused, whichever bit it was', async () => {
    // The check value of the catalogue of such sums.
    expect(crc32c(Buffer.from('123456789'), 0)).toBe(0xe3069283);
    const sent = { key: Buffer.from('key'), value: Buffer.from('value'), headers: [], age: 0, step: 1 };
    const whole = encoded({ base: 5n, records: [sent] });
    const found: unknown[] = [];
    for (let bit = 17 * 8; bit < whole.length * 8; bit += 1) {
      const batch = Buffer.from(whole);
      batch[bit >> 3] = (batch[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      found.push(
        await decoded(batch).catch((error: unknown) => error instanceof TwinproofError && error.code),
      );
    }
    expect(new Set(found)).toEqual(new Set(['TP-STREAM-PROTOCOL']));
  });

  it('have the same name only if key, value, headers and time are the same', async () => {
    const text = (value: string | null): Uint8Array | null => (value === null ? null : Buffer.from(value));
    const one = (key: string | null, value: string | null, header: string | null, age = 0): Sent => ({
      key: text(key),
      value: text(value),
      headers: header === null ? [] : [['h', text(header)]],
      age,
      step: 1,
    });
    const different = [
      one('a', 'bc', null),
      one('ab', 'c', null),
      one('a', 'bc', ''),
      one('a', 'bc', 'x'),
      one('a', 'bc', null, 1),
      one(null, 'bc', null),
      one('', 'bc', null),
      one('a', null, null),
      one('a', '', null),
    ];
    const names = async (base: bigint): Promise<string[]> => {
      const { batches } = await decoded(encoded({ base, records: different }));
      const [cursor, namer, found] = [new RecordCursor(), new RecordNamer(), new Array<string>()];
      for (const batch of batches) cursor.open(batch);
      while (cursor.next()) found.push(namer.nameOf(cursor));
      return found;
    };
    const first = await names(0n);
    expect(new Set(first).size).toBe(different.length);
    expect(await names(77n)).toEqual(first);
  });
});
