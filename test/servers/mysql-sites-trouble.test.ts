import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCommitsPending } from '../../connectors/mysql/commits.ts';
import { readFacts } from '../../connectors/mysql/facts.ts';
import { comparePositions } from '../../connectors/mysql/gtid.ts';
import { readApplied, readHead, readLag } from '../../connectors/mysql/positions.ts';
import { readFindings } from '../../connectors/mysql/preflight.ts';
import { relateSites, type SiteRelation } from '../../connectors/mysql/relation.ts';
import type { Session } from '../../connectors/mysql/session.ts';
import type { Finding } from '../../src/connector/identity.ts';
import type { Position, PositionOrder } from '../../src/connector/position.ts';
import { READER, REPLICATOR } from './harness/mysql-accounts.ts';
import { catalogSessions } from './harness/mysql-catalog-session.ts';
import { MYSQL_FLAVORS } from './harness/mysql-installation.ts';
import { createMysqlPair, type MysqlPair, type MysqlPairOptions } from './harness/mysql-pair.ts';
import { Replication } from './harness/mysql-replication.ts';
import { createMysqlServer } from './harness/mysql-server.ts';

const owned: { destroy(): Promise<void> }[] = [];
const { open, close } = catalogSessions();

afterAll(async () => {
  await close();
  for (const thing of owned) await thing.destroy();
});

function own<T extends { destroy(): Promise<void> }>(thing: T): T {
  owned.push(thing);
  return thing;
}

function signal(): AbortSignal {
  return AbortSignal.timeout(60_000);
}

const SCHEMA =
  'CREATE TABLE t (id INT PRIMARY KEY, v INT) ENGINE=InnoDB; INSERT INTO t VALUES (1, 1), (2, 2)';

/** A pair with sessions of the verifier, and the questions about it. */
interface Sites {
  readonly pair: MysqlPair;
  readonly source: Session;
  readonly replica: Session;
  relate(): Promise<SiteRelation>;
  head(): Promise<Position>;
  /** How what the replica has applied stands to a position. */
  order(to: Position): Promise<PositionOrder>;
  findings(): Promise<readonly Finding[]>;
}

async function sitesOf(options: MysqlPairOptions): Promise<Sites> {
  const strict = options.flavor === 'mariadb' ? { gtid_strict_mode: 'ON' } : {};
  const pair = own(await createMysqlPair({ schema: SCHEMA, settings: strict, ...options }));
  const [source, replica] = [await open(pair.source), await open(pair.replica)];
  const relate = (): Promise<SiteRelation> => relateSites(replica, source, signal());
  return {
    pair,
    source,
    replica,
    relate,
    head: async () => (await readHead(source, signal())).head,
    order: async (to) => {
      const { applied } = await readApplied(replica, (await relate()).lineage, signal());
      return applied === null ? 'incomparable' : comparePositions(applied, to);
    },
    findings: async () => readFindings(replica, () => true, (await relate()).lineage, signal()),
  };
}

/** Waits until a reading is as wanted. */
async function until<T>(wanted: T, read: () => Promise<T>): Promise<void> {
  await expect.poll(read, { timeout: 20_000, interval: 20 }).toEqual(wanted);
}

function codes(findings: readonly Finding[]): string[] {
  return findings.filter(({ severity }) => severity !== 'info').map(({ code }) => code);
}

