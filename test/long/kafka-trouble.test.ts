import type { Message } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Brokers } from '../../connectors/kafka/brokers.ts';
import type { EndsUpTo } from '../../connectors/kafka/cluster.ts';
import { comparePositions, parsePosition, positionText } from '../../connectors/kafka/position.ts';
import { ceilingAt } from '../../connectors/kafka/sink-group.ts';
import { openTopicStream, type TopicStreamOptions } from '../../connectors/kafka/topic-stream.ts';
import type { ChangeEvent } from '../../src/connector/changes.ts';
import type { Position } from '../../src/connector/position.ts';
import { type Cluster, createCluster } from '../servers/harness/cluster.ts';
import { waitUntil } from '../../src/demo/cluster-wait.ts';
import { prepareStream } from '../servers/harness/change-stream.ts';
import { becomesProven } from '../servers/harness/certify-ledger.ts';
import { recordOf, STATED_COLUMNS, type StatedChange } from '../servers/harness/kafka-changes.ts';
import { FeedFolder } from '../servers/harness/kafka-feed.ts';
import { KAFKA, missingPackage } from '../servers/harness/kafka-packages.ts';
import { createKafka, type KafkaServer } from '../servers/harness/kafka-server.ts';
import { postgresRows, Sink } from '../servers/harness/kafka-sink.ts';
import { forever } from '../servers/harness/server-set.ts';
import { problemsOf, RunningWatch } from '../servers/harness/watch.ts';

const missing = await missingPackage(KAFKA);
const HUGE = 3 * 1024 * 1024;
/** Records of long ago would be removed. */
const startedMs = Date.now();

