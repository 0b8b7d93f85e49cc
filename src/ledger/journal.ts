import { fdatasync } from 'node:fs';
import { promisify } from 'node:util';
import { ByteReader, ByteWriter, MalformedBytes } from './bytes.ts';
import { readChangeRecord, type ChangeRecord } from './change-record.ts';
import {
  bodyOf,
  HEAD_BYTES,
  isRecordKind,
  LINK_BYTES,
  linkIn,
  linkOf,
  linkTextOf,
  RECORD_BYTES_MAX,
  type RawRecord,
  type RecordKind,
} from './record.ts';
import { NO_TIME } from './segment.ts';
import { SegmentFiles } from './segment-files.ts';

const WRITE_BUFFER_BYTES = 1024 * 1024;
const READ_BYTES = 1024 * 1024;
const CHANGE_BYTES_USUAL = 512;
/** Places begin here: 0 stands for no place at all. */
export const JOURNAL_START = 1;
const FIRST_LINK = Buffer.alloc(LINK_BYTES);
const syncData = promisify(fdatasync);

/** A place in the journal, and the link of the record that ends there. */
export interface Mark {
  readonly at: number;
  readonly link: Buffer;
}

export const FIRST_MARK: Mark = { at: JOURNAL_START, link: FIRST_LINK };

/** A mark behind the last record: one a transaction, and of hardly any the link is asked for. */
class EndMark implements Mark {
  readonly at: number;
  readonly #link: string;

  constructor(at: number, link: string) {
    this.at = at;
    this.#link = link;
  }

  get link(): Buffer {
    return Buffer.from(this.#link, 'latin1');
  }
}

function latin1Of(link: Buffer): string {
  return link.toString('latin1');
}

export interface JournalOptions {
  readonly folder: string;
  readonly writable: boolean;
  /** The ledger's own name: a UUID. */
  readonly ledger: string;
  /** A file that has grown to this is closed and another begun. */
  readonly segmentBytes: number;
}

/**
 * The append-only file of records. What `append` took is durable when a `sync` that began later has resolved. Throws
 * errors of the file system as they are, and MalformedBytes for damage.
 */
export class Journal {
  readonly #options: JournalOptions;
  readonly #files: SegmentFiles;
  readonly #buffer = new ByteWriter(WRITE_BUFFER_BYTES * 2);
  readonly #linkScratch = new ByteWriter(4096);
  /** Of the last record, a character for each byte. */
  #link = latin1Of(FIRST_LINK);
  #newestUs = NO_TIME;
  #durable = 0;

  constructor(options: JournalOptions) {
    this.#options = options;
    this.#files = new SegmentFiles(options.folder, options.writable, options.ledger);
    if (options.writable && this.#files.segments.length === 0) {
      this.#files.begin({ base: JOURNAL_START, link: FIRST_LINK, newestUs: NO_TIME, ledger: options.ledger });
    }
    this.#durable = this.#files.end;
  }

  get start(): Mark {
    const first = this.#files.segments[0];
    return first === undefined ? FIRST_MARK : { at: first.header.base, link: first.header.link };
  }

