import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access, chmod, chown, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type MysqlInstallation, run } from './mysql-installation.ts';

/** Raise it when what is in a template changes. */
const TEMPLATE = 1;

/**
 * Folder in which things are kept between runs: `/var/cache/twinproof-tests` for root, else below the user's cache
 * folder. Every user may enter it: servers of root run as somebody else.
 */
export async function cacheFolder(): Promise<string> {
  const base =
    process.getuid?.() === 0 ? '/var/cache' : (process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'));
  const folder = join(base, 'twinproof-tests');
  await mkdir(folder, { recursive: true });
  await chmod(folder, 0o755);
  return folder;
}

/**
 * An empty data folder that every new server of this version starts from: making one takes seconds, copying it takes
 * a tenth. Made once under another name and renamed, so a half-made one is never used.
 */
export async function templateFolder(installation: MysqlInstallation): Promise<string> {
  const { flavor, version, user } = installation;
  const cache = await cacheFolder();
  const folder = join(cache, `data-${TEMPLATE}-${flavor}-${version}-${user?.uid ?? process.getuid?.() ?? 0}`);
  if (await exists(folder)) return folder;
  const draft = await mkdtemp(join(cache, 'draft-'));
  try {
    await chmod(draft, 0o755);
    const data = join(draft, 'data');
    await mkdir(data, { mode: 0o700 });
    if (user !== null) await chown(data, user.uid, user.gid);
    await initialise(installation, data);
    await rename(data, folder).catch(async (error: unknown) => {
      // Somebody else was quicker.
      if (!(await exists(folder))) throw error;
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return folder;
}

async function initialise(installation: MysqlInstallation, data: string): Promise<void> {
  const [program, ...args] = installation.initialise;
  await run(program, [...args, '--innodb-log-file-size=8M', `--datadir=${data}`], installation.user);
}

/** Copies a folder with owners and times; blocks are shared where the file system can. */
export function copyFolder(from: string, to: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('cp', ['-a', '--reflink=auto', from, to], { stdio: 'ignore' });
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`cp ${from} ${to} failed`))));
  });
}

function exists(path: string): Promise<boolean> {
  return access(path, constants.F_OK).then(
    () => true,
    () => false,
  );
}
