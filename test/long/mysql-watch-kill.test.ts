import { afterAll, beforeAll, it } from 'vitest';
import { builtProgram } from '../servers/harness/cli-build.ts';
import type { MysqlPair } from '../servers/harness/mysql-pair.ts';
import { describeMysql } from '../servers/harness/mysql-suite.ts';
import { createWatchedPair, mysqlWatchFolder } from '../servers/harness/mysql-watch.ts';
import type { WatchFolder } from '../servers/harness/watch.ts';
import { expectWhole, killWatch, SteadyLoad } from '../servers/harness/watch-kills.ts';

/** For each engine; the script for the whole number sets it. */
const KILLS = Number(process.env['TWINPROOF_WATCH_KILLS'] ?? '3');
const ROWS = 20_000;
const SCHEMA = `CREATE TABLE digit (d int PRIMARY KEY);
  INSERT INTO digit VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9);
  CREATE TABLE account (id bigint PRIMARY KEY, owner varchar(40), amount decimal(12,2));
  INSERT INTO account SELECT n + 1, CONCAT('owner ', n), n / 7
    FROM (SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d AS n FROM digit a, digit b, digit c, digit e, digit f) numbers
    WHERE n < ${ROWS};
  CREATE TABLE parent (id int PRIMARY KEY, v int);
  CREATE TABLE child (id int PRIMARY KEY, parent int, FOREIGN KEY (parent) REFERENCES parent (id) ON DELETE CASCADE)`;
const TABLES = ['account', 'parent', 'child'].map((table) => `bank.${table}`);

/** Small transactions, now and then a large one, and now and then one that the log does not show whole. */
function statements(round: number): string {
  const last = round + (round % 100 === 10 ? 15_000 : 20);
  const family =
    round % 25 === 20
      ? `DELETE FROM parent WHERE id < ${round}`
      : `INSERT INTO parent VALUES (${round}, 0); INSERT INTO child VALUES (${round}, ${round})`;
  return `START TRANSACTION; UPDATE account SET amount = amount + 1 WHERE id BETWEEN ${round} AND ${last};
    INSERT INTO account VALUES (${100_000 + round}, 'new', 1); SAVEPOINT a; DELETE FROM account WHERE id < 300;
    ROLLBACK TO SAVEPOINT a; DELETE FROM account WHERE id = ${round + 7}; COMMIT; ${family}`;
}

await describeMysql('watch of a %s pair', (flavor) => {
  let pair: MysqlPair;
  let folder: WatchFolder;

  beforeAll(async () => {
    builtProgram();
    pair = await createWatchedPair({ flavor, schema: SCHEMA });
    folder = mysqlWatchFolder(pair);
  }, 400_000);

  afterAll(async () => {
    await pair?.destroy();
    folder?.remove();
  });

  it(
    `loses and invents nothing when it is killed at any moment, ${KILLS} times under load`,
    async () => {
      const load = new SteadyLoad(await pair.source.connect({ database: pair.database }), statements);
      try {
        await killWatch(folder, KILLS);
      } finally {
        await load.stop();
      }
      await pair.caughtUp();
      await expectWhole(folder, 'gasan', TABLES);
    },
    400_000 + KILLS * 10_000,
  );
});
