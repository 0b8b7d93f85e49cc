import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { waitUntil } from '../../src/demo/cluster-wait.ts';
import {
  becomesProven,
  type CandidateVerdict,
  certify,
  fenced,
  provenWatch,
  weighty,
} from '../servers/harness/certify-ledger.ts';
import { builtProgram } from '../servers/harness/cli-build.ts';
import type { Capture } from '../servers/harness/kafka-debezium.ts';
import { captureMysql } from '../servers/harness/kafka-debezium-mysql.ts';
import { FeedFolder } from '../servers/harness/kafka-feed.ts';
import { DEBEZIUM_MYSQL, KAFKA, missingPackage } from '../servers/harness/kafka-packages.ts';
import { createKafka, type KafkaServer } from '../servers/harness/kafka-server.ts';
import { mysqlRows, Relay, Sink } from '../servers/harness/kafka-sink.ts';
import { accountsSql, VERIFIER } from '../servers/harness/mysql-accounts.ts';
import { createMysqlServer, type MysqlServer } from '../servers/harness/mysql-server.ts';
import { describeMysql } from '../servers/harness/mysql-suite.ts';
import type { RunningWatch } from '../servers/harness/watch.ts';

const missing = (await missingPackage(KAFKA)) ?? (await missingPackage(DEBEZIUM_MYSQL));
const without = missing === null ? '' : ` (${missing})`;
const DATABASE = 'bank';
const TABLES = `CREATE TABLE accounts (id bigint PRIMARY KEY, owner varchar(40), balance bigint);
  CREATE TABLE notes (id varchar(20) PRIMARY KEY, body text);`;
const SINK = { group: 'sink', topics: ['feed.bank.accounts', 'feed.bank.notes'] };
const SETTINGS = { 'provide.transaction.metadata': 'true', 'column.propagate.source.type': '.*' };
const KNOWN = '{ decimals: precise, times: adaptive_time_microseconds, binary: bytes, dates: ordinary }';

