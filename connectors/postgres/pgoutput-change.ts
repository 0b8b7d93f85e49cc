import { int32At } from '../../src/row/stream.ts';
import { type MessageCursor, protocolError } from './pgoutput-cursor.ts';
import {
  type DeleteMessage,
  FIELD,
  type LogicalMessage,
  type OldTuple,
  type PgOutputMessage,
  type RelationColumn,
  type RelationMessage,
  type ReplicaIdentity,
  type TruncateMessage,
  type Tuple,
  type UpdateMessage,
} from './pgoutput-messages.ts';

/** Byte1 of the messages that carry the transaction id while it is streamed (all of them, since protocol version 2). */
const TAG = {
  message: 0x4d,
  relation: 0x52,
  type: 0x59,
  insert: 0x49,
  update: 0x55,
  delete: 0x44,
  truncate: 0x54,
} as const;

const TAGS: ReadonlySet<number> = new Set(Object.values(TAG));

export function isChange(tag: number): boolean {
  return TAGS.has(tag);
}

const KEY_TUPLE = 0x4b;
const OLD_TUPLE = 0x4f;
const NEW_TUPLE = 0x4e;

const TRUNCATE_CASCADE = 1;
const TRUNCATE_RESTART_IDENTITY = 2;
const MESSAGE_TRANSACTIONAL = 1;
const COLUMN_OF_KEY = 1;

/** A change, or what describes its table or type; `tag` is its first byte. */
export function decodeChange(cursor: MessageCursor, tag: number, inStream: boolean): PgOutputMessage {
  const xid = inStream ? cursor.uint32() : null;
  switch (tag) {
    case TAG.insert: {
      const relation = cursor.uint32();
      expectByte(cursor, NEW_TUPLE);
      return { kind: 'insert', xid, relation, after: readTuple(cursor) };
    }
    case TAG.update:
      return updateMessage(cursor, xid);
    case TAG.delete:
      return deleteMessage(cursor, xid);
    case TAG.truncate:
      return truncateMessage(cursor, xid);
    case TAG.relation:
      return relationMessage(cursor, xid);
    case TAG.type:
      return { kind: 'type', xid, oid: cursor.uint32(), schema: cursor.text(), name: cursor.text() };
    default:
      return logicalMessage(cursor, xid);
  }
}

function updateMessage(cursor: MessageCursor, xid: number | null): UpdateMessage {
  const relation = cursor.uint32();
  let before: OldTuple | null = null;
  let tag = cursor.uint8();
  if (tag === KEY_TUPLE || tag === OLD_TUPLE) {
    before = { whole: tag === OLD_TUPLE, tuple: readTuple(cursor) };
    tag = cursor.uint8();
  }
  if (tag !== NEW_TUPLE) throw protocolError(`byte ${tag} where a new row should begin`);
  return { kind: 'update', xid, relation, before, after: readTuple(cursor) };
}

function deleteMessage(cursor: MessageCursor, xid: number | null): DeleteMessage {
  const relation = cursor.uint32();
  const tag = cursor.uint8();
  if (tag !== KEY_TUPLE && tag !== OLD_TUPLE) {
    throw protocolError(`byte ${tag} where an old row should begin`);
  }
  return { kind: 'delete', xid, relation, before: { whole: tag === OLD_TUPLE, tuple: readTuple(cursor) } };
}

function truncateMessage(cursor: MessageCursor, xid: number | null): TruncateMessage {
  const count = cursor.uint32();
  const options = cursor.uint8();
  if ((options & ~(TRUNCATE_CASCADE | TRUNCATE_RESTART_IDENTITY)) !== 0) {
    throw protocolError(`unknown options ${options} of a truncation`);
  }
  const relations: number[] = [];
  for (let index = 0; index < count; index += 1) relations.push(cursor.uint32());
  return {
    kind: 'truncate',
    xid,
    cascade: (options & TRUNCATE_CASCADE) !== 0,
    restartIdentity: (options & TRUNCATE_RESTART_IDENTITY) !== 0,
    relations,
  };
}

function relationMessage(cursor: MessageCursor, xid: number | null): RelationMessage {
  const oid = cursor.uint32();
  const schema = cursor.text();
  const name = cursor.text();
  const replicaIdentity = replicaIdentityOf(cursor.uint8());
  const count = cursor.uint16();
  const columns: RelationColumn[] = [];
  for (let index = 0; index < count; index += 1) {
    const flags = cursor.uint8();
    if ((flags & ~COLUMN_OF_KEY) !== 0) throw protocolError(`unknown flags ${flags} of a column`);
    columns.push({
      key: flags === COLUMN_OF_KEY,
      name: cursor.text(),
      typeOid: cursor.uint32(),
      typeModifier: cursor.int32(),
    });
  }
  return { kind: 'relation', xid, oid, schema, name, replicaIdentity, columns };
}

function replicaIdentityOf(byte: number): ReplicaIdentity {
  const letter = String.fromCharCode(byte);
  if (letter === 'd' || letter === 'n' || letter === 'f' || letter === 'i') return letter;
  throw protocolError(`unknown replica identity ${byte}`);
}

function logicalMessage(cursor: MessageCursor, xid: number | null): LogicalMessage {
  const flags = cursor.uint8();
  if ((flags & ~MESSAGE_TRANSACTIONAL) !== 0) throw protocolError(`unknown flags ${flags} of a message`);
  const lsn = cursor.uint64();
  const prefix = cursor.text();
  const length = cursor.uint32();
  const start = cursor.skip(length);
  return {
    kind: 'message',
    xid,
    transactional: flags === MESSAGE_TRANSACTIONAL,
    lsn,
    prefix,
    content: cursor.bytes.subarray(start, start + length),
  };
}

/** TupleData: the number of columns (2 bytes), then for each its kind, and for values a length (4 bytes) and the bytes. */
function readTuple(cursor: MessageCursor): Tuple {
  const { bytes } = cursor;
  const count = cursor.uint16();
  const fields: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const at = cursor.skip(1);
    fields.push(at);
    const kind = bytes[at];
    if (kind === FIELD.binary || kind === FIELD.text) cursor.skip(int32At(bytes, cursor.skip(4)));
    else if (kind !== FIELD.null && kind !== FIELD.unchanged) {
      throw protocolError(`unknown kind ${kind} of a value`);
    }
  }
  return { bytes, fields };
}

function expectByte(cursor: MessageCursor, expected: number): void {
  const found = cursor.uint8();
  if (found !== expected) throw protocolError(`byte ${found} where ${expected} should stand`);
}
