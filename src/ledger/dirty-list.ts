import { OFFSET_BYTES } from './bytes.ts';
import { RELATION_BYTES } from './key.ts';
import type { Store } from './store.ts';

const NUMBER_BYTES = 2;
const KEYS_PER_COMMIT = 16_384;

/** A key that may differ, and the place of its last change. */
export interface DirtyKey {
  /** Relation and key in the order of the store. */
  readonly stored: Buffer;
  readonly changedAt: number;
}

/** Keys of one relation, fields in the order of the store; null: open. `to` is outside. */
export interface KeyBounds {
  readonly from: Buffer | null;
  readonly to: Buffer | null;
}

/**
 * The dirty keys that are written down, each with the place of its last change, by the number of the candidate. What
 * changes it is to be called within a transaction of the store, `erase` apart.
 */
export class DirtyList {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  put(number: number, stored: Buffer, changedAt: number): void {
    const bytes = Buffer.alloc(OFFSET_BYTES);
    bytes.writeUIntBE(changedAt, 0, OFFSET_BYTES);
    this.#store.dirty.putSync(dirtyKey(number, stored), bytes);
  }

  remove(number: number, stored: Buffer): void {
    this.#store.dirty.removeSync(dirtyKey(number, stored));
  }

  has(number: number, stored: Buffer): boolean {
    return this.#store.dirty.doesExist(dirtyKey(number, stored));
  }

  /** The place of a key's last change; null: it is not listed. */
  placeOf(number: number, stored: Buffer): number | null {
    const place = this.#store.dirty.get(dirtyKey(number, stored));
    return place === undefined ? null : decodePlace(place);
  }

  count(number: number): number {
    return this.#store.dirty.getKeysCount({ start: numberPrefix(number), end: numberPrefix(number + 1) });
  }

  /** In the order of the store, behind `after`; null: from the first one on. */
  page(number: number, after: Buffer | null, limit: number): DirtyKey[] {
    const start =
      after === null ? numberPrefix(number) : Buffer.concat([dirtyKey(number, after), Buffer.of(0)]);
    return this.#between(start, numberPrefix(number + 1), limit);
  }

  /** Every key, in order. */
  *all(number: number): Generator<DirtyKey> {
    let after: Buffer | null = null;
    for (;;) {
      const page = this.page(number, after, KEYS_PER_COMMIT);
      yield* page;
      after = page.at(-1)?.stored ?? null;
      if (after === null || page.length < KEYS_PER_COMMIT) return;
    }
  }

  within(number: number, relation: number, { from, to }: KeyBounds): DirtyKey[] {
    return this.#between(
      dirtyKey(number, bound(relation, from, 0)),
      dirtyKey(number, bound(relation, to, 1)),
    );
  }

  /** Everything of a candidate; or of one relation only. */
  erase(number: number, relation: number | null = null): void {
    const start = relation === null ? numberPrefix(number) : dirtyKey(number, bound(relation, null, 0));
    const end = relation === null ? numberPrefix(number + 1) : dirtyKey(number, bound(relation, null, 1));
    const { dirty } = this.#store;
    for (;;) {
      const keys = [...dirty.getKeys({ start, end, limit: KEYS_PER_COMMIT })];
      if (keys.length === 0) return;
      this.#store.transaction(() => {
        for (const key of keys) dirty.removeSync(key);
      });
    }
  }

  #between(start: Buffer, end: Buffer, limit?: number): DirtyKey[] {
    const range = this.#store.dirty.getRange({ start, end, ...(limit === undefined ? {} : { limit }) });
    return [...range].map(({ key, value }) => ({
      stored: key.subarray(NUMBER_BYTES),
      changedAt: decodePlace(value),
    }));
  }
}

function numberPrefix(number: number): Buffer {
  const bytes = Buffer.alloc(NUMBER_BYTES);
  bytes.writeUInt16BE(number);
  return bytes;
}

function dirtyKey(number: number, stored: Buffer): Buffer {
  return Buffer.concat([numberPrefix(number), stored]);
}

function bound(relation: number, fields: Buffer | null, step: number): Buffer {
  const bytes = Buffer.alloc(RELATION_BYTES);
  bytes.writeUInt32BE(relation + (fields === null ? step : 0));
  return fields === null ? bytes : Buffer.concat([bytes, fields]);
}

function decodePlace(bytes: Buffer): number {
  return bytes.readUIntBE(0, OFFSET_BYTES);
}