describe.each(MYSQL_FLAVORS)('trouble on a %s pair', (flavor) => {
  let sites: Sites;
  const word = flavor === 'mysql' ? 'REPLICA' : 'SLAVE';

  beforeAll(async () => {
    sites = await sitesOf({ flavor });
  });

  it('is none where there is none', async () => {
    expect(codes(await sites.findings())).toEqual([]);
    expect(codes(await readFindings(sites.source, () => true, null, signal()))).toEqual([]);
    const facts = await readFacts(sites.replica, signal());
    expect(facts).toMatchObject({
      inRecovery: false,
      writable: false,
      replayPaused: false,
      timeline: null,
      unloggedTables: [],
      unread: [],
    });
    expect(facts.subscriptions).toEqual([
      {
        name: 'channel (default)',
        enabled: true,
        workerRunning: true,
        applyErrors: 0n,
        skipLsn: '0/0',
        tablesNotReady: [],
      },
    ]);
    expect((await readFacts(sites.source, signal())).subscriptions).toEqual([]);
  });

  it('is a role that may read one table only, with the GRANTs it needs', async () => {
    await sites.pair.write(`CREATE USER narrow IDENTIFIED BY 'n'; GRANT SELECT ON bank.t TO narrow`);
    const narrow = await open(sites.pair.replica, { user: 'narrow', password: 'n' });
    const findings = await readFindings(narrow, () => true, null, signal());
    expect(codes(findings)).toEqual(
      expect.arrayContaining(['TP-P-REPLICATION', 'TP-P-PROCESS', 'TP-P-GRANT']),
    );
    const facts = await readFacts(narrow, signal());
    expect(facts).toMatchObject({ replayPaused: null, subscriptions: null });
    expect(facts.unread.map(({ fact }) => fact)).toEqual(['replayPaused', 'subscriptions']);
    // Every GRANT that is proposed can be run, and mends what it was proposed for.
    for (const { sql } of findings) if (sql !== undefined) await sites.pair.write(sql);
    const mended = await open(sites.pair.replica, { user: 'narrow', password: 'n' });
    expect(codes(await readFindings(mended, () => true, null, signal()))).toEqual([]);
    const root = await open(sites.pair.replica, { user: 'root', password: '' });
    expect(codes(await readFindings(root, () => true, null, signal()))).toContain('TP-P-SUPERUSER');
    const reader = await open(sites.pair.source, READER);
    expect(codes(await readFindings(reader, () => true, null, signal()))).toContain('TP-P-REPLICATION');
  });

  it('is a replica that takes writes', async () => {
    await sites.pair.setReadOnly(false);
    expect(codes(await sites.findings())).toEqual(['TP-P-WRITABLE']);
    await sites.pair.setReadOnly(true);
    expect(codes(await sites.findings())).toEqual([]);
  });

  it('is replication that stands still', async () => {
    const facts = (): ReturnType<typeof readFacts> => readFacts(sites.replica, signal());
    await sites.pair.stopReplica('sql');
    expect(codes(await sites.findings())).toEqual(['TP-P-REPLICATION-STOPPED']);
    expect(await facts()).toMatchObject({
      replayPaused: true,
      subscriptions: [{ enabled: true, workerRunning: false }],
    });
    await sites.pair.stopReplica();
    expect(await facts()).toMatchObject({ subscriptions: [{ enabled: false, workerRunning: false }] });
    await sites.pair.startReplica();
    await until([] as string[], async () => codes(await sites.findings()));
  });

  it('is a table that is not InnoDB, and one that a restart empties', async () => {
    await sites.pair.write(
      'CREATE TABLE slow (id INT PRIMARY KEY) ENGINE=MyISAM; CREATE TABLE quick (id INT PRIMARY KEY) ENGINE=MEMORY',
    );
    const engines = (await sites.findings()).find(({ code }) => code === 'TP-P-ENGINE');
    expect(engines).toMatchObject({ severity: 'warn', subject: 'quick, slow' });
    const facts = await readFacts(sites.replica, signal());
    expect(facts.unloggedTables).toEqual(['bank.quick']);
    await sites.pair.write('DROP TABLE slow, quick');
  });

  it('is a counter behind its rows', async () => {
    await sites.pair.write(
      'CREATE TABLE n (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY); INSERT INTO n VALUES (9007199254740993)',
    );
    if (flavor === 'mariadb')
      await sites.pair.write('CREATE SEQUENCE s INCREMENT 5 NOCACHE; SELECT NEXTVAL(s)');
    const { sequences, unread } = await readFacts(sites.replica, signal());
    expect(unread).toEqual([]);
    expect(sequences).toContainEqual({
      name: 'bank.n.id',
      lastValue: 9007199254740993n,
      increment: 1n,
      ownedBy: 'bank.n.id',
      dataExtreme: 9007199254740993n,
    });
    const objects = (await readFacts(sites.source, signal())).sequences ?? [];
    expect(objects.map(({ name, lastValue, increment }) => [name, lastValue, increment])).toEqual(
      flavor === 'mariadb' ? [['bank.s', 1n, 5n]] : [],
    );
    expect(sequences?.filter(({ name }) => name === 'bank.s')).toEqual(objects);
    await sites.pair.write(flavor === 'mariadb' ? 'DROP TABLE n; DROP SEQUENCE s' : 'DROP TABLE n');
  });

  it('is a commit that waits for a replica: logged, on the replica, and not visible', async () => {
    const { pair, source } = sites;
    const [plugin, name] = ['rpl_semi_sync_source', 'rpl_semi_sync_master'];
    if (flavor === 'mysql') await pair.source.sql(`INSTALL PLUGIN ${plugin} SONAME 'semisync_source.so'`);
    const prefix = flavor === 'mysql' ? plugin : name;
    await pair.source.sql(
      `SET GLOBAL ${prefix}_timeout = 600000; SET GLOBAL ${prefix}_wait_point = AFTER_SYNC; SET GLOBAL ${prefix}_enabled = ON`,
    );
    const before = await readHead(source, signal());
    const waits = pair.source.sql('INSERT INTO bank.t VALUES (900, 1)');
    const onReplica = async (): Promise<number> =>
      (await pair.replica.sql('SELECT 1 FROM bank.t WHERE id = 900')).length;
    await until(1, onReplica);
    expect(await pair.source.sql('SELECT 1 FROM bank.t WHERE id = 900')).toEqual([]);
    expect(await readCommitsPending(source, signal())).toBe('pending');
    const during = await readHead(source, signal());
    expect(during.quiet).toBe(false);
    expect(comparePositions(before.head, during.head)).toBe('before');
    await until('equal', () => sites.order(during.head));
    await pair.source.sql(`SET GLOBAL ${prefix}_enabled = OFF`);
    await waits;
    expect(await readCommitsPending(source, signal())).toBe('none');
    const after = await readHead(source, signal());
    expect(after.quiet).toBe(true);
    expect(comparePositions(during.head, after.head)).toBe('equal');
    const reader = await open(pair.source, READER);
    expect(await readCommitsPending(reader, signal())).toBe(flavor === 'mysql' ? 'none' : 'unknown');
  });

  it('is an errant transaction, by its name', async () => {
    const { pair } = sites;
    await pair.tamper('INSERT INTO t VALUES (777, 0)', true);
    const { relation, lineage } = await sites.relate();
    expect(relation).toEqual({ kind: 'logical' });
    const [row] = await pair.replica
      .sql('SELECT @@server_id AS id, @@global.gtid_binlog_pos AS gtids')
      .catch(() => pair.replica.sql('SELECT @@server_uuid AS id'));
    const id = String(row?.['id']);
    expect(lineage?.errant).toMatch(
      flavor === 'mysql' ? new RegExp(`^${id}:1$`) : new RegExp(`^0-${id}-\\d+$`),
    );
    expect((await sites.findings()).find(({ code }) => code === 'TP-P-ERRANT')).toMatchObject({
      severity: 'warn',
      subject: lineage?.errant,
    });
    // Without the primary it is told as what it may be.
    expect(
      (await readFindings(sites.replica, () => true, null, signal())).find(
        ({ code }) => code === 'TP-P-ERRANT',
      ),
    ).toMatchObject({ severity: 'info', subject: lineage?.errant });
    if (flavor === 'mysql') {
      expect(await sites.order(await sites.head())).toBe('after');
      await pair.stopReplica('sql');
      await pair.source.sql('INSERT INTO bank.t VALUES (778, 0)');
      expect(await sites.order(await sites.head())).toBe('incomparable');
      await pair.startReplica();
      await until('after', async () => sites.order(await sites.head()));
    } else {
      // The local write has taken the number that the source's next transaction has.
      const head = await sites.head();
      await pair.source.sql('INSERT INTO bank.t VALUES (778, 0)');
      await until(['TP-P-REPLICATION-ERROR', 'TP-P-ERRANT'], async () => codes(await sites.findings()));
      expect(await sites.order(await sites.head())).toBe('before');
      expect(await sites.order(head)).toBe('equal');
    }
  });

  it('is a change that cannot be applied, by its number', async () => {
    const broken = await sitesOf({ flavor });
    await broken.pair.tamper('DELETE FROM t WHERE id = 1');
    await broken.pair.source.sql('UPDATE bank.t SET v = 9 WHERE id = 1');
    await until(['TP-P-REPLICATION-ERROR'], async () => codes(await broken.findings()));
    const finding = (await broken.findings()).find(({ code }) => code === 'TP-P-REPLICATION-ERROR');
    expect(finding).toMatchObject({ severity: 'block', subject: 'channel (default)' });
    expect(finding?.message).toMatch(/\(error \d+\)/);
    const facts = await readFacts(broken.replica, signal());
    expect(facts.subscriptions).toMatchObject([{ enabled: true, workerRunning: false, applyErrors: 1n }]);
    expect(await broken.order(await broken.head())).toBe('before');
    expect((await broken.relate()).relation).toEqual({ kind: 'logical' });
    await broken.pair.replica.sql(
      flavor === 'mysql'
        ? `SET GLOBAL replica_exec_mode = IDEMPOTENT`
        : `SET GLOBAL slave_exec_mode = IDEMPOTENT`,
    );
    expect(codes(await broken.findings())).toContain('TP-P-SKIPS');
  });

  it('is a log that the source has purged before it was read', async () => {
    const purged = await sitesOf({ flavor });
    const { pair } = purged;
    await pair.stopReplica();
    await pair.source.sql(
      'INSERT INTO bank.t VALUES (50, 0); FLUSH BINARY LOGS; INSERT INTO bank.t VALUES (51, 0); FLUSH BINARY LOGS',
    );
    if (flavor === 'mariadb') {
      await pair.source.sql('SET GLOBAL slave_connections_needed_for_purge = 0').catch(() => undefined);
    }
    const logs = await pair.source.sql('SHOW BINARY LOGS');
    await pair.source.sql(`PURGE BINARY LOGS TO '${String(logs.at(-1)?.['Log_name'])}'`);
    if (flavor === 'mysql') expect(codes(await purged.findings())).toContain('TP-P-PURGED');
    await pair.startReplica();
    await until(true, async () =>
      (await readFindings(purged.replica, () => true, null, signal())).some(
        ({ code }) => code === 'TP-P-PURGED',
      ),
    );
  });

  it('is no chain: a replica of a replica is related to the first source', async () => {
    const { pair, source } = await sitesOf({ flavor });
    const leaf = own(await createMysqlServer({ flavor, name: 'leaf' }));
    const replication = new Replication(pair.replica, leaf);
    await replication.follow(REPLICATOR);
    await replication.caughtUp(20_000);
    const session = await open(leaf);
    const { relation, lineage } = await relateSites(session, source, signal());
    expect(relation).toEqual({ kind: 'logical' });
    await pair.write('INSERT INTO t VALUES (60, 0)');
    const { head } = await readHead(source, signal());
    await replication.caughtUp(20_000);
    const { applied } = await readApplied(session, lineage, signal());
    expect(applied === null ? null : comparePositions(applied, head)).toBe('equal');
  });

  it('is a source that reads from its candidate', async () => {
    const { pair, source, replica } = sites;
    await pair.replica.sql(`STOP ${word}`);
    const { relation } = await relateSites(source, replica, signal());
    expect(relation).toMatchObject({ code: 'TP-ROLES' });
  });
});

