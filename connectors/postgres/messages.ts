/**
 * The few frontend messages that a binary read needs. Layouts: PostgreSQL manual, chapter "Frontend/Backend Protocol",
 * section "Message Formats" (Parse, Bind, Execute, Flush, Sync; ErrorResponse, ReadyForQuery).
 */

/** A parameter in binary form with the type it has; null is NULL. */
export interface BinaryParameter {
  readonly typeOid: number;
  readonly value: Uint8Array | null;
}

const BINARY_FORMAT = 1;

/**
 * Parse, Bind, Flush, Execute, Sync as one write. The Flush makes the server send BindComplete at once: the snapshot
 * of the query is taken in Bind, so its arrival tells that the snapshot stands.
 */
export function binaryQuery(sql: string, parameters: readonly BinaryParameter[]): Buffer {
  const text = Buffer.from(sql, 'utf8');
  if (text.includes(0)) throw new RangeError('a query cannot contain a zero byte');
  const parse = message(0x50, [
    Buffer.from([0]),
    text,
    Buffer.from([0]),
    int16(parameters.length),
    ...parameters.map((parameter) => int32(parameter.typeOid)),
  ]);
  const bind = message(0x42, [
    Buffer.from([0, 0]),
    int16(1),
    int16(BINARY_FORMAT),
    int16(parameters.length),
    ...parameters.flatMap(({ value }) => (value === null ? [int32(-1)] : [int32(value.length), value])),
    int16(1),
    int16(BINARY_FORMAT),
  ]);
  const execute = message(0x45, [Buffer.from([0]), int32(0)]);
  return Buffer.concat([parse, bind, message(0x48, []), execute, message(0x53, [])]);
}

function message(tag: number, parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const head = Buffer.alloc(5);
  head[0] = tag;
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value | 0);
  return bytes;
}

/** Tags of backend messages. */
export const BACKEND = {
  bindComplete: 0x32,
  errorResponse: 0x45,
  readyForQuery: 0x5a,
} as const;

/** The fields of an ErrorResponse by their letter: C is the SQLSTATE, M the primary message (localised). */
export function errorFields(whole: Uint8Array): Readonly<Record<string, string>> {
  const fields: Record<string, string> = {};
  let at = 5;
  while (at < whole.length && whole[at] !== 0) {
    const letter = String.fromCharCode(whole[at] ?? 0);
    const end = whole.indexOf(0, at + 1);
    if (end < 0) break;
    fields[letter] = Buffer.from(whole.subarray(at + 1, end)).toString('utf8');
    at = end + 1;
  }
  return fields;
}

/** A one-dimensional array of `elements` in binary form (`array_recv`: dimensions, NULL flag, element type, …). */
export function binaryArray(elementOid: number, elements: readonly (Uint8Array | null)[]): Buffer {
  const hasNull = elements.includes(null) ? 1 : 0;
  if (elements.length === 0) return Buffer.concat([int32(0), int32(0), int32(elementOid)]);
  const head = Buffer.concat([1, hasNull, elementOid, elements.length, 1].map((value) => int32(value)));
  let size = head.length;
  for (const element of elements) size += 4 + (element?.length ?? 0);
  const array = Buffer.alloc(size);
  head.copy(array);
  let at = head.length;
  for (const element of elements) {
    array.writeInt32BE(element?.length ?? -1, at);
    if (element !== null) array.set(element, at + 4);
    at += 4 + (element?.length ?? 0);
  }
  return array;
}
