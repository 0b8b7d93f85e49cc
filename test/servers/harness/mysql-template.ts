import { chown, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { initialiseMariadb, MARIADB_FIRST, runServer } from '../../../src/demo/mysql-bootstrap.ts';
import type { MysqlInstallation } from '../../../src/demo/mysql-installation.ts';
import { cached } from './mysql-packages.ts';
import { run } from '../../../src/demo/mysql-run.ts';

/** Raise it when what is in a template changes. */
const TEMPLATE = 2;

/** The harness logs in over TCP; the server listens on 127.0.0.1 only and resolves no names. */
const MYSQL_ROOT = `CREATE USER 'root'@'127.0.0.1' IDENTIFIED BY '';
GRANT ALL ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;
GRANT PROXY ON ''@'' TO 'root'@'127.0.0.1' WITH GRANT OPTION;
`;

/**
 * An empty data folder that every new server of this version starts from: making one takes seconds, copying it takes a
 * tenth of one. `nameCase`: lower_case_table_names, which MySQL takes only then. The RSA keys of `caching_sha2_password` are in it, certificates and the server's identity are not.
 */
export async function templateFolder(installation: MysqlInstallation, nameCase = '0'): Promise<string> {
  const { flavor, version, user } = installation;
  const plain = `data-${flavor}-${version}-${user?.uid ?? process.getuid?.() ?? 0}-${TEMPLATE}`;
  const isMade = flavor === 'mysql' && nameCase !== '0';
  const name = isMade ? `${plain}-names-${nameCase}` : plain;
  const folder = await cached(name, async (draft) => {
    const data = join(draft, 'data');
    // A folder of the server's own, but below one that is not: MySQL insists on an empty one.
    await mkdir(data, { mode: 0o700 });
    if (user !== null) await chown(data, user.uid, user.gid);
    const script = join(draft, 'first.sql');
    await writeFile(script, flavor === 'mysql' ? MYSQL_ROOT : MARIADB_FIRST, { mode: 0o644 });
    await (flavor === 'mysql'
      ? initMysql(installation, data, script, nameCase)
      : initialiseMariadb(installation, data, script));
    for (const file of await readdir(data)) {
      if (isOwnFile(file)) await rm(join(data, file));
    }
  });
  return join(folder, 'data');
}

/** Copies a folder with owners and times; blocks are shared where the file system can, zeros are left out. */
export async function copyFolder(from: string, to: string): Promise<void> {
  await run('cp', ['-a', '--reflink=auto', '--sparse=always', from, to], null);
}

async function initMysql(
  installation: MysqlInstallation,
  data: string,
  script: string,
  nameCase: string,
): Promise<void> {
  const names = `--lower-case-table-names=${nameCase}`;
  const own = ['--initialize-insecure', `--init-file=${script}`, '--innodb-redo-log-capacity=8M', names];
  await runServer(installation, data, [...own, '--innodb-doublewrite=OFF'], []);
}

function isOwnFile(name: string): boolean {
  if (name.endsWith('.pem')) return name !== 'private_key.pem' && name !== 'public_key.pem';
  return name === 'auto.cnf' || name === 'ib_buffer_pool';
}
