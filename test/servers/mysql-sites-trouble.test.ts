import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCommitsPending } from '../../connectors/mysql/commits.ts';
import { readFacts } from '../../connectors/mysql/facts.ts';
import { comparePositions } from '../../connectors/mysql/gtid.ts';
import { readHead } from '../../connectors/mysql/positions.ts';
import { readFindings } from '../../connectors/mysql/preflight.ts';
import { READER } from './harness/mysql-accounts.ts';
import { MYSQL_FLAVORS } from './harness/mysql-installation.ts';
import { codes, type MysqlSites, signal, SiteTests, until } from './harness/mysql-sites.ts';

const tests = new SiteTests();

afterAll(() => tests.close());

describe.each(MYSQL_FLAVORS)('trouble on a %s pair', (flavor) => {
  let sites: MysqlSites;

  beforeAll(async () => {
    sites = await tests.pair({ flavor });
  });

  it('is none where there is none', async () => {
    expect(codes(await sites.findings())).toEqual([]);
    expect(codes(await readFindings(sites.source, () => true, null, signal()))).toEqual([]);
    const facts = await readFacts([sites.replica], signal());
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
        skip: '',
        tablesNotReady: [],
      },
    ]);
    expect((await readFacts([sites.source], signal())).subscriptions).toEqual([]);
  });

  it('is a role that may read one table only, with the GRANTs it needs', async () => {
    await sites.pair.write(`CREATE USER narrow IDENTIFIED BY 'n'; GRANT SELECT ON bank.t TO narrow`);
    const narrow = await tests.open(sites.pair.replica, { user: 'narrow', password: 'n' });
    const findings = await readFindings(narrow, () => true, null, signal());
    expect(codes(findings)).toEqual(
      expect.arrayContaining(['TP-P-REPLICATION', 'TP-P-PROCESS', 'TP-P-GRANT']),
    );
    const facts = await readFacts([narrow], signal());
    expect(facts).toMatchObject({ replayPaused: null, subscriptions: null });
    expect(facts.unread.map(({ fact }) => fact)).toEqual(['replayPaused', 'subscriptions']);
    // Every GRANT that is proposed can be run, and mends what it was proposed for.
    for (const { sql } of findings) if (sql !== undefined) await sites.pair.write(sql);
    const mended = await tests.open(sites.pair.replica, { user: 'narrow', password: 'n' });
    expect(codes(await readFindings(mended, () => true, null, signal()))).toEqual([]);
    const root = await tests.open(sites.pair.replica, { user: 'root', password: '' });
    expect(codes(await readFindings(root, () => true, null, signal()))).toContain('TP-P-SUPERUSER');
    const reader = await tests.open(sites.pair.source, READER);
    expect(codes(await readFindings(reader, () => true, null, signal()))).toContain('TP-P-REPLICATION');
  });

  it('is a replica that takes writes', async () => {
    await sites.pair.setReadOnly(false);
    expect(codes(await sites.findings())).toEqual(['TP-P-WRITABLE']);
    await sites.pair.setReadOnly(true);
    expect(codes(await sites.findings())).toEqual([]);
  });

  it('is replication that stands still', async () => {
    const facts = (): ReturnType<typeof readFacts> => readFacts([sites.replica], signal());
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
    const facts = await readFacts([sites.replica], signal());
    expect(facts.unloggedTables).toEqual(['bank.quick']);
    await sites.pair.write('DROP TABLE slow, quick');
  });

  it('is a counter behind its rows', async () => {
    await sites.pair.write(
      'CREATE TABLE n (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY); INSERT INTO n VALUES (9007199254740993)',
    );
    if (flavor === 'mariadb')
      await sites.pair.write('CREATE SEQUENCE s INCREMENT 5 NOCACHE; SELECT NEXTVAL(s)');
    const { sequences, unread } = await readFacts([sites.replica], signal());
    expect(unread).toEqual([]);
    expect(sequences).toContainEqual({
      name: 'bank.n.id',
      lastValue: 9007199254740993n,
      increment: 1n,
      ownedBy: 'bank.n.id',
      // MySQL keeps the counter beyond every value, so it is not held against them.
      dataExtreme: flavor === 'mariadb' ? 9007199254740993n : null,
    });
    await sites.pair.write('UPDATE n SET id = id + 10');
    const [counter] = (await readFacts([sites.replica], signal())).sequences ?? [];
    // Only MySQL's goes on with a value that came by UPDATE.
    expect(counter?.lastValue).toBe(flavor === 'mysql' ? 9007199254741003n : counter?.lastValue);
    const objects = (await readFacts([sites.source], signal())).sequences ?? [];
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
    const reader = await tests.open(pair.source, READER);
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
  });

  it('is a change that cannot be applied, by its number', async () => {
    const broken = await tests.pair({ flavor });
    await broken.pair.tamper('DELETE FROM t WHERE id = 1');
    await broken.pair.source.sql('UPDATE bank.t SET v = 9 WHERE id = 1');
    await until(['TP-P-REPLICATION-ERROR'], async () => codes(await broken.findings()));
    const finding = (await broken.findings()).find(({ code }) => code === 'TP-P-REPLICATION-ERROR');
    expect(finding).toMatchObject({ severity: 'block', subject: 'channel (default)' });
    expect(finding?.message).toMatch(/\(error \d+\)/);
    const facts = await readFacts([broken.replica], signal());
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
    const purged = await tests.pair({ flavor });
    const { pair } = purged;
    await pair.stopReplica();
    await pair.source.sql(
      'INSERT INTO bank.t VALUES (50, 0); FLUSH BINARY LOGS; INSERT INTO bank.t VALUES (51, 0); FLUSH BINARY LOGS',
    );
    // A file is in use until InnoDB's next checkpoint; then it goes.
    await until(1, async () => {
      const logs = await pair.source.sql('SHOW BINARY LOGS');
      await pair.source.sql(`PURGE BINARY LOGS TO '${String(logs.at(-1)?.['Log_name'])}'`);
      return (await pair.source.sql('SHOW BINARY LOGS')).length;
    });
    // Only MySQL tells beforehand what it has deleted.
    expect(codes(await purged.findings()).includes('TP-P-PURGED')).toBe(flavor === 'mysql');
    await pair.startReplica();
    await until(true, async () =>
      (await readFindings(purged.replica, () => true, null, signal())).some(
        ({ code }) => code === 'TP-P-PURGED',
      ),
    );
  });
});
