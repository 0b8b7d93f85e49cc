import type { Difference } from '../compare/result.ts';
import { OutputFile, PRIVATE_MODE } from './output-file.ts';
import { differenceDocument } from './verify-json.ts';

/** Lines are gathered up to here before they are written; memory does not grow with the number of differences. */
const BUFFER_BYTES_MAX = 256 * 1024;

/**
 * Every difference, as it is found, in a file of JSON lines: `{"table", "kind", "key", "columns", "values"}`, for its
 * owner's eyes only. The file appears under its name when `close` is done; until then, and after an error, there is
 * only what stood there before.
 */
export class DifferenceWriter {
  readonly #output: OutputFile;
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #lines = 0n;
  /** Writes under way, in order. It never rejects: `#failed` tells. */
  #tail: Promise<void> = Promise.resolve();
  #failed: { readonly error: unknown } | null = null;

  private constructor(output: OutputFile) {
    this.#output = output;
  }

  /** @throws TwinproofError TP-OUTPUT */
  static async create(file: string): Promise<DifferenceWriter> {
    return new DifferenceWriter(await OutputFile.create(file, { mode: PRIVATE_MODE }));
  }

  /**
   * Takes a difference. Await it before the next one: that is what bounds the memory. Many writers may do so at once.
   *
   * @throws TwinproofError TP-OUTPUT, for this or an earlier difference.
   */
  async write(difference: Difference): Promise<void> {
    this.#throwIfFailed();
    const line = Buffer.from(
      `${JSON.stringify({ table: difference.table, ...differenceDocument(difference) })}\n`,
    );
    this.#pending.push(line);
    this.#pendingBytes += line.length;
    this.#lines += 1n;
    if (this.#pendingBytes >= BUFFER_BYTES_MAX) await this.#flush();
  }

  /** Puts the file in its place. @returns the number of lines. @throws TwinproofError TP-OUTPUT */
  async close(): Promise<bigint> {
    await this.#flush();
    await this.#output.commit();
    return this.#lines;
  }

  /** Gives up: nothing is left of the file. Throws nothing; without effect after `close`. */
  async discard(): Promise<void> {
    await this.#tail;
    await this.#output.discard();
  }

  async #flush(): Promise<void> {
    const chunk = Buffer.concat(this.#pending);
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#tail = this.#append(this.#tail, chunk);
    await this.#tail;
    this.#throwIfFailed();
  }

  async #append(earlier: Promise<void>, chunk: Buffer): Promise<void> {
    await earlier;
    if (this.#failed !== null || chunk.length === 0) return;
    try {
      await this.#output.write(chunk);
    } catch (error) {
      this.#failed = { error };
    }
  }

  #throwIfFailed(): void {
    if (this.#failed !== null) throw this.#failed.error;
  }
}
