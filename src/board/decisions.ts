import { randomUUID, type KeyObject } from 'node:crypto';
import { open, readFile, stat, truncate } from 'node:fs/promises';
import path from 'node:path';
import { signersOf, signPayload, writeEnvelopeLine } from '../certificate/envelope.ts';
import { parseEnvelope } from '../certificate/envelope-parse.ts';
import { publicKeyOf } from '../certificate/key.ts';
import { sha256 } from '../certificate/statement.ts';
import { makeFolder } from '../config/made-folder.ts';
import { messageOf, TwinproofError } from '../errors.ts';
import {
  DECISION_SCHEMA,
  DECISION_TYPE,
  decisionsOf,
  recordSchema,
  type Decision,
  type DecisionRecord,
  type Proposal,
  type Shown,
} from './decision-record.ts';

const RECORD_BYTES_MAX = 64 * 1024 * 1024;

type MakeRecord = (common: Pick<DecisionRecord, 'schema' | 'at' | 'by' | 'previous'>) => DecisionRecord;

/** Bytes of the file: of its whole lines, and all. */
interface Length {
  readonly end: number;
  readonly size: number;
}

/** In place of a mark of the file: there is none. */
const ABSENT: Found = { mark: 'absent', writtenAt: 0 };
/** What was written so lately may be written again without another time in the folder: it is read each time. */
const SETTLED_MS = 2_000;

interface Found {
  /** Tells one writing from another. */
  readonly mark: string;
  /** Epoch milliseconds. */
  readonly writtenAt: number;
}

/**
 * The record of decisions: one signed envelope a line (DSSE, Ed25519), only ever appended to, each naming the one
 * before. Whoever asks is told what stands in the file now, so that several boards may share it; one writes at a time.
 */
export class DecisionFile {
  readonly #file: string;
  readonly #key: KeyObject;
  readonly #now: () => Date;
  #records: readonly DecisionRecord[] = [];
  /** sha256 of their payloads. */
  #digests: readonly string[] = [];
  #length: Length = { end: 0, size: 0 };
  /** Of the file that was read last; null: it is to be read again. */
  #seen: string | null = null;
  #problem: string | null = null;
  #queue: Promise<unknown> = Promise.resolve();

  private constructor(file: string, key: KeyObject, now: () => Date) {
    this.#file = file;
    this.#key = key;
    this.#now = now;
  }

  /** Throws nothing: a record that cannot be trusted is a problem, and no reason to show nothing else. */
  static async open(file: string, key: KeyObject, now: () => Date): Promise<DecisionFile> {
    const decisions = new DecisionFile(file, key, now);
    await decisions.refresh();
    return decisions;
  }

  /** Why the record cannot be trusted, and is not written to; null: nothing speaks against it. */
  get problem(): string | null {
    return this.#problem;
  }

