import { z } from 'zod';
import type { Store } from './store.ts';

const NAME = 'mirror';
const COPY = 'mirror:copy';
const DRAWN = 'mirror:drawn';

const big = z.string().transform((text) => BigInt(text));
const stateSchema = z.object({
  topic: z.string(),
  epoch: z.string(),
  /** Why the epoch began, in words, and when, microseconds on the watcher's clock. */
  reason: z.string(),
  begunAtUs: big,
  /** In the topic: where the epoch begins, and behind its last record. */
  first: big,
  offset: big,
  /** Records of the epoch so far. */
  number: z.int(),
  /** The journal before it is mirrored; the link there, hexadecimal, where that is behind a transaction. */
  at: z.int(),
  link: z.string().nullable(),
  /** Copies of the index so far, and from where of the journal on the last whole one stands for it; null: none is whole. */
  copies: z.int(),
  copyTo: z.int().nullable(),
  sentAtUs: big,
  /** Everything that the ledger had by then could be rebuilt; null: nothing could. */
  reachedAtUs: big.nullable().default(null),
});
const drawnSchema = z.object({ epoch: z.string() });
const troubleSchema = z.object({ code: z.string(), message: z.string(), sinceUs: big });
const copySchema = z.object({ complete: z.array(z.int()).readonly(), unread: z.int() });

/** How far a ledger is mirrored. */
export type MirrorState = z.infer<typeof stateSchema>;
/** Why it is not at present. */
export type MirrorTrouble = z.infer<typeof troubleSchema>;
/** What the last whole copy of the index has. */
export type MirrorCopyState = Readonly<z.infer<typeof copySchema>>;

/** Of a ledger that is or was mirrored. Reading throws MalformedBytes for what this program did not write. */
export class MirrorStates {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Null: it never was. */
  read(): MirrorState | null {
    return this.#store.read(NAME, stateSchema);
  }

  copy(): MirrorCopyState | null {
    return this.#store.read(COPY, copySchema);
  }

  trouble(): MirrorTrouble | null {
    return this.#store.read(`${NAME}:trouble`, troubleSchema);
  }

  write(state: MirrorState): void {
    this.#write(NAME, {
      ...state,
      begunAtUs: state.begunAtUs.toString(),
      first: state.first.toString(),
      offset: state.offset.toString(),
      sentAtUs: state.sentAtUs.toString(),
      reachedAtUs: state.reachedAtUs?.toString() ?? null,
    });
  }

  /** The epoch that was drawn last: it may have begun without its being noted. Null: none was. */
  drawn(): string | null {
    return this.#store.read(DRAWN, drawnSchema)?.epoch ?? null;
  }

  writeDrawn(epoch: string): void {
    this.#write(DRAWN, { epoch });
  }

  writeCopy(copy: MirrorCopyState): void {
    this.#write(COPY, copy);
  }

  writeTrouble(trouble: MirrorTrouble | null): void {
    const name = `${NAME}:trouble`;
    if (trouble !== null) this.#write(name, { ...trouble, sinceUs: trouble.sinceUs.toString() });
    else this.#store.transaction(() => this.#store.erase(name));
  }

  #write(name: string, value: object): void {
    this.#store.transaction(() => this.#store.write(name, value));
  }
}

/** Whether a ledger could be rebuilt from what is there. */
export function isWholeMirror({ copyTo, at }: MirrorState): boolean {
  return copyTo !== null && at >= copyTo;
}
