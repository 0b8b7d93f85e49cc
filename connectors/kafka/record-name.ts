import type { IHeaders, KafkaMessage } from 'kafkajs';
import { lane, SEED_1, SEED_2 } from '../../src/digest/digest.ts';
import { RowWriter } from './row-writer.ts';

const laneBytes = Buffer.alloc(16);
const lanes = new DataView(laneBytes.buffer, laneBytes.byteOffset, laneBytes.length);

/** Names records by what they hold; keeps its own scratch memory. */
export class RecordNamer {
  readonly #out = new RowWriter();

  /**
   * Two lanes of xxh64 over key, value, time stamp and headers as 16 characters of one byte each. Every part stands behind its
   * length, −1 for none: a key and a value are not the same as one longer key.
   */
  nameOf({ key, value, headers, timestamp }: KafkaMessage): string {
    const out = this.#out;
    this.#part(key);
    this.#part(value);
    out.begin();
    out.ascii(timestamp);
    out.end();
    if (headers !== undefined) this.#headers(headers);
    const bytes = out.view();
    // A view writes 64 bits at once; a Buffer's own method takes them apart.
    lanes.setBigUint64(0, lane(bytes, SEED_1));
    lanes.setBigUint64(8, lane(bytes, SEED_2));
    out.cut(0);
    return laneBytes.toString('latin1');
  }

  #headers(headers: IHeaders): void {
    for (const name in headers) {
      const given = headers[name];
      for (const one of Array.isArray(given) ? given : [given]) {
        this.#part(Buffer.from(name));
        this.#part(typeof one === 'string' ? Buffer.from(one) : (one ?? null));
      }
    }
  }

  #part(bytes: Uint8Array | null): void {
    const out = this.#out;
    if (bytes === null) {
      out.null();
      return;
    }
    out.begin();
    out.put(bytes);
    out.end();
  }
}
