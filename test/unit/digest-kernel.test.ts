import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestName, lane, rowDigest, RowHasher, sameDigest, SEED_1 } from '../../src/digest/digest.ts';
import { KernelSink } from '../../src/digest/kernel-sink.ts';
import { joinRecords, keyAt, type Records } from '../../src/digest/records.ts';
import { TwinproofError } from '../../src/errors.ts';
import { frameFields, frameMessage, frameRow } from '../../src/row/stream.ts';

type Field = Uint8Array | null;

/** The longest row, as a message, that goes through the kernel in one piece. */
const INPUT_BYTES = 262_144;
const RECORDS_MAX = 40_960;
const BUCKETS = 64;

/** What a read of rows must come to, written down as plainly as it can be. */
interface Expected {
  readonly rows: bigint;
  readonly sum1: bigint;
  readonly sum2: bigint;
  readonly digests: readonly string[];
  readonly keys: readonly string[];
  readonly buckets: readonly number[];
  readonly bucketWords: readonly bigint[];
}

function bytesOf(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = (seed * 2_654_435_761 + 1) >>> 0;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** A key of eight bytes. */
function id(value: number): Field {
  return Buffer.from(value.toString(16).padStart(8, '0'));
}

function text(value: string): Field {
  return Buffer.from(value);
}

function expectedOf(rows: readonly (readonly Field[])[], keyFields: number, buckets = BUCKETS): Expected {
  const bucketWords = Array.from({ length: buckets * 3 }, () => 0n);
  const add = (word: number, value: bigint): void => {
    bucketWords[word] = BigInt.asUintN(64, (bucketWords[word] ?? 0n) + value);
  };
  let [sum1, sum2] = [0n, 0n];
  const facts = rows.map((fields) => {
    const digest = rowDigest(frameRow(fields));
    const key = frameFields(fields.slice(0, keyFields));
    const bucketHash = keyFields === 0 ? digest.first : lane(key, SEED_1);
    const bucket = Number(bucketHash & BigInt(buckets - 1));
    sum1 = BigInt.asUintN(64, sum1 + digest.first);
    sum2 = BigInt.asUintN(64, sum2 + digest.second);
    add(bucket * 3, 1n);
    add(bucket * 3 + 1, digest.first);
    add(bucket * 3 + 2, digest.second);
    return { digest: digestName(digest), key: Buffer.from(key).toString('hex'), bucket };
  });
  return {
    rows: BigInt(rows.length),
    sum1,
    sum2,
    digests: facts.map(({ digest }) => digest),
    keys: facts.map(({ key }) => key),
    buckets: facts.map(({ bucket }) => bucket),
    bucketWords,
  };
}

/** The records as the plain form has them. */
function recordsAsText(records: Records): { digests: string[]; keys: string[] } {
  const view = new DataView(records.digests.buffer, records.digests.byteOffset, records.digests.byteLength);
  const digests: string[] = [];
  const keys: string[] = [];
  for (let row = 0; row < records.count; row++) {
    const [first, second] = [view.getBigUint64(row * 16, true), view.getBigUint64(row * 16 + 8, true)];
    digests.push(digestName({ first, second }));
    keys.push(Buffer.from(keyAt(records, row)).toString('hex'));
  }
  return { digests, keys };
}

/** Gives a stream to a sink in chunks; the answer is every message that was not a row. */
function feed(sink: KernelSink, stream: Uint8Array, chunkSizes: readonly number[]): Uint8Array[] {
  const others: Uint8Array[] = [];
  // Every chunk moves the rest of the input: a long stream is not cut into bytes.
  const least = Math.floor(stream.length / 300);
  let at = 0;
  for (let chunk = 0; at < stream.length; chunk++) {
    const space = sink.space();
    if (space.length === 0) throw new Error('the sink gave no space');
    const wanted = Math.max(least, chunkSizes[chunk % chunkSizes.length] ?? stream.length);
    const size = Math.min(wanted, space.length, stream.length - at);
    space.set(stream.subarray(at, at + size));
    at += size;
    for (let other = sink.take(size); other !== null; other = sink.take(0)) others.push(other.slice());
  }
  return others;
}

function foreignMessage(tag: number, body: Uint8Array): Uint8Array {
  const message = frameMessage(body);
  message[0] = tag;
  return message;
}

interface Stream {
  readonly rows: readonly (readonly Field[])[];
  /** Before each row, and at the end. */
  readonly foreign: readonly (Uint8Array | null)[];
  readonly keyFields: number;
  readonly chunkSizes: readonly number[];
}

const field: fc.Arbitrary<Field> = fc.oneof(
  { arbitrary: fc.constant(null), weight: 2 },
  { arbitrary: fc.constant(new Uint8Array(0)), weight: 2 },
  { arbitrary: fc.uint8Array({ maxLength: 80 }), weight: 12 },
  {
    arbitrary: fc.tuple(fc.nat({ max: 3000 }), fc.nat()).map(([size, seed]) => bytesOf(size, seed)),
    weight: 2,
  },
);
const largeField = fc.tuple(fc.nat({ max: 100_000 }), fc.nat()).map(([size, seed]) => bytesOf(size, seed));
const hugeField = fc
  .tuple(fc.integer({ min: INPUT_BYTES - 40, max: 3 * INPUT_BYTES }), fc.nat())
  .map(([size, seed]) => bytesOf(size, seed));

const anyRow: fc.Arbitrary<readonly Field[]> = fc.oneof(
  { arbitrary: fc.array(field, { maxLength: 9 }), weight: 30 },
  { arbitrary: fc.array(field, { maxLength: 300, size: 'max' }), weight: 1 },
  {
    arbitrary: fc
      .tuple(fc.array(field, { maxLength: 4 }), largeField)
      .map(([head, last]) => head.concat([last])),
    weight: 2,
  },
);
const hugeRow = fc
  .tuple(fc.array(field, { maxLength: 3 }), hugeField, fc.array(field, { maxLength: 2 }))
  .map(([head, huge, tail]) => head.concat([huge], tail));

/** Rows that have at least the fields of their key. */
function streamOf(rows: fc.Arbitrary<(readonly Field[])[]>, keyFieldsMax = 3): fc.Arbitrary<Stream> {
  return fc
    .record({
      rows,
      foreign: fc.array(fc.option(fc.uint8Array({ maxLength: 40 }), { freq: 3 }), { maxLength: 30 }),
      keyFields: fc.nat({ max: keyFieldsMax }),
      chunkSizes: fc.oneof(
        fc.constant([INPUT_BYTES]),
        fc.array(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 70_000 })), {
          minLength: 1,
          maxLength: 20,
        }),
      ),
    })
    .map(({ rows: anyRows, foreign, keyFields, chunkSizes }) => {
      const padding = (fields: readonly Field[]): null[] =>
        Array.from({ length: Math.max(0, keyFields - fields.length) }, () => null);
      return {
        rows: anyRows.map((fields) => fields.concat(padding(fields))),
        foreign,
        keyFields,
        chunkSizes,
      };
    });
}

