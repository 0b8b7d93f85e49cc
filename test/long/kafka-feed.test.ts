import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, createCluster } from '../servers/harness/cluster.ts';
import { waitUntil } from '../../src/demo/cluster-wait.ts';
import type { LagJson } from '../../src/report/lag-text.ts';
import { becomesProven, certify, fenced, provenWatch, weighty } from '../servers/harness/certify-ledger.ts';
import type { VerdictJson } from '../../src/verdict/json.ts';
import { runCli } from '../servers/harness/cli.ts';
import { prepareStream } from '../servers/harness/change-stream.ts';
import { builtProgram } from '../servers/harness/cli-build.ts';
import { Capture } from '../servers/harness/kafka-debezium.ts';
import { FeedFolder } from '../servers/harness/kafka-feed.ts';
import { DEBEZIUM, KAFKA, missingPackage } from '../servers/harness/kafka-packages.ts';
import { createKafka, type KafkaServer } from '../servers/harness/kafka-server.ts';
import { createTopic } from '../servers/harness/kafka-topics.ts';
import { checked, mirrored } from '../servers/harness/ledger-mirror.ts';
import { postgresRows, Relay, Sink } from '../servers/harness/kafka-sink.ts';
import { problemsOf, RunningWatch } from '../servers/harness/watch.ts';

const missing = (await missingPackage(KAFKA)) ?? (await missingPackage(DEBEZIUM));
const TABLES = `CREATE TABLE accounts (id int PRIMARY KEY, owner text, balance bigint);
  CREATE TABLE notes (id int PRIMARY KEY, body text);`;
const SINK = { group: 'sink', topics: ['bank.public.accounts', 'bank.public.notes'] };

