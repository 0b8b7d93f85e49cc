import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CandidateVerdict, certify, fenced, weighty } from '../servers/harness/certify-ledger.ts';
import { builtProgram } from '../servers/harness/cli-build.ts';
import type { MysqlFlavor } from '../servers/harness/mysql-installation.ts';
import type { MysqlPair, MysqlPairOptions } from '../servers/harness/mysql-pair.ts';
import { describeMysql } from '../servers/harness/mysql-suite.ts';
import {
  createWatchedPair,
  ledgerCaughtUp,
  ledgerSettled,
  mysqlWatchFolder,
  provenWatch,
  untilProven,
} from '../servers/harness/mysql-watch.ts';
import { ledgerRowsOf, type RunningWatch, type WatchFolder } from '../servers/harness/watch.ts';

const SCHEMA = `CREATE TABLE account (id int PRIMARY KEY, owner varchar(40));
  CREATE TABLE other (id int PRIMARY KEY, v int);
  INSERT INTO account VALUES ${Array.from({ length: 100 }, (_, i) => `(${i + 1}, 'owner ${i + 1}')`).join()};
  INSERT INTO other VALUES (1, 1), (2, 2)`;
const TABLES = 2;

/** A pair that is watched, proven, and SAFE to switch over but for what its settings are found to do. */
class Watched {
  readonly pair: MysqlPair;
  readonly folder: WatchFolder;
  readonly watch: RunningWatch;

  private constructor(pair: MysqlPair, folder: WatchFolder, watch: RunningWatch) {
    this.pair = pair;
    this.folder = folder;
    this.watch = watch;
  }

  static async begin(
    flavor: MysqlFlavor,
    settings: Pick<MysqlPairOptions, 'settings' | 'sourceSettings' | 'replicaSettings'>,
  ): Promise<Watched> {
    builtProgram();
    const pair = await createWatchedPair({ flavor, schema: SCHEMA, ...settings });
    const folder = mysqlWatchFolder(pair, { policy: '{ rpo: 1h, maxTail: 1h }' });
    return new Watched(pair, folder, await provenWatch(folder, TABLES));
  }

  /** When the ledger has all that the primary has committed. */
  async verdict(): Promise<CandidateVerdict> {
    await this.pair.caughtUp();
    await ledgerCaughtUp(this.folder, this.pair, this.watch);
    return (await certify(this.folder)).verdict;
  }

  async end(): Promise<void> {
    await this.watch.stop().catch(() => undefined);
    await this.pair.destroy();
    this.folder.remove();
  }
}

