import type { MysqlParameter } from './wire-row.ts';

/**
 * The commands of prepared statements (dev.mysql.com/doc/dev/mysql-server, "COM_STMT_PREPARE", "COM_STMT_EXECUTE",
 * "COM_STMT_CLOSE"; the same in MariaDB). Query attributes are not negotiated (login.ts), so parameters have no names.
 */
const COM_STMT_PREPARE = 0x16;
const COM_STMT_EXECUTE = 0x17;
const COM_STMT_CLOSE = 0x19;

const PAYLOAD_MAX = 0xff_ff_ff;
export const PARAMETERS_MAX = 65_535;

/** Types of parameters, with the flag that says unsigned (include/field_types.h). */
const TYPES: Readonly<Record<MysqlParameter['kind'], readonly [number, number]>> = {
  null: [6, 0],
  signed: [8, 0],
  unsigned: [8, 0x80],
  float: [4, 0],
  double: [5, 0],
  bytes: [252, 0],
  text: [253, 0],
  decimal: [246, 0],
  date: [10, 0],
  datetime: [12, 0],
  time: [11, 0],
};

/** A command as it goes to the server, and as how many packets. */
export interface Command {
  readonly bytes: Buffer;
  readonly packets: number;
}

export function prepareCommand(sql: string): Command {
  return framed(Buffer.concat([Buffer.from([COM_STMT_PREPARE]), Buffer.from(sql, 'utf8')]));
}

/** Has no answer. */
export function closeCommand(statement: number): Command {
  return framed(Buffer.concat([Buffer.from([COM_STMT_CLOSE]), uint32(statement)]));
}

/** Without a cursor: the rows follow at once. Throws RangeError for more parameters than the protocol can number. */
export function executeCommand(statement: number, parameters: readonly MysqlParameter[]): Command {
  if (parameters.length > PARAMETERS_MAX) throw new RangeError(`${parameters.length} parameters`);
  const noCursor = 0;
  const iterations = 1;
  const head = Buffer.concat([
    Buffer.from([COM_STMT_EXECUTE]),
    uint32(statement),
    Buffer.from([noCursor]),
    uint32(iterations),
  ]);
  if (parameters.length === 0) return framed(head);
  const nulls = Buffer.alloc((parameters.length + 7) >> 3);
  parameters.forEach(({ kind }, index) => {
    if (kind === 'null') nulls[index >> 3] = (nulls[index >> 3] ?? 0) | (1 << (index & 7));
  });
  const typesFollow = Buffer.from([1]);
  const types = Buffer.from(parameters.flatMap(({ kind }) => [...TYPES[kind]]));
  return framed(Buffer.concat([head, nulls, typesFollow, types, ...parameters.map(valueOf)]));
}

function valueOf(parameter: MysqlParameter): Buffer {
  switch (parameter.kind) {
    case 'null':
      return Buffer.alloc(0);
    case 'signed':
    case 'unsigned': {
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64LE(BigInt.asUintN(64, parameter.value));
      return bytes;
    }
    case 'float':
    case 'double':
      return Buffer.from(parameter.value);
    case 'text':
    case 'decimal':
      return counted(Buffer.from(parameter.value, 'utf8'));
    default:
      return counted(parameter.value);
  }
}

/** Bytes with their number in front ("Length-Encoded Integer Type"); that of a date or time is one byte too. */
function counted(bytes: Uint8Array): Buffer {
  const { length } = bytes;
  if (length < 0xfb) return Buffer.concat([Buffer.from([length]), bytes]);
  if (length <= 0xff_ff) return Buffer.concat([Buffer.from([0xfc, length & 0xff, length >> 8]), bytes]);
  const prefix = Buffer.alloc(9);
  prefix[0] = 0xfe;
  prefix.writeUInt32LE(length, 1);
  return Buffer.concat([prefix, bytes]);
}

/** Packets of at most 16 MiB − 1; a full one is followed by another, be it empty ("MySQL Packets"). */
function framed(payload: Buffer): Command {
  const parts: Buffer[] = [];
  let at = 0;
  let packets = 0;
  for (;;) {
    const part = payload.subarray(at, at + PAYLOAD_MAX);
    parts.push(uint32(part.length | ((packets & 0xff) << 24)), part);
    packets++;
    at += part.length;
    if (part.length < PAYLOAD_MAX) return { bytes: Buffer.concat(parts), packets };
  }
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
}
