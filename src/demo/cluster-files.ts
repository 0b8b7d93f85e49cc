import { spawn, spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { chmod, chown, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TwinproofError, messageOf } from '../errors.ts';
import type { Binaries } from './binaries.ts';
import { type ServerPaths, serverEnvironment } from './server-process.ts';
import type { ServerUser } from './server-user.ts';

/** Collation of a new cluster; the encoding is always UTF8. */
export interface LocaleOptions {
  /** `builtin` needs 17, `icu` needs 15. Default `libc`. */
  readonly provider?: 'libc' | 'icu' | 'builtin';
  /** libc locale; default `C`. */
  readonly locale?: string;
  /** ICU locale such as `de-DE`, or the builtin one such as `C.UTF-8`; for those providers only. */
  readonly providerLocale?: string;
}

/** Choices that are fixed when a data directory is made. */
export interface InitOptions {
  readonly locale?: LocaleOptions;
  /** Page checksums; default off in every version, so that pages can be edited. */
  readonly checksums?: boolean;
  /** With a password every login needs it (SCRAM); without one everyone on this machine is trusted. */
  readonly password?: string;
  /** WAL segment size in MB; a power of two, default 16. */
  readonly walSegmentMb?: number;
  readonly signal?: AbortSignal;
}

/** Makes the private folder of a server: mode 0700, owned by the server's user. */
export async function createHome(user: ServerUser | null, parent = tmpdir()): Promise<ServerPaths> {
  const home = await mkdtemp(join(parent, 'twinproof-pg-'));
  await chmod(home, 0o700);
  if (user !== null) await chown(home, user.uid, user.gid);
  return { home, data: join(home, 'data'), log: join(home, 'server.log') };
}

/** Runs initdb: about 0.7 s, and every cluster has its own system identifier. */
export async function initialise(
  binaries: Binaries,
  paths: ServerPaths,
  options: InitOptions,
): Promise<void> {
  const passwordFile = join(paths.home, 'password');
  const args = ['-D', paths.data, '-U', 'postgres', '-E', 'UTF8', '--no-sync', '--no-instructions'];
  args.push(...localeArguments(options.locale ?? {}));
  if (options.checksums === true) args.push('--data-checksums');
  else if (binaries.version >= 18) args.push('--no-data-checksums');
  if (options.walSegmentMb !== undefined) args.push(`--wal-segsize=${options.walSegmentMb}`);
  if (options.password === undefined) args.push('-A', 'trust');
  else {
    await writeOwned(passwordFile, `${options.password}\n`, binaries.user);
    args.push('-A', 'scram-sha-256', '--pwfile', passwordFile);
  }
  try {
    await run(binaries.initdb, args, { cwd: paths.home, user: binaries.user, signal: options.signal });
  } finally {
    await rm(passwordFile, { force: true });
  }
}

function localeArguments(options: LocaleOptions): string[] {
  const args = ['--locale', options.locale ?? 'C'];
  const provider = options.provider ?? 'libc';
  if (provider !== 'libc') args.push(`--locale-provider=${provider}`);
  if (options.providerLocale !== undefined) args.push(`--${provider}-locale=${options.providerLocale}`);
  return args;
}

interface RunOptions {
  readonly cwd: string;
  readonly user: ServerUser | null;
  readonly signal?: AbortSignal | undefined;
}

function run(program: string, args: string[], { cwd, user, signal }: RunOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      ...user,
      cwd,
      env: serverEnvironment(),
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    // SIGTERM: initdb then waits for the server it runs, so that nobody writes into the folder that is removed.
    const interrupt = (): void => void child.kill('SIGTERM');
    signal?.addEventListener('abort', interrupt, { once: true });
    let output = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
    const owner = user?.uid ?? process.getuid?.() ?? 'of this process';
    const hint = `if permission was denied: user ${owner} must be able to enter ${cwd}; TMPDIR names another place`;
    child.on('error', (cause) => {
      reject(new TwinproofError('TP-DEMO', { message: messageOf(cause), hint, cause }));
    });
    child.on('close', (code) => {
      signal?.removeEventListener('abort', interrupt);
      if (code === 0) return resolve();
      if (signal?.aborted === true) return reject(new TwinproofError('TP-INTERRUPTED'));
      const message = `${program} failed: ${output.trim().split('\n').slice(-3).join(' ')}`;
      return reject(new TwinproofError('TP-DEMO', { message, hint }));
    });
  });
}

/** Writes a file that only the server's user may read. */
export async function writeOwned(path: string, content: string, user: ServerUser | null): Promise<void> {
  await writeFile(path, content, { mode: 0o600 });
  if (user !== null) await chown(path, user.uid, user.gid);
}

/**
 * A free TCP port below the range from which systems take the ports of outgoing connections: a server that is stopped
 * for a moment must find its port free again.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const port = randomInt(10_000, 32_000);
    if (await isFree(port)) return port;
  }
  throw new TwinproofError('TP-DEMO', { message: 'no free TCP port was found on 127.0.0.1' });
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => probe.close(() => resolve(true)));
  });
}

/** The last lines of a text file, reading at most its last 64 KiB; empty when there is no file. */
export async function tail(path: string, lines: number): Promise<string> {
  const file = await open(path, 'r').catch(() => null);
  if (file === null) return '';
  try {
    const { size } = await file.stat();
    const start = Math.max(0, size - 65_536);
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(size - start), position: start });
    return buffer.toString('utf8', 0, bytesRead).trimEnd().split('\n').slice(-lines).join('\n');
  } finally {
    await file.close();
  }
}

/**
 * Removes all files of a server that does not run, at once. Of one that was killed it also frees the System V segment,
 * which is small, but the system has few of them: postmaster.pid then still stands and its seventh line ends with the
 * segment's id.
 */
export function removeHome(paths: ServerPaths, user: ServerUser | null): void {
  try {
    const id = readFileSync(join(paths.data, 'postmaster.pid'), 'utf8')
      .split('\n')[6]
      ?.trim()
      .split(/\s+/)[1];
    if (id !== undefined && /^\d+$/.test(id)) spawnSync('ipcrm', ['-m', id], { ...user, stdio: 'ignore' });
  } catch {
    // The usual case: it was stopped and the file is gone.
  }
  rmSync(paths.home, { recursive: true, force: true, maxRetries: 3 });
}
