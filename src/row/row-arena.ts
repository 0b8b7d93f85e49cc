const CHUNK_BYTES = 262_144;

/** Memory for rows: pieces of large chunks, each given out once. */
export class RowArena {
  #chunk = new Uint8Array(0);
  #used = 0;

  space(length: number): Uint8Array {
    if (length > CHUNK_BYTES / 4) return new Uint8Array(length);
    if (this.#used + length > this.#chunk.length) {
      this.#chunk = new Uint8Array(CHUNK_BYTES);
      this.#used = 0;
    }
    const start = this.#used;
    this.#used += length;
    // `subarray` takes half as long again.
    return new Uint8Array(this.#chunk.buffer, start, length);
  }
}
