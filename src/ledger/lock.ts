import {
  closeSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { TwinproofError } from '../errors.ts';
import { parseStored } from './stored.ts';

const LOCK = 'owner.lock';
const TAKEOVER = 'owner.takeover';
/** The steps of a take-over last milliseconds: whoever began longer ago is gone. */
const TAKEOVER_MS_MAX = 30_000;

const ownerSchema = z.object({
  pid: z.int(),
  host: z.string(),
  started: z.string().nullable(),
  boot: z.string().nullable(),
  since: z.string(),
});

interface Owner {
  readonly pid: number;
  readonly host: string;
  /** When the process started, in clock ticks since boot, and which boot: a process id is used again. Null: not known. */
  readonly started: string | null;
  readonly boot: string | null;
  readonly since: string;
}

/**
 * One writer a ledger. The lock is a file that names its owner; a file whose owner is gone is taken over. Processes of
 * another host cannot be asked whether they live, so their lock stands until a person removes it.
 */
export class LedgerLock {
  readonly #file: string;
  readonly #inode: number;

  private constructor(file: string, inode: number) {
    this.#file = file;
    this.#inode = inode;
  }

  /** Throws TP-LEDGER-LOCKED with the owner's name. */
  static take(folder: string, now: Date): LedgerLock {
    const file = path.join(folder, LOCK);
    const own = path.join(folder, `${LOCK}.${process.pid}`);
    writeOwner(own, { ...self(), since: now.toISOString() });
    try {
      if (!linked(own, file)) takeOver(folder, file, own, now);
      return new LedgerLock(file, statSync(file).ino);
    } finally {
      unlinkIfThere(own);
    }
  }

  /** Throws TP-LEDGER-LOCKED when the lock is not ours any more. To be asked before each durable write. */
  check(): void {
    if (inodeOf(this.#file) === this.#inode) return;
    throw new TwinproofError('TP-LEDGER-LOCKED', {
      message: 'this process has lost its lock on the ledger',
    });
  }

  release(): void {
    if (inodeOf(this.#file) === this.#inode) unlinkIfThere(this.#file);
  }
}

function takeOver(folder: string, file: string, own: string, now: Date): void {
  const takeover = path.join(folder, TAKEOVER);
  if (!linked(own, takeover)) {
    if (now.getTime() - (modified(takeover) ?? now.getTime()) > TAKEOVER_MS_MAX) unlinkIfThere(takeover);
    throw locked('another process is taking this ledger over');
  }
  try {
    const owner = readOwner(file);
    if (owner !== null && alive(owner)) {
      throw locked(`process ${owner.pid} on ${owner.host} has written to this ledger since ${owner.since}`);
    }
    renameSync(own, file);
  } finally {
    unlinkIfThere(takeover);
  }
}

function alive(owner: Owner): boolean {
  const me = self();
  if (owner.host !== me.host) return true;
  if (owner.boot !== null && me.boot !== null && owner.boot !== me.boot) return false;
  if (owner.pid === process.pid && owner.started === me.started) return true;
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
  const started = startOf(owner.pid);
  return started === null || owner.started === null || started === owner.started;
}

function self(): Omit<Owner, 'since'> {
  const { pid } = process;
  return { pid, host: hostname(), started: startOf(pid), boot: readText('/proc/sys/kernel/random/boot_id') };
}

/** Field 22 of /proc/<pid>/stat (proc_pid_stat(5)); the second field may hold spaces and ends in the last bracket. */
function startOf(pid: number): string | null {
  const text = readText(`/proc/${pid}/stat`);
  return text === null ? null : (text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? null);
}

function readText(file: string): string | null {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return null;
  }
}

function readOwner(file: string): Owner | null {
  const text = readText(file);
  if (text === null) return null;
  try {
    return parseStored(ownerSchema, Buffer.from(text));
  } catch {
    // Written whole before it is linked, so this one lost its bytes in a crash of the machine.
    return null;
  }
}

function writeOwner(file: string, owner: Owner): void {
  unlinkIfThere(file);
  const descriptor = openSync(file, 'wx', 0o600);
  try {
    writeSync(descriptor, `${JSON.stringify(owner)}\n`);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

function inodeOf(file: string): number | null {
  return statSync(file, { throwIfNoEntry: false })?.ino ?? null;
}

function modified(file: string): number | null {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? null;
}

function unlinkIfThere(file: string): void {
  try {
    unlinkSync(file);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
}

function locked(message: string): TwinproofError {
  return new TwinproofError('TP-LEDGER-LOCKED', { message });
}