const FOREIGN_TAGS = [0x54, 0x4e, 0x43, 0x5a] as const;

function encode(stream: Stream): { readonly bytes: Uint8Array; readonly foreign: readonly Uint8Array[] } {
  const parts: Uint8Array[] = [];
  const foreign: Uint8Array[] = [];
  const addForeign = (index: number): void => {
    const body = stream.foreign[index] ?? null;
    if (body === null) return;
    const message = foreignMessage(FOREIGN_TAGS[index % FOREIGN_TAGS.length] ?? 0x54, body);
    foreign.push(message);
    parts.push(message);
  };
  for (const [index, fields] of stream.rows.entries()) {
    addForeign(index);
    parts.push(frameMessage(frameRow(fields)));
  }
  addForeign(stream.rows.length);
  return { bytes: Buffer.concat(parts), foreign };
}

// One for all: that nothing of an earlier read is left is part of what is tested.
const sink = new KernelSink(BUCKETS);
const hex = (messages: readonly Uint8Array[]): string[] =>
  messages.map((message) => Buffer.from(message).toString('hex'));

function expectSums(stream: Stream, expected: Expected): void {
  expect(sink.digest()).toEqual({ rows: expected.rows, sum1: expected.sum1, sum2: expected.sum2 });
  expect(sink.bytes).toBe(encode(stream).bytes.length);
}

