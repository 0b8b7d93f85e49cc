import { access, constants, readdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { TwinproofError } from '../errors.ts';
import { run } from './mysql-run.ts';
import { type ServerUser, serverUser } from './server-user.ts';

export type MysqlFlavor = 'mysql' | 'mariadb';

/** Server programs that run here. */
export interface MysqlInstallation {
  readonly flavor: MysqlFlavor;
  /** Such as `10.11.18` or `9.7.4`. */
  readonly version: string;
  /** Program and the arguments that come before every other one. */
  readonly command: readonly [string, ...string[]];
  /** Where messages, character sets and scripts are. */
  readonly share: string;
  /** Settings that tell the server where its own files are. */
  readonly folders: Readonly<Record<string, string>>;
  /** Null: the server runs as whoever runs this process. */
  readonly user: ServerUser | null;
}

/** Where server programs are that the PATH of an ordinary user does not name. */
const FOLDERS = [
  '/usr/sbin',
  '/usr/local/sbin',
  '/usr/libexec',
  '/usr/local/mysql/bin',
  '/opt/homebrew/sbin',
];
const PROGRAMS = ['mariadbd', 'mysqld'];
const PACKAGES =
  'install it (no server need run): apt install mariadb-server-core, dnf install mariadb-server, brew install mariadb';

/** Where programs are looked for, in this order. */
function usualFolders(): readonly string[] {
  return [...(process.env['PATH'] ?? '').split(delimiter).filter((one) => one !== ''), ...FOLDERS];
}

/**
 * The MariaDB server that is installed on this machine, whether or not one runs.
 * @throws TwinproofError TP-DEMO with the package to install.
 */
export async function installedMariadb(folders = usualFolders()): Promise<MysqlInstallation> {
  for (const program of PROGRAMS.flatMap((name) => folders.map((folder) => join(folder, name)))) {
    if (!(await isProgram(program))) continue;
    // One that does not run here, or not as the server's user, is none.
    const told = await run(program, ['--no-defaults', '--version'], serverUser()).catch(() => '');
    if (!/mariadb/i.test(told)) continue;
    return {
      flavor: 'mariadb',
      version: versionIn(told),
      command: [program],
      share: await shareIn(await run(program, ['--no-defaults', '--verbose', '--help'], serverUser())),
      folders: {},
      user: serverUser(),
    };
  }
  throw new TwinproofError('TP-DEMO', {
    message: 'no MariaDB server is installed here (neither mariadbd nor a mysqld that is one)',
    hint: PACKAGES,
  });
}

async function isProgram(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** The number in what `--version` prints: `mariadbd  Ver 10.11.18-MariaDB-… for debian-linux-gnu`. */
export function versionIn(output: string): string {
  const version = /Ver (\d+\.\d+\.\d+)/.exec(output)?.[1];
  if (version === undefined) throw new Error(`no version in: ${output.slice(0, 200)}`);
  return version;
}

/** What `--verbose --help` says of the folder of messages, in which the scripts of a new data folder are, too. */
async function shareIn(output: string): Promise<string> {
  const folders = ['lc-messages-dir', 'character-sets-dir'].flatMap((name) => {
    const value = new RegExp(`^${name}\\s+(\\S.*)$`, 'm').exec(output)?.[1]?.trim();
    return value === undefined ? [] : [value, join(value, '..')];
  });
  for (const folder of [...folders, '/usr/share/mysql', '/usr/share/mariadb']) {
    const names = await readdir(folder).catch((): string[] => []);
    if (names.some((name) => /^(?:mysql|mariadb)_system_tables\.sql$/.test(name))) return folder;
  }
  throw new TwinproofError('TP-DEMO', {
    message: 'the scripts that make a new data folder of MariaDB were not found',
    hint: PACKAGES,
  });
}