describe.skipIf(missing !== null)(`topics in trouble${missing === null ? '' : ` (${missing})`}`, () => {
  let kafka: KafkaServer;

  beforeAll(async () => {
    const limit = String(2 * HUGE);
    kafka = await createKafka({ 'message.max.bytes': limit, 'replica.fetch.max.bytes': limit });
  }, 300_000);

  afterAll(() => kafka?.destroy());

  async function create(topic: string, numPartitions = 1): Promise<void> {
    const admin = await kafka.admin();
    await admin.createTopics({ topics: [{ topic, numPartitions }], waitForLeaders: false });
    await led(topic, numPartitions);
  }

  async function led(topic: string, partitions: number): Promise<void> {
    const admin = await kafka.admin();
    const isLed = (): Promise<boolean> =>
      admin.fetchTopicOffsets(topic).then(
        (offsets) => offsets.length === partitions,
        () => false,
      );
    await waitUntil(isLed, 60_000, () => `${topic} has no leader`);
  }

  async function send(topic: string, messages: readonly Message[], partition = 0): Promise<void> {
    const producer = kafka.client().producer();
    await producer.connect();
    await producer.send({ topic, messages: messages.map((message) => ({ ...message, partition })) });
    await producer.disconnect();
  }

  const changes = (...stated: StatedChange[]): Message[] => stated.map(recordOf);

  function optionsOf(topics: readonly string[], feed?: TopicStreamOptions['feed']): TopicStreamOptions {
    const declared = new Map(['public.letters', 'public.other'].map((name) => [name, STATED_COLUMNS]));
    const settings = { decimals: 'precise', times: 'adaptive', binary: 'bytes' } as const;
    const decoder = { settings, declared, beforeImages: false };
    return { topics, decoder, waitMs: 200, ...(feed === undefined ? {} : { feed }) };
  }

  /** Everything until nothing more is there. */
  async function all(
    topics: readonly string[],
    after: Position | null = null,
    feed?: TopicStreamOptions['feed'],
  ): Promise<ChangeEvent[]> {
    const stream = await openTopicStream(kafka.client(), optionsOf(topics, feed), after, forever());
    const events: ChangeEvent[] = [];
    for await (const batch of stream.batches) {
      events.push(...batch);
      if (batch.at(-1)?.type === 'idle') break;
    }
    return events;
  }

  async function highOf(topic: string, upTo: EndsUpTo): Promise<bigint | undefined> {
    const brokers = await Brokers.connect(kafka.client(), upTo);
    const ends = await brokers.endsOf([topic]);
    await brokers.close();
    return ends.get(`${topic}:0`)?.high;
  }

  async function endOf(topic: string): Promise<Position> {
    const admin = await kafka.admin();
    const { clusterId } = await admin.describeCluster();
    const brokers = await Brokers.connect(kafka.client(), 'written');
    const ends = await brokers.endsOf([topic]);
    await brokers.close();
    return ceilingAt(clusterId, ends);
  }

  test('records of a producer’s transaction that was aborted do not count, and its end is an end', async () => {
    await create('exactly');
    const producer = kafka
      .client()
      .producer({ idempotent: true, maxInFlightRequests: 1, transactionalId: 'exactly' });
    await producer.connect();
    for (const [id, ends] of [
      [1, 'commit'],
      [2, 'abort'],
      [3, 'commit'],
      [4, 'abort'],
    ] as const) {
      const transaction = await producer.transaction();
      const messages = changes({ op: 'c', id, text: 'x', tx: id, lsn: id * 100 });
      await transaction.send({ topic: 'exactly', messages });
      await transaction[ends]();
    }
    await producer.disconnect();
    const events = await all(['exactly']);
    expect(told(events)).toEqual(['definition', 'insert', 'insert']);
    expect(comparePositions(positionOf(events), await endOf('exactly'))).toBe('equal');
    expect(told(await all(['exactly'], positionOf(events)))).toEqual([]);
  }, 120_000);

  test('a record of several megabytes is read like any other', async () => {
    await create('huge');
    const big = { op: 'c', id: 1, text: 'x'.repeat(HUGE), tx: 1, lsn: 100 } as const;
    await send('huge', changes(big));
    await send('huge', changes({ op: 'c', id: 2, text: 'small', tx: 2, lsn: 200 }));
    const events = await all(['huge']);
    expect(told(events)).toEqual(['definition', 'insert', 'insert']);
    const sizes = events.flatMap((event) => (event.type === 'insert' ? [event.after?.length ?? 0] : []));
    expect(sizes[0]).toBeGreaterThan(HUGE);
  }, 120_000);

  test('what stands in a transaction that is open is not waited for, and counts where others may have read it', async () => {
    await create('open');
    await send('open', changes({ op: 'c', id: 1, text: 'a', tx: 1, lsn: 100 }));
    const producer = kafka
      .client()
      .producer({ idempotent: true, maxInFlightRequests: 1, transactionalId: 'open' });
    await producer.connect();
    const transaction = await producer.transaction();
    await transaction.send({
      topic: 'open',
      messages: changes({ op: 'c', id: 2, text: 'b', tx: 2, lsn: 200 }),
    });
    expect(told(await all(['open']))).toEqual(['definition', 'insert']);
    expect([await highOf('open', 'stable'), await highOf('open', 'written')]).toEqual([1n, 2n]);
    await transaction.commit();
    await producer.disconnect();
    expect(told(await all(['open']))).toEqual(['definition', 'insert', 'insert']);
  }, 120_000);

  test('a topic that was read and is there no more voids its table, and positions go on in order', async () => {
    const [kept, gone] = ['g.public.letters', 'g.public.other'] as const;
    for (const topic of [kept, gone]) await create(topic);
    await send(kept, changes({ op: 'c', id: 1, text: 'a', tx: 1, lsn: 100 }));
    await send(gone, changes({ op: 'c', id: 1, text: 'a', tx: 2, lsn: 200, table: 'other' }));
    const feed = { prefix: 'g', beside: { transactions: null, schemas: null } };
    const before = positionOf(await all([kept, gone], null, feed));
    const admin = await kafka.admin();
    await admin.deleteTopics({ topics: [gone] });
    const events = await all([kept], before, feed);
    expect(events.flatMap((event) => (event.type === 'gap' ? [event.tables] : []))).toEqual([
      ['public.other'],
    ]);
    expect(comparePositions(before, positionOf(events))).toBe('equal');
    await create(gone);
    await expect(all([kept, gone], positionOf(events), feed)).rejects.toMatchObject({ code: 'TP-GAP' });
  }, 120_000);

  /** Changes of which nothing outside their rows tells them from those with other texts. */
  const refill = (...texts: string[]): Message[] =>
    texts.map((text, index) => {
      const id = index + 1;
      const timestamp = String(startedMs + id);
      const { key, value } = recordOf({ op: 'c', id, text, tx: id, lsn: id * 100 });
      return { key, value, timestamp };
    });

  async function makeAnew(topic: string, ...texts: string[]): Promise<void> {
    const admin = await kafka.admin();
    await admin.deleteTopics({ topics: [topic] });
    const isGone = async (): Promise<boolean> => !(await admin.listTopics()).includes(topic);
    await waitUntil(isGone, 60_000, () => `${topic} is still there`);
    await create(topic);
    await send(topic, refill(...texts));
  }

  test('a topic that was made anew under its name is told from the one that was read, however much alike they are', async () => {
    await create('anew');
    await send('anew', refill('a', 'b', 'c'));
    const before = positionOf(await all(['anew']));
    expect(before).toMatch(/anew:0@3~\d+\.\d+\.0\+[\w-]{8}$/);
    expect(told(await all(['anew'], before))).toEqual([]);
    await makeAnew('anew', 'x', 'y', 'z');
    await expect(all(['anew'], before)).rejects.toMatchObject({ code: 'TP-GAP', message: /made anew/ });
    await send('anew', refill('u', 'v', 'w'));
    await expect(all(['anew'], before)).rejects.toMatchObject({ code: 'TP-GAP', message: /made anew/ });
    expect(comparePositions(before, await endOf('anew'))).toBe('incomparable');
    // A position of an earlier version, or of brokers that tell no ids, has the last record’s looks alone.
    const stored = parsePosition(before);
    const earlier = new Map(
      [...(stored?.places ?? [])].map(([name, { offset, mark }]) => [name, { offset, mark }]),
    );
    const position = positionText(stored?.clusterId ?? '', earlier);
    expect(told(await all(['anew'], position))).toEqual([]);
  }, 120_000);

  test('a topic that is made anew while it is read ends the reading before anything of it is handed out', async () => {
    await create('while');
    await send('while', refill('a', 'b', 'c'));
    const stream = await openTopicStream(kafka.client(), optionsOf(['while']), null, forever());
    const events: ChangeEvent[] = [];
    const reading = (async () => {
      for await (const batch of stream.batches) events.push(...batch);
    })();
    reading.catch(() => undefined);
    await waitUntil(
      () => Promise.resolve(events.at(-1)?.type === 'idle'),
      60_000,
      () => `${told(events).join(' ')} came`,
    );
    await makeAnew('while', 'u', 'v', 'w', 'x', 'y', 'z');
    await expect(reading).rejects.toMatchObject({ code: 'TP-GAP' });
    expect(told(events)).toEqual(['definition', 'insert', 'insert', 'insert']);
  }, 120_000);

  test('a truncation in one of several partitions voids the table: which rows came behind it is not told', async () => {
    await create('wide', 2);
    await send('wide', changes({ op: 'c', id: 1, text: 'a', tx: 1, lsn: 100 }));
    await send('wide', changes({ op: 't', tx: 2, lsn: 200 }), 1);
    expect(told(await all(['wide'])).filter((type) => type === 'gap' || type === 'truncate')).toEqual([
      'gap',
    ]);
  }, 120_000);

  test('a field too many or too few in a record without schema is named by its place, and voids the table', async () => {
    await create('fields');
    const [added = { value: null }, dropped = { value: null }] = changes(
      { op: 'c', id: 1, text: 'a', tx: 1, lsn: 100 },
      { op: 'c', id: 2, text: 'b', tx: 2, lsn: 200 },
    );
    const edited = (message: Message, from: string, to: string): Message => ({
      ...message,
      value: String(message.value).replace(from, to),
    });
    await send('fields', [
      ...changes({ op: 'c', id: 9, text: 'z', tx: 1, lsn: 90 }),
      edited(added, '"text":"a"', '"text":"a","size":1'),
      edited(dropped, ',"text":"b"', ''),
    ]);
    const events = await all(['fields']);
    expect(told(events)).toEqual(['definition', 'insert', 'gap', 'gap']);
    const gaps = events.flatMap((event) => (event.type === 'gap' ? [event] : []));
    expect(gaps.map(({ tables }) => tables)).toEqual([['public.letters'], ['public.letters']]);
    expect(gaps.map(({ reason }) => /topic fields, partition 0, offset \d/.exec(reason)?.[0])).toEqual([
      'topic fields, partition 0, offset 1',
      'topic fields, partition 0, offset 2',
    ]);
  }, 120_000);

  test('a topic that was given more partitions voids its table, for keys go to others', async () => {
    await create('grown');
    await send('grown', changes({ op: 'c', id: 1, text: 'a', tx: 1, lsn: 100 }));
    const before = positionOf(await all(['grown']));
    const admin = await kafka.admin();
    await admin.createPartitions({ topicPartitions: [{ topic: 'grown', count: 2 }] });
    await led('grown', 2);
    await send('grown', changes({ op: 'u', id: 1, text: 'b', tx: 2, lsn: 200 }), 1);
    const events = await all(['grown'], before);
    expect(told(events)).toContain('gap');
    expect(told(events)).toContain('update');
    // Once.
    expect(told(await all(['grown'], positionOf(events)))).toEqual([]);
  }, 120_000);

  test('transactions over several topics are whole, also where the reading was ended within one', async () => {
    const topics = ['p.public.letters', 'p.public.other'];
    for (const topic of [...topics, 'p.transaction']) await create(topic);
    const feed = { prefix: 'p', beside: { transactions: 'p.transaction', schemas: null } };
    const tied = (change: StatedChange): Message => {
      const { key, value } = recordOf(change);
      return { key, value: value.replace('"transaction":null', '"transaction":{"id":"1:1"}') };
    };
    const collections = topics.map((topic) => ({ data_collection: topic.slice(2), event_count: 1 }));
    const begin = (tx: number): Message => ({ value: JSON.stringify({ status: 'BEGIN', id: `${tx}:9` }) });
    const end = (tx: number): Message => ({
      value: JSON.stringify({ status: 'END', id: `${tx}:9`, data_collections: collections }),
    });
    const [letters = '', other = ''] = topics;
    // The end is there before the records of one table, and what comes later before what comes first.
    await send('p.transaction', [begin(1), end(1), begin(2)]);
    await send(letters, [
      tied({ op: 'c', id: 1, text: 'a', tx: 1, lsn: 110 }),
      tied({ op: 'u', id: 1, text: 'b', tx: 2, lsn: 210 }),
    ]);
    await send(other, [tied({ op: 'c', id: 1, text: 'a', tx: 1, lsn: 120, table: 'other' })]);
    // The second one is not whole: what was read of it is handed out when nothing more came for long.
    const first = await all(topics, null, feed);
    expect(transactionsIn(first)).toEqual(['1: insert insert', '2: update']);
    const whole = first.find((event) => event.type === 'commit');
    if (whole === undefined) throw new Error('no transaction was handed out');
    await send(other, [tied({ op: 'u', id: 1, text: 'b', tx: 2, lsn: 220, table: 'other' })]);
    await send('p.transaction', [end(2)]);
    expect(transactionsIn(await all(topics, whole.position, feed))).toEqual(['2: update update']);
  }, 180_000);

  describe('a watch', () => {
    let candidate: Cluster;
    let folder: FeedFolder;
    let watch: RunningWatch;
    let sink: Sink;
    const SINK = { group: 'sink', topics: ['w.public.letters'] };

    beforeAll(async () => {
      candidate = await createCluster({ version: 17, settings: { wal_level: 'logical' } });
      await candidate.sql('CREATE TABLE letters (id int PRIMARY KEY, text text)');
      await prepareStream(candidate, 'TABLE letters');
      await create('w.public.letters');
      // A producer whose clock is ahead: by more than an hour the brokers take nothing of it.
      const timestamp = String(Date.now() + 1_800_000);
      const row = recordOf({ op: 'r', id: 1, text: 'a', tx: 1, lsn: 5, mark: 'last' });
      await send('w.public.letters', [{ ...row, timestamp }]);
      folder = new FeedFolder({
        kafka,
        prefix: 'w',
        candidate,
        group: SINK.group,
        topics: `{ decimals: precise, times: adaptive, binary: bytes, columns: { public.letters: { id: integer, text: text } } }`,
      });
      sink = await Sink.start(kafka.client(), postgresRows(candidate), SINK);
    }, 180_000);

    afterAll(async () => {
      await watch?.stop().catch(() => undefined);
      await sink?.stop().catch(() => undefined);
      await candidate?.destroy();
      folder?.remove();
    });

    test('waits for brokers that are down when it starts, and goes on when they were away', async () => {
      await waitUntil(
        async () => (await candidate.sql('SELECT 1 FROM letters')).length === 1,
        60_000,
        () => 'the sink did not write',
      );
      await sink.stop();
      await kafka.stop();
      watch = new RunningWatch(folder);
      await watch.said(/./, /connect|reach|ECONNREFUSED/i);
      await kafka.start();
      sink = await Sink.start(kafka.client(), postgresRows(candidate), SINK);
      await becomesProven(folder, 'gasan', 1);
      await sink.stop();
      await kafka.kill();
      await kafka.start();
      sink = await Sink.start(kafka.client(), postgresRows(candidate), SINK);
      await send('w.public.letters', changes({ op: 'u', id: 1, text: 'A', tx: 3, lsn: 310 }));
      await waitUntil(
        async () => (await candidate.sql(`SELECT 1 FROM letters WHERE text = 'A'`)).length === 1,
        60_000,
        () => 'the sink did not write',
      );
      await watch.sees(
        () => folder.reading(({ core }) => (core.committed.newestUs ?? 0n) >= 1_700_000_000_003_007n),
        'the change is in the ledger',
      );
      await becomesProven(folder, 'gasan', 1);
      expect(await problemsOf(folder)).toEqual([]);
    }, 300_000);
  });
});

function told(events: readonly ChangeEvent[]): string[] {
  return events.flatMap(({ type }) => (['begin', 'commit', 'idle', 'snapshot'].includes(type) ? [] : [type]));
}

/** Each transaction with what it did. */
function transactionsIn(events: readonly ChangeEvent[]): string[] {
  const found: string[] = [];
  let types: string[] = [];
  for (const event of events) {
    if (event.type === 'begin') types = [];
    else if (event.type === 'commit') found.push(`${event.id}: ${types.join(' ')}`);
    else if (event.type !== 'definition') types.push(event.type);
  }
  return found;
}

function positionOf(events: readonly ChangeEvent[]): Position {
  const last = events.findLast((event) => event.type === 'commit' || event.type === 'idle');
  if (last === undefined || !('position' in last)) throw new Error('no position was given');
  return last.position;
}
