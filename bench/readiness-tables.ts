import { parseArgs } from 'node:util';
import { connectSite } from '../connectors/registry.ts';
import { parseUrl } from '../src/config/url.ts';
import type { ReadinessOptions } from '../src/connector/facts.ts';
import { createCluster } from '../src/demo/cluster.ts';
import { accountsSql, VERIFIER } from '../test/servers/harness/mysql-accounts.ts';
import type { MysqlFlavor } from '../test/servers/harness/mysql-installation.ts';
import { missingMysql } from '../test/servers/harness/mysql-named.ts';
import { createMysqlServer, type MysqlServer } from '../test/servers/harness/mysql-server.ts';
import { verifierOf } from '../test/servers/harness/readiness.ts';

/**
 * How long all readiness checks of one site take where it has many tables, each with a key, an index, a foreign key, a
 * default, a counter and a row. A new connection each time; the first one also finds the server's caches cold.
 *
 *   node dist/bench/readiness-tables.js [--tables 10000] [--only postgres|mysql|mariadb] [--rounds 3]
 */
const { values: options } = parseArgs({
  options: {
    tables: { type: 'string', default: '10000' },
    only: { type: 'string', default: '' },
    rounds: { type: 'string', default: '3' },
  },
});
const tables = Number(options.tables);
const VERSION = 17;
const DATABASE = 'bank';
/** Tables a transaction: each takes locks, of which there is an end. */
const BATCH = 250;

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function measureSite(name: string, url: string, asking: ReadinessOptions): Promise<void> {
  const seconds: string[] = [];
  let unread: readonly string[] = [];
  for (let round = 0; round < Number(options.rounds); round += 1) {
    const signal = AbortSignal.timeout(300_000);
    const { address } = parseUrl(url, 'secret');
    const site = await connectSite(address, { jobs: 1, statementTimeoutMs: 300_000 }, signal);
    const start = performance.now();
    const facts = await site.readiness(signal, asking);
    seconds.push(((performance.now() - start) / 1000).toFixed(2));
    unread = facts.unread.map(({ fact, reason }) => `${fact}: ${reason}`);
    await site.close();
  }
  print(`${name}, ${tables} tables: ${seconds.join(', ')} s (wanted: below 3)`);
  for (const line of unread.slice(0, 3)) print(`  not read: ${line}`);
}

async function benchPostgres(): Promise<void> {
  const cluster = await createCluster({
    version: VERSION,
    settings: { shared_buffers: '512MB', max_wal_size: '4GB', autovacuum: 'off' },
  });
  try {
    print(`PostgreSQL ${VERSION}: making ${tables} tables…`);
    await cluster.sql(`${verifierOf(VERSION)} CREATE PUBLICATION dr FOR TABLES IN SCHEMA public`);
    await cluster.sql(`DO $$ BEGIN FOR i IN 1..${tables} LOOP
      EXECUTE format('CREATE TABLE t%s (id bigserial PRIMARY KEY, before_it bigint %s,
        owner text DEFAULT ''nobody'', amount numeric(12,2) CHECK (amount > 0), booked timestamptz, note text)', i, CASE WHEN i > 1 THEN format('REFERENCES t%s (id)', i - 1) END);
      EXECUTE format('CREATE INDEX ON t%s (owner)', i);
      EXECUTE format('INSERT INTO t%s (amount) VALUES (1)', i);
      IF i % ${BATCH} = 0 THEN COMMIT; END IF; END LOOP; END $$`);
    await cluster.sql('VACUUM (ANALYZE)');
    const url = cluster.url('postgres', 'verifier');
    await measureSite('PostgreSQL, physical', url, { pair: 'physical' });
    await measureSite('PostgreSQL, logical', url, { pair: 'logical' });
    await measureSite('PostgreSQL, cross-engine', url, { pair: 'cross-engine' });
  } finally {
    await cluster.destroy();
  }
}

async function benchMysql(flavor: MysqlFlavor): Promise<void> {
  const server = await createMysqlServer({ flavor, settings: { innodb_buffer_pool_size: '512M' } });
  try {
    print(`${flavor}: making ${tables} tables…`);
    await server.sql(`CREATE DATABASE ${DATABASE}`);
    await server.sql(accountsSql(flavor, DATABASE));
    await Promise.all([0, 1, 2].map((part) => fill(server, part, 3)));
    process.env['MYSQL_PWD'] = VERIFIER.password;
    // What feeds a candidate of another engine is no channel, so that its counters are read all the same.
    await measureSite(flavor, server.url(VERIFIER.user, DATABASE), { pair: 'cross-engine' });
  } finally {
    await server.destroy();
  }
}

async function fill(server: MysqlServer, first: number, step: number): Promise<void> {
  const session = await server.connect({ user: 'root', database: DATABASE });
  try {
    await session.query('SET sql_log_bin = 0');
    for (let number = first; number < tables; number += step) {
      await session.query(`CREATE TABLE t${number} (id BIGINT AUTO_INCREMENT PRIMARY KEY, before_it BIGINT NULL,
        owner VARCHAR(40) DEFAULT 'nobody', amount DECIMAL(12,2), booked TIMESTAMP(6) NULL, note TEXT,
        KEY (owner)${number < step ? '' : `, FOREIGN KEY (before_it) REFERENCES t${number - step} (id)`})`);
      await session.query(`INSERT INTO t${number} (amount) VALUES (1)`);
    }
  } finally {
    await session.end();
  }
}

async function isWanted(flavor: MysqlFlavor): Promise<boolean> {
  if (options.only !== '') return options.only === flavor;
  const missing = await missingMysql(flavor);
  if (missing !== null) print(`left out: ${flavor} (${missing})`);
  return missing === null;
}

if (options.only === '' || options.only === 'postgres') await benchPostgres();
for (const flavor of ['mariadb', 'mysql'] as const) if (await isWanted(flavor)) await benchMysql(flavor);
