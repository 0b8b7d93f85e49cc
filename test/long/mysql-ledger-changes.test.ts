import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Known } from '../../src/ledger/known.ts';
import { waitUntil } from '../../src/demo/cluster-wait.ts';
import { certify } from '../servers/harness/certify-ledger.ts';
import { builtProgram } from '../servers/harness/cli-build.ts';
import type { MysqlPair } from '../servers/harness/mysql-pair.ts';
import { describeMysql } from '../servers/harness/mysql-suite.ts';
import { CHANGED_TABLES as TABLES, CHANGES, SCHEMA } from '../servers/harness/mysql-table-changes.ts';
import {
  createWatchedPair,
  ledgerCaughtUp,
  ledgerSettled,
  mysqlWatchFolder,
  untilProven,
} from '../servers/harness/mysql-watch.ts';
import {
  ledgerRowsOf,
  problemsOf,
  type RowsOfBoth,
  RunningWatch,
  type WatchFolder,
} from '../servers/harness/watch.ts';

/** The tests follow one another: what happens to the two servers is one story. */
await describeMysql('the ledger of a %s primary', (flavor) => {
  const mysql = flavor === 'mysql';
  let pair: MysqlPair;
  let folder: WatchFolder;
  let watch: RunningWatch;

  const write = (sql: string): Promise<unknown> =>
    pair.source.sql(sql.replaceAll('$FILE', `${pair.source.paths.home}/rows`), [], pair.database);
  const expectAll = async (): Promise<void> => {
    await ledgerSettled(folder, watch, pair);
    const rows = await ledgerRowsOf(folder, TABLES);
    for (const table of TABLES) expectEqual(rows.get(table));
  };

  beforeAll(async () => {
    builtProgram();
    pair = await createWatchedPair({ flavor, schema: SCHEMA });
    folder = mysqlWatchFolder(pair, { policy: '{ rpo: 1h, maxTail: 1h }' });
    watch = new RunningWatch(folder);
    await watch.said(/^stream$/, /following/);
    await ledgerSettled(folder, watch, pair);
  }, 400_000);

  afterAll(async () => {
    await watch?.stop().catch(() => undefined);
    await pair?.destroy();
    folder?.remove();
  });

  describe('has what is done to a table:', () => {
    let rows: ReadonlyMap<string, RowsOfBoth>;

    beforeAll(async () => {
      for (const { sql } of CHANGES) for (const statement of sql) await write(statement);
      await ledgerSettled(folder, watch, pair);
      rows = await ledgerRowsOf(folder, TABLES);
    }, 400_000);

    it.each(CHANGES)('$what', ({ table, others = [] }) => {
      for (const name of [table, ...others]) expectEqual(rows.get(`bank.${name}`));
    });

    it('and proves the replica without a false alarm', async () => {
      await pair.caughtUp(60_000);
      await untilProven(watch, folder, TABLES.length);
      expect(watch.lines.filter(({ event }) => event === 'difference')).toEqual([]);
      expect(await problemsOf(folder)).toEqual([]);
    }, 400_000);
  });

  it('has the rows of an XA transaction that was prepared before watch began and committed after', async () => {
    const session = await pair.source.connect({ database: pair.database });
    for (const sql of [
      `XA START 'over'`,
      `UPDATE number SET n = n + 1000 WHERE n < 10`,
      `XA END 'over'`,
      `XA PREPARE 'over'`,
    ])
      await session.query(sql);
    await ledgerCaughtUp(folder, pair, watch);
    await watch.stop();
    watch = new RunningWatch(folder);
    await watch.said(/^stream$/, /following/);
    await write(`INSERT INTO loaded VALUES (9000, 'between')`);
    await session.query(`XA COMMIT 'over'`);
    await session.end();
    await watch.said(/^gap$/, /XA transaction/);
    await expectAll();
  }, 400_000);

  it('has the rows that a session changed which logs its statements in place of them', async () => {
    await write(`SET SESSION binlog_format = 'STATEMENT'; UPDATE joined SET v = 'spoken' WHERE id < 10`);
    await watch.said(/^gap$/, /in place of the rows/);
    await expectAll();
  }, 400_000);

  it('goes on through a restart of the primary', async () => {
    await pair.source.restart();
    await write(`UPDATE joined SET v = 'after a restart' WHERE id = 40; TRUNCATE TABLE beside`);
    await expectAll();
  }, 400_000);

  it('has a gap, and reads everything anew, where the log was deleted that it had not taken', async () => {
    await watch.stop();
    await write(`UPDATE joined SET v = 'in the gap' WHERE id < 30; DELETE FROM audit; FLUSH BINARY LOGS`);
    await pair.caughtUp(60_000);
    const oneIsLeft = async (): Promise<boolean> => {
      const logs = await pair.source.sql('SHOW BINARY LOGS');
      await pair.source.sql(`PURGE BINARY LOGS TO '${String(logs.at(-1)?.['Log_name'])}'`);
      return (await pair.source.sql('SHOW BINARY LOGS')).length === 1;
    };
    await waitUntil(oneIsLeft, 60_000, () => 'old files of the log are still there');
    watch = new RunningWatch(folder);
    await watch.said(/^gap$/, /deleted transactions|no longer has the log/);
    expect(await folder.reading(({ core }) => new Known(core.store).gap()?.reason)).toMatch(
      /deleted transactions|no longer has the log/,
    );
    await expectAll();
    await untilProven(watch, folder, TABLES.length);
    expect(watch.lines.filter(({ event }) => event === 'difference')).toEqual([]);
  }, 400_000);

  // MySQL fires no triggers for rows that come by the log.
  it.each(mysql ? [] : [flavor])(
    'does not call a %s replica safe whose triggers fire for rows of the log',
    async () => {
      await pair.stopReplica();
      await pair.replica.sql(`SET GLOBAL slave_run_triggers_for_rbr = 'YES'`);
      // One that the primary has too would be left out.
      await pair.tamper(`CREATE TRIGGER meddles BEFORE UPDATE ON loaded FOR EACH ROW SET NEW.v = 'meddled'`);
      await pair.startReplica();
      await write(`UPDATE loaded SET v = 'once' WHERE id = 60`);
      await watch.said(/difference/, /loaded.*changed.*id=60/);
      const { verdict } = await certify(folder);
      expect(verdict).toMatchObject({ verdict: 'NOT_SAFE', integrity: 'different' });
    },
    400_000,
  );

  it('does not call a replica safe that drops rows by a filter', async () => {
    await pair.stopReplica();
    await pair.replica.sql(
      mysql
        ? 'CHANGE REPLICATION FILTER REPLICATE_IGNORE_TABLE = (bank.sparse)'
        : `SET GLOBAL replicate_ignore_table = 'bank.sparse'`,
    );
    await pair.startReplica();
    await write(`UPDATE sparse SET v = 'filtered' WHERE id = 3`);
    await pair.caughtUp(60_000);
    await watch.said(/difference/, /sparse.*changed.*id=3/);
    await ledgerSettled(folder, watch, pair);
    const { verdict } = await certify(folder);
    expect(verdict).toMatchObject({ verdict: 'NOT_SAFE', integrity: 'different' });
  }, 400_000);

  it('is void where the log was reset, and so is what was proven by it', async () => {
    await pair.stopReplica();
    await pair.source.sql(mysql ? 'RESET BINARY LOGS AND GTIDS' : 'RESET MASTER');
    await write(`INSERT INTO joined VALUES (5000, 'another history'); DELETE FROM loaded WHERE id < 50`);
    await watch.said(/^gap$/, /another history|no longer has the log/);
    await expectAll();
    const { verdict } = await certify(folder);
    expect(['NOT_SAFE', 'UNKNOWN']).toContain(verdict.verdict);
  }, 400_000);

  it('follows nothing of a database that the log leaves out', async () => {
    await pair.source.kill();
    await pair.source.restart({ binlog_ignore_db: pair.database });
    await write(`INSERT INTO joined VALUES (6000, 'nobody sees this')`);
    const leftOut = (): Promise<boolean> =>
      folder.reading(({ core }) =>
        (new Known(core.store).definitions()?.tables ?? []).every(
          ({ unfollowed }) => unfollowed === 'the binary log leaves out its database',
        ),
      );
    await watch.sees(leftOut, 'no table is followed');
    const { verdict } = await certify(folder);
    expect(['NOT_SAFE', 'UNKNOWN']).toContain(verdict.verdict);
  }, 400_000);
});

function expectEqual(rows: RowsOfBoth | undefined): void {
  expect(rows).toBeDefined();
  expect(rows?.ledger).toEqual(rows?.primary);
}
