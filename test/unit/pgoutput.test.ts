import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeMessage } from '../../connectors/postgres/pgoutput-decode.ts';
import type { PgOutputMessage, Tuple } from '../../connectors/postgres/pgoutput-messages.ts';
import { TwinproofError } from '../../src/errors.ts';
import { anyText } from './any-text.ts';
import { encode, type PlainMessage, type PlainRow, type PlainValue } from './pgoutput-encoder.ts';
import { times } from './property-runs.ts';

const uint32 = fc.nat(0xffff_ffff);
const lsn = fc.bigInt(0n, 2n ** 64n - 1n);
/** Two hundred thousand years both ways, as a timestamptz reaches. */
const time = fc.bigInt(-(2n ** 62n), 2n ** 62n);
const name = anyText().filter((text) => !text.includes('\0'));
const value: fc.Arbitrary<PlainValue> = fc.oneof(
  fc.record({ form: fc.constantFrom('t' as const, 'b' as const), bytes: fc.uint8Array({ maxLength: 40 }) }),
  fc.record({ form: fc.constantFrom('n' as const, 'u' as const) }),
);
const row: fc.Arbitrary<PlainRow> = fc.array(value, { maxLength: 6 });
const old = fc.record({ whole: fc.boolean(), row });
const column = fc.record({
  key: fc.boolean(),
  name,
  typeOid: uint32,
  typeModifier: fc.integer(),
});

/** Every message of the four versions of the protocol; `xid`: within a piece of a streamed transaction. */
function messages(xid: fc.Arbitrary<number | null>): fc.Arbitrary<PlainMessage> {
  const kind = <Kind extends PlainMessage['kind']>(of: Kind): fc.Arbitrary<Kind> => fc.constant(of);
  const commit = { commitLsn: lsn, endLsn: lsn, committedAtUs: time };
  return fc.oneof(
    fc.record({ kind: kind('begin'), finalLsn: lsn, committedAtUs: time, xid: uint32 }),
    fc.record({ kind: kind('commit'), ...commit }),
    fc.record({ kind: kind('origin'), lsn, name }),
    fc.record({
      kind: kind('relation'),
      xid,
      oid: uint32,
      schema: name,
      name,
      replicaIdentity: fc.constantFrom('d' as const, 'n' as const, 'f' as const, 'i' as const),
      columns: fc.array(column, { maxLength: 5 }),
    }),
    fc.record({ kind: kind('type'), xid, oid: uint32, schema: name, name }),
    fc.record({ kind: kind('insert'), xid, relation: uint32, after: row }),
    fc.record({ kind: kind('update'), xid, relation: uint32, before: fc.option(old), after: row }),
    fc.record({ kind: kind('delete'), xid, relation: uint32, before: old }),
    fc.record({
      kind: kind('truncate'),
      xid,
      cascade: fc.boolean(),
      restartIdentity: fc.boolean(),
      relations: fc.array(uint32, { maxLength: 5 }),
    }),
    fc.record({
      kind: kind('message'),
      xid,
      transactional: fc.boolean(),
      lsn,
      prefix: name,
      content: fc.uint8Array({ maxLength: 40 }),
    }),
    fc.record({ kind: kind('stream start'), xid: uint32, first: fc.boolean() }),
    fc.record({ kind: kind('stream stop') }),
    fc.record({ kind: kind('stream commit'), xid: uint32, ...commit }),
    fc.record({
      kind: kind('stream abort'),
      xid: uint32,
      subxid: uint32,
      abortLsn: fc.constant(null),
      abortedAtUs: fc.constant(null),
    }),
    fc.record({ kind: kind('stream abort'), xid: uint32, subxid: uint32, abortLsn: lsn, abortedAtUs: time }),
    fc.record({
      kind: fc.constantFrom('begin prepare' as const, 'prepare' as const, 'stream prepare' as const),
      prepareLsn: lsn,
      endLsn: lsn,
      preparedAtUs: time,
      xid: uint32,
      gid: name,
    }),
    fc.record({ kind: kind('commit prepared'), ...commit, xid: uint32, gid: name }),
    fc.record({
      kind: kind('rollback prepared'),
      prepareEndLsn: lsn,
      rollbackEndLsn: lsn,
      preparedAtUs: time,
      rolledBackAtUs: time,
      xid: uint32,
      gid: name,
    }),
  );
}