describe('the kernel and the plain implementation agree', () => {
  const usual = streamOf(fc.array(anyRow, { maxLength: 25 }));
  const withHuge = streamOf(
    fc
      .tuple(fc.array(anyRow, { maxLength: 3 }), hugeRow, fc.array(anyRow, { maxLength: 3 }))
      .map(([before, huge, after]) => before.concat([huge], after)),
    // The rest of a huge row's key may be its huge field, which no key may be.
    0,
  );

  it.each([
    ['rows that fit the input', usual, 100],
    ['rows longer than the input', withHuge, 8],
  ])('records: %s', (_, streams, numRuns) => {
    fc.assert(
      fc.property(streams, (stream) => {
        const { bytes, foreign } = encode(stream);
        const expected = expectedOf(stream.rows, stream.keyFields);
        sink.begin('records', stream.keyFields);
        expect(hex(feed(sink, bytes, stream.chunkSizes))).toEqual(hex(foreign));
        expectSums(stream, expected);
        const { digests, keys } = expected;
        expect(recordsAsText(sink.records())).toEqual({ digests, keys });
      }),
      { numRuns },
    );
  });

  it.each([
    ['rows that fit the input', usual, 50],
    ['rows longer than the input', withHuge, 8],
  ])('sums alone: %s', (_, streams, numRuns) => {
    fc.assert(
      fc.property(streams, (stream) => {
        const { bytes, foreign } = encode(stream);
        sink.begin('sums', stream.keyFields);
        expect(hex(feed(sink, bytes, stream.chunkSizes))).toEqual(hex(foreign));
        expectSums(stream, expectedOf(stream.rows, stream.keyFields));
        expect(sink.records().count).toBe(0);
      }),
      { numRuns },
    );
  });

  it.each([
    ['rows that fit the input', usual, 50],
    ['rows longer than the input', withHuge, 8],
  ])('buckets, by identity or else by value: %s', (_, streams, numRuns) => {
    fc.assert(
      fc.property(streams, (stream) => {
        const { bytes } = encode(stream);
        const expected = expectedOf(stream.rows, stream.keyFields);
        sink.clearBuckets();
        sink.begin('buckets', stream.keyFields);
        feed(sink, bytes, stream.chunkSizes);
        expectSums(stream, expected);
        expect(sink.buckets().every((word) => word === 0n)).toBe(true);
        sink.settleBuckets();
        expect([...sink.buckets()]).toEqual(expected.bucketWords);
      }),
      { numRuns },
    );
  });

  it.each([
    ['rows that fit the input', usual, 50],
    ['rows longer than the input', withHuge, 8],
  ])('a sieve lets through the rows of its buckets, and sums all: %s', (_, streams, numRuns) => {
    fc.assert(
      fc.property(
        streams,
        fc.uint8Array({ minLength: BUCKETS / 8, maxLength: BUCKETS / 8 }),
        (stream, sieve) => {
          const { bytes } = encode(stream);
          const expected = expectedOf(stream.rows, stream.keyFields);
          sink.setSieve(sieve);
          sink.begin('sieve', stream.keyFields);
          feed(sink, bytes, stream.chunkSizes);
          expectSums(stream, expected);
          const passes = (_text: string, index: number): boolean => {
            const bucket = expected.buckets[index] ?? 0;
            return (((sieve[bucket >> 3] ?? 0) >> (bucket & 7)) & 1) === 1;
          };
          expect(recordsAsText(sink.records())).toEqual({
            digests: expected.digests.filter(passes),
            keys: expected.keys.filter(passes),
          });
        },
      ),
      { numRuns },
    );
  });

  it('a huge row keeps its key, and rows around it theirs', () => {
    const rows = [
      [id(1), bytesOf(10, 1)],
      [id(2), bytesOf(900_000, 2)],
      [id(3), null],
      [id(4), bytesOf(INPUT_BYTES, 4)],
    ];
    for (const keyFields of [1, 0]) {
      const expected = expectedOf(rows, keyFields);
      sink.begin('records', keyFields);
      feed(sink, Buffer.concat(rows.map((fields) => frameMessage(frameRow(fields)))), [65_536]);
      expect(recordsAsText(sink.records())).toEqual({ digests: expected.digests, keys: expected.keys });
    }
  });

  it('rows at the very size of the input, one byte less and one more', () => {
    // Header 5, count 2, length 4.
    const exact = INPUT_BYTES - 11;
    for (const size of [exact - 1, exact, exact + 1, exact + 5]) {
      const rows = [[bytesOf(size, size)], [bytesOf(3, 9)]];
      const expected = expectedOf(rows, 0);
      sink.begin('records', 0);
      feed(sink, Buffer.concat(rows.map((fields) => frameMessage(frameRow(fields)))), [INPUT_BYTES]);
      expect(recordsAsText(sink.records()).digests).toEqual(expected.digests);
      expect(sink.digest().sum1).toBe(expected.sum1);
    }
  });

  it('a row hashed in pieces is the row hashed whole', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 90 }), { maxLength: 12 }), (pieces) => {
        const hasher = new RowHasher();
        for (const piece of pieces) hasher.update(piece);
        expect(hasher.digest()).toEqual(rowDigest(Buffer.concat(pieces)));
      }),
    );
  });
});

