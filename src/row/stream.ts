/**
 * The row stream: the one form in which rows travel from a connector to the digest core.
 *
 *   message = tag (1 byte) length (4 bytes, big endian, counting itself and the body, not the tag) body
 *   row     = a message with tag `D`; body = column count (2 bytes, big endian), then for every column its
 *             length (4 bytes, big endian, −1 for NULL) and that many bytes
 *   piece   = a message with tag 1; body = the next bytes of the body of a row whose length is not known before its end
 *             is there, at most 128 KiB at a time, the identity within the first; a piece of no bytes ends the row
 *
 * A row in pieces has the digest that it would have whole. Messages with another tag are the connector's own and never enter a digest. This is the framing of PostgreSQL's
 * frontend/backend protocol (manual, "Message Formats": DataRow), chosen because rows then go from the socket into
 * the kernel without being touched; it frames NULL apart from the empty string and counts the columns.
 */
export const ROW_TAG = 0x44;
export const ROW_PIECE_TAG = 0x01;
export const MESSAGE_HEADER_BYTES = 5;
export const NULL_LENGTH = -1;

/** The fields of a row body; null is NULL. The views share memory with `body`. */
export function fieldsOf(body: Uint8Array): (Uint8Array | null)[] {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const count = view.getInt16(0);
  return readFields(view, body, 2, count);
}

/** The fields of an identity: fields without a leading count, as FoundRow.key holds them. */
export function keyFieldsOf(key: Uint8Array): (Uint8Array | null)[] {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  return readFields(view, key, 0, Number.MAX_SAFE_INTEGER);
}

function readFields(view: DataView, bytes: Uint8Array, start: number, count: number): (Uint8Array | null)[] {
  const fields: (Uint8Array | null)[] = [];
  let at = start;
  while (fields.length < count && at < bytes.length) {
    const length = view.getInt32(at);
    at += 4;
    if (length === NULL_LENGTH) {
      fields.push(null);
    } else {
      fields.push(bytes.subarray(at, at + length));
      at += length;
    }
  }
  return fields;
}

/** Fields, each with its length, as an identity stands in the stream. */
export function frameFields(fields: readonly (Uint8Array | null)[]): Uint8Array {
  let size = 0;
  for (const field of fields) size += 4 + (field?.length ?? 0);
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const field of fields) {
    putInt32(bytes, at, field === null ? NULL_LENGTH : field.length);
    at += 4;
    if (field !== null) {
      bytes.set(field, at);
      at += field.length;
    }
  }
  return bytes;
}

/** A row's body: the column count, then its fields. */
export function frameRow(fields: readonly (Uint8Array | null)[]): Uint8Array {
  const framed = frameFields(fields);
  const body = new Uint8Array(2 + framed.length);
  body[0] = fields.length >> 8;
  body[1] = fields.length;
  body.set(framed, 2);
  return body;
}

/** A row as a message of the stream. */
export function frameMessage(body: Uint8Array): Uint8Array {
  const message = new Uint8Array(MESSAGE_HEADER_BYTES + body.length);
  message[0] = ROW_TAG;
  putInt32(message, 1, 4 + body.length);
  message.set(body, MESSAGE_HEADER_BYTES);
  return message;
}

function putInt32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 24;
  bytes[at + 1] = value >> 16;
  bytes[at + 2] = value >> 8;
  bytes[at + 3] = value;
}

/** Four bytes, big endian, signed: without a view, which would cost more than the reading. */
export function int32At(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] ?? 0) << 24) |
    ((bytes[at + 1] ?? 0) << 16) |
    ((bytes[at + 2] ?? 0) << 8) |
    (bytes[at + 3] ?? 0)
  );
}