/** A message with the stream state that it belongs to. */
const inContext = fc.oneof(
  messages(fc.constant(null)).map((message) => ({ message, inStream: false })),
  messages(uint32).map((message) => ({ message, inStream: true })),
);

function plainRow({ bytes, fields }: Tuple): PlainRow {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return fields.map((at) => {
    const form = String.fromCharCode(bytes[at] ?? 0);
    if (form === 'n' || form === 'u') return { form };
    const length = view.getUint32(at + 1);
    if (form !== 't' && form !== 'b') throw new Error(`a value of kind ${form}`);
    return { form, bytes: new Uint8Array(bytes.subarray(at + 5, at + 5 + length)) };
  });
}

/** A decoded message with its rows as plain values. */
function plain(message: PgOutputMessage): PlainMessage {
  switch (message.kind) {
    case 'insert':
      return { ...message, after: plainRow(message.after) };
    case 'update': {
      const { before } = message;
      return {
        ...message,
        before: before === null ? null : { whole: before.whole, row: plainRow(before.tuple) },
        after: plainRow(message.after),
      };
    }
    case 'delete':
      return { ...message, before: { whole: message.before.whole, row: plainRow(message.before.tuple) } };
    default:
      return message;
  }
}

function isProtocolError(error: unknown): boolean {
  return error instanceof TwinproofError && error.code === 'TP-STREAM-PROTOCOL';
}

/** What decoding does: a message, or the one error that it may end with. */
function attempt(bytes: Uint8Array, inStream: boolean): PgOutputMessage | 'refused' {
  try {
    return decodeMessage(bytes, inStream);
  } catch (error) {
    if (isProtocolError(error)) return 'refused';
    throw error;
  }
}

describe('messages of pgoutput', () => {
  test('every message is read as it was written', () => {
    fc.assert(
      fc.property(inContext, ({ message, inStream }) => {
        expect(plain(decodeMessage(encode(message), inStream))).toEqual(message);
      }),
      { numRuns: times(400) },
    );
  });

  test('a message that ends anywhere before its end, or goes on behind it, is refused', () => {
    fc.assert(
      fc.property(inContext, ({ message, inStream }) => {
        const whole = encode(message);
        // The two last fields of an abort are optional: without them it is a message too.
        const optional = message.kind === 'stream abort' && message.abortLsn !== null ? 9 : -1;
        const ends = [...whole.keys()].filter((length) => length !== optional);
        for (const end of ends) expect(attempt(whole.subarray(0, end), inStream)).toBe('refused');
        const long = new Uint8Array([...whole, 0]);
        expect(attempt(long, inStream)).toBe('refused');
      }),
      { numRuns: times(100) },
    );
  });

  test('whatever bytes come, they are a message or refused, and never anything else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, inStream) => {
        const decoded = attempt(bytes, inStream);
        expect(decoded === 'refused' || typeof decoded.kind === 'string').toBe(true);
      }),
      { numRuns: times(800) },
    );
  });

  test('a byte that is changed never makes the decoder fail in another way', () => {
    fc.assert(
      fc.property(inContext, fc.nat(), fc.nat(255), ({ message, inStream }, where, byte) => {
        const bytes = encode(message);
        bytes[where % bytes.length] = byte;
        attempt(bytes, inStream);
      }),
      { numRuns: times(400) },
    );
  });

  test('flags and options that nobody has defined are refused', () => {
    const commit = encode({ kind: 'commit', commitLsn: 1n, endLsn: 2n, committedAtUs: 0n });
    commit[1] = 1;
    expect(attempt(commit, false)).toBe('refused');
    const truncate = encode({
      kind: 'truncate',
      xid: null,
      cascade: false,
      restartIdentity: false,
      relations: [1],
    });
    truncate[5] = 4;
    expect(attempt(truncate, false)).toBe('refused');
  });
});
