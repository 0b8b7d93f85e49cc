import { afterAll, describe, expect, it } from 'vitest';
import { readCommitsPending } from '../../connectors/mysql/commits.ts';
import { comparePositions } from '../../connectors/mysql/gtid.ts';
import { readApplied, readHead, readLag } from '../../connectors/mysql/positions.ts';
import { readFindings } from '../../connectors/mysql/preflight.ts';
import { relateSites } from '../../connectors/mysql/relation.ts';
import type { PositionOrder } from '../../src/connector/position.ts';
import { REPLICATOR } from '../servers/harness/mysql-accounts.ts';
import { MYSQL_FLAVORS } from '../servers/harness/mysql-installation.ts';
import { Replication } from '../../src/demo/mysql-replication.ts';
import { createMysqlServer } from '../servers/harness/mysql-server.ts';
import { codes, orderOf, signal, SiteTests, until } from '../servers/harness/mysql-sites.ts';

const tests = new SiteTests();

afterAll(() => tests.close());

describe.each(MYSQL_FLAVORS)('a %s replica', (flavor) => {
  it('of a replica of another is related to the first source', async () => {
    const { pair, source } = await tests.pair({ flavor });
    const leaf = tests.own(await createMysqlServer({ flavor, name: 'leaf' }));
    const replication = new Replication(pair.replica, leaf);
    await replication.follow(REPLICATOR);
    await replication.caughtUp(120_000);
    const session = await tests.open(leaf);
    const { relation, lineage } = await relateSites(session, source, signal());
    expect(relation).toEqual({ kind: 'logical' });
    await pair.write('INSERT INTO t VALUES (60, 0)');
    const { head } = await readHead(source, signal());
    await replication.caughtUp(120_000);
    const { applied } = await readApplied(session, lineage, signal());
    expect(orderOf(applied, head)).toBe('equal');
  });
});

describe('a replica with a transaction of its own', () => {
  it('is beside the head on MySQL while it is behind, and after it when it has all', async () => {
    const sites = await tests.pair({ flavor: 'mysql' });
    const { pair } = sites;
    await pair.tamper('INSERT INTO t VALUES (777, 0)', true);
    expect(await sites.order(await sites.head())).toBe('after');
    await pair.stopReplica('sql');
    await pair.source.sql('INSERT INTO bank.t VALUES (778, 0)');
    expect(await sites.order(await sites.head())).toBe('incomparable');
    await pair.startReplica();
    await until('after', async () => sites.order(await sites.head()));
  });

  it('is stopped by gtid_strict_mode on MariaDB, and does not count its own as the primary’s', async () => {
    const sites = await tests.pair({ flavor: 'mariadb' });
    const { pair } = sites;
    const head = await sites.head();
    await pair.tamper('INSERT INTO t VALUES (777, 0)', true);
    expect(await sites.order(head)).toBe('equal');
    // The source's next transaction gets the number that the local one has taken.
    await pair.source.sql('INSERT INTO bank.t VALUES (778, 0)');
    await until(['TP-P-REPLICATION-ERROR', 'TP-P-ERRANT'], async () => codes(await sites.findings()));
    expect(await sites.order(await sites.head())).toBe('before');
    expect(await sites.order(head)).toBe('equal');
  });

  it('keeps its own apart on MariaDB without gtid_strict_mode too', async () => {
    const sites = await tests.pair({ flavor: 'mariadb', settings: {} });
    const { pair } = sites;
    await pair.tamper('INSERT INTO t VALUES (777, 0); INSERT INTO t VALUES (776, 0)', true);
    await pair.stopReplica('sql');
    await pair.source.sql('INSERT INTO bank.t VALUES (778, 0)');
    expect(await sites.order(await sites.head())).toBe('before');
    expect((await sites.relate()).lineage?.errant).not.toBeNull();
    await pair.startReplica();
    await until('equal', async () => sites.order(await sites.head()));
  });
});

describe('a MySQL pair that applies in parallel', () => {
  it('has a set with a hole, which is before the whole and beside what the hole lacks', async () => {
    const sites = await tests.pair({
      flavor: 'mysql',
      replicaSettings: { replica_preserve_commit_order: 'OFF' },
    });
    const { pair } = sites;
    // Only who may write may lock rows.
    await pair.setReadOnly(false);
    const blocker = await pair.replica.connect({ database: 'bank' });
    await blocker.query('BEGIN; SELECT * FROM t WHERE id = 1 FOR UPDATE');
    await pair.source.sql('UPDATE bank.t SET v = 10 WHERE id = 1');
    const first = await sites.head();
    await pair.source.sql('UPDATE bank.t SET v = 20 WHERE id = 2');
    const second = await sites.head();
    await until('20', async () =>
      String((await pair.replica.sql('SELECT v FROM bank.t WHERE id = 2'))[0]?.['v']),
    );
    await until('incomparable', () => sites.order(first));
    expect(await sites.order(second)).toBe('before');
    await blocker.query('ROLLBACK');
    await until('equal', () => sites.order(second));
    expect(await sites.order(first)).toBe('after');
  });
});