  /** The newest first; up to where the record cannot be trusted. */
  list(system?: string): readonly Decision[] {
    return decisionsOf(this.#records).filter((one) => system === undefined || one.system === system);
  }

  /** Takes in what stands in the file now. Throws nothing. */
  async refresh(): Promise<void> {
    await this.#next(() => this.#load());
  }

  /** The answer is the decision's id. Throws TP-OUTPUT, TP-CERTIFICATE. */
  async propose(proposal: Proposal, by: string, shown: Shown): Promise<string> {
    const id = randomUUID();
    await this.#append((common) => ({ ...common, kind: 'proposed', id, proposal, shown }), by);
    return id;
  }

  /** Throws TP-USAGE unless it waits for this very person; TP-OUTPUT, TP-CERTIFICATE. */
  async approve(id: string, by: string, shown: Shown): Promise<void> {
    await this.#append((common) => {
      const decision = this.list().find((one) => one.id === id);
      const problem =
        decision === undefined
          ? 'there is no such decision'
          : decision.approvedBy !== null
            ? 'it is approved already'
            : decision.proposedBy === by
              ? 'the second approver must be another person'
              : null;
      if (problem !== null) throw new TwinproofError('TP-USAGE', { message: problem });
      return { ...common, kind: 'approved', id, shown };
    }, by);
  }

  /** One after the other: each record names the one before. */
  #next<T>(work: () => Promise<T>): Promise<T> {
    const run = this.#queue.then(work);
    this.#queue = run.catch(() => undefined);
    return run;
  }

  #append(make: MakeRecord, by: string): Promise<void> {
    return this.#next(async () => {
      await this.#load();
      if (this.#problem !== null) {
        throw new TwinproofError('TP-CERTIFICATE', {
          message: this.#problem,
          hint: 'nobody has decided anything: keep the file as evidence, find out who changed it, and name a new one in board.decisions',
        });
      }
      const record = make({
        schema: DECISION_SCHEMA,
        at: this.#now().toISOString(),
        by,
        previous: this.#digests.at(-1) ?? null,
      });
      const payload = Buffer.from(JSON.stringify(record));
      const signatures = [signPayload(DECISION_TYPE, payload, this.#key)];
      await this.#write(`${writeEnvelopeLine({ payloadType: DECISION_TYPE, payload, signatures })}\n`);
      await this.#load();
    });
  }

  async #write(line: string): Promise<void> {
    const { end, size } = this.#length;
    try {
      await makeFolder(path.dirname(this.#file));
      // A line without its end is a writing that a crash cut off: nobody was told that it is recorded.
      if (end < size) await truncate(this.#file, end);
      const handle = await open(this.#file, 'a', 0o600);
      try {
        await handle.writeFile(line);
        await handle.sync();
      } finally {
        await handle.close();
      }
    } catch (error) {
      throw new TwinproofError('TP-OUTPUT', {
        message: `the decision could not be recorded in ${this.#file}: ${messageOf(error)}`,
        hint: 'nobody has decided anything yet: mend the disk and record it again',
        cause: error,
      });
    }
  }

  async #load(): Promise<void> {
    try {
      const found = await this.#found();
      if (found.mark === this.#seen) return;
      const content = found === ABSENT ? Buffer.alloc(0) : await readFile(this.#file);
      const end = content.lastIndexOf('\n') + 1;
      this.#take(content.toString('utf8', 0, end), { end, size: content.length });
      this.#seen = this.#now().getTime() - found.writtenAt > SETTLED_MS ? found.mark : null;
    } catch (error) {
      this.#seen = null;
      this.#problem = `${this.#file} cannot be read: ${messageOf(error)}`;
    }
  }

  async #found(): Promise<Found> {
    try {
      const { ino, size, mtimeMs } = await stat(this.#file);
      if (size > RECORD_BYTES_MAX) throw new Error('it is too large');
      return { mark: `${ino}/${size}/${mtimeMs}`, writtenAt: mtimeMs };
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return ABSENT;
      throw error;
    }
  }

  /** What was known before must be its beginning: a record that was cut off at its end does not show by itself. */
  #take(text: string, length: Length): void {
    const records: DecisionRecord[] = [];
    const digests: string[] = [];
    let problem: string | null = null;
    for (const [index, line] of text.split('\n').entries()) {
      if (line === '') continue;
      const found = this.#verified(line);
      if (found === null || found.record.previous !== (digests.at(-1) ?? null)) {
        problem = `line ${index + 1} of ${this.#file} was altered, was signed with another key, or the one before it is missing`;
        break;
      }
      records.push(found.record);
      digests.push(found.digest);
    }
    const known = this.#digests.length;
    if (known > 0 && digests[known - 1] !== this.#digests[known - 1]) {
      this.#problem = problem ?? `${this.#file} lacks decisions that it had: it was cut off or replaced`;
      return;
    }
    this.#records = records;
    this.#digests = digests;
    this.#length = length;
    this.#problem = problem;
  }

  /** Null: it is no record that our key has signed. */
  #verified(line: string): { readonly record: DecisionRecord; readonly digest: string } | null {
    try {
      const envelope = parseEnvelope(line);
      if (signersOf(envelope, [publicKeyOf(this.#key)]).length === 0) return null;
      const record = recordSchema.safeParse(JSON.parse(envelope.payload.toString('utf8'))).data;
      return record === undefined ? null : { record, digest: sha256(envelope.payload) };
    } catch {
      return null;
    }
  }
}
