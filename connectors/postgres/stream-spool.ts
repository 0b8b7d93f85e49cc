import { int32At } from '../../src/row/stream.ts';
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from '../../src/connector/network-failure.ts';
import { messageOf, TwinproofError } from '../../src/errors.ts';

/** Memory that a transaction may take before it goes to its file. */
const BUFFER_BYTES = 262_144;
const READ_BYTES = 262_144;
const LENGTH_BYTES = 4;

/**
 * Room for transactions that are streamed before they are committed: whether they will be is not known, and changes
 * are handed out in commit order only. Files are made in a private folder and unlinked at once, so nothing is left
 * behind whatever happens; the server sends an open transaction again after a new start.
 */
export class Spool {
  readonly #parent: string;
  readonly #bytesMax: number;
  #folder: string | null = null;
  #bytes = 0;
  #files = 0;

  constructor(parent: string, bytesMax: number) {
    this.#parent = parent;
    this.#bytesMax = bytesMax;
  }

  /** Bytes set aside now. */
  get bytes(): number {
    return this.#bytes;
  }

  transaction(): SpooledTransaction {
    return new SpooledTransaction(
      () => this.#openFile(),
      (bytes) => this.#account(bytes),
    );
  }

  async close(): Promise<void> {
    if (this.#folder !== null) await rm(this.#folder, { recursive: true, force: true });
    this.#folder = null;
  }

  #account(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > this.#bytesMax) {
      throw new TwinproofError('TP-SPOOL-FULL', {
        message: `open transactions take more than ${this.#bytesMax} bytes`,
      });
    }
  }

  async #openFile(): Promise<FileHandle> {
    this.#folder ??= await mkdtemp(join(this.#parent, 'twinproof-spool-'));
    this.#files += 1;
    const path = join(this.#folder, String(this.#files));
    const file = await open(path, 'wx+', 0o600);
    await rm(path, { force: true });
    return file;
  }
}

/** The messages of one transaction in the order in which they came. */
export class SpooledTransaction {
  readonly #openFile: () => Promise<FileHandle>;
  readonly #account: (bytes: number) => void;
  #buffer: Uint8Array[] = [];
  #buffered = 0;
  #written = 0;
  #file: FileHandle | null = null;

  constructor(openFile: () => Promise<FileHandle>, account: (bytes: number) => void) {
    this.#openFile = openFile;
    this.#account = account;
  }

  /**
   * Keeps a copy of a message. A promise: wait for it before the next one. Throws TP-SPOOL-FULL when the limit is
   * reached or the disk is full.
   */
  append(message: Uint8Array): Promise<void> | null {
    const record = new Uint8Array(LENGTH_BYTES + message.length);
    new DataView(record.buffer).setUint32(0, message.length);
    record.set(message, LENGTH_BYTES);
    this.#account(record.length);
    this.#buffer.push(record);
    this.#buffered += record.length;
    return this.#buffered >= BUFFER_BYTES ? this.#flush() : null;
  }

  /** All messages, a bounded number at a time. */
  async *read(): AsyncGenerator<readonly Uint8Array[]> {
    let rest: Uint8Array = new Uint8Array(0);
    for (let at = 0; at < this.#written;) {
      // A message longer than a piece makes the next pieces as long as it needs.
      const wanted = rest.length >= LENGTH_BYTES ? LENGTH_BYTES + (int32At(rest, 0) >>> 0) : 0;
      const space = new Uint8Array(Math.max(rest.length + READ_BYTES, wanted));
      space.set(rest);
      const read = await this.#readAt(space.subarray(rest.length), at);
      at += read;
      const messages: Uint8Array[] = [];
      rest = cutRecords(space.subarray(0, rest.length + read), messages);
      yield messages;
    }
    if (rest.length > 0) throw new TwinproofError('TP-BUG', { message: 'a spooled transaction ends early' });
    yield this.#buffer.map((record) => record.subarray(LENGTH_BYTES));
  }

  async discard(): Promise<void> {
    this.#account(-this.#written - this.#buffered);
    this.#buffer = [];
    this.#buffered = 0;
    this.#written = 0;
    await this.#file?.close();
    this.#file = null;
  }

  async #readAt(space: Uint8Array, position: number): Promise<number> {
    const length = Math.min(space.length, this.#written - position);
    const { bytesRead } = (await this.#file?.read(space, 0, length, position)) ?? { bytesRead: 0 };
    if (bytesRead === 0) throw new TwinproofError('TP-BUG', { message: 'a spooled transaction ends early' });
    return bytesRead;
  }

  async #flush(): Promise<void> {
    try {
      this.#file ??= await this.#openFile();
      await this.#writeAll(Buffer.concat(this.#buffer));
    } catch (error) {
      if (codeOf(error) === null) throw error;
      throw new TwinproofError('TP-SPOOL-FULL', {
        message: `an open transaction cannot be set aside: ${messageOf(error)}`,
        cause: error,
      });
    }
    this.#buffer = [];
    this.#buffered = 0;
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      const result = await this.#file?.write(bytes, done, bytes.length - done, this.#written);
      done += result?.bytesWritten ?? 0;
      this.#written += result?.bytesWritten ?? 0;
    }
  }
}

/** Whole records of `bytes`; the answer is what is left over. */
function cutRecords(bytes: Uint8Array, messages: Uint8Array[]): Uint8Array {
  let at = 0;
  while (bytes.length - at >= LENGTH_BYTES) {
    const length = int32At(bytes, at) >>> 0;
    if (bytes.length - at - LENGTH_BYTES < length) break;
    messages.push(bytes.subarray(at + LENGTH_BYTES, at + LENGTH_BYTES + length));
    at += LENGTH_BYTES + length;
  }
  return bytes.subarray(at);
}
