import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { READER, VERIFIER, WRITER } from './harness/mysql-accounts.ts';
import { MYSQL_FLAVORS, type MysqlFlavor } from './harness/mysql-installation.ts';
import { createMysqlPair, type MysqlPair } from './harness/mysql-pair.ts';
import { createMysqlServer, type MysqlServer } from './harness/mysql-server.ts';

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

describe.each(MYSQL_FLAVORS)('a %s pair', (flavor) => {
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
    // A replica that was restarted takes its rules from its settings.
    await pair.setReadOnly(true);
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

describe.each(MYSQL_FLAVORS)('a %s server', (flavor) => {
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
});
