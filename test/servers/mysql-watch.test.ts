import { afterAll, beforeAll, expect, it } from 'vitest';
import { certify, fenced, weighty } from './harness/certify-ledger.ts';
import { VERIFIER } from './harness/mysql-accounts.ts';
import type { MysqlPair } from './harness/mysql-pair.ts';
import { describeLongMysql } from './harness/mysql-suite.ts';
import {
  createWatchedPair,
  ledgerCaughtUp,
  ledgerSettled,
  mysqlWatchFolder,
  provenWatch,
  untilProven,
} from './harness/mysql-watch.ts';
import { ledgerRowsOf, provenOf, RunningWatch, type WatchFolder } from './harness/watch.ts';

const ROWS = 3000;
const SCHEMA = `CREATE TABLE account (id bigint PRIMARY KEY, owner varchar(40), amount decimal(12,2));
  CREATE TABLE named (name varchar(60) PRIMARY KEY, v int);
  CREATE TABLE part (id int, region varchar(8), n int, PRIMARY KEY (id, region)) PARTITION BY KEY (region) PARTITIONS 3;
  CREATE TABLE parent (id int PRIMARY KEY, v int);
  CREATE TABLE child (id int PRIMARY KEY, parent int,
    FOREIGN KEY (parent) REFERENCES parent (id) ON DELETE CASCADE ON UPDATE CASCADE);
  INSERT INTO account VALUES ${rows(ROWS, (i) => `${i}, 'owner ${i}', ${i}.25`)};
  INSERT INTO named VALUES ${rows(300, (i) => `'name ${i}', ${i}`)};
  INSERT INTO part VALUES ${rows(300, (i) => `${i}, '${i % 2 === 0 ? 'kr' : 'jp'}', ${i}`)};
  INSERT INTO parent VALUES ${rows(20, (i) => `${i}, 0`)};
  INSERT INTO child VALUES ${rows(100, (i) => `${i}, ${(i % 20) + 1}`)}`;
const TABLES = ['account', 'named', 'part', 'parent', 'child'];

function rows(count: number, row: (i: number) => string): string {
  return Array.from({ length: count }, (_, i) => `(${row(i + 1)})`).join();
}

