import type { DigestedRow, RowDigester } from '../ledger/row-digest.ts';
import { WholeRowSink } from '../row/row-sink.ts';
import { int32At } from '../row/stream.ts';

const BUFFER_BYTES = 256 * 1024;

/** A row as the ledger compares it: its identity (FoundRow.key) and its digest. */
export interface ReadDigest {
  readonly identity: Uint8Array;
  readonly row: DigestedRow;
}

/** Digests rows as they arrive, so that of a range only keys and digests are held in memory. */
export class DigestSink extends WholeRowSink {
  readonly rows: ReadDigest[] = [];
  readonly #digester: RowDigester;
  readonly #keyFields: number;

  constructor(digester: RowDigester, keyFields: number) {
    super(BUFFER_BYTES);
    this.#digester = digester;
    this.#keyFields = keyFields;
  }

  protected override row(body: Uint8Array): void {
    this.rows.push({
      identity: identityIn(body, this.#keyFields),
      row: this.#digester.row(body, null),
    });
  }
}

/** The leading fields of a row body: a copy. */
function identityIn(body: Uint8Array, keyFields: number): Uint8Array {
  let at = 2;
  for (let field = 0; field < keyFields; field++) at += 4 + Math.max(0, int32At(body, at));
  return Uint8Array.prototype.slice.call(body, 2, at);
}
