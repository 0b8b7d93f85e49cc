import { spawn } from 'node:child_process';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { type ServerUser, serverUser } from '../../../src/demo/server-user.ts';

export type MysqlFlavor = 'mysql' | 'mariadb';

export const MYSQL_FLAVORS: readonly MysqlFlavor[] = ['mysql', 'mariadb'];

/** Server programs that run here. */
export interface MysqlInstallation {
  readonly flavor: MysqlFlavor;
  /** Such as `10.11.19` or `9.7.1`. */
  readonly version: string;
  /** Program and the arguments that come before every other one. */
  readonly command: readonly [string, ...string[]];
  /** Makes an empty data folder, given as last argument. */
  readonly initialise: readonly [string, ...string[]];
  /** Null: the server runs as whoever runs this process. */
  readonly user: ServerUser | null;
}

const found = new Map<MysqlFlavor, Promise<MysqlInstallation>>();

/** Finds the server's programs. The answer is remembered. @throws Error that says what is missing. */
export function findMysql(flavor: MysqlFlavor): Promise<MysqlInstallation> {
  const known = found.get(flavor);
  if (known !== undefined) return known;
  const search = flavor === 'mariadb' ? findMariadb() : Promise.reject(new Error('MySQL is not here yet'));
  found.set(flavor, search);
  return search;
}

async function findMariadb(): Promise<MysqlInstallation> {
  const program = await firstOf(['/usr/sbin/mariadbd', '/usr/local/sbin/mariadbd', '/usr/libexec/mariadbd']);
  const installer = await firstOf(['/usr/bin/mariadb-install-db', '/usr/local/bin/mariadb-install-db']);
  if (program === null || installer === null) throw new Error('mariadbd is not installed');
  const options = ['--no-defaults', '--auth-root-authentication-method=normal', '--skip-test-db'];
  return {
    flavor: 'mariadb',
    version: await versionOf([program]),
    command: [program],
    initialise: [installer, ...options],
    user: serverUser(),
  };
}

async function firstOf(paths: readonly string[]): Promise<string | null> {
  for (const path of paths) {
    if (
      await access(path).then(
        () => true,
        () => false,
      )
    )
      return path;
  }
  return null;
}

/** The number in what `--version` prints: `mariadbd  Ver 10.11.19-MariaDB-… for debian-linux-gnu`. */
async function versionOf(command: readonly [string, ...string[]]): Promise<string> {
  const [program, ...rest] = command;
  const output = await run(program, [...rest, '--no-defaults', '--version'], null);
  const version = /Ver (\d+\.\d+\.\d+)/.exec(output)?.[1];
  if (version === undefined) throw new Error(`${join(program)} tells no version: ${output.slice(0, 200)}`);
  return version;
}

/** Runs a program to its end and returns what it printed. @throws Error with the end of that when it fails. */
export function run(program: string, args: readonly string[], user: ServerUser | null): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      ...user,
      cwd: '/',
      env: mysqlEnvironment(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (output = (output + text).slice(-65_536)));
    }
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(output);
      else
        reject(new Error(`${program} failed (${code}): ${output.trim().split('\n').slice(-12).join('\n')}`));
    });
  });
}

/** Environment of every server program: nothing of ours (MYSQL_HOME, TZ, …) may leak in. */
export function mysqlEnvironment(): NodeJS.ProcessEnv {
  return { PATH: '/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };
}