/** The tests follow one another: what happens to the two servers is one story. */
await describeMysql('a %s pair', (flavor) => {
  describe('that keeps names in lower case', () => {
    let site: Watched;

    beforeAll(async () => {
      site = await Watched.begin(flavor, { settings: { lower_case_table_names: '1' } });
    }, 400_000);

    afterAll(() => site?.end());

    it('is SAFE at rest', async () => {
      const verdict = await site.verdict();
      expect(weighty(verdict)).toEqual([]);
      expect(verdict.verdict).toBe('SAFE');
    }, 400_000);

    it('has what statements do to tables that they write in capitals', async () => {
      const { pair, folder, watch } = site;
      await pair.write(
        `TRUNCATE TABLE Bank.OTHER; INSERT INTO other VALUES (3, 3);
         CREATE TABLE Account_New LIKE ACCOUNT; INSERT INTO account_new VALUES (7, 'seven');
         RENAME TABLE Account TO Account_Old, ACCOUNT_NEW TO ACCOUNT; DROP TABLE ACCOUNT_OLD`,
      );
      await ledgerSettled(folder, watch, pair);
      const names = ['bank.account', 'bank.other'];
      const rows = await ledgerRowsOf(folder, names);
      for (const name of names) expect(rows.get(name)?.ledger).toEqual(rows.get(name)?.primary);
      await untilProven(watch, folder, TABLES);
      expect(watch.lines.filter(({ event }) => event === 'difference')).toEqual([]);
    }, 400_000);

    it('is not safe when somebody empties a table on the replica, whose name is written in capitals', async () => {
      await site.pair.tamper('TRUNCATE TABLE Other', true);
      expect((await site.verdict()).verdict).not.toBe('SAFE');
      await site.watch.said(/^difference$/, /other.*missing/);
      expect(await site.verdict()).toMatchObject({ verdict: 'NOT_SAFE', integrity: 'different' });
    }, 400_000);
  });

  describe('whose replica leaves a database out of its log', () => {
    let site: Watched;

    beforeAll(async () => {
      site = await Watched.begin(flavor, { replicaSettings: { binlog_ignore_db: 'scratch' } });
    }, 400_000);

    afterAll(() => site?.end());

    it('is not safe, since statements of that database change others without a word in the log', async () => {
      await site.pair.tamper('CREATE DATABASE scratch; USE scratch; TRUNCATE TABLE bank.other', true);
      const verdict = await site.verdict();
      expect(verdict.verdict).toBe('NOT_SAFE');
      expect(weighty(verdict).join()).toContain('TP-R-MY-OWN-LOG-FILTERS');
    }, 400_000);
  });

  describe('whose primary left a database out of its log', () => {
    let site: Watched;

    beforeAll(async () => {
      site = await Watched.begin(flavor, { sourceSettings: { binlog_ignore_db: 'scratch' } });
    }, 400_000);

    afterAll(() => site?.end());

    it('is not safe after the loss either, since statements of that database changed others behind the ledger’s back', async () => {
      const { pair, folder, watch } = site;
      await pair.source.sql('CREATE DATABASE scratch; USE scratch; TRUNCATE TABLE bank.other');
      await pair.write('UPDATE account SET owner = 1 WHERE id = 1');
      await ledgerCaughtUp(folder, pair, watch);
      await pair.source.kill();
      const { verdict } = await certify(folder, ...fenced(), '--primary-lost');
      expect(verdict.verdict).toBe('NOT_SAFE');
      expect(weighty(verdict).join()).toContain('TP-R-MY-LOG-FILTERS');
    }, 400_000);
  });

  describe('whose replica applies what it likes', () => {
    const mysql = flavor === 'mysql';
    let site: Watched;

    beforeAll(async () => {
      site = await Watched.begin(flavor, {});
    }, 400_000);

    afterAll(() => site?.end());

    /** The replica is told that it has applied everything that the primary has committed. */
    const passOver = async ({ source, replica }: MysqlPair): Promise<void> => {
      const head = mysql
        ? `SELECT CONCAT(@@server_uuid, ':', REGEXP_SUBSTR(@@gtid_executed, '[0-9]+$')) AS gtid`
        : 'SELECT @@gtid_binlog_pos AS gtid';
      const [{ gtid } = {}] = await source.sql(head);
      await replica.sql(
        mysql
          ? `SET GTID_NEXT = '${String(gtid)}'; BEGIN; COMMIT; SET GTID_NEXT = 'AUTOMATIC'`
          : `SET GLOBAL gtid_slave_pos = '${String(gtid)}'`,
      );
    };

    it('is not safe where it was told to pass over a TRUNCATE', async () => {
      const { pair } = site;
      await pair.stopReplica();
      await pair.source.sql('TRUNCATE TABLE other', [], pair.database);
      await pair.setReadOnly(false);
      await passOver(pair);
      await pair.setReadOnly(true);
      await pair.startReplica();
      expect((await site.verdict()).verdict).not.toBe('SAFE');
      await site.watch.said(/^difference$/, /other.*extra/);
      expect(await site.verdict()).toMatchObject({ verdict: 'NOT_SAFE', integrity: 'different' });
      await pair.tamper('TRUNCATE TABLE other');
      await pair.write('INSERT INTO other VALUES (1, 1), (2, 2)');
      await untilProven(site.watch, site.folder, TABLES);
    }, 400_000);

    // MySQL fires no triggers for rows that come by the log.
    it.each(mysql ? [] : [flavor])(
      'is not safe on %s where its triggers write to another table',
      async () => {
        const { pair, watch } = site;
        await pair.tamper(
          'CREATE TRIGGER meddles AFTER UPDATE ON account FOR EACH ROW UPDATE other SET v = v + 1',
        );
        await pair.stopReplica();
        await pair.replica.sql(`SET GLOBAL slave_run_triggers_for_rbr = 'YES'`);
        await pair.startReplica();
        await pair.write(`UPDATE account SET owner = 'once' WHERE id = 60`);
        expect((await site.verdict()).verdict).not.toBe('SAFE');
        await watch.said(/^difference$/, /other.*changed/);
        expect(await site.verdict()).toMatchObject({ verdict: 'NOT_SAFE', integrity: 'different' });
      },
      400_000,
    );
  });
});