  /** Behind the last record: where the next one will stand. */
  get end(): Mark {
    return new EndMark(this.endAt, this.#link);
  }

  /** `end.at`. */
  get endAt(): number {
    return this.#files.end + this.#buffer.length;
  }

  /** Everything before it is on disk. */
  get durable(): number {
    return this.#durable;
  }

  get bytes(): number {
    return this.#files.bytes + this.#buffer.length;
  }

  get files(): SegmentFiles {
    return this.#files;
  }

  /**
   * Finds the end of what is whole, from `mark` on, giving every record to `each`, with the mark behind it; what follows
   * is cut off (or, when opened to read, not looked at). Returns how many bytes that was. To be called once, before anything is appended.
   */
  recover(mark: Mark, each: (record: RawRecord, end: Mark) => void): number {
    if (mark.at > this.#files.end || mark.at < this.#files.start) {
      throw new MalformedBytes('the journal does not reach to where the index stands');
    }
    const tail = this.#files.end;
    let end = mark;
    for (const record of this.scan(mark.at, tail)) {
      if (!this.follows(end.link, record)) break;
      end = { at: record.end, link: Buffer.from(linkIn(record)) };
      each(record, end);
    }
    this.#link = latin1Of(end.link);
    this.#newestUs = this.#files.segments.at(-1)?.header.newestUs ?? NO_TIME;
    if (this.#options.writable && end.at < tail) this.#files.truncate(end.at);
    // The rest a killed process may have written, and not synced.
    this.#durable = this.#options.writable ? mark.at : end.at;
    return tail - end.at;
  }

  /** Cuts the journal off at a record that no transaction's end follows. */
  rewind(mark: Mark): void {
    this.#files.truncate(mark.at);
    this.#link = latin1Of(mark.link);
    this.#durable = mark.at;
  }

  /** Takes a record; returns the place behind it. `newestUs`: the newest commit time so far, for pruning. */
  append(kind: RecordKind, body: Buffer, newestUs: bigint | null): number {
    if (newestUs !== null && newestUs > this.#newestUs) this.#newestUs = newestUs;
    if (this.#files.end + this.#buffer.length - this.#lastBase() >= this.#options.segmentBytes) this.#roll();
    const buffer = this.#buffer;
    buffer.reserve(HEAD_BYTES + body.length + LINK_BYTES);
    const start = buffer.length;
    buffer.bytes.writeUInt32BE(body.length, start);
    buffer.bytes[start + 4] = kind;
    buffer.length += HEAD_BYTES;
    buffer.raw(body);
    this.#link = linkTextOf(this.#link, kind, body, this.#linkScratch);
    buffer.latin1(this.#link);
    if (buffer.length >= WRITE_BUFFER_BYTES) this.#write();
    return this.#files.end + buffer.length;
  }

  /** Writes everything that was appended and makes it durable. */
  async sync(): Promise<void> {
    this.#write();
    const end = this.#files.end;
    if (end === this.#durable) return;
    // Files before the last one were synced when the last was begun.
    await syncData(this.#files.lastDescriptor());
    this.#durable = Math.max(this.#durable, end);
  }

  /** The record at `at`. Throws MalformedBytes if none is there. */
  recordAt(at: number): RawRecord {
    for (const record of this.scan(at, this.end.at, CHANGE_BYTES_USUAL)) return record;
    throw new MalformedBytes(`no record stands at ${at}`);
  }

  /** The change at `at`, which some key's history names. */
  changeAt(at: number): ChangeRecord {
    if (at >= this.#files.end && this.#options.writable) this.#write();
    if (at >= this.#files.end) this.#files.refresh();
    for (let size = CHANGE_BYTES_USUAL; ; size *= 16) {
      const bytes = Buffer.allocUnsafe(size);
      const length = this.#files.read(at, bytes);
      try {
        return readChangeRecord(new ByteReader(bytes.subarray(0, length)), at);
      } catch (error) {
        if (!(error instanceof MalformedBytes) || length < size || size > RECORD_BYTES_MAX) throw error;
      }
    }
  }

  /** Whole records from `from` (the place of one) up to `to`; ends early where no whole record follows. */
  *scan(from: number, to: number, readBytes = READ_BYTES): Generator<RawRecord> {
    // Silence about what was pruned would read as if nothing had happened.
    if (from < this.#files.start) throw new RangeError(`the journal does not reach back to ${from}`);
    if (to > this.#files.end) this.#write();
    let at = from;
    let chunk = Buffer.allocUnsafe(readBytes);
    let length = 0;
    let within = 0;
    while (at < to) {
      let need = HEAD_BYTES;
      if (length - within >= HEAD_BYTES) {
        need = HEAD_BYTES + chunk.readUInt32BE(within) + LINK_BYTES;
        if (need > RECORD_BYTES_MAX) return;
      }
      if (length - within < need || need === HEAD_BYTES) {
        // Records given out earlier are views of the old chunk.
        chunk = Buffer.allocUnsafe(Math.max(readBytes, need));
        length = this.#files.read(at, chunk);
        within = 0;
        if (length < need) return;
        if (need === HEAD_BYTES) continue;
      }
      const kind = chunk[within + 4] ?? 0;
      if (!isRecordKind(kind)) return;
      yield { kind, at, end: at + need, bytes: chunk.subarray(within, within + need) };
      at += need;
      within += need;
    }
  }

  /** Whether the record's link follows from the one before it. */
  follows(link: Buffer, record: RawRecord): boolean {
    return linkOf(link, record.kind, bodyOf(record), this.#linkScratch).equals(linkIn(record));
  }

  close(): void {
    this.#files.close();
  }

  #lastBase(): number {
    return this.#files.segments.at(-1)?.header.base ?? 0;
  }

  #roll(): void {
    this.#write();
    const { ledger } = this.#options;
    const { at: base, link } = this.end;
    this.#files.begin({ base, link, newestUs: this.#newestUs, ledger });
    this.#durable = this.#files.end;
  }

  #write(): void {
    if (this.#buffer.length === 0) return;
    this.#files.append(this.#buffer.bytes.subarray(0, this.#buffer.length));
    this.#buffer.length = 0;
  }
}