describe('what a read leaves behind', () => {
  const allIds = Buffer.concat(
    Array.from({ length: RECORDS_MAX + 500 }, (_, i) => frameMessage(frameRow([id(i)]))),
  );
  const messageBytes = frameMessage(frameRow([id(0)])).length;
  const streamOfIds = (from: number, to: number): Buffer =>
    allIds.subarray(from * messageBytes, to * messageBytes);

  const part = (from: number, to: number): Records => {
    sink.begin('records', 1);
    feed(sink, streamOfIds(from, to), [INPUT_BYTES]);
    const { count, digests, keyEnds, keys } = sink.records();
    return { count, digests: digests.slice(), keyEnds: keyEnds.slice(), keys: keys.slice() };
  };

  it('more rows than the record area holds spill into memory, in order', () => {
    for (const count of [RECORDS_MAX, RECORDS_MAX + 1, RECORDS_MAX + 77]) {
      sink.begin('records', 1);
      feed(sink, streamOfIds(0, count), [INPUT_BYTES]);
      const records = sink.records();
      expect(records.count).toBe(count);
      for (let row = 0; row < count; row += 997) {
        expect(Buffer.from(keyAt(records, row)).subarray(4).toString()).toBe(
          row.toString(16).padStart(8, '0'),
        );
      }
      const last = expectedOf([[id(count - 1)]], 1);
      expect(recordsAsText({ ...records, count: 1, digests: records.digests.subarray(-16) }).digests).toEqual(
        last.digests,
      );
    }
  });

  it('longer keys than the key area holds spill too, those of huge rows among them', () => {
    const rows = Array.from({ length: 30 }, (_, i): Field[] => [
      bytesOf(100_000, i),
      i % 7 === 3 ? bytesOf(300_000, i) : null,
    ]);
    const expected = expectedOf(rows, 1);
    sink.begin('records', 1);
    feed(sink, Buffer.concat(rows.map((fields) => frameMessage(frameRow(fields)))), [50_000]);
    const { digests, keys } = expected;
    expect(recordsAsText(sink.records())).toEqual({ digests, keys });
    expect(sink.digest().sum2).toBe(expected.sum2);
  });

  it('a range of more rows than allowed is refused while it is read, in mode records only', () => {
    const stream = streamOfIds(0, 101);
    sink.begin('records', 1, 101);
    feed(sink, stream, [300]);
    expect(sink.digest().rows).toBe(101n);
    sink.begin('records', 1, 100);
    expect(failureOf(() => feed(sink, stream, [300]))).toMatchObject({ code: 'TP-RANGE-TOO-LARGE' });
    for (const mode of ['sums', 'buckets', 'sieve'] as const) {
      sink.begin(mode, 1, 100);
      feed(sink, stream, [300]);
      expect(sink.digest().rows).toBe(101n);
    }
  });

  it('by itself a sink keeps eight times its area, in rows or in keys', () => {
    const most = Array.from({ length: 8 }, () => streamOfIds(0, RECORDS_MAX));
    sink.begin('records', 1);
    for (const full of most) feed(sink, full, [INPUT_BYTES]);
    expect(sink.records().count).toBe(8 * RECORDS_MAX);
    expect(failureOf(() => feed(sink, streamOfIds(0, 1), [INPUT_BYTES]))).toMatchObject({
      code: 'TP-RANGE-TOO-LARGE',
    });
    const long = frameMessage(frameRow([bytesOf(200_000, 1)]));
    sink.begin('records', 1);
    const failure = failureOf(() => {
      for (let row = 0; row < 60; row++) feed(sink, long, [INPUT_BYTES]);
    });
    expect(failure).toMatchObject({ code: 'TP-RANGE-TOO-LARGE' });
  });

  it('a huge row that finds the record area full spills it first', () => {
    sink.begin('records', 1);
    feed(sink, streamOfIds(0, RECORDS_MAX), [INPUT_BYTES]);
    feed(sink, frameMessage(frameRow([id(7), bytesOf(400_000, 7)])), [INPUT_BYTES]);
    const records = sink.records();
    expect(records.count).toBe(RECORDS_MAX + 1);
    expect(Buffer.from(keyAt(records, RECORDS_MAX)).subarray(4).toString()).toBe('00000007');
  });

  it('a sieve spills as well', () => {
    sink.setSieve(new Uint8Array(BUCKETS / 8).fill(255));
    sink.begin('sieve', 1);
    feed(sink, streamOfIds(0, RECORDS_MAX + 5), [INPUT_BYTES]);
    expect(sink.records().count).toBe(RECORDS_MAX + 5);
  });

  it.each(['records', 'sums', 'buckets', 'sieve'] as const)(
    'a row cut off is an error in mode %s',
    (mode) => {
      const whole = frameMessage(frameRow([id(1), bytesOf(40, 1)]));
      for (const size of [1, 4, 5, 6, whole.length - 1]) {
        sink.begin(mode, 1);
        feed(sink, Buffer.concat([whole, whole.subarray(0, size)]), [INPUT_BYTES]);
        const failure = failureOf(() => sink.digest());
        expect(failure).toMatchObject({ code: 'TP-CONNECTION-LOST', retryable: true });
      }
    },
  );

  it('a huge row cut off is an error', () => {
    const whole = frameMessage(frameRow([bytesOf(400_000, 1)]));
    for (const size of [INPUT_BYTES - 1, INPUT_BYTES, INPUT_BYTES + 1, whole.length - 1]) {
      sink.begin('records', 0);
      feed(sink, whole.subarray(0, size), [INPUT_BYTES]);
      expect(failureOf(() => sink.digest())).toMatchObject({ code: 'TP-CONNECTION-LOST' });
    }
  });

  it('a key that does not end within the input is refused, not cut', () => {
    for (const [first, second] of [
      [300_000, 4],
      [INPUT_BYTES - 14, 300_000],
      [INPUT_BYTES - 12, 300_000],
    ] as const) {
      const message = frameMessage(frameRow([bytesOf(first, 1), bytesOf(second, 2)]));
      sink.begin('records', 2);
      expect(failureOf(() => feed(sink, message, [INPUT_BYTES]))).toMatchObject({ code: 'TP-QUERY' });
    }
  });

  it('a message that is no row and longer than the input is refused', () => {
    sink.begin('records', 0);
    const message = foreignMessage(0x45, new Uint8Array(300_000));
    expect(failureOf(() => feed(sink, message, [INPUT_BYTES]))).toMatchObject({ code: 'TP-QUERY' });
  });

  it('a read begun afresh knows nothing of a failed one', () => {
    const rows = [[id(5), null]];
    const stream = Buffer.concat(rows.map((fields) => frameMessage(frameRow(fields))));
    const expected = expectedOf(rows, 1);
    const broken = [
      streamOfIds(0, RECORDS_MAX + 3).subarray(0, -3),
      frameMessage(frameRow([id(1), bytesOf(500_000, 1)])).subarray(0, 300_000),
      Uint8Array.of(0x54, 0, 0),
    ];
    for (const left of broken) {
      sink.begin('records', 1);
      feed(sink, left, [INPUT_BYTES]);
      sink.begin('records', 1);
      feed(sink, stream, [INPUT_BYTES]);
      expect(recordsAsText(sink.records())).toEqual({ digests: expected.digests, keys: expected.keys });
      expect(sink.digest()).toEqual({ rows: 1n, sum1: expected.sum1, sum2: expected.sum2 });
      expect(sink.bytes).toBe(stream.length);
    }
  });

  it('buckets of a read that failed are not counted, those of earlier reads are', () => {
    const first = expectedOf([[id(1)], [id(2)]], 1);
    sink.clearBuckets();
    sink.begin('buckets', 1);
    feed(sink, streamOfIds(1, 3), [INPUT_BYTES]);
    sink.settleBuckets();
    sink.begin('buckets', 1);
    feed(sink, streamOfIds(100, 200), [INPUT_BYTES]);
    sink.begin('buckets', 1);
    feed(sink, new Uint8Array(0), [INPUT_BYTES]);
    sink.settleBuckets();
    expect([...sink.buckets()]).toEqual(first.bucketWords);
    sink.begin('buckets', 1);
    feed(sink, streamOfIds(3, 4), [INPUT_BYTES]);
    sink.settleBuckets();
    expect([...sink.buckets()]).toEqual(expectedOf([[id(1)], [id(2)], [id(3)]], 1).bucketWords);
    sink.clearBuckets();
    expect(sink.buckets().every((word) => word === 0n)).toBe(true);
  });

  it('records joined are records one after the other', () => {
    const whole = recordsAsText(part(0, 9));
    expect(recordsAsText(joinRecords([part(0, 4), part(4, 4), part(4, 9)]))).toEqual(whole);
    expect(joinRecords([]).count).toBe(0);
  });
});

