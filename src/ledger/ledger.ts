import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { makeFolder } from '../config/made-folder.ts';
import type { ChangeEvent } from '../connector/changes.ts';
import type { Position, PositionOrder } from '../connector/position.ts';
import { messageOf, TwinproofError } from '../errors.ts';
import { MalformedBytes } from './bytes.ts';
import { Catalog } from './catalog.ts';
import { Core, diskFailure } from './core.ts';
import { Definitions, type SignedKey } from './definitions.ts';
import { Intake } from './intake.ts';
import { Journal } from './journal.ts';
import { LedgerLock } from './lock.ts';
import { pruneJournal, type Retention } from './pruning.ts';
import { bringUp, findEnd, openTransaction } from './recovery.ts';
import { RowDigester, sha256Digest, xxh64Digest } from './row-digest.ts';
import { boundaryAt, type Boundary } from './state.ts';
import { LEDGER_VERSION, Store, type LedgerIdentity } from './store.ts';

const SEGMENT_BYTES = 32 * 1024 * 1024;
/** Entries that wait in memory for the index: about 80 bytes each, and the more there are, the more share a page. */
const PENDING_MAX = 400_000;
/** Wide rows take more: so many bytes of entries bring them into the index as well. */
const PENDING_BYTES_MAX = 32 * 1024 * 1024;
/** Who opens the ledger takes the journal behind the index into memory, so the index does not stay behind for long. */
const PENDING_MS_MAX = 10_000;

export interface LedgerOptions {
  readonly folder: string;
  readonly system: string;
  /**
   * The primary's own identity: its system identifier and database. A ledger of another is refused. Null: whichever it
   * is, for those who only read while the primary may be gone.
   */
  readonly source: string | null;
  readonly digest: LedgerIdentity['digest'];
  readonly comparePositions: (a: Position, b: Position) => PositionOrder;
  readonly signedKey?: SignedKey;
  readonly retention: Retention;
  readonly now: () => Date;
  /** For tests: smaller files, earlier writing. */
  readonly segmentBytes?: number;
  readonly pendingMax?: number;
  readonly pendingBytesMax?: number;
}

/**
 * The store of one system. `take` events, `flush`, then acknowledge what flush returned; nothing may be taken while a
 * flush runs. Throws TP-LEDGER-* as error-codes.ts says; after one of the disk every call throws it again: close, and
 * open again when it is mended.
 */
export class Ledger {
  readonly core: Core;
  readonly definitions: Definitions;
  readonly identity: LedgerIdentity;
  readonly options: LedgerOptions;
  /** Bytes of a torn end that the last opening found. */
  readonly torn: number;
  readonly #intake: Intake;
  readonly #lock: LedgerLock | null;
  #appliedAtMs: number;

  private constructor(
    options: LedgerOptions,
    core: Core,
    identity: LedgerIdentity,
    lock: LedgerLock | null,
    torn: number,
  ) {
    this.options = options;
    this.core = core;
    this.identity = identity;
    this.torn = torn;
    this.#lock = lock;
    this.#appliedAtMs = options.now().getTime();
    this.definitions = new Definitions(core, options.signedKey ?? unsigned);
    this.#intake = new Intake(core, this.digester(), this.definitions);
  }

  /** Opens to write, and makes the ledger if there is none. */
  static async open(options: LedgerOptions): Promise<Ledger> {
    const lock = await lockedFolder(options);
    try {
      return await openCore(
        options,
        lock,
        (core, identity, torn) => new Ledger(options, core, identity, lock, torn),
      );
    } catch (error) {
      lock.release();
      throw diskFailure(error) ?? error;
    }
  }

  /** Opens to read what was durable a moment ago; a writer may be at work meanwhile. */
  static async read(options: LedgerOptions): Promise<Ledger> {
    if (!Store.exists(options.folder) || !existsSync(journalFolder(options))) {
      throw new TwinproofError('TP-LEDGER', {
        message: `there is no ledger in ${options.folder}`,
        hint: '`twinproof watch` makes it; if it did, check ledger.path in the configuration',
      });
    }
    try {
      return await openCore(
        options,
        null,
        (core, identity, torn) => new Ledger(options, core, identity, null, torn),
      );
    } catch (error) {
      throw diskFailure(error) ?? error;
    }
  }

  /** Where the stream goes on: everything up to here is taken. Null: nothing was yet. */
  get position(): Position | null {
    return this.core.committed.position;
  }

  /** Behind the last transaction that was taken. */
  head(): Boundary {
    return boundaryAt(this.core.committed.mark.at);
  }

  digester(): RowDigester {
    return new RowDigester(this.identity.digest === 'sha256' ? sha256Digest : xxh64Digest);
  }

  take(events: readonly ChangeEvent[]): void {
    this.core.guard(() => {
      for (const event of events) this.#intake.take(event);
    });
  }