describe.skipIf(missing !== null)(
  `a site fed through topics${missing === null ? '' : ` (${missing})`}`,
  () => {
    let kafka: KafkaServer;
    let primary: Cluster;
    let candidate: Cluster;
    let capture: Capture;
    let relay: Relay;
    let sink: Sink;
    let folder: FeedFolder;
    let elsewhere: FeedFolder;
    let watch: RunningWatch;

    beforeAll(async () => {
      // It holds everything up where it is translated first.
      builtProgram();
      [kafka, primary, candidate] = await Promise.all([
        createKafka(),
        createCluster({ version: 17, settings: { wal_level: 'logical' } }),
        createCluster({ version: 17, settings: { wal_level: 'logical' } }),
      ]);
      await Promise.all([primary.sql(TABLES), candidate.sql(TABLES)]);
      await prepareStream(candidate, 'TABLE accounts, notes');
      await primary.sql(`INSERT INTO accounts SELECT i, 'owner ' || i, i * 100 FROM generate_series(1, 60) i;
      INSERT INTO notes SELECT i, 'note ' || i FROM generate_series(1, 3) i`);
      capture = await Capture.start(primary, [
        {
          prefix: 'bank',
          settings: {
            'table.include.list': 'public.accounts,public.notes',
            'column.propagate.source.type': '.*',
            'provide.transaction.metadata': 'true',
          },
        },
      ]);
      await capture.until((records) => records.length >= 63);
      relay = await Relay.start(capture, kafka, 2);
      await relay.through();
      sink = await Sink.start(kafka.client(), postgresRows(candidate), SINK);
      await createTopic(await kafka.admin(), 'dr.bank');
      folder = feedFolder();
      elsewhere = feedFolder();
      watch = await provenWatch(folder, ['gasan'], 2);
    }, 300_000);

    afterAll(async () => {
      await watch?.stop();
      await sink?.stop();
      await relay?.stop();
      await capture?.end();
      await Promise.all([kafka?.destroy(), primary?.destroy(), candidate?.destroy()]);
      folder?.remove();
      elsewhere?.remove();
    });

    function feedFolder(): FeedFolder {
      const mirror = `{ brokers: ["${kafka.broker}"], topic: dr.bank }`;
      const { group } = SINK;
      return new FeedFolder({ kafka, prefix: 'bank', candidate, group, policy: '{ rpo: 1h }', mirror });
    }

    /** A change of the primary, until its record is on the broker. */
    async function committed(sql: string, records: number): Promise<void> {
      const before = capture.records.length;
      await primary.sql(sql);
      await capture.until((all) => all.length >= before + records);
      await relay.through();
    }

    async function rowsOf(cluster: Cluster): Promise<string> {
      const [row] = await cluster.sql(
        `SELECT coalesce(string_agg(a::text, ' ' ORDER BY a.id), '') AS rows FROM accounts a`,
      );
      return String(row?.['rows']);
    }

    async function applied(): Promise<void> {
      const wanted = await rowsOf(primary);
      await waitUntil(
        async () => (await rowsOf(candidate)) === wanted,
        60_000,
        () => 'the sink did not write everything',
      );
    }

    test('is proven row by row, and its lag is told from the database to the topic and from there to it', async () => {
      expect(await problemsOf(folder)).toEqual([]);
      let sample: LagJson | null = null;
      await waitUntil(
        async () => {
          await committed('UPDATE accounts SET balance = balance + 1 WHERE id = 1', 1);
          const { stdout } = await runCli(['lag', '--config', folder.config, '--format', 'json']);
          sample = JSON.parse(stdout);
          return sample?.state === 'ok';
        },
        90_000,
        () => JSON.stringify(sample),
      );
      expect(sample).toMatchObject({ state: 'ok', transport: { transactions: '0' } });
      expect(JSON.stringify(sample)).toContain('database to topic');
    }, 120_000);

    test('is judged with the database gone: what the sink has not written yet is lost, and recoverable', async () => {
      await applied();
      await becomesProven(folder, 'gasan', 2);
      await sink.stop();
      await committed(
        `DELETE FROM accounts WHERE id = 7; INSERT INTO accounts VALUES (100, 'new', 5);
       UPDATE accounts SET balance = 0 WHERE id IN (2, 3)`,
        5,
      );
      const head = capture.records.length;
      await primary.sql(`UPDATE notes SET body = 'last' WHERE id = 1`);
      await capture.until((all) => all.length > head);
      await relay.through();
      await primary.kill();
      // Definitions are looked at every few seconds.
      const isJudged = (one: VerdictJson): boolean =>
        one.loss.changes === '5' && !weighty(one).includes('TP-V-DEFINITIONS ledger');
      const { code, verdict } = await certifiedUntil(isJudged);
      expect(weighty(verdict)).toEqual(['TP-V-LOSS-WITHIN-RPO loss']);
      expect(verdict).toMatchObject({
        verdict: 'SAFE_WITH_LOSS',
        integrity: 'same',
        // Each of them wrote to several partitions.
        loss: { kind: 'bounded', transactions: '2', recoverableTransactions: '2' },
      });
      expect(code).toBe(1);
      expect(verdict.notProven.map((one) => one.code)).toEqual(
        expect.arrayContaining(['TP-N-TOPIC-ORDER', 'TP-N-TOPIC-DEFINITIONS', 'TP-N-LOCAL-WRITES']),
      );
      expect(verdict.notProven.map((one) => one.code)).not.toContain('TP-N-TOPIC-TRANSACTIONS');
      sink = await Sink.start(kafka.client(), postgresRows(candidate), SINK);
      const after = await certifiedUntil(({ loss }) => loss.changes === '0');
      expect(after.verdict).toMatchObject({
        verdict: 'SAFE_WITH_LOSS',
        integrity: 'same',
        loss: { transactions: '0', recoverableTransactions: '0' },
      });
    }, 240_000);

    test('is not safe when a row was altered behind the sink’s back since it was proven', async () => {
      await candidate.sql(`UPDATE accounts SET balance = balance + 1 WHERE id = 20`);
      const { verdict } = await certify(folder, '--primary-lost', ...fenced());
      expect(verdict).toMatchObject({ verdict: 'NOT_SAFE', integrity: 'different' });
      expect(verdict.reasons).toContainEqual(
        expect.objectContaining({ code: 'TP-V-DIFFERENT', subject: 'public.accounts' }),
      );
      await candidate.sql(`UPDATE accounts SET balance = balance - 1 WHERE id = 20`);
      await becomesProven(folder, 'gasan', 2);
    }, 240_000);

    test('is unknown when nobody looked at what was written to it since', async () => {
      await watch.stop();
      await candidate.sql(`UPDATE accounts SET balance = balance + 1 WHERE id = 21`);
      const { verdict } = await certify(folder, '--primary-lost', ...fenced());
      expect(verdict.verdict).toBe('UNKNOWN');
      expect(weighty(verdict)).toContain('TP-V-LOCAL-WRITES candidate');
    }, 120_000);

    test('is judged by a ledger that was rebuilt from its mirror, once every row was read again', async () => {
      await mirrored(folder);
      expect(await runCli(['ledger', 'rebuild', '--config', elsewhere.config])).toMatchObject({ code: 0 });
      const { content } = await checked(folder);
      expect((await checked(elsewhere)).content).toMatchObject({
        rows: content?.rows,
        definitions: content?.definitions,
      });
      const lost = ['--primary-lost', ...fenced()];
      expect((await certify(elsewhere, ...lost)).verdict.verdict).toBe('UNKNOWN');
      watch = new RunningWatch(elsewhere);
      await watch.said(/difference/, /accounts.*changed/);
      expect((await certify(elsewhere, ...lost)).verdict.verdict).toBe('NOT_SAFE');
      await candidate.sql(`UPDATE accounts SET balance = balance - 1 WHERE id = 21`);
      await becomesProven(elsewhere, 'gasan', 2);
      const { verdict } = await certify(elsewhere, ...lost);
      expect(verdict).toMatchObject({
        verdict: 'SAFE_WITH_LOSS',
        integrity: 'same',
        loss: { kind: 'bounded', transactions: '0', recoverableTransactions: '0' },
      });
    }, 240_000);

    async function certifiedUntil(
      isSo: (verdict: Awaited<ReturnType<typeof certify>>['verdict']) => boolean,
    ): ReturnType<typeof certify> {
      let last: Awaited<ReturnType<typeof certify>> | null = null;
      await waitUntil(
        async () => {
          last = await certify(folder, '--primary-lost', ...fenced());
          return isSo(last.verdict);
        },
        90_000,
        () => JSON.stringify(last, null, 1),
      );
      if (last === null) throw new Error('nothing was certified');
      return last;
    }
  },
);
