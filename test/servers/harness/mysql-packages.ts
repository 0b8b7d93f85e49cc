import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { access, chmod, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { run } from '../../../src/demo/mysql-run.ts';

/** A Debian package that is unpacked with everything it needs, down to the C library. */
export interface PackageSource {
  readonly name: string;
  readonly suite: 'bookworm' | 'trixie' | 'sid';
}

/** Raise it when what is in an unpacked folder changes. */
const LAYOUT = 1;

/** Unpacked for nothing: no server program runs them. */
const UNUSED = /^(?:perl|libperl|debconf|adduser|passwd)/;

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

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
 * Folder `name` of the cache, which `make` fills when there is none: in a draft that is renamed when it is complete,
 * and by one process at a time. What is there is never made again; delete the folder for that.
 */
export async function cached(name: string, make: (draft: string) => Promise<void>): Promise<string> {
  const cache = await cacheFolder();
  const folder = join(cache, name);
  if (await exists(folder)) return folder;
  const unlock = await lock(`${folder}.lock`);
  try {
    if (await exists(folder)) return folder;
    await removeDrafts(cache, name);
    const draft = await mkdtemp(join(cache, `draft-${name}-`));
    try {
      await chmod(draft, 0o755);
      await make(draft);
      await rename(draft, folder);
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
    return folder;
  } finally {
    await unlock();
  }
}

/** Only a process that was killed leaves one, for the lock is ours. */
async function removeDrafts(cache: string, name: string): Promise<void> {
  const left = (await readdir(cache)).filter((entry) => entry.startsWith(`draft-${name}-`));
  for (const entry of left) await rm(join(cache, entry), { recursive: true, force: true });
}

/**
 * Root folder of an unpacked package: no chroot, no root, nothing installed on the machine. Its programs are started
 * through the C library's loader beside them. About 15 s the first time, from the mirror that the machine's apt uses.
 *
 * @throws Error on a machine without apt or without a Debian mirror.
 */
export function unpacked(source: PackageSource): Promise<string> {
  return cached(`${source.name}-${source.suite}-${LAYOUT}`, async (draft) => {
    const apt = join(draft, '.apt');
    const archives = await download(source, apt);
    const files = (await readdir(archives)).filter((file) => file.endsWith('.deb') && !UNUSED.test(file));
    const limit = pLimit(2);
    await Promise.all(
      files.map((file) => limit(() => run('dpkg-deb', ['-x', join(archives, file), draft], null))),
    );
    await chmod(draft, 0o755);
    await rm(apt, { recursive: true, force: true });
  });
}

/** Lets apt resolve and fetch, with a state of its own in which nothing is installed yet. Signatures are checked. */
async function download(source: PackageSource, apt: string): Promise<string> {
  const mirror = await debianMirror();
  const archives = join(apt, 'archives');
  for (const folder of [apt, join(apt, 'lists'), archives]) await mkdir(folder, { mode: 0o755 });
  const signed = (await exists(KEYRING)) ? ` signed-by=${KEYRING}` : '';
  await writeFile(join(apt, 'status'), '');
  await writeFile(
    join(apt, 'sources.list'),
    `deb [target=Packages${signed}] ${mirror} ${source.suite} main\n`,
  );
  await writeFile(join(apt, 'apt.conf'), aptSettings(apt));
  const common = ['-q', '-c', join(apt, 'apt.conf')];
  await run('apt-get', [...common, 'update'], null);
  const install = ['install', '--download-only', '--no-install-recommends', '-y', source.name];
  await run('apt-get', [...common, ...install], null);
  return archives;
}

/** Proxies and the like stay as the machine has them; hooks of the machine are not for us. */
function aptSettings(apt: string): string {
  const values: Readonly<Record<string, string>> = {
    'Dir::State': apt,
    'Dir::State::lists': join(apt, 'lists'),
    'Dir::State::status': join(apt, 'status'),
    'Dir::Cache': apt,
    'Dir::Cache::archives': join(apt, 'archives'),
    'Dir::Etc::sourcelist': join(apt, 'sources.list'),
    'Dir::Etc::sourceparts': '/dev/null',
    'Dir::Etc::preferences': '/dev/null',
    'Dir::Etc::preferencesparts': '/dev/null',
    'APT::Default-Release': '',
    'Acquire::Retries': '3',
    'Acquire::http::Timeout': '30',
  };
  const cleared = ['APT::Update', 'DPkg::Pre-Install-Pkgs', 'DPkg::Pre-Invoke', 'DPkg::Post-Invoke'];
  const lines = Object.entries(values).map(([name, value]) => `${name} "${value}";\n`);
  return cleared.map((name) => `#clear ${name};\n`).join('') + lines.join('');
}

/** The mirror of the Debian archive that this machine is set up with. */
async function debianMirror(): Promise<string> {
  const query = [
    'indextargets',
    '--format',
    '$(LABEL) $(REPO_URI)',
    'Identifier: Packages',
    'Component: main',
  ];
  const ask = async (): Promise<string | undefined> => {
    const lines = (await run('apt-get', query, null)).split('\n');
    return lines.find((line) => line.startsWith('Debian '))?.slice('Debian '.length);
  };
  let mirror = await ask();
  if (mirror === undefined && process.getuid?.() === 0) {
    // A bare image has no lists, and without them apt does not tell whose mirror is whose.
    await run('apt-get', ['-q', 'update'], null);
    mirror = await ask();
  }
  if (mirror === undefined)
    throw new Error('apt knows no mirror of Debian here (run apt-get update on Debian)');
  return mirror;
}

/** Takes an exclusive lock, waiting for it; returns what gives it back. The system does when this process dies. */
async function lock(path: string): Promise<() => Promise<void>> {
  const child = spawn('flock', ['--exclusive', path, 'sh', '-c', 'echo held; read -r word'], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const ended = once(child, 'close');
  await Promise.race([
    once(child.stdout, 'data'),
    ended.then(() => Promise.reject(new Error('flock failed'))),
  ]);
  return async () => {
    child.stdin.end('over\n');
    await ended;
  };
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
