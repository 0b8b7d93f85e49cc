import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';

/**
 * Makes a folder that the configuration names, and those above it. As `mkdir` with `recursive`, which never returns where
 * a file system says that there is no such folder of one whose parent is there, as /proc does (seen with Node.js 20).
 * Throws what the file system throws.
 */
export async function makeFolder(folder: string, mode = 0o777): Promise<void> {
  for (const one of await missingAt(path.resolve(folder))) await makeOne(one, mode);
}

/** From above, to the folder itself. */
async function missingAt(folder: string): Promise<readonly string[]> {
  const missing: string[] = [];
  for (let at = folder; !(await isFolder(at)); at = path.dirname(at)) {
    missing.unshift(at);
    if (at === path.dirname(at)) break;
  }
  return missing;
}

async function makeOne(folder: string, mode: number): Promise<void> {
  try {
    await mkdir(folder, { mode });
  } catch (error) {
    // Somebody else made it meanwhile.
    if (!(await isFolder(folder))) throw error;
  }
}

async function isFolder(name: string): Promise<boolean> {
  return (await stat(name).catch(() => null))?.isDirectory() ?? false;
}
