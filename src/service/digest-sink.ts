import type { RowSink } from '../connector/contract.ts';
import type { DigestedRow, RowDigester } from '../ledger/row-digest.ts';
import { int32At, MESSAGE_HEADER_BYTES, ROW_PIECE_TAG, ROW_TAG } from '../row/stream.ts';

const BUFFER_BYTES = 256 * 1024;

/** A row as the ledger compares it: its identity (FoundRow.key) and its digest. */
export interface ReadDigest {
  readonly identity: Uint8Array;
  readonly row: DigestedRow;
}

/** Digests rows as they arrive, so that of a range only keys and digests are held in memory. */
export class DigestSink implements RowSink {
  readonly rows: ReadDigest[] = [];
  readonly #digester: RowDigester;
  readonly #keyFields: number;
  #buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  #filled = 0;
  /** Of a row whose end is still to come. */
  #pieces: Uint8Array[] = [];

  constructor(digester: RowDigester, keyFields: number) {
    this.#digester = digester;
    this.#keyFields = keyFields;
  }

  space(): Uint8Array {
    if (this.#filled === this.#buffer.length) {
      const larger = Buffer.allocUnsafe(this.#buffer.length * 2);
      this.#buffer.copy(larger);
      this.#buffer = larger;
    }
    return this.#buffer.subarray(this.#filled);
  }

  take(length: number): Uint8Array | null {
    this.#filled += length;
    let at = 0;
    let other: Uint8Array | null = null;
    while (other === null && at + MESSAGE_HEADER_BYTES <= this.#filled) {
      const end = at + 1 + this.#buffer.readUInt32BE(at + 1);
      if (end > this.#filled) break;
      const tag = this.#buffer[at];
      const body = this.#buffer.subarray(at + MESSAGE_HEADER_BYTES, end);
      if (tag === ROW_TAG) this.#digest(body);
      else if (tag === ROW_PIECE_TAG) this.#piece(body);
      else other = Uint8Array.prototype.slice.call(this.#buffer, at, end);
      at = end;
    }
    if (at > 0) {
      this.#buffer.copyWithin(0, at, this.#filled);
      this.#filled -= at;
    }
    return other;
  }

  #digest(body: Uint8Array): void {
    this.rows.push({
      identity: identityIn(body, this.#keyFields),
      row: this.#digester.row(body, null),
    });
  }

  #piece(piece: Uint8Array): void {
    if (piece.length > 0) {
      this.#pieces.push(Uint8Array.prototype.slice.call(piece));
      return;
    }
    this.#digest(Buffer.concat(this.#pieces));
    this.#pieces = [];
  }
}

/** The leading fields of a row body: a copy. */
function identityIn(body: Uint8Array, keyFields: number): Uint8Array {
  let at = 2;
  for (let field = 0; field < keyFields; field++) at += 4 + Math.max(0, int32At(body, at));
  return Uint8Array.prototype.slice.call(body, 2, at);
}
