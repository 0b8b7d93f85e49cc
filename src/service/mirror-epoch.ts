import type { Timing } from '../compare/timing.ts';
import { TwinproofError } from '../errors.ts';
import { FrozenStore } from '../ledger/frozen-store.ts';
import {
  encodeJournal,
  encodeNote,
  encodeValue,
  MIRROR_BODY_MAX,
  MIRRORED,
  noteChange,
} from '../ledger/mirror-record.ts';
import type { MirrorSender } from '../ledger/mirror-sender.ts';
import {
  type IndexSigns,
  journalPiece,
  type MirroredState,
  mirroredState,
  outgrown,
  signsOf,
} from '../ledger/mirror-source.ts';
import type { MirrorState, MirrorStates } from '../ledger/mirror-state.ts';
import type { WatchedLedger } from './watched-ledger.ts';

const SIGN_OF_LIFE_US = 60_000_000n;
/** From one copy to the next it takes so many times what the last one took, and so long at least. */
const COPY_RESTS = 20;
const COPY_REST_MS = 5000;
/** A long way behind, how far it has come is noted after so many bytes. */
const NOTE_EVERY_BYTES = 32 * 1024 * 1024;

export interface EpochParts {
  readonly watched: WatchedLedger;
  readonly states: MirrorStates;
  readonly timing: Timing;
}

/** The journal has been pruned before it was sent. */
export class Overtaken extends TwinproofError {
  constructor() {
    super('TP-LEDGER-MIRROR', {
      message: 'the journal was pruned before it was mirrored',
      hint: 'the mirror begins anew by itself; raise ledger.retention if the brokers are away for long',
      retryable: true,
    });
  }
}

/** Does something with the ledger while nobody takes events or flushes; nothing once `signal` is aborted: it may be closed. */
export function withLedger<T>(watched: WatchedLedger, signal: AbortSignal, action: () => T): Promise<T> {
  return watched.exclusive.run(() => {
    signal.throwIfAborted();
    return action();
  });
}

/** One beginning of a mirror and what follows it: a copy of the index, the journal, and what is noted beside it. */
export class MirrorEpoch {
  readonly #parts: EpochParts;
  readonly #sender: MirrorSender;
  #state: MirrorState;
  /** The journal before it was handed over to be sent. */
  #at: number;
  /** What was sent last of each note; of one that is not here, all of it is sent. */
  #noted = new Map<string, Buffer>();
  /** What the last copy has, but for unread rows: how many there were last. */
  #copied: IndexSigns;
  #needsCopy = false;
  #copyAtMs = -Infinity;

  /** `copied`: what the last whole copy of this epoch has; null: there is none. */
  constructor(parts: EpochParts, sender: MirrorSender, state: MirrorState, copied: IndexSigns | null) {
    this.#parts = parts;
    this.#sender = sender;
    this.#state = state;
    this.#at = state.at;
    this.#copied = copied ?? { complete: [], unread: 0 };
    this.#needsCopy = copied === null;
  }

  get state(): MirrorState {
    return this.#state;
  }

