import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { MysqlInstallation } from './mysql-installation.ts';
import { run } from './mysql-run.ts';

/**
 * What mariadb-install-db feeds the server, in its order; it cannot be told to use another loader or user. Since 11 most
 * of them are called after MariaDB.
 */
const SCRIPTS = [
  /^(?:mysql|mariadb)_system_tables\.sql$/,
  /^(?:mysql|mariadb)_performance_tables\.sql$/,
  /^(?:mysql|mariadb)_system_tables_data\.sql$/,
  /^fill_help_tables\.sql$/,
  /^maria_add_gis_sp_bootstrap\.sql$/,
  /^(?:mysql|mariadb)_sys_schema\.sql$/,
] as const;

/** Comes before the scripts: `root` then needs no password. */
export const MARIADB_FIRST = 'CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket = NULL;\n';

/**
 * Fills an empty data folder of MariaDB. `first`: a file with MARIADB_FIRST. @throws Error with what the server said.
 */
export async function initialiseMariadb(
  installation: MysqlInstallation,
  data: string,
  first: string,
): Promise<void> {
  const names = await readdir(installation.share);
  const scripts = SCRIPTS.map((pattern) => {
    const name = names.find((candidate) => pattern.test(candidate));
    if (name === undefined) throw new Error(`no script like ${pattern.source} in ${installation.share}`);
    return join(installation.share, name);
  });
  await runServer(installation, data, ['--bootstrap', '--innodb-log-file-size=8M'], [first, ...scripts]);
}

/** Runs the server on a data folder until it ends by itself, with files on its standard input. */
export async function runServer(
  { command, folders, user }: MysqlInstallation,
  data: string,
  own: readonly string[],
  input: readonly string[],
): Promise<void> {
  const [program, ...first] = command;
  const named = Object.entries(folders).map(([name, value]) => `--${name.replaceAll('_', '-')}=${value}`);
  await run(program, [...first, '--no-defaults', ...named, `--datadir=${data}`, ...own], user, input);
}
