import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, createCluster } from '../servers/harness/cluster.ts';
import { becomesProven, certify, fenced, weighty } from '../servers/harness/certify-ledger.ts';
import { prepareStream } from '../servers/harness/change-stream.ts';
import { recordOf, type StatedChange } from '../servers/harness/kafka-changes.ts';
import { FeedFolder } from '../servers/harness/kafka-feed.ts';
import { KAFKA, missingPackage } from '../servers/harness/kafka-packages.ts';
import { createKafka, type KafkaServer } from '../servers/harness/kafka-server.ts';
import { createTopic } from '../servers/harness/kafka-topics.ts';
import { postgresRows, Sink } from '../servers/harness/kafka-sink.ts';
import { problemsOf, provenOf, RunningWatch } from '../servers/harness/watch.ts';

const missing = await missingPackage(KAFKA);
const COLUMNS = '{ id: integer, text: text }';
const LETTERS = { group: 'sink', topics: ['p.public.letters'] };
const BOTH = { group: 'sink', topics: ['p.public.letters', 'p.public.other'] };

/** Told one after the other: each test goes on where the one before it ended. */
describe.skipIf(missing !== null)(
  `a ledger fed from topics${missing === null ? '' : ` (${missing})`}`,
  // What is waited for is bounded by itself.
  { timeout: 180_000 },
  () => {
    let kafka: KafkaServer;
    let candidate: Cluster;
    let sink: Sink;
    let folder: FeedFolder;
    let watch: RunningWatch;

    beforeAll(async () => {
      [kafka, candidate] = await Promise.all([
        createKafka(),
        createCluster({ version: 17, settings: { wal_level: 'logical' } }),
      ]);
      await candidate.sql(`CREATE TABLE letters (id int PRIMARY KEY, text text);
      CREATE TABLE other (id int PRIMARY KEY, text text)`);
      await prepareStream(candidate, 'TABLE letters, other');
      await create('p.public.letters');
      folder = new FeedFolder({
        kafka,
        prefix: 'p',
        candidate,
        group: LETTERS.group,
        topics: `{ decimals: precise, times: adaptive, binary: bytes, columns: { public.letters: ${COLUMNS}, public.other: ${COLUMNS} } }`,
      });
      sink = await Sink.start(kafka.client(), postgresRows(candidate), LETTERS);
    });

    afterAll(async () => {
      await watch?.stop().catch(() => undefined);
      await sink?.stop();
      await Promise.all([kafka?.destroy(), candidate?.destroy()]);
      folder?.remove();
    });

    async function create(topic: string): Promise<void> {
      const admin = await kafka.admin();
      await admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: true });
    }

    async function send(
      topic: string,
      ...messages: readonly { key: string | null; value: string | null }[]
    ): Promise<void> {
      const producer = kafka.client().producer();
      await producer.connect();
      await producer.send({ topic, messages: [...messages] });
      await producer.disconnect();
    }

    const sendChanges = (...changes: readonly StatedChange[]): Promise<void> =>
      send(`p.public.${changes[0]?.table ?? 'letters'}`, ...changes.map(recordOf));

    function isComplete(table: string): Promise<boolean> {
      return folder.reading(({ core }) => core.catalog.ofTable(table)?.completeFrom != null);
    }

    test('knows a table when a whole snapshot of it came, also where the watch was stopped in its middle', async () => {
      await sendChanges(
        { op: 'r', id: 1, text: 'a', tx: 1, lsn: 5, mark: 'first' },
        { op: 'r', id: 2, text: 'b', tx: 1, lsn: 5 },
      );
      watch = new RunningWatch(folder);
      await watch.said(/baseline/, /not brought a whole snapshot of public.letters/);
      expect(await isComplete('public.letters')).toBe(false);
      await watch.stop();
      await sendChanges({ op: 'r', id: 3, text: 'c', tx: 1, lsn: 5, mark: 'last' });
      watch = new RunningWatch(folder);
      await becomesProven(folder, 'gasan', 1);
      expect(await problemsOf(folder)).toEqual([]);
    });

    test('follows changes, and knows its tables again without any', async () => {
      await sendChanges(
        { op: 'c', id: 4, text: 'd', tx: 2, lsn: 210 },
        { op: 'u', id: 1, text: 'A', tx: 3, lsn: 310 },
        { op: 'd', id: 2, tx: 4, lsn: 410 },
      );
      // What comes behind a delete says nothing of the table.
      await send('p.public.letters', { key: JSON.stringify({ id: 2 }), value: null });
      await becomesProven(folder, 'gasan', 1);
      await watch.stop();
      watch = new RunningWatch(folder);
      await watch.said(/proven/, /every row is proven equal/);
      expect(await isComplete('public.letters')).toBe(true);
    });

    test('takes a second snapshot for all that there is: a row that it lacks is extra on the candidate', async () => {
      await sendChanges(
        { op: 'r', id: 1, text: 'A', tx: 5, lsn: 500, mark: 'first' },
        { op: 'r', id: 3, text: 'c', tx: 5, lsn: 500, mark: 'last' },
      );
      await watch.sees(
        async () => (await provenOf(folder, 'gasan')).differences.includes('public.letters extra'),
        'the row is extra',
      );
      await candidate.sql('DELETE FROM letters WHERE id = 4');
      await becomesProven(folder, 'gasan', 1);
      expect(await problemsOf(folder)).toEqual([]);
    });

    test('knows nothing of a table any more when a record of it cannot be read, until the next snapshot', async () => {
      await send('p.public.letters', { key: null, value: '{"op":' });
      await watch.said(
        /gap/,
        /a record cannot be read \(topic p\.public\.letters, partition 0, offset \d+\)/,
      );
      expect(await isComplete('public.letters')).toBe(false);
      await sendChanges(
        { op: 'r', id: 1, text: 'A', tx: 6, lsn: 600, mark: 'first' },
        { op: 'r', id: 3, text: 'c', tx: 6, lsn: 600, mark: 'last' },
      );
      await becomesProven(folder, 'gasan', 1);
    });

    test('begins its stream again with a topic that is new, which is not proven while no record tells of it', async () => {
      await sink.stop();
      await create('p.public.other');
      await watch.said(
        /table/,
        /public\.other: not followed, so unproven: its topic p\.public\.other holds no record/,
      );
      sink = await Sink.start(kafka.client(), postgresRows(candidate), BOTH);
      await sendChanges({ op: 'r', id: 9, text: 'z', tx: 7, lsn: 700, table: 'other', mark: 'last' });
      await becomesProven(folder, 'gasan', 2);
      expect(watch.lines.some(({ message }) => /p\.public\.other is a new topic/.test(message))).toBe(true);
    });

    test('voids what was proven when the sink is set back, and proves it anew', async () => {
      await sink.stop();
      const admin = await kafka.admin();
      await admin.resetOffsets({ groupId: 'sink', topic: 'p.public.letters', earliest: true });
      await watch.said(/incarnation/, /stands before what was proven of it/);
      sink = await Sink.start(kafka.client(), postgresRows(candidate), BOTH);
      await watch.sees(
        async () => (await provenOf(folder, 'gasan')).differences.length > 0,
        'old rows are back',
      );
      await candidate.sql('DELETE FROM letters WHERE id NOT IN (1, 3)');
      await becomesProven(folder, 'gasan', 2);
      expect(await problemsOf(folder)).toEqual([]);
    });

    test('begins anew with a topic that was made anew under its name, and proves the candidate again', async () => {
      await sink.stop();
      const admin = await kafka.admin();
      await admin.deleteTopics({ topics: ['p.public.letters'] });
      const isGone = async (): Promise<boolean> => !(await admin.listTopics()).includes('p.public.letters');
      await watch.sees(isGone, 'the topic is gone');
      await createTopic(admin, 'p.public.letters');
      await sendChanges(
        { op: 'r', id: 1, text: 'A', tx: 8, lsn: 800, mark: 'first' },
        { op: 'r', id: 3, text: 'c', tx: 8, lsn: 800, mark: 'last' },
        { op: 'u', id: 3, text: 'C', tx: 9, lsn: 910 },
      );
      await watch.said(/^gap$/, /that was deleted and made anew under its name/);
      sink = await Sink.start(kafka.client(), postgresRows(candidate), BOTH);
      await watch.sees(
        async () => (await candidate.sql(`SELECT 1 FROM letters WHERE text = 'C'`)).length === 1,
        'the sink has written',
      );
      await becomesProven(folder, 'gasan', 2);
      expect(await folder.reading(({ position }) => position)).toMatch(/p\.public\.letters:0@3~/);
      expect(await problemsOf(folder)).toEqual([]);
    });

    test('goes on while another member joins the sink’s group, and leaves it', async () => {
      const from = watch.lines.length;
      const changed = async (text: string, number: number): Promise<void> => {
        await sendChanges({ op: 'u', id: 1, text, tx: number, lsn: number * 100 + 10 });
        await watch.sees(
          async () => (await candidate.sql(`SELECT 1 FROM letters WHERE text = '${text}'`)).length === 1,
          'the sink has written',
        );
      };
      const another = await Sink.start(kafka.client(), postgresRows(candidate), BOTH);
      await changed('two', 10);
      await becomesProven(folder, 'gasan', 2);
      await another.stop();
      await changed('one', 11);
      await becomesProven(folder, 'gasan', 2);
      const trouble = watch.lines.slice(from).filter(({ event }) => /gap|difference|incarnation/.test(event));
      expect(trouble).toEqual([]);
    });

    test('is not known to be whole when the database’s clock was in the future', async () => {
      const atMs = Date.now() + 10 * 86_400_000;
      await sendChanges({ op: 'u', id: 1, text: 'to come', tx: 12, lsn: 1210, atMs });
      await watch.sees(
        async () => (await candidate.sql(`SELECT 1 FROM letters WHERE text = 'to come'`)).length === 1,
        'the sink has written',
      );
      await becomesProven(folder, 'gasan', 2);
      const { verdict } = await certify(folder, ...fenced(), '--primary-lost');
      expect(verdict.verdict).toBe('UNKNOWN');
      expect(weighty(verdict)).toEqual(['TP-V-LOSS-UNKNOWN loss', 'TP-V-FENCE-TIME primary']);
    });
  },
);
