import { link, open, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { messageOf, TwinproofError } from '../errors.ts';

export interface AtomicWrite {
  readonly path: string;
  readonly content: string;
  readonly mode: number;
  /** False: an existing file is left alone and TP-OUTPUT thrown. */
  readonly overwrite: boolean;
  readonly randomBytes: (size: number) => Uint8Array;
}

/**
 * Writes a file so that after a crash there is the old one or the whole new one: a temporary file beside it, flushed,
 * then put in place, then the directory flushed. Throws TP-OUTPUT.
 */
export async function writeAtomically(write: AtomicWrite): Promise<void> {
  const { path, overwrite } = write;
  const suffix = Buffer.from(write.randomBytes(8)).toString('hex');
  const temporary = join(dirname(path), `.${basename(path)}.${suffix}.tmp`);
  try {
    await writeFlushed(temporary, write);
    try {
      // A link fails where the name is taken; a check followed by a rename would race.
      if (overwrite) await rename(temporary, path);
      else await link(temporary, path);
    } finally {
      await unlink(temporary).catch(() => undefined);
    }
    await flushDirectory(dirname(path));
  } catch (error) {
    throw new TwinproofError('TP-OUTPUT', {
      message: isTaken(error)
        ? `${path} exists already`
        : `${path} could not be written: ${messageOf(error)}`,
      ...(isTaken(error) ? { hint: 'name another file, or give --force to replace it' } : {}),
      cause: error,
    });
  }
}

/** Exclusive, so that a file planted under the temporary name is not written through; the mode is set before any byte. */
async function writeFlushed(path: string, { content, mode }: AtomicWrite): Promise<void> {
  const file = await open(path, 'wx', mode);
  try {
    await file.chmod(mode);
    await file.writeFile(content);
    await file.sync();
  } catch (error) {
    await unlink(path).catch(() => undefined);
    throw error;
  } finally {
    await file.close();
  }
}

async function flushDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function isTaken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EEXIST';
}
