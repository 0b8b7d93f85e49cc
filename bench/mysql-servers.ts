import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Connection } from 'mysql2/promise';
import { VERIFIER } from '../test/servers/harness/mysql-accounts.ts';
import type { MysqlFlavor } from '../test/servers/harness/mysql-installation.ts';
import { createMysqlPair, type MysqlPair } from '../test/servers/harness/mysql-pair.ts';
import { createMysqlServer, type MysqlServer } from '../test/servers/harness/mysql-server.ts';
import type { MysqlSettings } from '../src/demo/mysql-settings.ts';
import type { BenchPair, BenchSite } from './comparison.ts';
import { postgresSite, startPostgres } from './servers.ts';
import type { BenchTable } from './tables.ts';

const DATABASE = 'bank';
export const MYSQL_TABLE = `${DATABASE}.orders`;

/** Big enough that the table stays in memory: the disk is not what is measured. */
const SETTINGS: MysqlSettings = { innodb_buffer_pool_size: '1536M' };
const REDO: Readonly<Record<MysqlFlavor, MysqlSettings>> = {
  mysql: { innodb_redo_log_capacity: '2G' },
  mariadb: { innodb_log_file_size: '1G' },
};

export function benchSettings(flavor: MysqlFlavor): MysqlSettings {
  return { ...SETTINGS, ...REDO[flavor] };
}

export const CREATE_ORDERS = `create table orders (id bigint primary key, customer int, status varchar(16), amount decimal(12,2),
  note varchar(64), paid boolean, created timestamp(6) null, shipped timestamp(6) null) engine=InnoDB`;

/** The values of bench/tables.ts. */
const VALUES = `i, i * 7919 % 100000, elt(1 + i % 4, 'new', 'paid', 'shipped', 'closed'),
  (i * 31 % 1000000) / 100, if(i % 5 = 0, null, md5(i)), i % 2 = 0,
  timestamp'2024-01-01 00:00:00' + interval i second,
  if(i % 3 = 0, null, timestamp'2024-01-02 00:00:00' + interval i second)`;

/** MySQL 9 has no MD5(). */
const valuesOf = (flavor: MysqlFlavor): string =>
  flavor === 'mysql' ? VALUES.replace('md5(i)', 'left(sha2(i, 256), 32)') : VALUES;

/** Rows a statement: one statement for all would need an undo log of the table's size. */
const BATCH = 500_000;

/** A source and its replica; the rows are made on both at once, since replicating them would take minutes. */
export async function mysqlPair(flavor: MysqlFlavor, rows: number): Promise<BenchPair> {
  const settings = benchSettings(flavor);
  const pair = await createMysqlPair({ flavor, database: DATABASE, schema: CREATE_ORDERS, settings });
  try {
    await fillBoth(pair, rows);
    // MariaDB's client can log in by caching_sha2_password without TLS only where the server remembers the password.
    for (const server of [pair.source, pair.replica]) await server.sqlAs(VERIFIER, 'select 1');
  } catch (error) {
    await pair.destroy();
    throw error;
  }
  return {
    primary: mysqlSite(pair.source, VERIFIER.user),
    candidate: mysqlSite(pair.replica, VERIFIER.user),
    environment: { MYSQL_PWD: VERIFIER.password },
    destroy: () => pair.destroy(),
  };
}

/** A PostgreSQL primary and a MariaDB server with the same rows; nothing runs between them. */
export async function crossPair(table: BenchTable, rows: number): Promise<BenchPair> {
  const folder = mkdtempSync(join(tmpdir(), 'twinproof-bench-'));
  const mariadb = await createMysqlServer({
    flavor: 'mariadb',
    settings: benchSettings('mariadb'),
  });
  const fillMariadb = async (): Promise<void> => {
    await mariadb.sql(`create database ${DATABASE} character set utf8mb4`);
    await mariadb.sql(CREATE_ORDERS, [], DATABASE);
    await fill(mariadb, rows);
  };
  const [postgres] = await Promise.all([startPostgres([table], rows), fillMariadb()]);
  const primary = postgresSite(postgres);
  const candidate = mysqlSite(mariadb, 'root');
  const config = join(folder, 'twinproof.yaml');
  writeFileSync(
    config,
    `systems:
  bench:
    primary: { url: "${primary.url}" }
    candidates:
    - name: far
      url: "${candidate.url}"
      mapping:
        tables: { "${table.name}": "${MYSQL_TABLE}" }
        columns: { "${table.name}": { paid: { as: boolean } } }
    policy: { applyWithin: 100ms }
`,
  );
  const destroy = async (): Promise<void> => {
    await Promise.all([mariadb.destroy(), postgres.destroy()]);
    rmSync(folder, { recursive: true });
  };
  return { primary, candidate, arguments: ['--config', config], destroy };
}

/** Both the driver and the client take the password from MYSQL_PWD. */
function mysqlSite(server: MysqlServer, user: string): BenchSite {
  const { host, port } = server;
  const to = ['--no-defaults', `--host=${host}`, `--port=${port}`, `--user=${user}`];
  return {
    url: server.url(user, DATABASE),
    drain: (table) => {
      const name = table.split('.').at(-1) ?? table;
      return ['mariadb', ...to, '--quick', '-e', `select * from ${name}`, DATABASE];
    },
  };
}

/** The same rows on both, replicated by nobody. */
export async function fillBoth(pair: MysqlPair, rows: number): Promise<void> {
  await pair.setReadOnly(false);
  await Promise.all([pair.source, pair.replica].map((server) => fill(server, rows)));
  await pair.setReadOnly(true);
}

/** Rows made on the server itself, unlogged. */
async function fill(server: MysqlServer, rows: number): Promise<void> {
  const session = await server.connect({ user: 'root', database: DATABASE });
  try {
    await session.query(`set sql_log_bin = 0, unique_checks = 0`);
    if (server.flavor === 'mysql') await session.query(`set cte_max_recursion_depth = ${BATCH + 1}`);
    for (let from = 1; from <= rows; from += BATCH) {
      await insertOrders(session, server.flavor, from, Math.min(rows, from + BATCH - 1));
    }
    await session.query('analyze table orders');
  } finally {
    await session.end();
  }
}

/** Adds the rows with keys `from` to `to`; MySQL recurses as deep as there are rows (cte_max_recursion_depth). */
export async function insertOrders(
  session: Connection,
  flavor: MysqlFlavor,
  from: number,
  to: number,
): Promise<void> {
  const numbers =
    flavor === 'mariadb'
      ? `(select seq as i from seq_${from}_to_${to}) numbers`
      : `(with recursive n (i) as (select ${from} union all select i + 1 from n where i < ${to})
          select i from n) numbers`;
  await session.query(`insert into orders select ${valuesOf(flavor)} from ${numbers}`);
}
