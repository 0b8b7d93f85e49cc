import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { CheckpointData } from '../compare/checkpoint.ts';
import type { CheckpointStore, CheckpointSubject } from '../compare/verify-options.ts';
import { messageOf, TwinproofError } from '../errors.ts';
import { PRIVATE_MODE, writeOutput } from '../report/output-file.ts';

const SCHEMA = 'twinproof.state/v1';

const stateSchema = z.strictObject({
  schema: z.literal(SCHEMA),
  subject: z.string(),
  tables: z.array(
    z.strictObject({
      table: z.string(),
      definition: z.string(),
      ranges: z.array(z.tuple([z.string(), z.string().regex(/^\d{1,19}$/), z.number().int()])),
    }),
  ),
});

/** Keeps what is proven in a file, so that an interrupted run can be taken up again. */
export class StateFile implements CheckpointStore {
  readonly #path: string;
  #subject = '';

  constructor(path: string) {
    this.#path = path;
  }

  /** Throws TP-STATE when the file cannot be read, or is about other sites or another scope. */
  async load(subject: CheckpointSubject): Promise<CheckpointData> {
    this.#subject = subjectName(subject);
    const text = await this.#read();
    const tables: CheckpointData['tables'] = Object.create(null);
    // Written at once, so that a place that cannot be written is told before anything is read.
    if (text === null) {
      await this.save({ tables });
      return { tables };
    }
    const state = this.#parse(text);
    if (state.subject !== this.#subject) {
      throw this.#error(`${this.#path} belongs to other sites or another scope`);
    }
    for (const { table, definition, ranges } of state.tables) {
      const known: CheckpointData['tables'][string]['ranges'] = Object.create(null);
      for (const [id, rows, at] of ranges) known[id] = { rows, at };
      tables[table] = { definition, ranges: known };
    }
    return { tables };
  }

  /** Replaces the file at once. Throws TP-OUTPUT. */
  async save(data: CheckpointData): Promise<void> {
    const tables = Object.entries(data.tables).map(([table, { definition, ranges }]) => ({
      table,
      definition,
      ranges: Object.entries(ranges).map(([id, { rows, at }]) => [id, rows, at]),
    }));
    const text = JSON.stringify({ schema: SCHEMA, subject: this.#subject, tables });
    await writeOutput(this.#path, text, { mode: PRIVATE_MODE });
  }

  async #read(): Promise<string | null> {
    try {
      return await readFile(this.#path, 'utf8');
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
      throw this.#error(`${this.#path} cannot be read: ${messageOf(error)}`, error);
    }
  }

  #parse(text: string): z.infer<typeof stateSchema> {
    try {
      return stateSchema.parse(JSON.parse(text));
    } catch (error) {
      throw this.#error(`${this.#path} is no state file of this version, or it is damaged`, error);
    }
  }

  #error(message: string, cause?: unknown): TwinproofError {
    return new TwinproofError('TP-STATE', cause === undefined ? { message } : { message, cause });
  }
}

/** What both runs must have in common. Start times are part of it: a restarted site may have been replaced. */
function subjectName({ primary, candidate, pair, selection }: CheckpointSubject): string {
  const site = ({ systemId, timeline, database }: CheckpointSubject['primary']): string =>
    `${systemId}/${timeline ?? ''}/${database}`;
  return JSON.stringify([
    pair,
    site(primary),
    candidate.instance,
    site(candidate),
    selection.include,
    selection.exclude,
  ]);
}