/** Told one after the other: each test goes on where the one before it ended. */
describe.skipIf(missing !== null)(`a database fed through topics${without}`, async () => {
  await describeMysql('%s', (flavor) => {
    let kafka: KafkaServer;
    let primary: MysqlServer;
    let candidate: MysqlServer;
    let capture: Capture;
    let relay: Relay;
    let sink: Sink;
    let folder: FeedFolder;
    let watch: RunningWatch;

    beforeAll(async () => {
      // It holds everything up where it is translated first.
      builtProgram();
      const settings = { binlog_row_metadata: 'FULL' };
      [kafka, primary, candidate] = await Promise.all([
        createKafka(),
        createMysqlServer({ flavor, settings, name: 'primary' }),
        createMysqlServer({ flavor, settings, name: 'candidate' }),
      ]);
      for (const server of [primary, candidate]) {
        await server.sql(`CREATE DATABASE ${DATABASE}`);
        await server.sql(TABLES, [], DATABASE);
      }
      await candidate.sql(
        `${accountsSql(flavor, DATABASE)} GRANT REPLICATION SLAVE ON *.* TO '${VERIFIER.user}'@'%'`,
      );
      const rows = Array.from({ length: 60 }, (_, id) => `(${id}, 'owner ${id}', ${id * 100})`);
      await primary.sql(
        `INSERT INTO accounts VALUES ${rows.join()}; INSERT INTO notes VALUES ('a', 'one'), ('b', 'two')`,
        [],
        DATABASE,
      );
      await snapshot();
      // With the first transaction comes their topic.
      await committed('UPDATE accounts SET balance = 1 WHERE id = 1', 1);
      sink = await Sink.start(kafka.client(), mysqlRows(candidate), SINK);
      folder = new FeedFolder({
        kafka,
        prefix: 'feed',
        candidate: { url: () => candidate.url(VERIFIER.user, DATABASE, VERIFIER.password) },
        group: SINK.group,
        schema: DATABASE,
        policy: '{ rpo: 1h }',
        topics: KNOWN,
      });
      watch = await provenWatch(folder, ['gasan'], 2);
    }, 400_000);

    afterAll(async () => {
      await watch?.stop().catch(() => undefined);
      await sink?.stop();
      await relay?.stop();
      await capture?.end();
      await Promise.all([kafka?.destroy(), primary?.destroy(), candidate?.destroy()]);
      folder?.remove();
    });

    /** Debezium makes a whole snapshot, and what it sends is on the broker. */
    async function snapshot(): Promise<void> {
      const login = { database: DATABASE, user: 'root', password: '' };
      capture = await captureMysql(primary, login, [{ prefix: 'feed', settings: SETTINGS }]);
      await capture.until((records) => rowsIn(records) >= 62);
      relay = await Relay.start(capture, kafka, 2);
      await relay.through();
    }

    /** A statement of the primary, until as many changes of rows are on the broker, and the end of the last transaction. */
    async function committed(sql: string, changes: number): Promise<void> {
      const [rows, ends] = [rowsIn(capture.records), endsIn(capture.records)];
      await primary.sql(sql, [], DATABASE);
      await capture.until((all) => rowsIn(all) >= rows + changes && endsIn(all) > ends);
      await relay.through();
    }

    async function certifiedUntil(isSo: (verdict: CandidateVerdict) => boolean): Promise<CandidateVerdict> {
      let last: CandidateVerdict | null = null;
      await waitUntil(
        async () => {
          last = (await certify(folder, '--primary-lost', ...fenced())).verdict;
          return isSo(last);
        },
        90_000,
        () => JSON.stringify(last, null, 1),
      );
      if (last === null) throw new Error('nothing was certified');
      return last;
    }

    test('voids a table that a statement redefined, until a snapshot tells of it anew', async () => {
      await primary.sql('ALTER TABLE notes ADD COLUMN size int NOT NULL DEFAULT 7', [], DATABASE);
      await watch.said(/gap/, /bank\.notes: a statement redefined it/);
      await candidate.sql('ALTER TABLE bank.notes ADD COLUMN size int NOT NULL DEFAULT 7');
      const { reasons, verdict } = await certifiedUntil(({ integrity }) => integrity === 'unproven');
      expect(verdict).toBe('UNKNOWN');
      expect(reasons.map(({ subject }) => subject)).toContain('bank.notes');
      // What was there before the snapshot is told anew by it, a table of another name, too.
      await primary.sql('RENAME TABLE accounts TO moved; RENAME TABLE moved TO accounts', [], DATABASE);
      await watch.said(/gap/, /bank\.accounts: a statement redefined it/);
      await relay.stop();
      await capture.end();
      await snapshot();
      await becomesProven(folder, 'gasan', 2);
    }, 300_000);

    test('is known by its own log: a row altered behind the sink’s back is a difference', async () => {
      await candidate.sql('UPDATE bank.accounts SET balance = balance + 1 WHERE id = 20');
      const altered = await certifiedUntil(({ integrity }) => integrity !== 'unproven');
      expect(altered).toMatchObject({ verdict: 'NOT_SAFE', integrity: 'different' });
      await candidate.sql(
        `UPDATE bank.accounts SET balance = balance - 1 WHERE id = 20; DELETE FROM bank.notes WHERE id = 'a'`,
      );
      const lacking = await certifiedUntil(({ reasons }) =>
        reasons.some(({ code, subject }) => code === 'TP-V-DIFFERENT' && subject === 'bank.notes'),
      );
      expect(lacking.verdict).toBe('NOT_SAFE');
      await candidate.sql(`INSERT INTO bank.notes VALUES ('a', 'one', 7)`);
      await becomesProven(folder, 'gasan', 2);
    }, 240_000);

    test('is judged with the database gone, its loss counted in whole transactions', async () => {
      await sink.stop();
      await committed(
        `START TRANSACTION; UPDATE accounts SET balance = 0 WHERE id IN (1, 2, 3, 4);
        UPDATE notes SET body = 'new'; COMMIT;`,
        6,
      );
      await committed(
        `START TRANSACTION; DELETE FROM notes WHERE id = 'b'; DELETE FROM accounts WHERE id = 5; COMMIT`,
        2,
      );
      await primary.kill();
      const lost = await certifiedUntil(({ loss, verdict }) => loss.changes === '8' && verdict !== 'UNKNOWN');
      expect(weighty(lost)).toEqual(['TP-V-LOSS-WITHIN-RPO loss']);
      expect(lost.notProven.filter(({ code }) => code === 'TP-N-TOPIC-TRANSACTIONS')).toEqual([]);
      expect(lost).toMatchObject({
        verdict: 'SAFE_WITH_LOSS',
        integrity: 'same',
        loss: { kind: 'bounded', transactions: '2', recoverableTransactions: '2' },
      });
      sink = await Sink.start(kafka.client(), mysqlRows(candidate), SINK);
      const applied = await certifiedUntil(
        ({ loss, verdict }) => loss.changes === '0' && verdict !== 'UNKNOWN',
      );
      expect(applied).toMatchObject({
        verdict: 'SAFE_WITH_LOSS',
        integrity: 'same',
        loss: { transactions: '0', recoverableTransactions: '0' },
      });
    }, 240_000);

    test('is unknown when nobody looked at what was written to it since', async () => {
      await watch.stop();
      await candidate.sql('UPDATE bank.accounts SET balance = balance + 1 WHERE id = 21');
      const { verdict } = await certify(folder, '--primary-lost', ...fenced());
      expect(verdict.verdict).toBe('UNKNOWN');
      expect(weighty(verdict)).toContain('TP-V-LOCAL-WRITES candidate');
    }, 120_000);
  });
});

type Records = Capture['records'];

function rowsIn(records: Readonly<Records>): number {
  return records.filter(({ topic, value }) => SINK.topics.includes(topic) && value !== null).length;
}

function endsIn(records: Readonly<Records>): number {
  return records.filter(
    ({ topic, value }) => topic === 'feed.transaction' && value?.includes('"END"') === true,
  ).length;
}
