import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { waitUntil } from '../../src/demo/cluster-wait.ts';
import { READER, VERIFIER, WRITER } from '../servers/harness/mysql-accounts.ts';
import { spawnMysqlOwner } from '../servers/harness/mysql-child.ts';
import type { MysqlFlavor } from '../servers/harness/mysql-installation.ts';
import { openMysqlPair } from '../servers/harness/mysql-named.ts';
import { createMysqlPair, type MysqlPair } from '../servers/harness/mysql-pair.ts';
import { createMysqlServer, type MysqlServer } from '../servers/harness/mysql-server.ts';
import { describeMysql } from '../servers/harness/mysql-suite.ts';

const owned: { destroy(): Promise<void> }[] = [];

function own<T extends { destroy(): Promise<void> }>(thing: T): T {
  owned.push(thing);
  return thing;
}

afterAll(async () => {
  for (const thing of owned) await thing.destroy();
});

/** Statements that tell how replication stands; each needs more than SELECT on the tables. */
const MONITORING: Readonly<Record<MysqlFlavor, readonly string[]>> = {
  mysql: [
    'SHOW REPLICA STATUS',
    'SHOW BINARY LOGS',
    'SHOW BINARY LOG STATUS',
    'SELECT * FROM information_schema.innodb_trx',
    'SELECT * FROM mysql.gtid_executed',
    'SELECT * FROM performance_schema.replication_applier_status_by_worker',
  ],
  mariadb: [
    'SHOW REPLICA STATUS',
    'SHOW BINARY LOGS',
    'SHOW MASTER STATUS',
    'SELECT * FROM information_schema.innodb_trx',
    'SELECT * FROM mysql.gtid_slave_pos',
  ],
};

/** ER_OPTION_PREVENTS_STATEMENT: the server runs with --read-only. */
const READ_ONLY = 1290;
/** ER_TABLEACCESS_DENIED_ERROR and ER_SPECIFIC_ACCESS_DENIED_ERROR. */
const DENIED = [1142, 1227];

await describeMysql('a %s pair', (flavor) => {
  let pair: MysqlPair;

  beforeAll(async () => {
    const schema = `CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20)); INSERT INTO t VALUES (1, 'one')`;
    pair = own(await createMysqlPair({ flavor, schema }));
  });

  const rows = async (server: MysqlServer): Promise<unknown[]> =>
    (await server.sql('SELECT v FROM t ORDER BY id', [], pair.database)).map((row) => row['v']);

  test('replicates by GTIDs between two servers of this flavor', async () => {
    expect(await rows(pair.replica)).toEqual(['one']);
    await pair.write(`INSERT INTO t VALUES (2, 'two')`);
    expect(await rows(pair.replica)).toEqual(['one', 'two']);
    for (const server of [pair.source, pair.replica]) {
      const [facts] = await server.sql(
        'SELECT VERSION() AS version, @@server_id AS id, @@binlog_format AS format',
      );
      expect(facts).toEqual({
        version: expect.stringContaining(server.version),
        id: server.serverId,
        format: 'ROW',
      });
      expect(String(facts?.['version']).includes('MariaDB')).toBe(flavor === 'mariadb');
    }
  });

  test('has a replica that can fall behind and catch up', async () => {
    for (const thread of ['sql', 'io'] as const) {
      await pair.stopReplica(thread);
      await pair.source.sql(`UPDATE t SET v = ? WHERE id = 1`, [thread], pair.database);
      await expect(pair.caughtUp(200)).rejects.toThrow('did not reach');
      expect(await rows(pair.replica)).not.toContain(thread);
      await pair.startReplica(thread);
      await pair.caughtUp();
      expect(await rows(pair.replica)).toContain(thread);
    }
  });

  test('has a replica that refuses writes and can be tampered with all the same', async () => {
    const write = `INSERT INTO ${pair.database}.t VALUES (99, 'local')`;
    await expect(pair.replica.sqlAs(WRITER, write)).rejects.toMatchObject({ errno: READ_ONLY });
    const executed = flavor === 'mysql' ? '@@gtid_executed' : '@@gtid_binlog_pos';
    const position = async (): Promise<unknown> =>
      (await pair.replica.sql(`SELECT ${executed} AS p`))[0]?.['p'];
    const before = await position();
    await pair.tamper(write);
    expect([await rows(pair.replica), await position()]).toEqual([expect.arrayContaining(['local']), before]);
    await pair.tamper('DELETE FROM t WHERE id = 99', true);
    expect(await rows(pair.replica)).toEqual(await rows(pair.source));
    expect(await position()).not.toBe(before);
    await expect(pair.replica.sqlAs(WRITER, write)).rejects.toMatchObject({ errno: READ_ONLY });
  });

  test('keeps its rows and goes on when either server is killed', async () => {
    for (const server of [pair.source, pair.replica]) {
      const { port } = server;
      const session = await server.connect();
      await pair.source.sql(`UPDATE t SET v = ? WHERE id = 2`, [server.name], pair.database);
      await server.kill();
      expect([server.running, server.pid]).toEqual([false, null]);
      await expect(session.query('DO 1')).rejects.toBeInstanceOf(Error);
      await server.start();
      expect(server.port).toBe(port);
      await pair.caughtUp();
      expect(await rows(pair.replica)).toContain(server.name);
    }
    const write = `INSERT INTO ${pair.database}.t VALUES (99, 'local')`;
    await expect(pair.replica.sqlAs(WRITER, write)).rejects.toMatchObject({ errno: READ_ONLY });
  });

  test('tells how it stands to the verifier and not to a mere reader', async () => {
    for (const statement of MONITORING[flavor]) {
      await expect(pair.replica.sqlAs(VERIFIER, statement)).resolves.toBeInstanceOf(Array);
      const refused = await pair.replica.sqlAs(READER, statement).catch((error: unknown) => error);
      expect([statement, DENIED]).toEqual([statement, expect.arrayContaining([errnoOf(refused)])]);
    }
    for (const login of [VERIFIER, READER]) {
      expect(
        await pair.replica.sqlAs({ ...login, database: pair.database }, 'SELECT id FROM t'),
      ).toHaveLength(2);
      await expect(pair.source.sqlAs(login, `DELETE FROM ${pair.database}.t`)).rejects.toMatchObject({
        errno: 1142,
      });
    }
  });
});

function errnoOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'errno' in error ? error.errno : null;
}

test('a MariaDB pair may be of the release after, too', async () => {
  const schema = 'CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1)';
  const pair = own(await createMysqlPair({ flavor: 'mariadb', release: 'next', schema }));
  expect(await pair.replica.sql('SELECT id FROM bank.t')).toEqual([{ id: 1 }]);
  expect(pair.replica.version).toMatch(/^11\.8\./);
});

await describeMysql('a %s server', (flavor) => {
  test('offers TLS for its own name, or for another, or none', async () => {
    const [named, other, plain] = await Promise.all([
      createMysqlServer({ flavor, tls: true }),
      createMysqlServer({ flavor, tls: 'other-host' }),
      createMysqlServer({ flavor }),
    ]).then((servers) => servers.map(own));
    const cipher = async (server: MysqlServer | undefined, host: string): Promise<unknown> => {
      const ca = readFileSync(server?.authority ?? '', 'utf8');
      const session = await server?.connect({}, { host, ssl: { ca, verifyIdentity: true } });
      const [status]: [unknown, unknown] = (await session?.query(`SHOW STATUS LIKE 'Ssl_cipher'`)) ?? [
        null,
        null,
      ];
      await session?.end();
      return status;
    };
    const encrypted = [{ Variable_name: 'Ssl_cipher', Value: expect.stringMatching(/^TLS_/) }];
    expect(await cipher(named, 'localhost')).toEqual(encrypted);
    await expect(cipher(other, 'localhost')).rejects.toMatchObject({ code: 'HANDSHAKE_SSL_ERROR' });
    await expect(plain?.connect({}, { ssl: { rejectUnauthorized: false } })).rejects.toMatchObject({
      code: 'HANDSHAKE_NO_SSL_SUPPORT',
    });
  });

  test('runs as somebody else when the tests run as root, and is gone with its files when destroyed', async () => {
    const server = own(await createMysqlServer({ flavor, settings: { max_connections: '17' } }));
    expect(await server.sql('SELECT @@max_connections AS n')).toEqual([{ n: '17' }]);
    const { pid } = server;
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    expect(/^Uid:\s+0\b/m.test(status)).toBe(false);
    await server.destroy();
    expect([isRunning(pid ?? 0), existsSync(server.paths.home)]).toEqual([false, false]);
  });

  test('does not outlive the process that made it', async () => {
    const ends = (['SIGINT', 'SIGKILL'] as const).map(async (signal) => {
      const owner = await spawnMysqlOwner(flavor);
      try {
        expect(isRunning(owner.server)).toBe(true);
        owner.process.kill(signal);
        await once(owner.process, 'exit');
        const gone = (): boolean => !isRunning(owner.server) && !existsSync(owner.home);
        await waitUntil(
          () => Promise.resolve(gone()),
          10_000,
          () => `${flavor} outlived ${signal}`,
        );
      } finally {
        await owner.dispose();
      }
    });
    await Promise.all(ends);
  });

  test('that cannot start says why, and leaves nothing behind', async () => {
    const broken = createMysqlServer({ flavor, settings: { innodb_data_file_path: 'nonsense' } });
    await expect(broken).rejects.toThrow(/did not start[^]*innodb_data_file_path/);
  });

  test('waits for its port when somebody else has it for a moment', async () => {
    const server = own(await createMysqlServer({ flavor }));
    await server.kill();
    const squatter = createServer((socket) => socket.destroy()).listen(server.port, '127.0.0.1');
    await once(squatter, 'listening');
    const started = server.start();
    await waitUntil(
      async () => (await server.errorLog()).includes('Bind on TCP/IP port'),
      20_000,
      () => 'the server did not find its port taken',
    );
    squatter.close();
    await started;
    expect(await server.sql('SELECT @@port AS port')).toEqual([{ port: String(server.port) }]);
  });

  test('can be one that the environment names', async () => {
    const pair = own(await createMysqlPair({ flavor }));
    const prefix = `TWINPROOF_TEST_${flavor.toUpperCase()}`;
    vi.stubEnv(`${prefix}_URL`, pair.source.url());
    vi.stubEnv(`${prefix}_REPLICA_URL`, pair.replica.url());
    try {
      const named = await openMysqlPair(
        flavor,
        'CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1)',
      );
      const at = { ...VERIFIER, database: named.database };
      expect(named.source.port).toBe(pair.source.port);
      expect(named.replica.version).toBe(pair.replica.version.slice(0, named.replica.version.length));
      expect(await named.replica.sqlAs(at, 'SELECT id FROM t')).toHaveLength(1);
      await named.destroy();
      await pair.caughtUp();
      expect(await pair.replica.sql('SHOW DATABASES LIKE ?', [named.database])).toEqual([]);
    } finally {
      vi.unstubAllEnvs();
    }
  });
});

function isRunning(pid: number): boolean {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return !text.slice(text.lastIndexOf(')')).startsWith(') Z');
  } catch {
    return false;
  }
}
