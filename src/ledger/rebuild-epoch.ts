import { mkdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { MalformedBytes } from './bytes.ts';
import { isNoted, notesOf, readPage } from './frozen-store.ts';
import {
  changedNote,
  MIRRORED,
  type MirrorBegin,
  type MirrorReached,
  type MirrorRecord,
  readBegin,
  readCopied,
  readCopy,
  readJournal,
  readNote,
  readReached,
} from './mirror-record.ts';
import { JournalDraft } from './rebuild-journal.ts';
import { Store } from './store.ts';

interface CopyDraft {
  readonly number: number;
  readonly to: number;
  readonly folder: string;
  readonly store: Store;
  entries: number;
}

/** One epoch of a mirror as its records come, in a folder of its own. */
export class EpochDraft {
  readonly folder: string;
  readonly epoch: string;
  readonly begun: MirrorBegin;
  readonly #journal: JournalDraft;
  #next = 1;
  /** The one that is coming, and the last whole one. */
  #coming: CopyDraft | null = null;
  #copy: CopyDraft | null = null;
  /** As of the last `reached`, and what was told since: it counts when the next one has said that it is all. */
  #notes = new Map<string, Buffer>();
  readonly #told = new Map<string, Buffer>();
  #pieces: Buffer[] = [];
  #reached: MirrorReached | null = null;
  #broken: string | null = null;
  /** Stores are closed and removed behind one another. */
  #tidied: Promise<void> = Promise.resolve();

  /** `record` is the one that begins it. Throws MalformedBytes. */
  constructor(folder: string, record: MirrorRecord) {
    this.begun = readBegin(record.body);
    this.epoch = record.epoch;
    this.folder = path.join(folder, record.epoch);
    this.#journal = new JournalDraft(path.join(this.folder, 'journal'));
  }

  /** How far it said to be last; null: it did not. */
  get reached(): MirrorReached | null {
    return this.#reached;
  }

  /** Why nothing that comes can mend it, in words; null: nothing is wrong. */
  get broken(): string | null {
    return this.#broken;
  }

  /** What there is makes a ledger. */
  get whole(): boolean {
    const end = this.#journal.end;
    return this.#copy !== null && (end ?? 0) >= this.#copy.to && this.#broken === null;
  }

  /** Takes the next record; those that come again are left out. Throws errors of the disk. */
  take(record: MirrorRecord): void {
    if (this.#broken !== null || record.number < this.#next) return;
    try {
      if (record.number > this.#next)
        throw new MalformedBytes(`records ${this.#next} to ${record.number - 1} are missing`);
      this.#next++;
      this.#takeNext(record);
    } catch (error) {
      if (!(error instanceof MalformedBytes)) throw error;
      this.#broken = error.message;
    }
  }

  /** Puts everything in its place: a ledger's folder, as after a crash. To be called once, when it is whole. */
  async assemble(finish: (store: Store) => void): Promise<void> {
    this.#journal.close();
    const copy = this.#copy;
    if (copy === null) throw new MalformedBytes('there is no whole copy of the index');
    await this.#dispose(this.#coming);
    await this.#tidied;
    const { store } = copy;
    store.transaction(() => {
      for (const name of notesOf(store).keys()) if (!this.#notes.has(name)) store.erase(name);
      for (const [name, value] of this.#notes) store.meta.putSync(Buffer.from(name), value);
      finish(store);
    });
    await store.close();
    renameSync(path.join(copy.folder, Store.file), path.join(this.folder, Store.file));
    rmSync(copy.folder, { recursive: true });
  }

  /** Nothing of it is wanted. */
  async remove(): Promise<void> {
    this.#journal.close();
    await this.#dispose(this.#coming);
    await this.#dispose(this.#copy);
    await this.#tidied;
    rmSync(this.folder, { recursive: true, force: true });
  }

  #takeNext({ kind, body }: MirrorRecord): void {
    if (kind === MIRRORED.file) this.#journal.begin(body);
    else if (kind === MIRRORED.journal) this.#takeJournal(body);
    else if (kind === MIRRORED.copy) this.#beginCopy(body);
    else if (kind === MIRRORED.rows) this.#takeRows(body);
    else if (kind === MIRRORED.copied) this.#endCopy(body);
    else if (kind === MIRRORED.note) this.#takeNote(body);
    else if (kind === MIRRORED.reached) this.#takeReached(body);
    else throw new MalformedBytes('it begins twice');
  }

  #takeJournal(body: Buffer): void {
    const { at, bytes } = readJournal(body);
    this.#journal.append(at, bytes);
  }

  #beginCopy(body: Buffer): void {
    this.#tidy(this.#coming);
    const { number, to } = readCopy(body);
    const folder = path.join(this.folder, `copy-${this.#next}`);
    mkdirSync(folder, { mode: 0o700 });
    this.#coming = { number, to, folder, store: new Store(folder, true), entries: 0 };
  }

  #takeRows(body: Buffer): void {
    const coming = this.#coming;
    if (coming === null) throw new MalformedBytes('rows of no copy');
    const { store } = coming;
    store.transaction(() => {
      for (const { table, key, value } of readPage(body)) {
        store[table].putSync(key, value);
        coming.entries++;
      }
    });
  }

  #endCopy(body: Buffer): void {
    const { number, entries } = readCopied(body);
    const coming = this.#coming;
    if (coming === null || coming.number !== number || coming.entries !== entries) {
      throw new MalformedBytes(`copy ${number} of the index does not have its ${entries} entries`);
    }
    this.#tidy(this.#copy);
    this.#copy = coming;
    this.#coming = null;
    this.#notes = notesOf(coming.store);
    this.#told.clear();
  }

  #takeNote(body: Buffer): void {
    const { name, head, tail, piece, begins, more } = readNote(body);
    if (!isNoted(name)) throw new MalformedBytes('a note of what is not noted');
    if (begins) this.#pieces = [];
    else if (this.#pieces.length === 0) throw new MalformedBytes(`the beginning of ${name} is missing`);
    this.#pieces.push(Buffer.from(piece));
    if (more) return;
    const middle = Buffer.concat(this.#pieces);
    this.#pieces = [];
    const before = this.#told.get(name) ?? this.#notes.get(name) ?? null;
    this.#told.set(name, changedNote(before, { name, head, tail, middle }));
  }

  #takeReached(body: Buffer): void {
    const reached = readReached(body);
    const { end, link } = this.#journal;
    if (reached.at !== (end ?? reached.at)) {
      throw new MalformedBytes(`it says to have reached ${reached.at} and has ${end ?? 0}`);
    }
    if (end !== null && reached.link !== link) {
      throw new MalformedBytes(`the journal is not what it was at ${reached.at}`);
    }
    for (const [name, value] of this.#told) this.#notes.set(name, value);
    this.#told.clear();
    for (const name of this.#notes.keys()) if (!reached.names.includes(name)) this.#notes.delete(name);
    this.#reached = reached;
  }

  #tidy(copy: CopyDraft | null): void {
    this.#tidied = this.#tidied.then(() => this.#dispose(copy));
    // Whoever assembles or removes it is told.
    this.#tidied.catch(() => undefined);
  }

  async #dispose(copy: CopyDraft | null): Promise<void> {
    if (copy === null) return;
    await copy.store.close();
    rmSync(copy.folder, { recursive: true, force: true });
  }
}
