import { existsSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { open, type Database, type RootDatabase, type Transaction } from 'lmdb';
import type { Position } from '../connector/position.ts';
import { TwinproofError } from '../errors.ts';
import { demandIndexFile } from './index-file.ts';
import type { Mark } from './journal.ts';
import { parseStored, positionSchema } from './stored.ts';
import { decodeRelation, encodeRelation, type Relation } from './relation.ts';

/** The version of the whole store: journal, index and their encodings. */
export const LEDGER_VERSION = 1;
const MAP_BYTES = 2 ** 40;
const FILE = 'index.lmdb';

const markSchema = z.object({ at: z.int(), link: z.string() });
const committedSchema = markSchema.extend({
  position: positionSchema.nullable(),
  newestUs: z
    .string()
    .transform((text) => BigInt(text))
    .nullable(),
});
const identitySchema = z.object({
  version: z.int(),
  ledger: z.string(),
  system: z.string(),
  source: z.string(),
  digest: z.enum(['xxh64', 'sha256']),
});

type Table = Database<Buffer, Buffer>;

/** The last place between two transactions, where the stream stood there, and the newest commit time up to it. */
export interface Committed {
  readonly mark: Mark;
  readonly position: Position | null;
  readonly newestUs: bigint | null;
}

/** An environment of LMDB: there is one a file and process, as whoever opened it first wanted it. */
interface Environment {
  readonly writable: boolean;
  stores: number;
  readonly gone: Promise<void>;
  readonly end: () => void;
}

/** Those of this process, by file. */
const environments = new Map<string, Environment>();

/** Whose ledger it is. */
export interface LedgerIdentity {
  readonly version: number;
  /** A UUID, drawn when the ledger was made. */
  readonly ledger: string;
  /** The system's name in the configuration, and the primary's own identity (Identity.systemId and database). */
  readonly system: string;
  readonly source: string;
  readonly digest: 'xxh64' | 'sha256';
}

/**
 * The LMDB file. Commits are durable before they return: `overlappingSync` is off, for with it they are not (lmdb-js,
 * README, "Options"). The map is not written to (`useWritemap`): a full disk would then end the process with SIGBUS.
 */
export class Store {
  readonly #root: RootDatabase<Buffer, Buffer>;
  readonly #file: string;
  /** Stored key (src/ledger/key.ts) to entry (src/ledger/entry.ts). */
  readonly index: Table;
  /** Keys whose digest must be read, to the place of their last change. */
  readonly unread: Table;
  /** Candidate's number (2 bytes) and stored key, to the place of the key's last change. */
  readonly dirty: Table;
  /** Everything that is small: JSON by name. */
  readonly meta: Table;

  /** Throws MalformedBytes for a file that is none of LMDB's, or cut off. To write, wait for `writableIn` before. */
  constructor(folder: string, writable: boolean) {
    this.#file = path.resolve(folder, FILE);
    demandIndexFile(this.#file);
    this.#root = open<Buffer, Buffer>({
      path: this.#file,
      noSubdir: true,
      encoding: 'binary',
      keyEncoding: 'binary',
      overlappingSync: false,
      cache: false,
      maxDbs: 8,
      mapSize: MAP_BYTES,
      readOnly: !writable,
    });
    enter(this.#file, writable);
    this.index = this.#open('index');
    this.unread = this.#open('unread');
    this.dirty = this.#open('dirty');
    this.meta = this.#open('meta');
  }

  /**
   * Ends when nobody in this process has the file open for reading alone: who opens it to write meanwhile would get what
   * cannot be written to.
   */
  static async writableIn(folder: string): Promise<void> {
    const file = path.resolve(folder, FILE);
    for (let found = environments.get(file); found?.writable === false; found = environments.get(file)) {
      await found.gone;
    }
  }

  /** Its name within the ledger's folder. */
  static readonly file = FILE;

  static exists(folder: string): boolean {
    return existsSync(path.join(folder, FILE));
  }

  transaction<T>(action: () => T): T {
    return this.#root.transactionSync(action);
  }

  /** Shows the store as it is now, however it goes on, until it is `done`; meanwhile no room in the file is used anew. */
  frozen(): Transaction {
    return this.#root.useReadTransaction();
  }

  async close(): Promise<void> {
    await this.#root.close();
    leave(this.#file);
  }

  /** A JSON value; null: none is there. Throws MalformedBytes when it is not what `schema` says. */
  read<T>(name: string, schema: z.ZodType<T>): T | null {
    const bytes = this.meta.get(Buffer.from(name));
    return bytes === undefined ? null : parseStored(schema, bytes);
  }

  write(name: string, value: unknown): void {
    this.meta.putSync(Buffer.from(name), Buffer.from(JSON.stringify(value)));
  }

  erase(name: string): void {
    this.meta.removeSync(Buffer.from(name));
  }

  /** Names that begin with `prefix`, in order, and their values. */
  list<T>(prefix: string, schema: z.ZodType<T>): { name: string; value: T }[] {
    const found: { name: string; value: T }[] = [];
    for (const { key, value } of this.meta.getRange({ start: Buffer.from(prefix) })) {
      const name = key.toString('utf8');
      if (!name.startsWith(prefix)) break;
      found.push({ name, value: parseStored(schema, value) });
    }
    return found;
  }

  /** Up to where the journal is in the index: at a record, not always at a transaction's end. */
  applied(): Mark | null {
    return decodeMark(this.read('applied', markSchema));
  }

  committed(): Committed | null {
    const stored = this.read('committed', committedSchema);
    const mark = decodeMark(stored);
    if (stored === null || mark === null) return null;
    return { mark, position: stored.position, newestUs: stored.newestUs };
  }

  writeMarks(applied: Mark, committed: Committed): void {
    const newestUs = committed.newestUs?.toString() ?? null;
    this.write('applied', encodeMark(applied));
    this.write('committed', { ...encodeMark(committed.mark), position: committed.position, newestUs });
  }

  relations(): Relation[] {
    const relations: Relation[] = [];
    for (const { key, value } of this.meta.getRange({ start: Buffer.from('relation:') })) {
      if (!key.toString('utf8').startsWith('relation:')) break;
      relations.push(decodeRelation(value));
    }
    return relations;
  }

  writeRelation(relation: Relation): void {
    this.meta.putSync(relationName(relation.number), encodeRelation(relation));
  }

  eraseRelation(number: number): void {
    this.meta.removeSync(relationName(number));
  }

  identity(): LedgerIdentity | null {
    const identity = this.read('identity', identitySchema);
    if (identity !== null && identity.version > LEDGER_VERSION) {
      throw new TwinproofError('TP-LEDGER-VERSION', {
        message: `this ledger has format version ${identity.version}, and this program knows ${LEDGER_VERSION}`,
      });
    }
    return identity;
  }

  #open(name: string): Table {
    return this.#root.openDB<Buffer, Buffer>({
      name,
      encoding: 'binary',
      keyEncoding: 'binary',
      cache: false,
    });
  }
}

function enter(file: string, writable: boolean): void {
  const known = environments.get(file);
  if (known !== undefined) {
    known.stores++;
    return;
  }
  let end = (): void => undefined;
  const gone = new Promise<void>((resolve) => {
    end = resolve;
  });
  environments.set(file, { writable, stores: 1, gone, end });
}

function leave(file: string): void {
  const environment = environments.get(file);
  if (environment === undefined || --environment.stores > 0) return;
  environments.delete(file);
  environment.end();
}

function relationName(number: number): Buffer {
  return Buffer.from(`relation:${number.toString(16).padStart(8, '0')}`);
}

function encodeMark(mark: Mark): z.infer<typeof markSchema> {
  return { at: mark.at, link: mark.link.toString('hex') };
}

function decodeMark(stored: z.infer<typeof markSchema> | null): Mark | null {
  return stored === null ? null : { at: stored.at, link: Buffer.from(stored.link, 'hex') };
}