describe('digests tell apart', () => {
  const sumOf = (...rows: Field[][]): ReturnType<KernelSink['digest']> => {
    sink.begin('sums', 0);
    feed(sink, Buffer.concat(rows.map((fields) => frameMessage(frameRow(fields)))), [INPUT_BYTES]);
    return sink.digest();
  };

  it.each<[string, Field[][], Field[][]]>([
    ["'a','bc' and 'ab','c'", [[text('a'), text('bc')]], [[text('ab'), text('c')]]],
    ["'a|b','c' and 'a','b|c'", [[text('a|b'), text('c')]], [[text('a'), text('b|c')]]],
    ['NULL and the empty string', [[null, text('x')]], [[text(''), text('x')]]],
    ['a row with one more NULL', [[text('x')]], [[text('x'), null]]],
    ['two columns of a row exchanged', [[text('x'), text('y')]], [[text('y'), text('x')]]],
    [
      'values exchanged between two rows',
      [
        [text('1'), text('x')],
        [text('2'), text('y')],
      ],
      [
        [text('1'), text('y')],
        [text('2'), text('x')],
      ],
    ],
    [
      'two equal rows and four',
      [[text('x')], [text('x')]],
      [[text('x')], [text('x')], [text('x')], [text('x')]],
    ],
    ['pairs that cancel under XOR', [[text('x')], [text('x')]], [[text('y')], [text('y')]]],
    ['a row and its neighbour twice', [[text('x')], [text('y')]], [[text('y')], [text('y')]]],
    ['no row and an empty row', [], [[]]],
    ['trailing blanks', [[text('x')]], [[text('x ')]]],
  ])('%s', (_, one, other) => {
    expect(sameDigest(sumOf(...one), sumOf(...other))).toBe(false);
  });

  it('but not the order of rows', () => {
    const rows = [[text('1')], [text('2')], [text('3')]];
    expect(sameDigest(sumOf(...rows), sumOf(...rows.toReversed()))).toBe(true);
  });
});

