/** Packets and rows as the server sends them (dev.mysql.com/doc/dev/mysql-server, "MySQL Packets", "Binary Protocol Resultset Row"). */

/** A value as it is sent, and what it must become; null is NULL. */
export interface TestValue {
  readonly sent: Uint8Array;
  readonly expected: Uint8Array;
}

/** A length-encoded integer, in any of its forms that can hold it (the protocol does not demand the shortest). */
export function lengthPrefix(length: number, size = 0): Buffer {
  if (length < 251 && size === 0) return Buffer.from([length]);
  if (length < 65_536 && size <= 2) {
    const bytes = Buffer.from([0xfc, 0, 0]);
    bytes.writeUInt16LE(length, 1);
    return bytes;
  }
  if (length < 16_777_216 && size <= 3) {
    const bytes = Buffer.from([0xfd, 0, 0, 0]);
    bytes.writeUIntLE(length, 1, 3);
    return bytes;
  }
  const bytes = Buffer.from([0xfe, 0, 0, 0, 0, 0, 0, 0, 0]);
  bytes.writeBigUInt64LE(BigInt(length), 1);
  return bytes;
}

export function counted(bytes: Uint8Array, size = 0): Buffer {
  return Buffer.concat([lengthPrefix(bytes.length, size), bytes]);
}

/** The payload of a row: 00, the NULL bitmap with its two unused bits, the values that are not NULL. */
export function rowPayload(values: readonly (TestValue | null)[]): Buffer {
  const bitmap = Buffer.alloc((values.length + 9) >> 3);
  values.forEach((value, index) => {
    const bit = index + 2;
    if (value === null) bitmap[bit >> 3] = (bitmap[bit >> 3] ?? 0) | (1 << (bit & 7));
  });
  return Buffer.concat([Buffer.from([0]), bitmap, ...values.map((value) => value?.sent ?? Buffer.alloc(0))]);
}

/** Payloads as packets, numbered from `first` on. */
export function packetsOf(payloads: readonly Uint8Array[], first = 0): Buffer {
  const parts: Uint8Array[] = [];
  let sequence = first;
  for (const payload of payloads) {
    let at = 0;
    let size: number;
    do {
      size = Math.min(0xff_ff_ff, payload.length - at);
      const header = Buffer.alloc(4);
      header.writeUIntLE(size, 0, 3);
      header[3] = sequence & 0xff;
      parts.push(header, payload.subarray(at, at + size));
      at += size;
      sequence++;
    } while (size === 0xff_ff_ff);
  }
  return Buffer.concat(parts);
}

/** The EOF packet at the end of a result: warnings and status. */
export const END = Buffer.from([0xfe, 0, 0, 0, 0]);