/** The tests follow one another: what happens to the two servers is one story. */
await describeLongMysql('watch and certify of a %s pair', (flavor) => {
  let pair: MysqlPair;
  let folder: WatchFolder;
  let watch: RunningWatch;

  const write = (sql: string): Promise<unknown> => pair.source.sql(sql, [], pair.database);
  const connections = async (): Promise<number> => {
    const [row] = await pair.source.sql(`SHOW GLOBAL STATUS LIKE 'Connections'`);
    return Number(row?.['Value']);
  };
  /** Every row, as the ledger has it and as the primary has it. */
  const allRows = async (): Promise<{ readonly ledger: unknown; readonly primary: unknown }> => {
    await ledgerSettled(folder, watch, pair);
    const names = TABLES.map((table) => `bank.${table}`);
    const found = await ledgerRowsOf(folder, names);
    return {
      ledger: names.map((name) => [name, found.get(name)?.ledger]),
      primary: names.map((name) => [name, found.get(name)?.primary]),
    };
  };

  beforeAll(async () => {
    pair = await createWatchedPair({ flavor, schema: SCHEMA });
    folder = mysqlWatchFolder(pair, { policy: '{ rpo: 1h, maxTail: 1h }' });
    watch = await provenWatch(folder, TABLES.length);
  }, 400_000);

  afterAll(async () => {
    await watch?.stop().catch(() => undefined);
    await pair?.destroy();
    folder?.remove();
  });

  it('knows every row of the primary once the replica is proven', async () => {
    const { ledger, primary } = await allRows();
    expect(ledger).toEqual(primary);
    expect(await provenOf(folder, 'gasan')).toEqual({ unproven: [], dirty: 0, differences: [] });
  });

  it('follows what applications write, whichever statement they use', async () => {
    await write(`INSERT INTO account VALUES (1, 'new', 1), (9001, 'new', 2) ON DUPLICATE KEY UPDATE owner = 'again';
      REPLACE INTO account VALUES (2, 'replaced', 3), (9002, 'replaced', 4);
      UPDATE account SET id = 9003 WHERE id = 3;
      UPDATE account a JOIN part p ON p.id = a.id SET a.amount = a.amount + 1, p.n = -p.n WHERE a.id BETWEEN 10 AND 20;
      UPDATE part SET region = 'us' WHERE id < 10;
      START TRANSACTION; INSERT INTO named VALUES ('kept', 1); SAVEPOINT a; INSERT INTO named VALUES ('gone', 1);
      ROLLBACK TO SAVEPOINT a; DELETE FROM named WHERE name = 'name 7'; COMMIT;
      START TRANSACTION; DELETE FROM account; ROLLBACK;
      CREATE TEMPORARY TABLE passing (id int PRIMARY KEY); INSERT INTO passing VALUES (1);
      INSERT INTO account SELECT id + 20000, 'copied', 0 FROM part;
      XA START 'one'; UPDATE account SET owner = 'in two phases' WHERE id = 50; XA END 'one'; XA PREPARE 'one';
      XA COMMIT 'one'`);
    const { ledger, primary } = await allRows();
    expect(ledger).toEqual(primary);
    await pair.caughtUp();
    await untilProven(watch, folder, TABLES.length);
  }, 400_000);

  it('follows tables that are emptied, redefined and renamed, and rows that a foreign key takes along', async () => {
    await write(`TRUNCATE TABLE named; INSERT INTO named VALUES ('first', 1)`);
    await write(`ALTER TABLE part ADD COLUMN note varchar(20) NOT NULL DEFAULT 'none', MODIFY n bigint`);
    await write(`UPDATE part SET note = 'some' WHERE id < 5`);
    await write(`CREATE TABLE account_new LIKE account; INSERT INTO account_new SELECT * FROM account WHERE id < 1000;
      RENAME TABLE account TO account_old, account_new TO account; DROP TABLE account_old`);
    await write(
      `DELETE FROM parent WHERE id = 1; UPDATE parent SET id = 102 WHERE id = 2; UPDATE parent SET v = 1`,
    );
    const { ledger, primary } = await allRows();
    expect(ledger).toEqual(primary);
    await pair.caughtUp();
    await untilProven(watch, folder, TABLES.length);
  }, 400_000);

  it('is SAFE for a switchover at rest', async () => {
    await ledgerCaughtUp(folder, pair, watch);
    const { code, verdict } = await certify(folder);
    expect(weighty(verdict)).toEqual([]);
    expect({ code, verdict }).toMatchObject({ code: 0, verdict: { verdict: 'SAFE', integrity: 'same' } });
  }, 400_000);

  it('is SAFE again once a table without a key has got one, with the watch going on', async () => {
    await watch.stop();
    await write('CREATE TABLE plain (v int); INSERT INTO plain VALUES (1), (2)');
    await pair.caughtUp();
    watch = new RunningWatch(folder);
    await watch.said(/^proven$/, /but for 1 table that cannot be proven/);
    expect((await certify(folder)).verdict.reasons.filter(({ effect }) => effect === 'unknown')).toEqual([
      expect.objectContaining({ code: 'TP-V-CANNOT-COMPARE', subject: 'bank.plain' }),
    ]);
    await write('ALTER TABLE plain ADD COLUMN id int AUTO_INCREMENT PRIMARY KEY FIRST');
    await pair.caughtUp();
    await untilProven(watch, folder, TABLES.length + 1);
    await ledgerCaughtUp(folder, pair, watch);
    await watch.sees(async () => (await certify(folder)).code === 0, 'it is safe');
    await pair.tamper('UPDATE plain SET v = 3 WHERE id = 2', true);
    await watch.said(/^difference$/, /bank\.plain: a row is changed \(id=2\)/);
    await pair.tamper('UPDATE plain SET v = 2 WHERE id = 2', true);
    await write('DROP TABLE plain');
    await pair.caughtUp();
    await untilProven(watch, folder, TABLES.length);
  }, 400_000);

  it('says once that its account may not read the log, with what to run, and goes on when that was run', async () => {
    const { source } = pair;
    const account = `'${VERIFIER.user}'@'%'`;
    await source.sql(`REVOKE REPLICATION SLAVE ON *.* FROM ${account}`);
    const other = mysqlWatchFolder(pair);
    const begun = new RunningWatch(other);
    const told = (): string[] =>
      begun.lines
        .filter(({ site, event }) => `${site}/${event}` === 'primary/stream')
        .map(({ message }) => message);
    try {
      await begun.said(/^stream$/, /may not|does not let/);
      const before = await connections();
      // Each attempt opens some, and so does the watch of the other tests.
      await begun.sees(async () => (await connections()) > before + 25, 'several attempts');
      expect(told()).toEqual([expect.stringContaining('does not let this account read its log')]);
      expect(begun.lines.find(({ code }) => code === 'TP-STREAM-SETUP')?.hint).toContain(
        `GRANT REPLICATION SLAVE ON *.* TO \`${VERIFIER.user}\`@\`%\`;`,
      );
      await source.sql(`GRANT REPLICATION SLAVE ON *.* TO ${account}`);
      await begun.sees(() => told().at(-1) === 'following the log', 'the log is followed');
    } finally {
      await begun.stop();
      other.remove();
    }
  }, 400_000);

  it('names a row that somebody changed on the replica, and counts the loss when the primary is gone', async () => {
    await pair.stopReplica('io');
    await write(`INSERT INTO account VALUES (8001, 'lost', 1); DELETE FROM part WHERE id IN (3, 4)`);
    await ledgerCaughtUp(folder, pair, watch);
    await pair.source.kill();
    const lost = await certify(folder, ...fenced());
    expect(lost.verdict).toMatchObject({
      mode: 'failover',
      integrity: 'same',
      loss: { kind: 'bounded', transactions: '2', changes: '3', keys: '3' },
    });
    await pair.tamper(`UPDATE account SET owner = 'mallory' WHERE id = 471`, true);
    await watch.said(/difference/, /account.*changed.*id=471/);
    await watch.stop();
    const altered = await certify(folder, ...fenced());
    expect(altered).toMatchObject({ code: 2, verdict: { verdict: 'NOT_SAFE', integrity: 'different' } });
    expect(altered.verdict.reasons.find(({ code }) => code === 'TP-V-DIFFERENT')?.message).toMatch(/id=471/);
  }, 400_000);
});