describe('xxh64', () => {
  // The check values of the algorithm's own test program (xxHash, cli/xsum_sanity_check.c): the bytes come from a
  // generator that starts at PRIME32 and is multiplied by PRIME64; the second seed is PRIME32.
  const PRIME32 = 0x9e3779b1n;
  const PRIME64 = 0x9e3779b185ebca8dn;
  const sanityBuffer = (length: number): Uint8Array => {
    const bytes = new Uint8Array(length);
    let state = PRIME32;
    for (let i = 0; i < length; i++) {
      bytes[i] = Number(state >> 56n);
      state = BigInt.asUintN(64, state * PRIME64);
    }
    return bytes;
  };

  it.each([
    [0, 0n, 0xef46db3751d8e999n],
    [0, PRIME32, 0xac75fda2929b17efn],
    [1, 0n, 0xe934a84adb052768n],
    [1, PRIME32, 0x5014607643a9b4c3n],
    [4, 0n, 0x9136a0dca57457een],
    [14, 0n, 0x8282dcc4994e35c8n],
    [14, PRIME32, 0xc3bd6bf63deb6df0n],
    [222, 0n, 0xb641ae8cb691c174n],
    [222, PRIME32, 0x20cb8ab7ae10c14an],
  ])('of %i bytes under seed %i is the published value', (length, seed, expected) => {
    expect(lane(sanityBuffer(length), seed)).toBe(expected);
  });

  it.each([
    ['a', 0xd24ec4f1a98c6e5bn],
    ['abc', 0x44bc2cf5ad770999n],
    ['Nobody inspects the spammish repetition', 0xfbcea83c8a378bf1n],
  ])('of %j is the value that other implementations document', (word, expected) => {
    expect(lane(Buffer.from(word), 0n)).toBe(expected);
  });
});

function failureOf(call: () => unknown): unknown {
  try {
    call();
    return null;
  } catch (error) {
    return error instanceof TwinproofError ? error : null;
  }
}
