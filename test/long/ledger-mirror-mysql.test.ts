import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { certify, fenced } from '../servers/harness/certify-ledger.ts';
import { runCli } from '../servers/harness/cli.ts';
import { builtProgram } from '../servers/harness/cli-build.ts';
import { KAFKA, missingPackage } from '../servers/harness/kafka-packages.ts';
import { createKafka, type KafkaServer } from '../servers/harness/kafka-server.ts';
import { createTopic } from '../servers/harness/kafka-topics.ts';
import { checked, mirrored } from '../servers/harness/ledger-mirror.ts';
import type { MysqlFlavor } from '../servers/harness/mysql-installation.ts';
import type { MysqlPair } from '../servers/harness/mysql-pair.ts';
import { describeMysql } from '../servers/harness/mysql-suite.ts';
import {
  createWatchedPair,
  ledgerCaughtUp,
  mysqlWatchFolder,
  provenWatch,
  untilProven,
} from '../servers/harness/mysql-watch.ts';
import { versionsOf } from '../servers/harness/versions.ts';
import { RunningWatch, type WatchFolder } from '../servers/harness/watch.ts';

const missing = await missingPackage(KAFKA);
const ROWS = Array.from({ length: 2000 }, (_, i) => `(${i}, 'owner ${i}', ${i}.25)`).join();
const SCHEMA = `CREATE TABLE account (id bigint PRIMARY KEY, owner varchar(40), amount decimal(12,2));
  CREATE TABLE named (name varchar(60) PRIMARY KEY, v int);
  INSERT INTO account VALUES ${ROWS}; INSERT INTO named VALUES ('one', 1), ('two', 2)`;
const TABLES = 2;
/** The journal tells nothing of which of the two it came. */
const FLAVORS = versionsOf<MysqlFlavor>(['mariadb'], ['mariadb', 'mysql']);

describe.skipIf(missing !== null)(
  `a ledger of MySQL or MariaDB that stands in a topic too${missing === null ? '' : ` (${missing})`}`,
  async () => {
    let kafka: KafkaServer;

    beforeAll(async () => {
      builtProgram();
      kafka = await createKafka();
    }, 300_000);
    afterAll(() => kafka?.destroy());

    await describeMysql(
      '%s',
      (flavor) => {
        let pair: MysqlPair;
        let here: WatchFolder;
        let elsewhere: WatchFolder;
        let watch: RunningWatch | null = null;

        beforeAll(async () => {
          pair = await createWatchedPair({ flavor, schema: SCHEMA });
          await createTopic(await kafka.admin(), `dr.${flavor}`);
          const mirror = `{ brokers: ["${kafka.broker}"], topic: dr.${flavor} }`;
          here = mysqlWatchFolder(pair, { policy: '{ rpo: 1h, maxTail: 1h }', mirror });
          elsewhere = mysqlWatchFolder(pair, { policy: '{ rpo: 1h, maxTail: 1h }', mirror });
          watch = await provenWatch(here, TABLES);
        }, 400_000);

        afterAll(async () => {
          await watch?.stop().catch(() => undefined);
          await pair?.destroy();
          here?.remove();
          elsewhere?.remove();
        });

        it('is rebuilt to the same content, and certifies what it certified, once every row was read again', async () => {
          const write = (sql: string): Promise<unknown> => pair.source.sql(sql, [], pair.database);
          await write(`UPDATE account SET amount = amount + 1 WHERE id < 700; DELETE FROM account WHERE id = 9;
          TRUNCATE TABLE named; INSERT INTO named VALUES ('three', 3)`);
          await pair.caughtUp();
          await ledgerCaughtUp(here, pair, proven());
          await untilProven(proven(), here, TABLES);
          await pair.stopReplica('io');
          await write(`START TRANSACTION; INSERT INTO account VALUES (90001, 'lost', 1);
          UPDATE named SET v = 4; COMMIT; DELETE FROM account WHERE id = 17`);
          await ledgerCaughtUp(here, pair, proven());
          await pair.source.kill();
          await mirrored(here);
          await watch?.stop();
          expect(await runCli(['ledger', 'rebuild', '--config', elsewhere.config])).toMatchObject({
            code: 0,
          });
          const { content } = await checked(here);
          expect(content).not.toBeNull();
          expect((await checked(elsewhere)).content).toEqual(content);
          const lost = ['--primary-lost', ...fenced()];
          expect(await certify(elsewhere, ...lost)).toMatchObject({
            code: 3,
            verdict: { verdict: 'UNKNOWN' },
          });
          watch = new RunningWatch(elsewhere);
          await watch.said(/^proven$/, /every row is proven equal/);
          const [anew, before] = [await certify(elsewhere, ...lost), await certify(here, ...lost)];
          expect(anew.verdict).toMatchObject({
            verdict: 'SAFE_WITH_LOSS',
            integrity: 'same',
            loss: { kind: 'bounded', transactions: '2', changes: '3', keys: '3' },
          });
          expect(anew.verdict.loss).toEqual(before.verdict.loss);
        }, 400_000);

        function proven(): RunningWatch {
          if (watch === null) throw new Error('nothing watches');
          return watch;
        }
      },
      FLAVORS,
    );
  },
);
