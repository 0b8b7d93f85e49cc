import { OutputFile, PRIVATE_MODE } from './output-file.ts';

const BUFFER_BYTES_MAX = 256 * 1024;

/** One change that the candidate lacks. */
export interface LossLine {
  readonly transaction: string;
  readonly committedAtUs: bigint;
  /** The table by its root, and the part of it that held the row. */
  readonly table: string;
  readonly leaf: string;
  readonly kind: 'insert' | 'update' | 'delete' | 'truncate' | 'unknown row';
  /** Column name to text; null: the change is of all rows, or of one that the log does not name. */
  readonly key: Readonly<Record<string, string>> | null;
}

/**
 * The lost changes in a file of JSON lines, in commit order: `{"table", "leaf", "kind", "key", "transaction",
 * "committedAt"}`, the time in UTC with microseconds. For its owner's eyes only. The file appears under its name when
 * `close` is done.
 */
export class LossWriter {
  readonly #output: OutputFile;
  #pending: string[] = [];
  #bytes = 0;
  #lines = 0n;

  private constructor(output: OutputFile) {
    this.#output = output;
  }

  /** @throws TwinproofError TP-OUTPUT */
  static async create(file: string): Promise<LossWriter> {
    return new LossWriter(await OutputFile.create(file, { mode: PRIVATE_MODE }));
  }

  /** Await it before the next one: that is what bounds the memory. @throws TwinproofError TP-OUTPUT */
  async write({ table, leaf, kind, key, transaction, committedAtUs }: LossLine): Promise<void> {
    const line = { table, leaf, kind, key, transaction, committedAt: microsecondsText(committedAtUs) };
    const text = `${JSON.stringify(line)}\n`;
    this.#pending.push(text);
    this.#bytes += text.length;
    this.#lines += 1n;
    if (this.#bytes >= BUFFER_BYTES_MAX) await this.#flush();
  }

  /** Puts the file in its place. @returns the number of lines. @throws TwinproofError TP-OUTPUT */
  async close(): Promise<bigint> {
    await this.#flush();
    await this.#output.commit();
    return this.#lines;
  }

  /** Gives up: nothing is left of the file. Throws nothing; without effect after `close`. */
  async discard(): Promise<void> {
    await this.#output.discard();
  }

  async #flush(): Promise<void> {
    const text = this.#pending.join('');
    this.#pending = [];
    this.#bytes = 0;
    if (text !== '') await this.#output.write(Buffer.from(text));
  }
}

/** ISO 8601 in UTC with all six digits: a Date has three. */
export function microsecondsText(us: bigint): string {
  const rest = ((us % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const seconds = new Date(Number((us - rest) / 1000n)).toISOString().slice(0, 19);
  return `${seconds}.${rest.toString().padStart(6, '0')}Z`;
}
