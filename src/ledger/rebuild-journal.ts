import { closeSync, fsyncSync, mkdirSync, openSync, writeSync } from 'node:fs';
import path from 'node:path';
import { MalformedBytes } from './bytes.ts';
import { LINK_BYTES } from './record.ts';
import { decodeSegmentHeader, segmentName } from './segment.ts';

/** The files of a journal, written once more from their bytes. Throws MalformedBytes for a hole, and errors of the disk. */
export class JournalDraft {
  readonly #folder: string;
  #file: number | null = null;
  #end: number | null = null;
  /** Of a file in which nothing stands yet; null: there is no such one. */
  #head: Buffer | null = null;
  /** The last bytes, over the ends of files: behind a record, its link. */
  #last: Buffer = Buffer.alloc(LINK_BYTES);

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  /** Behind the last byte; null: there is none yet. */
  get end(): number | null {
    return this.#end;
  }

  /** The link of the record that ends there, hexadecimal, if one does. */
  get link(): string {
    return this.#last.toString('hex');
  }

  /** The head of the next file. It comes again where whoever sent it did not come to what follows it. */
  begin(head: Buffer): void {
    const { base, link } = decodeSegmentHeader(head);
    if (this.#end !== null && base !== this.#end) throw hole(this.#end, base);
    if (this.#head?.equals(head) === true) return;
    if (this.#head !== null) throw new MalformedBytes(`two files of the journal begin at ${base}`);
    this.close();
    this.#file = openSync(path.join(this.#folder, segmentName(base)), 'wx', 0o600);
    this.#end = base;
    this.#head = Buffer.from(head);
    this.#last = link;
    this.#write(head);
  }

  append(at: number, bytes: Buffer): void {
    if (at !== this.#end) throw hole(this.#end ?? 0, at);
    this.#write(bytes);
    this.#end = at + bytes.length;
    this.#head = null;
    this.#last = Buffer.concat([this.#last, bytes.subarray(-LINK_BYTES)]).subarray(-LINK_BYTES);
  }

  /** What was written is durable then, but for the folder. */
  close(): void {
    if (this.#file === null) return;
    fsyncSync(this.#file);
    closeSync(this.#file);
    this.#file = null;
  }

  #write(bytes: Buffer): void {
    if (this.#file === null) throw new MalformedBytes('the journal does not begin with the head of a file');
    let written = 0;
    while (written < bytes.length) written += writeSync(this.#file, bytes, written);
  }
}

function hole(end: number, at: number): MalformedBytes {
  return new MalformedBytes(`the journal goes on at ${at} behind ${end}`);
}
