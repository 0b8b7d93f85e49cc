import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { z } from 'zod';

/** A file of an archive; `bytes` as it lies there. */
export interface ArchivedFile {
  readonly name: string;
  readonly bytes: bigint;
}

/** Enough for a terabyte of log. */
const FILES_MAX = 65_536;

/**
 * Files from the one given on, of its timeline, as far as their first 24 digits tell; archivers that keep many put them
 * into folders by the first 16 (Barman, pgBackRest). Their digits sort as the log goes on.
 */
const LIST = `
  const { readdirSync, statSync } = require('node:fs');
  const { join } = require('node:path');
  const [folder, first, most] = process.argv.slice(1);
  const found = [];
  const stat = (file) => statSync(file, { throwIfNoEntry: false });
  const wanted = (name, digits) =>
    /^[0-9A-F]+$/.test(name.slice(0, digits)) && name.slice(0, 8) === first.slice(0, 8) &&
    name.slice(0, digits) >= first.slice(0, digits);
  const list = (folder, isTop) => {
    for (const name of readdirSync(folder)) {
      const full = join(folder, name);
      if (isTop && name.length === 16) {
        if (wanted(name, 16) && stat(full)?.isDirectory()) list(full, false);
      } else if (name.length >= 24 && wanted(name, 24)) {
        found.push({ name, bytes: String(stat(full)?.size ?? 0) });
      }
      if (found.length > Number(most)) throw { code: 'more than ' + most + ' files behind where the standby is' };
    }
  };
  try {
    list(folder, true);
    console.log(JSON.stringify(found));
  } catch (error) {
    console.log(JSON.stringify(error.code ?? 'cannot be read'));
  }
`;

const answer = z.union([
  z.string(),
  z.array(z.object({ name: z.string(), bytes: z.string().transform(BigInt) })),
]);

/**
 * What lies in an archive from the file named `first` on, in no order; or why that cannot be read. In a process of its
 * own: a call to a share that hangs, as one does that burned with the primary, can be ended by nobody, and the process
 * that made it cannot end either.
 */
export async function filesOfArchive(
  folder: string,
  first: string,
  signal: AbortSignal,
): Promise<readonly ArchivedFile[] | string> {
  signal.throwIfAborted();
  const child = spawn(process.execPath, ['-e', LIST, folder, first, String(FILES_MAX)], {
    env: {},
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const giveUp = (): void => {
    child.kill('SIGKILL');
    child.stdout.destroy();
    child.unref();
  };
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    const [said] = await Promise.all([text(child.stdout), once(child, 'exit', { signal })]);
    return answer.parse(JSON.parse(said));
  } catch {
    signal.throwIfAborted();
    return 'cannot be listed';
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}
