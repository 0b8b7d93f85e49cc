import { open, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { makeFolder } from '../config/made-folder.ts';
import { messageOf, TwinproofError } from '../errors.ts';
import { writeOutput } from '../report/output-file.ts';
import { stateSchema, type SystemState } from './schema.ts';

/** What is larger was not written by us. */
const STATE_BYTES_MAX = 4 * 1024 * 1024;
export const STATE_SUFFIX = '.state.json';
/** Files read at once: a thousand open ones at a time would take every descriptor that a process may have. */
const READS_AT_ONCE = 32;

/** Where the state of a system stands. Throws TP-CONFIG for a name that can be no file's. */
export function statePath(folder: string, system: string): string {
  if (/[/\\\0]/.test(system) || system === '') {
    throw new TwinproofError('TP-CONFIG', { message: 'this system’s name cannot name a file' });
  }
  return path.join(folder, `${system}${STATE_SUFFIX}`);
}

/** Writes the state of one system at once: who reads meanwhile finds the old or the new. Throws TP-OUTPUT. */
export async function writeState(folder: string, state: SystemState): Promise<void> {
  try {
    await makeFolder(folder);
  } catch (error) {
    throw new TwinproofError('TP-OUTPUT', {
      message: `${folder} could not be made: ${messageOf(error)}`,
      cause: error,
    });
  }
  await writeOutput(statePath(folder, state.system), `${JSON.stringify(state)}\n`);
}

/** `problem`: why a file that is there says nothing. */
export type ReadState =
  | { readonly state: SystemState; readonly problem: null }
  | { readonly state: null; readonly problem: string };

interface Kept {
  /** Tells one writing from another: each puts a new file in its place. */
  readonly mark: string;
  readonly read: ReadState;
}

/** Reads the states of a folder again and again, and only those that are new. */
export class StateFolder {
  readonly #folder: string;
  readonly #known = new Map<string, Kept>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * All states by name of the system, as they are now. A folder that is not there holds none. Throws TP-OUTPUT for one
   * that cannot be read.
   */
  async read(): Promise<ReadonlyMap<string, ReadState>> {
    const names = (await this.#names()).filter((name) => name.endsWith(STATE_SUFFIX));
    const present = new Set(names.map(systemOf));
    for (const system of this.#known.keys()) if (!present.has(system)) this.#known.delete(system);
    return await this.reread(names);
  }

  /** The same after a look at these files alone, which are known to have changed. Throws nothing. */
  async reread(names: readonly string[]): Promise<ReadonlyMap<string, ReadState>> {
    for (let at = 0; at < names.length; at += READS_AT_ONCE) {
      await Promise.all(names.slice(at, at + READS_AT_ONCE).map((name) => this.#refresh(name)));
    }
    return new Map([...this.#known].map(([system, { read }]) => [system, read]));
  }

  async #names(): Promise<readonly string[]> {
    try {
      return await readdir(this.#folder);
    } catch (error) {
      if (isAbsent(error)) return [];
      throw new TwinproofError('TP-OUTPUT', {
        message: `the states in ${this.#folder} cannot be read: ${messageOf(error)}`,
        hint: 'check the permissions of the folder: `state.path` of the configuration',
        cause: error,
      });
    }
  }

  async #refresh(name: string): Promise<void> {
    const system = systemOf(name);
    const file = path.join(this.#folder, name);
    try {
      const { ino, mtimeMs, size } = await stat(file);
      const mark = `${ino}/${mtimeMs}/${size}`;
      if (this.#known.get(system)?.mark === mark) return;
      this.#known.set(system, { mark, read: await readState(file, system) });
    } catch (error) {
      if (isAbsent(error)) this.#known.delete(system);
      else this.#known.set(system, { mark: '', read: { state: null, problem: messageOf(error) } });
    }
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

function systemOf(name: string): string {
  return name.slice(0, -STATE_SUFFIX.length);
}

async function readState(file: string, system: string): Promise<ReadState> {
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    if (size > STATE_BYTES_MAX) return { state: null, problem: 'the state file is too large' };
    return parseState(await handle.readFile('utf8'), system);
  } finally {
    await handle.close();
  }
}

/** What a state file says. Never throws: what cannot be read is a problem of that system alone. */
export function parseState(content: string, system: string): ReadState {
  let json: unknown;
  try {
    json = JSON.parse(content);
  } catch {
    return { state: null, problem: 'the state file is not JSON' };
  }
  const parsed = stateSchema.safeParse(json);
  if (!parsed.success) {
    const where = parsed.error.issues[0]?.path.join('.') ?? '';
    return { state: null, problem: `the state file is of another version, or damaged (${where})` };
  }
  if (parsed.data.system !== system) {
    return { state: null, problem: 'the state file is of another system' };
  }
  return { state: parsed.data, problem: null };
}
