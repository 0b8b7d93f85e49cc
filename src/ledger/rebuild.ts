import { existsSync, fsyncSync, closeSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { makeFolder } from '../config/made-folder.ts';
import type { MirrorLog, StoredRecord } from '../connector/mirror-log.ts';
import { TwinproofError } from '../errors.ts';
import { MalformedBytes } from './bytes.ts';
import { checkLedger } from './check.ts';
import { type Core, diskFailure } from './core.ts';
import { Ledger } from './ledger.ts';
import { LedgerLock } from './lock.ts';
import {
  decodeMirrorRecord,
  MIRRORED,
  type MirrorReached,
  type MirrorRecord,
  NewerRecord,
} from './mirror-record.ts';
import { linkBefore } from './mirror-source.ts';
import { dropBefore, droppedBefore } from './pruning.ts';
import { EpochDraft } from './rebuild-epoch.ts';
import { readCommitTime, RECORD } from './record.ts';
import { type RebuiltFrom, writeRebuilt } from './rebuilt.ts';

export interface RebuildOptions {
  /** Folder of the ledger; there must be none. */
  readonly folder: string;
  /** The system's name: others' records are passed over. */
  readonly system: string;
  /** What it is rebuilt from, in words. */
  readonly from: string;
  readonly now: () => Date;
  /** Called now and then: records read, and how many there are. */
  readonly progress?: (read: bigint, all: bigint) => void;
}

/** What a rebuilt ledger came from. */
export interface Rebuilt extends RebuiltFrom {
  /** When its epoch began, microseconds, on the writer's clock. */
  readonly begunAtUs: bigint;
  /** A newer epoch was begun then and is not whole; null: none. */
  readonly unfinishedAtUs: bigint | null;
  /** What else stands in the mirror and was passed over, in words: the first of it; null: nothing does. */
  readonly strange: string | null;
}

/**
 * Makes a ledger of what stands in a mirror: the newest epoch of this system that is whole. It is made beside the folder
 * and put there by its name at last, so whatever ends it leaves nothing that looks whole. All that was proven of
 * candidates is void. Throws TP-LEDGER-REBUILD, TP-LEDGER-VERSION where a newer program wrote the mirror, and what reading
 * and the disk throw.
 */
export async function rebuildLedger(
  log: MirrorLog,
  options: RebuildOptions,
  signal: AbortSignal,
): Promise<Rebuilt> {
  const { folder } = options;
  if (existsSync(folder)) {
    throw new TwinproofError('TP-USAGE', {
      message: `there is something in ${folder} already`,
      hint: 'a ledger is rebuilt into a new folder only: move what is there aside',
    });
  }
  const draft = `${folder}.rebuilding`;
  try {
    await makeFolder(draft, 0o700);
    const lock = LedgerLock.take(draft, options.now());
    try {
      removeLeft(draft);
      return await new Rebuilding(log, draft, options).run(signal);
    } finally {
      lock.release();
      rmSync(draft, { recursive: true, force: true });
    }
  } catch (error) {
    throw diskFailure(error) ?? error;
  }
}

/** Of a rebuild that was killed; the lock is ours. */
function removeLeft(draft: string): void {
  for (const name of readdirSync(draft)) {
    if (!name.startsWith('owner.')) rmSync(path.join(draft, name), { recursive: true, force: true });
  }
}

class Rebuilding {
  readonly #log: MirrorLog;
  readonly #draft: string;
  readonly #options: RebuildOptions;
  /** In the order in which they began. */
  readonly #epochs = new Map<string, EpochDraft>();
  /** Drafts that a newer whole one has made superfluous are removed one after the other. */
  #removed: Promise<void> = Promise.resolve();
  readonly #superfluous = new Set<string>();
  /** Records without the beginning of their epoch: the offset of the last one. */
  #headless: bigint | null = null;
  #strange: string | null = null;
  /** What a newer program wrote behind the last beginning: it may be all that counts. */
  #newer: NewerRecord | null = null;
  #records = 0n;

  constructor(log: MirrorLog, draft: string, options: RebuildOptions) {
    this.#log = log;
    this.#draft = draft;
    this.#options = options;
  }

  async run(signal: AbortSignal): Promise<Rebuilt> {
    const extent = await this.#log.extent(signal);
    try {
      await this.#log.read(extent, (stored) => this.#take(stored, extent.end - extent.first), signal);
      await this.#removed;
      return await this.#finish();
    } catch (error) {
      for (const epoch of this.#epochs.values()) await epoch.remove().catch(() => undefined);
      throw error;
    }
  }

  #take(stored: StoredRecord, all: bigint): void {
    this.#options.progress?.(++this.#records, all);
    const record = this.#decoded(stored);
    if (record === null) return;
    const known = this.#epochs.get(record.epoch);
    if (known !== undefined) known.take(record);
    else if (this.#superfluous.has(record.epoch)) return;
    else if (record.kind === MIRRORED.begin) this.#begin(record);
    else this.#headless = stored.offset;
    if (known?.whole === true) this.#forgetBefore(known);
  }

  #decoded(stored: StoredRecord): MirrorRecord | null {
    try {
      if (stored.value === null) throw new MalformedBytes('it is empty');
      return decodeMirrorRecord(stored.value);
    } catch (error) {
      if (!(error instanceof MalformedBytes)) throw error;
      if (error instanceof NewerRecord) this.#newer = error;
      this.#strange ??= `the record at offset ${stored.offset} is none of a ledger: ${error.message}`;
      return null;
    }
  }

  #begin(record: MirrorRecord): void {
    const epoch = new EpochDraft(this.#draft, record);
    if (epoch.begun.system === this.#options.system) {
      this.#headless = null;
      this.#newer = null;
      this.#epochs.set(record.epoch, epoch);
      return;
    }
    this.#strange ??= `there is a ledger of the system ${epoch.begun.system} in it`;
    this.#superfluous.add(record.epoch);
    this.#remove(epoch);
  }

  /** Older ones are not needed any more. */
  #forgetBefore(whole: EpochDraft): void {
    for (const epoch of this.#epochs.values()) {
      if (epoch === whole) return;
      this.#epochs.delete(epoch.epoch);
      this.#superfluous.add(epoch.epoch);
      this.#remove(epoch);
    }
  }

  #remove(epoch: EpochDraft): void {
    this.#removed = this.#removed.then(() => epoch.remove());
    this.#removed.catch(() => undefined);
  }

  async #finish(): Promise<Rebuilt> {
    if (this.#newer !== null) throw newer(this.#newer);
    const epochs = [...this.#epochs.values()];
    const newest = epochs.at(-1);
    const broken = newest?.broken ?? (this.#headless === null ? null : 'its beginning is missing');
    if (broken !== null) throw refusal(`what was written last is not whole: ${broken}`);
    const whole = epochs.findLast((epoch) => epoch.whole);
    if (whole === undefined) throw refusal(this.#reason(newest));
    for (const other of epochs) if (other !== whole) await other.remove();
    const { epoch, begun, reached } = whole;
    const atUs = BigInt(this.#options.now().getTime()) * 1000n;
    const rebuilt: RebuiltFrom = {
      from: this.#options.from,
      epoch,
      atUs,
      reachedAtUs: reached?.atUs ?? begun.atUs,
    };
    await whole.assemble((store) => writeRebuilt(store, rebuilt));
    await this.#proven(whole);
    publish(whole.folder, this.#options.folder);
    const unfinished = newest === whole ? null : (newest?.begun.atUs ?? null);
    return { ...rebuilt, begunAtUs: begun.atUs, unfinishedAtUs: unfinished, strange: this.#strange };
  }

  #reason(newest: EpochDraft | undefined): string {
    if (newest !== undefined) return 'its index was not copied whole yet';
    return this.#strange ?? 'there is nothing in it';
  }

  /** Brings journal and index together, as after a crash, and checks all of it. */
  async #proven({ folder, begun, reached }: EpochDraft): Promise<void> {
    const ledger = await Ledger.open({
      folder,
      system: begun.system,
      source: begun.source,
      digest: begun.digest,
      comparePositions: notCompared,
      retention: { timeUs: 2n ** 62n, bytes: Number.POSITIVE_INFINITY },
      now: this.#options.now,
    });
    try {
      await ledger.settle();
      const { core } = ledger;
      // The copy may be of a later moment than what was reached last.
      dropBefore(core, Math.max(reached?.start ?? 0, droppedBefore(core.store)));
      if (reached !== null) {
        demandReached(core, reached);
        restoreTimes(core, reached);
      }
      const [problem] = checkLedger(core).problems;
      if (problem !== undefined) throw refusal(`it does not agree with itself: ${problem}`);
    } finally {
      await ledger.close();
    }
  }
}

function demandReached(core: Core, { at, link }: MirrorReached): void {
  const { start } = core.journal;
  if (at < start.at) return;
  const found = at === start.at ? link : linkBefore(core, at);
  if (found !== link || core.committed.mark.at < at) throw refusal(`the journal is not what it was at ${at}`);
}

/**
 * The newest commit time, as it was there: what the clock of another server said before does not count any more, and
 * which commits these are no record of the journal tells.
 */
function restoreTimes(core: Core, { at, newestUs: known }: MirrorReached): void {
  const { journal, committed, store } = core;
  let newestUs = known;
  for (const record of journal.scan(Math.max(at, journal.start.at), committed.mark.at)) {
    if (record.kind !== RECORD.commit) continue;
    const committedAtUs = readCommitTime(record);
    if (newestUs === null || committedAtUs > newestUs) newestUs = committedAtUs;
  }
  core.committed = { ...committed, newestUs };
  core.guard(() => store.transaction(() => store.writeMarks(journal.end, core.committed)));
}

/** Everything is durable before it has its name. */
function publish(from: string, to: string): void {
  for (const name of readdirSync(from)) if (name.endsWith('-lock')) rmSync(path.join(from, name));
  for (const file of [path.join(from, 'journal'), from]) sync(file);
  renameSync(from, to);
  sync(path.dirname(to));
}

function sync(folder: string): void {
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function newer({ message }: NewerRecord): TwinproofError {
  return new TwinproofError('TP-LEDGER-VERSION', { message: `the mirror cannot be read: ${message}` });
}

function refusal(message: string): TwinproofError {
  return new TwinproofError('TP-LEDGER-REBUILD', { message: `no ledger can be rebuilt: ${message}` });
}

/** Nothing is placed while a ledger is put together. */
function notCompared(): never {
  throw new TwinproofError('TP-BUG', { message: 'positions are compared without a connector' });
}
