import type { PgOutputMessage, RelationColumn } from '../../connectors/postgres/pgoutput-messages.ts';

/** A value of a row: bytes in text or binary form, NULL, or left out as unchanged. */
export type PlainValue =
  { readonly form: 't' | 'b'; readonly bytes: Uint8Array } | { readonly form: 'n' | 'u' };

export type PlainRow = readonly PlainValue[];

/** Messages with rows as plain values, as a test writes them. */
export type PlainMessage =
  | Exclude<PgOutputMessage, { readonly kind: 'insert' | 'update' | 'delete' }>
  | {
      readonly kind: 'insert';
      readonly xid: number | null;
      readonly relation: number;
      readonly after: PlainRow;
    }
  | {
      readonly kind: 'update';
      readonly xid: number | null;
      readonly relation: number;
      readonly before: { readonly whole: boolean; readonly row: PlainRow } | null;
      readonly after: PlainRow;
    }
  | {
      readonly kind: 'delete';
      readonly xid: number | null;
      readonly relation: number;
      readonly before: { readonly whole: boolean; readonly row: PlainRow };
    };

const EPOCH_US = 946_684_800_000_000n;

function int(value: number | bigint, bytes: 1 | 2 | 4 | 8): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64BE(BigInt.asUintN(64, BigInt(value)));
  return buffer.subarray(8 - bytes);
}

function text(value: string): Buffer {
  return Buffer.from(`${value}\0`);
}

function letter(value: string): Buffer {
  return Buffer.from(value, 'latin1');
}

function time(us: bigint): Buffer {
  return int(us - EPOCH_US, 8);
}

function row(values: PlainRow): Buffer {
  const parts = values.map((value) =>
    'bytes' in value
      ? Buffer.concat([letter(value.form), int(value.bytes.length, 4), value.bytes])
      : letter(value.form),
  );
  return Buffer.concat([int(values.length, 2), ...parts]);
}

function xid(value: number | null): Buffer {
  return value === null ? Buffer.alloc(0) : int(value, 4);
}

function column({ key, name, typeOid, typeModifier }: RelationColumn): Buffer {
  return Buffer.concat([int(key ? 1 : 0, 1), text(name), int(typeOid, 4), int(typeModifier, 4)]);
}

/** The message as pgoutput writes it, straight from the manual's page, one line a message. */
export function encode(m: PlainMessage): Uint8Array {
  return new Uint8Array(Buffer.concat(partsOf(m)));
}

function partsOf(m: PlainMessage): Buffer[] {
  switch (m.kind) {
    case 'begin':
      return [letter('B'), int(m.finalLsn, 8), time(m.committedAtUs), int(m.xid, 4)];
    case 'commit':
      return [letter('C'), int(0, 1), int(m.commitLsn, 8), int(m.endLsn, 8), time(m.committedAtUs)];
    case 'origin':
      return [letter('O'), int(m.lsn, 8), text(m.name)];
    case 'relation':
      return [
        letter('R'),
        xid(m.xid),
        int(m.oid, 4),
        text(m.schema),
        text(m.name),
        letter(m.replicaIdentity),
        int(m.columns.length, 2),
        ...m.columns.map(column),
      ];
    case 'type':
      return [letter('Y'), xid(m.xid), int(m.oid, 4), text(m.schema), text(m.name)];
    case 'insert':
      return [letter('I'), xid(m.xid), int(m.relation, 4), letter('N'), row(m.after)];
    case 'update': {
      const old = m.before === null ? [] : [letter(m.before.whole ? 'O' : 'K'), row(m.before.row)];
      return [letter('U'), xid(m.xid), int(m.relation, 4), ...old, letter('N'), row(m.after)];
    }
    case 'delete':
      return [
        letter('D'),
        xid(m.xid),
        int(m.relation, 4),
        letter(m.before.whole ? 'O' : 'K'),
        row(m.before.row),
      ];
    case 'truncate': {
      const options = (m.cascade ? 1 : 0) + (m.restartIdentity ? 2 : 0);
      const oids = m.relations.map((oid) => int(oid, 4));
      return [letter('T'), xid(m.xid), int(oids.length, 4), int(options, 1), ...oids];
    }
    case 'message':
      return [
        letter('M'),
        xid(m.xid),
        int(m.transactional ? 1 : 0, 1),
        int(m.lsn, 8),
        text(m.prefix),
        int(m.content.length, 4),
        Buffer.from(m.content),
      ];
    default:
      return transactionParts(m);
  }
}

function transactionParts(
  m: Exclude<
    PlainMessage,
    {
      readonly kind:
        | 'begin'
        | 'commit'
        | 'origin'
        | 'relation'
        | 'type'
        | 'insert'
        | 'update'
        | 'delete'
        | 'truncate'
        | 'message';
    }
  >,
): Buffer[] {
  switch (m.kind) {
    case 'stream start':
      return [letter('S'), int(m.xid, 4), int(m.first ? 1 : 0, 1)];
    case 'stream stop':
      return [letter('E')];
    case 'stream commit':
      return [
        letter('c'),
        int(m.xid, 4),
        int(0, 1),
        int(m.commitLsn, 8),
        int(m.endLsn, 8),
        time(m.committedAtUs),
      ];
    case 'stream abort': {
      const parallel =
        m.abortLsn === null || m.abortedAtUs === null ? [] : [int(m.abortLsn, 8), time(m.abortedAtUs)];
      return [letter('A'), int(m.xid, 4), int(m.subxid, 4), ...parallel];
    }
    case 'begin prepare':
    case 'prepare':
    case 'stream prepare': {
      const tag = { 'begin prepare': 'b', prepare: 'P', 'stream prepare': 'p' }[m.kind];
      const flags = m.kind === 'begin prepare' ? [] : [int(0, 1)];
      return [
        letter(tag),
        ...flags,
        int(m.prepareLsn, 8),
        int(m.endLsn, 8),
        time(m.preparedAtUs),
        int(m.xid, 4),
        text(m.gid),
      ];
    }
    case 'commit prepared':
      return [
        letter('K'),
        int(0, 1),
        int(m.commitLsn, 8),
        int(m.endLsn, 8),
        time(m.committedAtUs),
        int(m.xid, 4),
        text(m.gid),
      ];
    default:
      return [
        letter('r'),
        int(0, 1),
        int(m.prepareEndLsn, 8),
        int(m.rollbackEndLsn, 8),
        time(m.preparedAtUs),
        time(m.rolledBackAtUs),
        int(m.xid, 4),
        text(m.gid),
      ];
  }
}