  /** Sends what has come to the ledger since the last round. Throws Overtaken, and what sending throws. */
  async round(signal: AbortSignal): Promise<void> {
    if (this.#needsCopy && this.#parts.timing.now() >= this.#copyAtMs) await this.#copy(signal);
    const now = await this.#withLedger(signal, (core) => mirroredState(core));
    if (now === null) return;
    if (outgrown(this.#copied, now.signs)) this.#needsCopy = true;
    this.#copied = { ...this.#copied, unread: now.signs.unread };
    const moved = await this.#sendJournal(now.at, signal);
    const noted = await this.#sendNotes(now);
    const atUs = this.#nowUs();
    if (!moved && !noted && atUs - this.#state.sentAtUs < SIGN_OF_LIFE_US) return;
    const { at, link, start, notes } = now;
    const names = [...notes.keys()];
    await this.#sender.add(MIRRORED.reached, encodeValue({ at, link, start, names, atUs }));
    await this.#sender.flush();
    await this.#note({ at, link }, signal);
  }

  /** Up to `to`; true: there was something. */
  async #sendJournal(to: number, signal: AbortSignal): Promise<boolean> {
    const moved = this.#at < to;
    while (this.#at < to) {
      signal.throwIfAborted();
      const piece = journalPiece(this.#parts.watched.ledger.core, this.#at, to);
      if (piece === null) throw new Overtaken();
      if (piece.head !== null) await this.#sender.add(MIRRORED.file, piece.head);
      await this.#sender.add(MIRRORED.journal, encodeJournal(this.#at, piece.bytes));
      this.#at += piece.bytes.length;
      if (this.#at - this.#state.at < NOTE_EVERY_BYTES) continue;
      await this.#sender.flush();
      await this.#note({ at: this.#at, link: null }, signal);
    }
    return moved;
  }

  /** What changed of it; true: something did, or is not noted any more. */
  async #sendNotes({ notes }: MirroredState): Promise<boolean> {
    const gone = [...this.#noted.keys()].filter((name) => !notes.has(name));
    for (const name of gone) this.#noted.delete(name);
    let some = gone.length > 0;
    for (const [name, value] of notes) {
      const before = this.#noted.get(name) ?? null;
      if (before?.equals(value) === true) continue;
      some = true;
      for (const piece of encodeNote(noteChange(name, before, value)))
        await this.#sender.add(MIRRORED.note, piece);
      this.#noted.set(name, value);
    }
    return some;
  }

  /**
   * Sends the index as it is between two transactions: what is in it by then stands in the journal before that place, so
   * it counts once that is there. Meanwhile the ledger goes on.
   */
  async #copy(signal: AbortSignal): Promise<void> {
    const { timing, states } = this.#parts;
    const startedMs = timing.now();
    const number = this.#state.copies + 1;
    const frozen = await orAborted(this.#frozen(signal), signal);
    try {
      await orAborted(this.#sendCopy(frozen, number, signal), signal);
      this.#noted = frozen.store.notes();
    } finally {
      frozen.store.done();
    }
    this.#copied = frozen.signs;
    this.#needsCopy = false;
    this.#copyAtMs = timing.now() + Math.max(COPY_REST_MS, COPY_RESTS * (timing.now() - startedMs));
    await this.#withLedger(signal, () => states.writeCopy(frozen.signs));
    await this.#note({ copies: number, copyTo: frozen.to }, signal);
  }

  async #sendCopy({ store, to }: Frozen, number: number, signal: AbortSignal): Promise<void> {
    await this.#sender.add(MIRRORED.copy, encodeValue({ number, to }));
    let entries = 0;
    for (const page of store.pages(MIRROR_BODY_MAX)) {
      await this.#sender.add(MIRRORED.rows, page.bytes);
      signal.throwIfAborted();
      entries += page.entries;
    }
    await this.#sender.add(MIRRORED.copied, encodeValue({ number, entries }));
    await this.#sender.flush();
  }

  async #frozen(signal: AbortSignal): Promise<Frozen> {
    const { watched } = this.#parts;
    const { core } = watched.ledger;
    const made: Frozen[] = [];
    await watched.between(() => {
      if (signal.aborted) return;
      made.push({ store: new FrozenStore(core.store), to: core.journal.end.at, signs: signsOf(core) });
    });
    const [frozen] = made;
    // Nobody waits for it any more.
    if (signal.aborted) frozen?.store.done();
    signal.throwIfAborted();
    if (frozen === undefined) throw new TwinproofError('TP-BUG', { message: 'the index was not held' });
    return frozen;
  }

  async #note(
    changes: Partial<Pick<MirrorState, 'at' | 'link' | 'copies' | 'copyTo'>>,
    signal: AbortSignal,
  ): Promise<void> {
    this.#state = { ...this.#state, ...this.#sender.end, sentAtUs: this.#nowUs(), ...changes };
    await this.#withLedger(signal, () => this.#parts.states.write(this.#state));
  }

  #withLedger<T>(signal: AbortSignal, action: (core: WatchedLedger['ledger']['core']) => T): Promise<T> {
    const { watched } = this.#parts;
    return withLedger(watched, signal, () => watched.ledger.core.guard(() => action(watched.ledger.core)));
  }

  #nowUs(): bigint {
    return BigInt(Math.round(this.#parts.timing.now() * 1000));
  }
}

/** `to`: everything that the store has of the journal lies before it. */
interface Frozen {
  readonly store: FrozenStore;
  readonly to: number;
  readonly signs: IndexSigns;
}

/** Ends with the promise, or at once when aborted. */
async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let stop = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
  });
  promise.catch(() => undefined);
  try {
    signal.throwIfAborted();
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
