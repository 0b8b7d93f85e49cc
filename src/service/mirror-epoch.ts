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
import { isWholeMirror, type MirrorState, type MirrorStates } from '../ledger/mirror-state.ts';
import type { WatchedLedger } from './watched-ledger.ts';

const SIGN_OF_LIFE_US = 60_000_000n;
/** From one copy to the next it takes so many times what the last one took, and so long at least. */
const COPY_RESTS = 20;
const COPY_REST_MS = 5000;
/** A long way behind, how far it has come is noted after so many bytes. */
const NOTE_EVERY_BYTES = 32 * 1024 * 1024;

/** Until when no other copy of the index is made, but for the first one of an epoch. */
export interface CopyRest {
  untilMs: number;
}

export interface EpochParts {
  readonly watched: WatchedLedger;
  readonly states: MirrorStates;
  readonly timing: Timing;
  readonly rest: CopyRest;
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
    if (this.#needsCopy && this.#mayCopy()) await this.#copy(signal);
    const capturedUs = this.#nowUs();
    const now = await this.#captured(signal);
    if (now === null) return;
    if (outgrown(this.#copied, now.signs)) this.#needsCopy = true;
    this.#copied = { ...this.#copied, unread: now.signs.unread };
    await this.#sendJournal(now.at, signal);
    const moved = this.#state.at !== now.at || this.#state.link === null;
    const noted = await this.#sendNotes(now);
    const atUs = this.#nowUs();
    if (!moved && !noted && atUs - this.#state.sentAtUs < SIGN_OF_LIFE_US) return;
    const { at, link, start, newestUs, notes } = now;
    const names = [...notes.keys()];
    await this.#sender.add(MIRRORED.reached, encodeValue({ at, link, start, names, newestUs, atUs }));
    await this.#sender.flush();
    const isWhole = isWholeMirror({ ...this.#state, at });
    await this.#note(signal, isWhole ? { link, reachedAtUs: capturedUs } : { link });
  }

  #mayCopy(): boolean {
    const { timing, rest } = this.#parts;
    return this.#state.copyTo === null || timing.now() >= rest.untilMs;
  }

  /** Up to `to`, without what makes it count: that comes behind it. */
  async #sendJournal(to: number, signal: AbortSignal): Promise<void> {
    while (this.#at < to) {
      signal.throwIfAborted();
      const piece = journalPiece(this.#parts.watched.ledger.core, this.#at, to);
      if (piece === null) throw new Overtaken();
      if (piece.head !== null) await this.#sender.add(MIRRORED.file, piece.head);
      await this.#sender.add(MIRRORED.journal, encodeJournal(this.#at, piece.bytes));
      this.#at += piece.bytes.length;
      if (this.#at - this.#state.at < NOTE_EVERY_BYTES) continue;
      await this.#sender.flush();
      await this.#note(signal, { link: null });
    }
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
   * Sends the index as it is between two transactions. What is in it by then stands in the journal before that place, which
   * is sent before, so that the copy counts as soon as it is there. Meanwhile the ledger goes on.
   */
  async #copy(signal: AbortSignal): Promise<void> {
    const { timing, states, rest } = this.#parts;
    const startedMs = timing.now();
    const number = this.#state.copies + 1;
    // Most of it while nothing is held: there may be a lot.
    await this.#sendJournal((await this.#captured(signal))?.at ?? this.#at, signal);
    const frozen = await orAborted(this.#frozen(signal), signal);
    try {
      await orAborted(this.#sendJournal(frozen.to, signal), signal);
      await orAborted(this.#sendCopy(frozen, number, signal), signal);
      this.#noted = frozen.store.notes();
    } finally {
      frozen.store.done();
    }
    this.#copied = frozen.signs;
    this.#needsCopy = false;
    rest.untilMs = timing.now() + Math.max(COPY_REST_MS, COPY_RESTS * (timing.now() - startedMs));
    await this.#withLedger(signal, () => states.writeCopy(frozen.signs));
    await this.#note(signal, { copies: number, copyTo: frozen.to, link: null });
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

  /** Nothing is under way: what was handed over is stored. */
  async #note(
    signal: AbortSignal,
    changes: Pick<MirrorState, 'link'> & Partial<Pick<MirrorState, 'copies' | 'copyTo' | 'reachedAtUs'>>,
  ): Promise<void> {
    const place = { ...this.#sender.end, at: this.#at, sentAtUs: this.#nowUs() };
    this.#state = { ...this.#state, ...place, ...changes };
    await this.#withLedger(signal, () => this.#parts.states.write(this.#state));
  }

  #captured(signal: AbortSignal): Promise<MirroredState | null> {
    return this.#withLedger(signal, (core) => mirroredState(core));
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
