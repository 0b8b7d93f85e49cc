import type { PairKind } from '../src/connector/table.ts';
import { type Cluster, createCluster } from '../src/demo/cluster.ts';
import { waitForTables } from '../src/demo/cluster-logical.ts';
import { connectionString } from '../src/demo/cluster-settings.ts';
import { createStandby, waitForReplay } from '../src/demo/cluster-standby.ts';
import { accountsSql, VERIFIER } from '../test/servers/harness/mysql-accounts.ts';
import type { MysqlFlavor } from '../test/servers/harness/mysql-installation.ts';
import { createMysqlPair } from '../test/servers/harness/mysql-pair.ts';
import { createMysqlServer, type MysqlServer } from '../test/servers/harness/mysql-server.ts';
import { verifierOf } from '../test/servers/harness/readiness.ts';

/** A server with many tables, read as the least-privilege role. */
export interface ReadySite {
  readonly name: string;
  readonly url: string;
  /** Of the server's main process; its processor time holds that of children that have ended. */
  readonly pid: number;
}

export interface ReadyPair {
  readonly kind: PairKind;
  readonly name: string;
  readonly primary: ReadySite;
  readonly candidate: ReadySite;
}

const VERSION = 17;
const DATABASE = 'bank';
/** Tables a transaction: each takes locks, of which there is an end. */
const BATCH = 250;
const SETTINGS = { shared_buffers: '512MB', max_wal_size: '4GB', autovacuum: 'off' };
const BUFFER_POOL = { innodb_buffer_pool_size: '512M' };

/** Each table has a key, an index, a foreign key, a default, a check, a counter and a row. */
async function makePostgres(name: string, tables: number, settings = {}): Promise<Cluster> {
  const cluster = await createCluster({ version: VERSION, name, settings: { ...SETTINGS, ...settings } });
  await cluster.sql(verifierOf(VERSION));
  await cluster.sql(`DO $$ BEGIN FOR i IN 1..${tables} LOOP
    EXECUTE format('CREATE TABLE t%s (id bigserial PRIMARY KEY, before_it bigint %s,
      owner text DEFAULT ''nobody'', amount numeric(12,2) CHECK (amount > 0), booked timestamptz, note text)', i, CASE WHEN i > 1 THEN format('REFERENCES t%s (id)', i - 1) END);
    EXECUTE format('CREATE INDEX ON t%s (owner)', i);
    EXECUTE format('INSERT INTO t%s (amount) VALUES (1)', i);
    IF i % ${BATCH} = 0 THEN COMMIT; END IF; END LOOP; END $$`);
  await cluster.sql('VACUUM (ANALYZE)');
  return cluster;
}

function postgresSite(cluster: Cluster): ReadySite {
  return {
    name: `PostgreSQL ${VERSION}`,
    url: cluster.url('postgres', 'verifier'),
    pid: cluster.pid ?? 0,
  };
}

type Use = (pair: ReadyPair) => Promise<void>;

export async function withPhysical(tables: number, use: Use): Promise<void> {
  const primary = await makePostgres('primary', tables);
  let standby: Cluster | null = null;
  try {
    standby = await createStandby(primary, { settings: SETTINGS });
    await waitForReplay(standby);
    await use({
      kind: 'physical',
      name: 'physical',
      primary: postgresSite(primary),
      candidate: postgresSite(standby),
    });
  } finally {
    await standby?.destroy();
    await primary.destroy();
  }
}

export async function withLogical(tables: number, use: Use): Promise<void> {
  const publisher = await makePostgres('publisher', tables);
  let subscriber: Cluster | null = null;
  try {
    // CREATE SUBSCRIPTION holds a lock on each table.
    const roomy = { max_locks_per_transaction: '512' };
    subscriber = await makePostgres('subscriber', tables, roomy);
    await publisher.sql('CREATE PUBLICATION dr FOR TABLES IN SCHEMA public');
    const upstream = connectionString({
      host: '127.0.0.1',
      port: String(publisher.port),
      user: 'postgres',
      dbname: 'postgres',
    });
    await subscriber.sql(
      `CREATE SUBSCRIPTION dr CONNECTION '${upstream.replaceAll("'", "''")}' PUBLICATION dr WITH (copy_data = false)`,
    );
    await waitForTables({ publisher, subscriber, database: 'postgres', name: 'dr' }, 300_000);
    await use({
      kind: 'logical',
      name: 'logical',
      primary: postgresSite(publisher),
      candidate: postgresSite(subscriber),
    });
  } finally {
    await subscriber?.destroy();
    await publisher.destroy();
  }
}

/** Nothing runs between them: what feeds a candidate of another engine the servers do not know. */
export async function withCross(flavor: MysqlFlavor, tables: number, use: Use): Promise<void> {
  const cluster = await makePostgres('postgres', tables);
  let server: MysqlServer | null = null;
  try {
    server = await createMysqlServer({ flavor, settings: BUFFER_POOL });
    await server.sql(`CREATE DATABASE ${DATABASE}`);
    await server.sql(accountsSql(flavor, DATABASE));
    await fill(server, tables);
    const [postgres, mysql] = [postgresSite(cluster), mysqlSite(server)];
    const kind = 'cross-engine';
    await use({ kind, name: `from PostgreSQL to ${flavor}`, primary: postgres, candidate: mysql });
    await use({ kind, name: `from ${flavor} to PostgreSQL`, primary: mysql, candidate: postgres });
  } finally {
    await server?.destroy();
    await cluster.destroy();
  }
}

/** A source and its replica; the tables are made on both at once and not logged. */
export async function withMysql(flavor: MysqlFlavor, tables: number, use: Use): Promise<void> {
  const pair = await createMysqlPair({ flavor, database: DATABASE, settings: BUFFER_POOL });
  try {
    await pair.setReadOnly(false);
    await Promise.all([pair.source, pair.replica].map((server) => fill(server, tables)));
    await pair.setReadOnly(true);
    await use({
      kind: 'logical',
      name: `${flavor} ${pair.source.version}`,
      primary: mysqlSite(pair.source),
      candidate: mysqlSite(pair.replica),
    });
  } finally {
    await pair.destroy();
  }
}

function mysqlSite(server: MysqlServer): ReadySite {
  return {
    name: `${server.flavor} ${server.version}`,
    url: server.url(VERIFIER.user, DATABASE),
    pid: server.pid ?? 0,
  };
}

/** Over two sessions, for as many processors. */
async function fill(server: MysqlServer, tables: number): Promise<void> {
  await Promise.all([0, 1].map((part) => fillPart(server, tables, part, 2)));
  // Its client logs in without TLS only where the server remembers the password.
  await server.sqlAs(VERIFIER, 'SELECT 1');
}

async function fillPart(server: MysqlServer, tables: number, first: number, step: number): Promise<void> {
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
