import { randomUUID } from 'node:crypto';
import { link, open, realpath, rename, stat, unlink, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { TwinproofError } from '../errors.ts';

export interface OutputFileOptions {
  /** Permissions of a new file. */
  readonly mode: number;
  /**
   * What becomes of a file that stands there. `keep`, the default: it gets the new content and keeps its permissions,
   * and links are followed. `replace`: a new file with exactly `mode` takes its place, as keys need it, and a link
   * is replaced itself. `refuse`: it is left alone, and TP-OUTPUT thrown.
   */
  readonly existing?: 'keep' | 'replace' | 'refuse';
}

/** What a file may be read by when nothing says otherwise; the umask still applies. */
export const PUBLIC_MODE = 0o666;
/** For what holds keys or values of rows. */
export const PRIVATE_MODE = 0o600;

/**
 * Writes a file at once: whoever opens `file` finds the old content or the whole new one, also after a crash.
 *
 * @throws TwinproofError TP-OUTPUT with the path; nothing is left behind.
 */
export async function writeOutput(
  file: string,
  content: string | Uint8Array,
  options: OutputFileOptions = { mode: PUBLIC_MODE },
): Promise<void> {
  const output = await OutputFile.create(file, options);
  await output.write(typeof content === 'string' ? Buffer.from(content) : content);
  await output.commit();
}

/**
 * A file under way: written beside its place under a temporary name and put there by `commit`. After an error, or
 * `discard`, nothing of it is left. What is not a regular file (a pipe, /dev/stdout) is written directly: a rename would
 * put a file where the device was.
 */
export class OutputFile {
  readonly #file: string;
  readonly #target: string;
  /** Null: written directly. */
  readonly #temporary: string | null;
  readonly #exclusive: boolean;
  #handle: FileHandle | null;

  private constructor(
    file: string,
    target: string,
    temporary: string | null,
    handle: FileHandle,
    exclusive = false,
  ) {
    this.#file = file;
    this.#target = target;
    this.#temporary = temporary;
    this.#handle = handle;
    this.#exclusive = exclusive;
  }

  /**
   * Finds out whether a file could be written there now, before hours are spent on what goes into it. Nothing is left;
   * a pipe or a device is not opened for it.
   *
   * @throws TwinproofError TP-OUTPUT
   */
  static async demand(file: string): Promise<void> {
    const existing = await existingFile(file).catch(() => null);
    if (existing !== null && !existing.regular && !existing.folder) return;
    await (await OutputFile.create(file, { mode: PRIVATE_MODE })).discard();
  }

  /** @throws TwinproofError TP-OUTPUT */
  static async create(file: string, options: OutputFileOptions): Promise<OutputFile> {
    const { mode, existing: fate = 'keep' } = options;
    try {
      const existing = fate === 'keep' ? await existingFile(file) : null;
      if (existing !== null && !existing.regular) {
        return new OutputFile(file, existing.target, null, await open(existing.target, 'w'));
      }
      const target = existing?.target ?? path.resolve(file);
      const temporary = path.join(path.dirname(target), `.${path.basename(target)}.${randomUUID()}.tmp`);
      // Exclusive: a link that someone put there under this name is not followed.
      const handle = await open(temporary, 'wx', existing?.mode ?? mode);
      // The umask has taken its part of the mode given at creation.
      if (existing !== null) await handle.chmod(existing.mode);
      if (fate !== 'keep') await handle.chmod(mode);
      return new OutputFile(file, target, temporary, handle, fate === 'refuse');
    } catch (error) {
      throw failure(file, error);
    }
  }

  /** All of `bytes`. @throws TwinproofError TP-OUTPUT; the file is discarded. */
  async write(bytes: Uint8Array): Promise<void> {
    await this.#attempt(async (handle) => {
      // FileHandle.write may take less than it is given, as when the disk is nearly full.
      for (let at = 0; at < bytes.length;) {
        const { bytesWritten } = await handle.write(bytes, at, bytes.length - at);
        at += bytesWritten;
      }
    });
  }

  /** Flushes to the disk and puts the file in its place. @throws TwinproofError TP-OUTPUT; the file is discarded. */
  async commit(): Promise<void> {
    await this.#attempt(async (handle) => {
      if (this.#temporary !== null) await handle.sync();
      await handle.close();
      this.#handle = null;
      if (this.#temporary === null) return;
      if (this.#exclusive) await renameExclusively(this.#temporary, this.#target);
      else await rename(this.#temporary, this.#target);
      await syncFolder(path.dirname(this.#target));
    });
  }

  /** Removes what was written so far; without effect after `commit`. Throws nothing. */
  async discard(): Promise<void> {
    const handle = this.#handle;
    if (handle === null) return;
    this.#handle = null;
    await handle.close().catch(() => undefined);
    if (this.#temporary !== null) await unlink(this.#temporary).catch(() => undefined);
  }

  async #attempt(work: (handle: FileHandle) => Promise<void>): Promise<void> {
    const handle = this.#handle;
    if (handle === null) throw failure(this.#file, new Error('it is closed already'));
    try {
      await work(handle);
    } catch (error) {
      // After a failed rename the handle is closed, but the temporary file is still there.
      this.#handle = handle;
      await this.discard();
      throw failure(this.#file, error);
    }
  }
}

interface ExistingFile {
  /** Where links lead: the file is replaced and not the link. */
  readonly target: string;
  readonly regular: boolean;
  readonly folder: boolean;
  readonly mode: number;
}

async function existingFile(file: string): Promise<ExistingFile | null> {
  try {
    const target = await realpath(file);
    const facts = await stat(target);
    return { target, regular: facts.isFile(), folder: facts.isDirectory(), mode: facts.mode & 0o777 };
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
}

/** A link fails where the name is taken; a check followed by a rename would race. */
async function renameExclusively(from: string, to: string): Promise<void> {
  await link(from, to);
  await unlink(from);
}

/** Without this the new name can be gone after a power failure. */
async function syncFolder(folder: string): Promise<void> {
  // Windows cannot open a folder.
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function codeOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;
}

const PROBLEMS: Readonly<Record<string, string>> = {
  ENOSPC: 'no space is left on the disk',
  EDQUOT: 'the disk quota is used up',
  EACCES: 'permission is denied',
  EPERM: 'permission is denied',
  EROFS: 'the file system is read only',
  ENOENT: 'its folder does not exist',
  ENOTDIR: 'a part of its path is not a folder',
  EISDIR: 'it is a folder',
  EFBIG: 'the file is too large for the file system',
};

function failure(file: string, error: unknown): TwinproofError {
  const code = codeOf(error);
  if (code === 'EEXIST') {
    return new TwinproofError('TP-OUTPUT', {
      message: `${file} exists already`,
      hint: 'name another file, or give --force to replace it',
      cause: error,
    });
  }
  const problem =
    code === null ? String(error instanceof Error ? error.message : error) : (PROBLEMS[code] ?? code);
  return new TwinproofError('TP-OUTPUT', {
    message: `${file} could not be written: ${problem}`,
    cause: error,
  });
}
