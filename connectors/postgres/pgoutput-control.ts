import { type MessageCursor, protocolError } from './pgoutput-cursor.ts';
import type {
  PgOutputMessage,
  PrepareMessage,
  RollbackPreparedMessage,
  StreamAbortMessage,
} from './pgoutput-messages.ts';

/** Byte1 of each message. */
const TAG = {
  begin: 0x42,
  commit: 0x43,
  origin: 0x4f,
  streamStart: 0x53,
  streamStop: 0x45,
  streamCommit: 0x63,
  streamAbort: 0x41,
  beginPrepare: 0x62,
  prepare: 0x50,
  commitPrepared: 0x4b,
  rollbackPrepared: 0x72,
  streamPrepare: 0x70,
} as const;

/** A message about transactions; `tag` is its first byte. */
export function decodeControl(cursor: MessageCursor, tag: number): PgOutputMessage {
  switch (tag) {
    case TAG.begin: {
      const finalLsn = cursor.uint64();
      return { kind: 'begin', finalLsn, committedAtUs: cursor.timestamp(), xid: cursor.uint32() };
    }
    case TAG.commit: {
      noFlags(cursor);
      const { commitLsn, endLsn, committedAtUs } = commitFields(cursor);
      return { kind: 'commit', commitLsn, endLsn, committedAtUs };
    }
    case TAG.origin:
      return { kind: 'origin', lsn: cursor.uint64(), name: cursor.text() };
    case TAG.streamStart:
      return { kind: 'stream start', xid: cursor.uint32(), first: firstPiece(cursor) };
    case TAG.streamStop:
      return { kind: 'stream stop' };
    case TAG.streamCommit: {
      const xid = cursor.uint32();
      noFlags(cursor);
      return { kind: 'stream commit', xid, ...commitFields(cursor) };
    }
    case TAG.streamAbort:
      return streamAbort(cursor);
    case TAG.beginPrepare:
      return prepared(cursor, 'begin prepare');
    case TAG.prepare:
      noFlags(cursor);
      return prepared(cursor, 'prepare');
    case TAG.streamPrepare:
      noFlags(cursor);
      return prepared(cursor, 'stream prepare');
    case TAG.commitPrepared:
      noFlags(cursor);
      return {
        kind: 'commit prepared',
        ...commitFields(cursor),
        xid: cursor.uint32(),
        gid: cursor.text(),
      };
    case TAG.rollbackPrepared:
      noFlags(cursor);
      return rollbackPrepared(cursor);
    default:
      throw protocolError(`no message starts with byte ${tag}`);
  }
}

function commitFields(cursor: MessageCursor): {
  readonly commitLsn: bigint;
  readonly endLsn: bigint;
  readonly committedAtUs: bigint;
} {
  const commitLsn = cursor.uint64();
  const endLsn = cursor.uint64();
  return { commitLsn, endLsn, committedAtUs: cursor.timestamp() };
}

function prepared(cursor: MessageCursor, kind: PrepareMessage['kind']): PrepareMessage {
  const prepareLsn = cursor.uint64();
  const endLsn = cursor.uint64();
  const preparedAtUs = cursor.timestamp();
  return { kind, prepareLsn, endLsn, preparedAtUs, xid: cursor.uint32(), gid: cursor.text() };
}

function rollbackPrepared(cursor: MessageCursor): RollbackPreparedMessage {
  const prepareEndLsn = cursor.uint64();
  const rollbackEndLsn = cursor.uint64();
  const preparedAtUs = cursor.timestamp();
  const rolledBackAtUs = cursor.timestamp();
  const xid = cursor.uint32();
  return {
    kind: 'rollback prepared',
    prepareEndLsn,
    rollbackEndLsn,
    preparedAtUs,
    rolledBackAtUs,
    xid,
    gid: cursor.text(),
  };
}

/** The last two fields stand there only when streaming is `parallel` (protocol version 4). */
function streamAbort(cursor: MessageCursor): StreamAbortMessage {
  const xid = cursor.uint32();
  const subxid = cursor.uint32();
  if (cursor.at === cursor.bytes.length) {
    return { kind: 'stream abort', xid, subxid, abortLsn: null, abortedAtUs: null };
  }
  return {
    kind: 'stream abort',
    xid,
    subxid,
    abortLsn: cursor.uint64(),
    abortedAtUs: cursor.timestamp(),
  };
}

function firstPiece(cursor: MessageCursor): boolean {
  const flag = cursor.uint8();
  if (flag > 1) throw protocolError(`unknown flag ${flag} of a streamed piece`);
  return flag === 1;
}

/** "Flags; currently unused." One that is set would mean something that nobody here knows. */
function noFlags(cursor: MessageCursor): void {
  const flags = cursor.uint8();
  if (flags !== 0) throw protocolError(`unknown flags ${flags} of a commit`);
}