describe('a MariaDB pair that applies in parallel', () => {
  it('commits in order: the first that is blocked holds the position back', async () => {
    const sites = await tests.pair({ flavor: 'mariadb' });
    const { pair } = sites;
    const start = await sites.head();
    const blocker = await pair.replica.connect({ database: 'bank' });
    await blocker.query('BEGIN; SELECT * FROM t WHERE id = 1 FOR UPDATE');
    await pair.source.sql('UPDATE bank.t SET v = 10 WHERE id = 1; UPDATE bank.t SET v = 20 WHERE id = 2');
    const end = await sites.head();
    await until(true, async () => {
      const { received } = await readLag(sites.replica, (await sites.relate()).lineage, signal());
      return received !== null && comparePositions(received, end) === 'equal';
    });
    expect(await sites.order(start)).toBe('equal');
    expect(await sites.order(end)).toBe('before');
    await blocker.query('ROLLBACK');
    await until('equal', () => sites.order(end));
  });

  it('that changed roles knows what the new replica wrote as a source', async () => {
    const { pair, source, replica } = await tests.pair({ flavor: 'mariadb' });
    await pair.write('INSERT INTO t VALUES (70, 0)');
    await pair.replica.sql('STOP SLAVE; RESET SLAVE ALL; SET GLOBAL read_only = OFF');
    await pair.source.sql(
      `CHANGE MASTER TO MASTER_HOST = ?, MASTER_PORT = ?, MASTER_USER = ?, MASTER_PASSWORD = ?, MASTER_USE_GTID = current_pos; START SLAVE`,
      [pair.replica.host, pair.replica.port, REPLICATOR.user, REPLICATOR.password],
    );
    await until('logical', async () => (await relateSites(source, replica, signal())).relation.kind);
    const { lineage } = await relateSites(source, replica, signal());
    const { head } = await readHead(replica, signal());
    const { applied } = await readApplied(source, lineage, signal());
    expect(orderOf(applied, head)).toBe('equal');
    expect(lineage?.errant).toBeNull();
  });
});

describe('a MySQL pair without GTIDs', () => {
  it('has positions in the source’s log, and says what that lacks', async () => {
    const settings = { gtid_mode: 'OFF', enforce_gtid_consistency: 'OFF' };
    const primary = tests.own(await createMysqlServer({ flavor: 'mysql', settings }));
    const candidate = tests.own(await createMysqlServer({ flavor: 'mysql', settings }));
    await candidate.sql(
      `CHANGE REPLICATION SOURCE TO SOURCE_HOST = ?, SOURCE_PORT = ?, SOURCE_USER = 'root', SOURCE_SSL = 0,
         GET_SOURCE_PUBLIC_KEY = 1, SOURCE_CONNECT_RETRY = 1, SOURCE_AUTO_POSITION = 0; START REPLICA`,
      [primary.host, primary.port],
    );
    await primary.sql(`CREATE DATABASE bank; CREATE TABLE bank.t (id INT PRIMARY KEY)`);
    const databases = async (): Promise<number> => (await candidate.sql(`SHOW DATABASES LIKE 'bank'`)).length;
    await until(1, databases);
    const root = { user: 'root', password: '' };
    const [source, replica] = [await tests.open(primary, root), await tests.open(candidate, root)];
    const { relation, lineage } = await relateSites(replica, source, signal());
    expect(relation).toEqual({ kind: 'logical' });
    const order = async (): Promise<PositionOrder> => {
      const { head } = await readHead(source, signal());
      return orderOf((await readApplied(replica, lineage, signal())).applied, head);
    };
    expect((await readHead(source, signal())).head).toMatch(/^mysql-log:[0-9a-f-]{36}\/binlog\.\d{6}\/\d+$/);
    await until('equal', order);
    await primary.sql('INSERT INTO bank.t VALUES (1); FLUSH BINARY LOGS');
    await until('equal', order);
    await candidate.sql('STOP REPLICA SQL_THREAD');
    await primary.sql('INSERT INTO bank.t VALUES (2)');
    expect(await order()).toBe('before');
    await candidate.sql('START REPLICA SQL_THREAD');
    await until('equal', order);
    expect(await readCommitsPending(source, signal())).toBe('none');
    expect(codes(await readFindings(source, () => true, null, signal()))).toContain('TP-P-GTID');
  });
});

describe('a server without a log', () => {
  it('has no position, and is told so', async () => {
    const server = tests.own(
      await createMysqlServer({ flavor: 'mysql', settings: { disable_log_bin: 'ON' } }),
    );
    await server.sql('CREATE DATABASE bank');
    const session = await tests.open(server, { user: 'root', password: '' });
    await expect(readHead(session, signal())).rejects.toMatchObject({ code: 'TP-POSITION' });
    expect(codes(await readFindings(session, () => true, null, signal()))).toContain('TP-P-LOG');
  });
});