describe('a MySQL pair that applies in parallel', () => {
  it('has a set with a hole, which is before the whole and beside what the hole lacks', async () => {
    const sites = await sitesOf({
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
    const sites = await sitesOf({ flavor: 'mariadb' });
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
    const { pair, source, replica } = await sitesOf({ flavor: 'mariadb' });
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
    expect(applied === null ? null : comparePositions(applied, head)).toBe('equal');
    expect(lineage?.errant).toBeNull();
  });
});

describe('a MySQL pair without GTIDs', () => {
  it('has positions in the source’s log, and says what that lacks', async () => {
    const settings = { gtid_mode: 'OFF', enforce_gtid_consistency: 'OFF' };
    const primary = own(await createMysqlServer({ flavor: 'mysql', settings }));
    const candidate = own(await createMysqlServer({ flavor: 'mysql', settings }));
    await candidate.sql(
      `CHANGE REPLICATION SOURCE TO SOURCE_HOST = ?, SOURCE_PORT = ?, SOURCE_USER = 'root', SOURCE_SSL = 0,
         GET_SOURCE_PUBLIC_KEY = 1, SOURCE_CONNECT_RETRY = 1, SOURCE_AUTO_POSITION = 0; START REPLICA`,
      [primary.host, primary.port],
    );
    await primary.sql(`CREATE DATABASE bank; CREATE TABLE bank.t (id INT PRIMARY KEY)`);
    const databases = async (): Promise<number> => (await candidate.sql(`SHOW DATABASES LIKE 'bank'`)).length;
    await until(1, databases);
    const root = { user: 'root', password: '' };
    const [source, replica] = [await open(primary, root), await open(candidate, root)];
    const { relation, lineage } = await relateSites(replica, source, signal());
    expect(relation).toEqual({ kind: 'logical' });
    const order = async (): Promise<PositionOrder> => {
      const { head } = await readHead(source, signal());
      const { applied } = await readApplied(replica, lineage, signal());
      return applied === null ? 'incomparable' : comparePositions(applied, head);
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
    const server = own(await createMysqlServer({ flavor: 'mysql', settings: { disable_log_bin: 'ON' } }));
    await server.sql('CREATE DATABASE bank');
    const session = await open(server, { user: 'root', password: '' });
    await expect(readHead(session, signal())).rejects.toMatchObject({ code: 'TP-POSITION' });
    expect(codes(await readFindings(session, () => true, null, signal()))).toContain('TP-P-LOG');
  });
});