  /** Makes what was taken durable. The answer may be acknowledged to the server; null: nothing yet. */
  async flush(): Promise<Position | null> {
    return await this.core.guardAsync(async () => {
      this.#lock?.check();
      // Whoever reads meanwhile must find in the journal what entries of an open transaction name.
      this.#intake.cutPart();
      if (this.#indexIsDue()) await this.#applyAll();
      else await this.core.journal.sync();
      return this.core.committed.position;
    });
  }

  /** Brings the index up to the journal: before what is written to the index directly. */
  async settle(): Promise<void> {
    await this.core.guardAsync(async () => {
      this.#lock?.check();
      await this.#applyAll();
    });
  }

  /** Takes back a transaction whose end did not come because the stream ended: the next stream brings it again, whole. */
  async abandon(): Promise<void> {
    await this.core.guardAsync(async () => {
      this.#lock?.check();
      this.#intake.forget();
      await this.core.journal.sync();
      this.core.pending.clear();
      const open = openTransaction(this.core);
      // No stream, perhaps for ever: whoever certifies now finds everything in the index.
      await bringUp(this.core, open, true, this.options.pendingMax ?? PENDING_MAX);
      this.#appliedAtMs = this.options.now().getTime();
    });
  }

  /**
   * Between two transactions: what was written down since the last one (definitions, gaps) lies before the head from now
   * on, and need not wait for the stream, which on an idle server may say nothing for long.
   */
  advanceHead(): void {
    const { core } = this;
    if (core.journal.end.at !== core.committed.mark.at) core.guard(() => void openTransaction(core));
  }

  /**
   * Between two transactions: moves the head on though the primary is at rest. Whoever stands at the position that was
   * taken last stands behind everything of before, as if a commit had come.
   */
  moveHead(): void {
    this.core.guard(() => this.#intake.repeatPosition());
  }

  /** A gap that the stream did not say itself: the server has forgotten commits, or another moved the slot. */
  recordGap(reason: string, tables: readonly string[] | null): void {
    this.core.guard(() => this.#intake.recordGap(reason, tables));
  }

  /** Lets go of what lies before the window. */
  async prune(): Promise<void> {
    await this.core.guardAsync(async () => {
      if (this.core.journal.files.segments.length < 2) return;
      await this.#applyAll();
      pruneJournal(this.core, this.options.retention);
    });
  }

  async close(): Promise<void> {
    this.core.journal.close();
    await this.core.store.close();
    this.#lock?.release();
  }

  #indexIsDue(): boolean {
    const { pendingMax = PENDING_MAX, pendingBytesMax = PENDING_BYTES_MAX } = this.options;
    const { size, bytes } = this.core.pending;
    if (size >= pendingMax || bytes >= pendingBytesMax) return true;
    // Either way, should the clock be set.
    return size > 0 && Math.abs(this.options.now().getTime() - this.#appliedAtMs) >= PENDING_MS_MAX;
  }

  async #applyAll(): Promise<void> {
    this.#intake.cutPart();
    await this.core.apply();
    this.#appliedAtMs = this.options.now().getTime();
  }
}

/** Makes the folder if there is none. Throws TP-LEDGER where it cannot be one, TP-LEDGER-FULL, TP-LEDGER-LOCKED. */
async function lockedFolder(options: LedgerOptions): Promise<LedgerLock> {
  const { folder } = options;
  try {
    await makeFolder(journalFolder(options), 0o700);
    return LedgerLock.take(folder, options.now());
  } catch (error) {
    const failure = diskFailure(error);
    if (failure?.code !== 'TP-LEDGER-WRITE') throw failure ?? error;
    const message = `the ledger cannot be kept in ${folder}: ${messageOf(error)}`;
    throw new TwinproofError('TP-LEDGER', { message, cause: error });
  }
}

function unsigned(): readonly boolean[] {
  return [];
}

function journalFolder(options: LedgerOptions): string {
  return path.join(options.folder, 'journal');
}

async function openCore(
  options: LedgerOptions,
  lock: LedgerLock | null,
  make: (core: Core, identity: LedgerIdentity, torn: number) => Ledger,
): Promise<Ledger> {
  const writable = lock !== null;
  // Nothing may come between the two.
  if (writable) await Store.writableIn(options.folder);
  const store = new Store(options.folder, writable);
  let journal: Journal | null = null;
  try {
    const identity = identify(store, options, writable);
    journal = new Journal({
      folder: journalFolder(options),
      writable,
      ledger: identity.ledger,
      segmentBytes: options.segmentBytes ?? SEGMENT_BYTES,
    });
    const catalog = new Catalog();
    catalog.load(store.relations());
    const found = findEnd(journal, store);
    const core = new Core(journal, store, catalog, found.committed);
    await bringUp(core, found.open, writable, options.pendingMax ?? PENDING_MAX);
    return make(core, identity, found.torn);
  } catch (error) {
    journal?.close();
    await store.close();
    throw error;
  }
}

function identify(store: Store, options: LedgerOptions, writable: boolean): LedgerIdentity {
  const known = store.identity();
  const { system, source, digest } = options;
  if (known === null) {
    if (!writable || source === null) throw new MalformedBytes('it does not say whose it is');
    const identity = { version: LEDGER_VERSION, ledger: randomUUID(), system, source, digest };
    store.transaction(() => store.write('identity', identity));
    return identity;
  }
  if (known.system !== system || (source ?? known.source) !== known.source || known.digest !== digest) {
    throw new TwinproofError('TP-LEDGER-SYSTEM', {
      message: `this ledger is of system ${known.system} (${known.source}, ${known.digest}), not of ${system} (${source ?? known.source}, ${digest})`,
    });
  }
  return known;
}
