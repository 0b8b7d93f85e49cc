import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type MysqlFlavor, type MysqlInstallation, versionIn } from '../../../src/demo/mysql-installation.ts';
import { serverUser } from '../../../src/demo/server-user.ts';
import { type PackageSource, unpacked } from './mysql-packages.ts';
import { run } from '../../../src/demo/mysql-run.ts';

export const MYSQL_FLAVORS: readonly MysqlFlavor[] = ['mysql', 'mariadb'];

export type { MysqlFlavor, MysqlInstallation };

/** `lts`: what is tested unless told otherwise. `next`: the long-term release after it, of MariaDB only. */
export type MysqlRelease = 'lts' | 'next';

/** Debian has MySQL proper in unstable only, in its newest release. MariaDB is 10.11 in Debian 12, 11.8 in 13. */
const SOURCES = {
  mysql: { lts: { name: 'mysql-server-core', suite: 'sid' }, next: null },
  mariadb: {
    lts: { name: 'mariadb-server-core', suite: 'bookworm' },
    next: { name: 'mariadb-server-core', suite: 'trixie' },
  },
} as const satisfies Record<MysqlFlavor, Record<MysqlRelease, PackageSource | null>>;

const found = new Map<PackageSource, Promise<MysqlInstallation>>();

/**
 * Finds the server's programs in the cache of mysql-packages.ts or brings them there. The answer is remembered for the
 * life of the process. @throws Error that says what is missing.
 */
export async function findMysql(
  flavor: MysqlFlavor,
  release: MysqlRelease = 'lts',
): Promise<MysqlInstallation> {
  const source = SOURCES[flavor][release];
  if (source === null) throw new Error(`Debian has no other release of ${flavor}`);
  const known = found.get(source);
  if (known !== undefined) return known;
  const search = prepare(flavor, source);
  found.set(source, search);
  return search;
}

async function prepare(flavor: MysqlFlavor, source: PackageSource): Promise<MysqlInstallation> {
  const root = await unpacked(source);
  const machine = (await readdir(join(root, 'usr', 'lib'))).find((name) => name.endsWith('-linux-gnu'));
  if (machine === undefined) throw new Error(`${root} holds no libraries`);
  const libraries = join(root, 'usr', 'lib', machine);
  const loader = await loaderIn([join(root, 'lib64'), join(root, 'lib', machine), libraries]);
  const program = join(root, 'usr', 'sbin', flavor === 'mysql' ? 'mysqld' : 'mariadbd');
  const paths = [libraries, join(root, 'lib', machine)].join(':');
  const command = [loader, '--library-path', paths, program] as const;
  const share = await firstWith(
    'charsets',
    ['mysql', 'mariadb'].map((name) => join(root, 'usr', 'share', name)),
  );
  const folders = {
    basedir: join(root, 'usr'),
    lc_messages_dir: share,
    character_sets_dir: join(share, 'charsets'),
    plugin_dir: join(root, 'usr', 'lib', 'mysql', 'plugin'),
  };
  const [first, ...rest] = command;
  const version = versionIn(await run(first, [...rest, '--no-defaults', '--version'], null));
  return { flavor, version, command, share, folders, user: serverUser() };
}

async function firstWith(entry: string, folders: readonly string[]): Promise<string> {
  for (const folder of folders) {
    if ((await readdir(folder).catch((): string[] => [])).includes(entry)) return folder;
  }
  throw new Error(`no ${entry} in ${folders.join(', ')}`);
}

async function loaderIn(folders: readonly string[]): Promise<string> {
  for (const folder of folders) {
    const names = await readdir(folder).catch(() => []);
    const name = names.find((candidate) => /^ld-linux.*\.so\.\d$/.test(candidate));
    if (name !== undefined) return join(folder, name);
  }
  throw new Error(`no loader of programs in ${folders.join(', ')}`);
}
