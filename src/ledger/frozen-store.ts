import type { Transaction } from 'lmdb';
import { ByteReader, ByteWriter, MalformedBytes } from './bytes.ts';
import type { Store } from './store.ts';

const KEYS_PER_PAGE = 4096;

/** What is copied, by the number that stands for it. The dirty keys of candidates are not: they go with their proofs. */
const TABLES = ['index', 'unread', 'meta'] as const;
type TableName = (typeof TABLES)[number];

/** What `meta` has of candidates, and of mirroring itself, is nobody else's. */
const OWN = /^(?:candidate:|proof:|known:(?:lag|ownlog|differences):|mirror(?::|$)|rebuilt$)/;
const NOTED = /^(?:witness$|known:)/;

/** Whether `meta` has under this name what is known of the primary beside rows and commits. */
export function isNoted(name: string): boolean {
  return NOTED.test(name) && !OWN.test(name);
}

/** Everything that is, by name. */
export function notesOf(store: Store, transaction?: Transaction): Map<string, Buffer> {
  const notes = new Map<string, Buffer>();
  const within = transaction === undefined ? {} : { transaction };
  for (const [start, end] of [
    ['known:', 'known;'],
    ['witness', 'witness\0'],
  ] as const) {
    const range = { start: Buffer.from(start), end: Buffer.from(end), ...within };
    for (const { key, value } of store.meta.getRange(range)) {
      const name = key.toString('utf8');
      if (isNoted(name)) notes.set(name, value);
    }
  }
  return notes;
}

export interface CopiedEntry {
  readonly table: TableName;
  readonly key: Buffer;
  readonly value: Buffer;
}

/** A store as it was at one moment, while it goes on. `done` must be called: until then its file only grows. */
export class FrozenStore {
  readonly #store: Store;
  readonly #transaction: Transaction;
  #done = false;

  constructor(store: Store) {
    this.#store = store;
    this.#transaction = store.frozen();
  }

  notes(): Map<string, Buffer> {
    return notesOf(this.#store, this.#transaction);
  }

  /** Everything that is copied, in pages of about `bytesMax`, each with how many entries it has. */
  *pages(bytesMax: number): Generator<{ readonly bytes: Buffer; readonly entries: number }> {
    for (const [number, table] of TABLES.entries()) {
      let writer = new ByteWriter(bytesMax);
      let entries = 0;
      for (const { key, value } of this.#all(table)) {
        if (table === 'meta' && OWN.test(key.toString('utf8'))) continue;
        if (entries > 0 && writer.length + key.length + value.length + FRAME_BYTES_MAX > bytesMax) {
          yield { bytes: writer.written(), entries };
          writer = new ByteWriter(bytesMax);
          entries = 0;
        }
        if (entries++ === 0) writer.byte(number);
        writer.framed(key);
        writer.framed(value);
      }
      if (entries > 0) yield { bytes: writer.written(), entries };
    }
  }

  done(): void {
    if (this.#done) return;
    this.#done = true;
    this.#transaction.done();
  }

  *#all(table: TableName): Generator<{ key: Buffer; value: Buffer }> {
    let start = Buffer.alloc(0);
    for (;;) {
      const page = this.#page(table, start);
      yield* page;
      const last = page.at(-1)?.key;
      if (last === undefined || page.length < KEYS_PER_PAGE) return;
      start = Buffer.concat([last, Buffer.of(0)]);
    }
  }

  #page(table: TableName, start: Buffer): { key: Buffer; value: Buffer }[] {
    const options = { limit: KEYS_PER_PAGE, transaction: this.#transaction };
    return [...this.#store[table].getRange(start.length === 0 ? options : { ...options, start })];
  }
}

/** Lengths of key and value. */
const FRAME_BYTES_MAX = 16;

/** What stands in one page. Views. Throws MalformedBytes for what is none. */
export function* readPage(bytes: Buffer): Generator<CopiedEntry> {
  const reader = new ByteReader(bytes);
  const table = TABLES[reader.byte()];
  if (table === undefined) throw new MalformedBytes('a page of an unknown table');
  while (reader.at < reader.end) yield { table, key: reader.framed(), value: reader.framed() };
}
