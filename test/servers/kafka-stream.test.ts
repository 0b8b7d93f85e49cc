import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import zlib from 'node:zlib';
import type { Message } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { comparePositions } from '../../connectors/kafka/position.ts';
import { openTopicOutlet } from '../../connectors/kafka/topic-outlet.ts';
import { openTopicSite } from '../../connectors/kafka/topic-site.ts';
import { openTopicStream, type TopicStreamOptions } from '../../connectors/kafka/topic-stream.ts';
import type { ChangeEvent, ChangeStream } from '../../src/connector/changes.ts';
import type { TopicResult } from '../../src/compare/topic-result.ts';
import { verifyTopic } from '../../src/compare/topic-verify.ts';
import type { TopicSite } from '../../src/connector/topic-site.ts';
import type { Position } from '../../src/connector/position.ts';
import { waitUntil } from '../../src/demo/cluster-wait.ts';
import { TwinproofError } from '../../src/errors.ts';
import { runCli } from './harness/cli.ts';
import { recordOf, STATED_COLUMNS, type StatedChange } from './harness/kafka-changes.ts';
import { KAFKA, missingPackage } from './harness/kafka-packages.ts';
import { fieldTexts, rowTexts } from './harness/kafka-rows.ts';
import { createKafka, type KafkaServer } from './harness/kafka-server.ts';
import { forever } from './harness/server-set.ts';

const random = (): string => randomBytes(4).toString('hex');
const missing = await missingPackage(KAFKA);

describe.skipIf(missing !== null)(`topics as a change log${missing === null ? '' : ` (${missing})`}`, () => {
  let kafka: KafkaServer;

  beforeAll(async () => {
    kafka = await createKafka();
  }, 300_000);

  afterAll(() => kafka.destroy());

  async function create(topic: string, numPartitions = 1): Promise<void> {
    const admin = await kafka.admin();
    await admin.createTopics({ topics: [{ topic, numPartitions }], waitForLeaders: false });
    const led = (): Promise<boolean> =>
      admin.fetchTopicOffsets(topic).then(
        (offsets) => offsets.length === numPartitions,
        () => false,
      );
    await waitUntil(led, 60_000, () => `${topic} has no leader`);
  }

  async function send(topic: string, messages: readonly Message[], partition = 0): Promise<void> {
    const producer = kafka.client().producer();
    await producer.connect();
    await producer.send({ topic, messages: messages.map((message) => ({ ...message, partition })) });
    await producer.disconnect();
  }

  function open(
    topic: string,
    after: Position | null = null,
    own: Partial<Pick<TopicStreamOptions, 'topics'>> = {},
  ): Promise<ChangeStream> {
    const decoder = {
      settings: { decimals: 'precise', times: 'adaptive', binary: 'bytes' },
      declared: new Map([
        ['public.letters', STATED_COLUMNS],
        ['public.other', STATED_COLUMNS],
      ]),
      beforeImages: false,
    } as const;
    const options = {
      topics: [topic],

      decoder,
      waitMs: 200,
      ...own,
    };
    return openTopicStream(kafka.client(), options, after, forever());
  }

  /** The values of everything that a topic holds. */
  async function valuesOf(topic: string): Promise<string[]> {
    const [end] = await (await kafka.admin()).fetchTopicOffsets(topic);
    const consumer = kafka.client().consumer({ groupId: `values-${random()}`, maxWaitTimeInMs: 100 });
    const values: string[] = [];
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({
      eachMessage: ({ message }) => {
        values.push(message.value?.toString() ?? '');
        return Promise.resolve();
      },
    });
    const wanted = Number(end?.high ?? 0);
    await waitUntil(
      () => Promise.resolve(values.length >= wanted),
      60_000,
      () => `${values.length} of ${wanted} came`,
    );
    await consumer.disconnect();
    return values;
  }

  /** Everything until nothing more is there. */
  async function all(
    topic: string,
    after: Position | null = null,
    own: Partial<Pick<TopicStreamOptions, 'topics'>> = {},
  ) {
    const stream = await open(topic, after, own);
    const events: ChangeEvent[] = [];
    for await (const batch of stream.batches) {
      events.push(...batch);
      const last = batch.at(-1);
      if (last?.type !== 'idle') continue;
      stream.acknowledge(last.position);
      break;
    }
    return events;
  }

  const changes = (...stated: StatedChange[]): Message[] => stated.map(recordOf);

  test('gives every partition’s changes in order, and goes on where it was', async () => {
    await create('letters', 2);
    await send(
      'letters',
      changes({ op: 'r', id: 1, text: 'a', tx: 1, lsn: 5 }, { op: 'r', id: 3, text: 'c', tx: 1, lsn: 5 }),
    );
    await send('letters', changes({ op: 'r', id: 2, text: 'b', tx: 1, lsn: 5 }), 1);
    await send(
      'letters',
      changes({ op: 'u', id: 1, text: 'A', tx: 2, lsn: 210 }, { op: 'd', id: 3, tx: 2, lsn: 220 }),
    );
    const first = await all('letters');
    expect(told(first)).toContain('update 2 b');
    expect(told(first).filter((text) => !text.includes('2 b'))).toEqual([
      'definition public.letters',
      'update 1 a',
      'update 3 c',
      'update 1 A',
      'delete 3',
      'idle',
    ]);
    const times = first.flatMap((event) => (event.type === 'begin' ? [event.committedAtUs] : []));
    expect(new Set(times)).toEqual(new Set([1_700_000_000_001_007n, 1_700_000_000_002_007n]));
    const end = positionOf(first);
    await send('letters', changes({ op: 'c', id: 4, text: 'd', tx: 3, lsn: 310 }), 1);
    const second = await all('letters', end);
    expect(told(second)).toEqual(['definition public.letters', 'insert 4 d', 'idle']);
    expect(comparePositions(end, positionOf(second))).toBe('before');
    expect(comparePositions(positionOf(second), positionOf(second))).toBe('equal');
    // Nothing new: that is told, too.
    expect(told(await all('letters', positionOf(second)))).toEqual(['idle']);
  });

  test('what a connector sends once more is left out; one that reads another log is a gap', async () => {
    await create('again');
    const two = changes(
      { op: 'c', id: 1, text: 'a', tx: 2, lsn: 210 },
      { op: 'u', id: 1, text: 'b', tx: 2, lsn: 220 },
    );
    await send('again', [...two, ...two, ...changes({ op: 'u', id: 1, text: 'c', tx: 3, lsn: 310 })]);
    expect(told(await all('again'))).toEqual([
      'definition public.letters',
      'insert 1 a',
      'update 1 b',
      'update 1 c',
      'idle',
    ]);
    await send('again', changes({ op: 'u', id: 1, text: 'd', tx: 2, lsn: 230 }));
    expect(told(await all('again')).slice(-3)).toEqual(['gap public.letters', 'update 1 d', 'idle']);
  });

  test('a record that cannot be read is named, and the others are given', async () => {
    await create('broken');
    const [good, late] = changes(
      { op: 'c', id: 1, text: 'a', tx: 2, lsn: 210 },
      { op: 'c', id: 2, text: 'b', tx: 3, lsn: 310 },
    );
    await send('broken', [
      good ?? { value: null },
      { key: null, value: '{"op":"c","after":{"id":' },
      late ?? { value: null },
    ]);
    const events = await all('broken');
    expect(told(events)).toEqual([
      'definition public.letters',
      'insert 1 a',
      'gap public.letters',
      'insert 2 b',
      'idle',
    ]);
    const gap = events.find((event) => event.type === 'gap');
    expect(gap?.reason).toContain('topic broken, partition 0, offset 1');
  });

  test('tombstones and the ends of producers’ transactions leave no gap', async () => {
    await create('marked');
    const producer = kafka
      .client()
      .producer({ idempotent: true, maxInFlightRequests: 1, transactionalId: 'marked' });
    await producer.connect();
    for (const id of [1, 2]) {
      const transaction = await producer.transaction();
      await transaction.send({ topic: 'marked', messages: changes({ op: 'd', id, tx: id, lsn: id * 100 }) });
      await transaction.send({ topic: 'marked', messages: [{ key: '{"id":1}', value: null }] });
      await transaction.commit();
    }
    await producer.disconnect();
    const events = await all('marked');
    expect(told(events)).toEqual(['definition public.letters', 'delete 1', 'delete 2', 'idle']);
    expect(told(await all('marked', positionOf(events)))).toEqual(['idle']);
  });

  test('records are read in every compression that brokers know', async () => {
    const admin = await kafka.admin();
    // The broker compresses them anew.
    const ways = ['gzip', 'snappy', 'lz4', 'zstd'];
    const topics = ways.map((way) => ({
      topic: way,
      configEntries: [{ name: 'compression.type', value: way }],
    }));
    await admin.createTopics({ topics });
    const text = 'again and again '.repeat(1500) + randomBytes(3000).toString('base64');
    const many = Array.from({ length: 20 }, (_, id) => ({ op: 'c', id, text, tx: 1, lsn: id + 1 }) as const);
    const told20 = many.map(({ id }) => `insert ${id} ${text}`);
    for (const way of ways) {
      await send(way, changes(...many));
      const found = await all(way).then(
        told,
        (error: unknown) => error instanceof TwinproofError && error.code,
      );
      const isRead = way !== 'zstd' || 'zstdDecompressSync' in zlib;
      expect(found).toEqual(isRead ? ['definition public.letters', ...told20, 'idle'] : 'TP-STREAM-SETUP');
    }
  });

  test('a truncated table is told, once something is known of it', async () => {
    await create('emptied');
    const stated = [
      { op: 't', tx: 1, lsn: 100, table: 'other' },
      { op: 'c', id: 1, text: 'a', tx: 2, lsn: 200, table: 'other' },
      { op: 't', tx: 3, lsn: 300, table: 'other' },
    ] as const;
    await send('emptied', changes(...stated));
    expect(told(await all('emptied'))).toEqual([
      'gap public.other',
      'definition public.other',
      'insert 1 a',
      'truncate public.other',
      'idle',
    ]);
  });

  test('records that are gone before they were read are a gap, at the start and in between', async () => {
    await create('short');
    await send('short', changes({ op: 'c', id: 1, text: 'a', tx: 1, lsn: 100 }));
    const end = positionOf(await all('short'));
    const more = [2, 3, 4, 5].map((id) => ({ op: 'c', id, text: 'x', tx: id, lsn: id * 100 }) as const);
    await send('short', changes(...more));
    const admin = await kafka.admin();
    // Else the library does not know the topic's leader.
    await admin.fetchTopicOffsets('short');
    await admin.deleteTopicRecords({ topic: 'short', partitions: [{ partition: 0, offset: '3' }] });
    await expect(all('short', end)).rejects.toMatchObject({ code: 'TP-GAP' });
    // What is left can be read as a new beginning.
    expect(told(await all('short')).filter((text) => text.startsWith('insert'))).toEqual([
      'insert 4 x',
      'insert 5 x',
    ]);
  });

  test('a topic that was made anew is another log, also when it holds as many records', async () => {
    await create('anew');
    await send('anew', changes({ op: 'c', id: 1, text: 'a', tx: 1, lsn: 100 }));
    const end = positionOf(await all('anew'));
    const admin = await kafka.admin();
    await admin.deleteTopics({ topics: ['anew'] });
    await waitUntil(
      async () => !(await admin.listTopics()).includes('anew'),
      60_000,
      () => 'the topic is still there',
    );
    await create('anew');
    await expect(all('anew', end)).rejects.toMatchObject({ code: 'TP-GAP' });
    const two = changes(
      { op: 'c', id: 1, text: 'z', tx: 1, lsn: 100 },
      { op: 'c', id: 2, text: 'b', tx: 2, lsn: 200 },
    );
    await send('anew', two);
    await expect(all('anew', end)).rejects.toMatchObject({ code: 'TP-GAP' });
  });

  test('a topic that does not exist, and brokers that do not answer, are told', async () => {
    await expect(all('nowhere')).rejects.toMatchObject({ code: 'TP-STREAM-SETUP' });
    const nobody = kafka.client({ brokers: ['127.0.0.1:1'], retry: { retries: 0 } });
    const options = { topics: ['letters'], waitMs: 200 } as const;
    const decoder = {
      settings: { decimals: null, times: null, binary: null },
      declared: new Map(),
      beforeImages: false,
    };
    await expect(openTopicStream(nobody, { ...options, decoder }, null, forever())).rejects.toMatchObject({
      code: 'TP-UNREACHABLE',
      retryable: true,
    });
  });

  test('what is published stands in the topic, once and in order', async () => {
    await create('rpo');
    const address = { brokers: [kafka.broker], tls: null, sasl: null };
    const outlet = await openTopicOutlet(address, 'rpo');
    await outlet.send([1, 2, 3].map((n) => ({ key: 'bank/gasan', value: `{"n":${n}}` })));
    await outlet.send([{ key: 'bank/gasan', value: '{"n":4}' }]);
    await outlet.close();
    expect(await valuesOf('rpo')).toEqual(['{"n":1}', '{"n":2}', '{"n":3}', '{"n":4}']);
    const nowhere = await openTopicOutlet(address, 'nowhere');
    await expect(nowhere.send([{ key: 'a', value: '{}' }])).rejects.toMatchObject({
      code: 'TP-STREAM-SETUP',
    });
    await nowhere.close();
  });

  describe('a topic and its replica', () => {
    const site = (topic: string): Promise<TopicSite> =>
      openTopicSite({ brokers: [kafka.broker], tls: null, sasl: null }, topic);

    async function compare(candidate: string, primary = 'orders'): Promise<TopicResult> {
      const timing = { now: () => Date.now(), sleep: (ms: number) => sleep(ms) };
      return verifyTopic(
        await site(primary),
        await site(candidate),
        { applyWithinMs: 1000, timing },
        forever(),
      );
    }

    /** Older records would be removed by the topic's retention. */
    const recently = Date.now() - 60_000;
    const orders = (partition: number, count: number): Message[] =>
      Array.from({ length: count }, (_, index) => ({
        key: index % 5 === 0 ? null : `order ${index}`,
        value: index % 7 === 0 ? null : `paid ${index} in ${partition}`,
        headers: { trace: [`t${index}`, 'again'] },
        timestamp: String(recently + index),
      }));

    async function commit(groupId: string, offsets: Readonly<Record<string, string>>): Promise<void> {
      const consumer = kafka.client().consumer({ groupId });
      let joined = false;
      consumer.on(consumer.events.GROUP_JOIN, () => (joined = true));
      await consumer.connect();
      await consumer.subscribe({ topics: Object.keys(offsets), fromBeginning: true });
      await consumer.run({ autoCommit: false, eachMessage: () => Promise.resolve() });
      // The group's own topic may have to be made first.
      await waitUntil(
        () => Promise.resolve(joined),
        60_000,
        () => `${groupId} has no member`,
      );
      const committed = Object.entries(offsets).map(([topic, offset]) => ({ topic, partition: 0, offset }));
      await consumer.commitOffsets(committed);
      await consumer.disconnect();
    }

    /** A replica whose offsets are greater by one. */
    async function replica(topic: string, records: readonly Message[]): Promise<void> {
      await create(topic, 2);
      await send(topic, [{ value: 'of another time' }]);
      const admin = await kafka.admin();
      await admin.fetchTopicOffsets(topic);
      await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '1' }] });
      await send(topic, records);
      await send(topic, orders(1, 20), 1);
    }

    beforeAll(async () => {
      await create('orders', 2);
      await send('orders', orders(0, 300));
      await send('orders', orders(1, 20), 1);
    }, 120_000);

    test('are the same record by record, whatever their offsets; groups are where they were', async () => {
      await replica('dr.orders', orders(0, 300));
      await commit('billing', { orders: '100', 'dr.orders': '101' });
      const result = await compare('dr.orders');
      expect([result.outcome, result.reasons, result.groupsCompared]).toEqual(['same', [], 1]);
      expect(result.partitions.map(({ matched }) => matched)).toEqual([300n, 20n]);
      await commit('billing', { orders: '100', 'dr.orders': '102' });
      const { outcome, groups } = await compare('dr.orders');
      expect([outcome, groups]).toEqual([
        'different',
        [{ group: 'billing', partition: 0, offset: 102n, problem: 'skips', most: 101n }],
      ]);
    });

    test('differ by a record that is missing, and by a header that is another', async () => {
      const changed = { ...orders(0, 201).at(-1), value: 'paid 200 in 0', headers: { trace: ['t200'] } };
      await replica('lost.orders', orders(0, 300).with(200, changed).toSpliced(50, 1));
      const { outcome, partitions } = await compare('lost.orders');
      expect(outcome).toBe('different');
      const [first, second] = partitions;
      expect([first?.missing.offsets, first?.extra.offsets, first?.matched]).toEqual([
        [50n, 200n],
        [200n],
        298n,
      ]);
      expect(second?.outcome).toBe('same');
    });

    // The program may have to be built first.
    test('are compared by the command, which says what differs', { timeout: 180_000 }, async () => {
      const topics = ['orders', 'lost.orders'].map((topic) => `kafka://${kafka.broker}/${topic}`);
      const [primary = '', candidate = ''] = topics;
      const args = ['verify', '--primary', primary, '--candidate', candidate, '--apply-within', '1s'];
      const { code, stdout, stderr } = await runCli([...args, '--format', 'json']);
      expect([code, stderr]).toEqual([2, '']);
      const json: unknown = JSON.parse(stdout);
      expect(json).toMatchObject({
        schema: 'twinproof.verify-topic/v1',
        outcome: 'different',
        partitions: [{ missing: { count: '2', offsets: ['50', '200'] } }, { outcome: 'same', matched: '20' }],
      });
      const equal = await runCli(['verify', '--primary', primary, '--candidate', primary]);
      expect([equal.code, equal.stdout]).toEqual([0, expect.stringContaining('320 records equal')]);
    });

    test('are the same where a producer’s transactions stand on one of them only, and none counts that was taken back', async () => {
      await create('paid', 2);
      await create('dr.paid', 2);
      const producer = kafka
        .client()
        .producer({ idempotent: true, maxInFlightRequests: 1, transactionalId: 'paid' });
      await producer.connect();
      const paid = orders(0, 3).map((message) => Object.assign(message, { partition: 0 }));
      for (const [index, message] of [...paid, ...paid].entries()) {
        const transaction = await producer.transaction();
        await transaction.send({ topic: 'paid', messages: [message] });
        if (index < paid.length) await transaction.commit();
        else await transaction.abort();
      }
      await producer.disconnect();
      await send('dr.paid', paid);
      for (const pair of [
        ['paid', 'dr.paid'],
        ['dr.paid', 'paid'],
      ] as const) {
        const { outcome, reasons, partitions } = await compare(pair[1], pair[0]);
        expect([outcome, reasons, partitions.map(({ matched }) => matched)]).toEqual(['same', [], [3n, 0n]]);
      }
    });

    test('are unproven where the replica is behind', async () => {
      await replica('late.orders', orders(0, 290));
      const { outcome, partitions } = await compare('late.orders');
      expect([outcome, partitions[0]?.behind, partitions[0]?.matched]).toEqual(['unproven', 10n, 290n]);
    });
  });

  test(
    'a broker that goes away ends the stream, and it goes on behind what was read',
    { timeout: 180_000 },
    async () => {
      await create('away');
      await send('away', changes({ op: 'c', id: 1, text: 'a', tx: 1, lsn: 100 }));
      const stream = await open('away');
      const events: ChangeEvent[] = [];
      const stopping: Promise<void>[] = [];
      const failure = await (async () => {
        for await (const batch of stream.batches) {
          events.push(...batch);
          if (stopping.length === 0) stopping.push(kafka.stop());
        }
        return null;
      })().catch((error: unknown) => error);
      await Promise.all(stopping);
      expect(failure).toBeInstanceOf(TwinproofError);
      expect(failure).toMatchObject({ retryable: true });
      await kafka.start();
      await send('away', changes({ op: 'c', id: 2, text: 'b', tx: 2, lsn: 200 }));
      expect(told(await all('away', positionOf(events)))).toEqual([
        'definition public.letters',
        'insert 2 b',
        'idle',
      ]);
    },
  );
});

/** Events without beginnings and ends of transactions, in short. */
function told(events: readonly ChangeEvent[]): string[] {
  return events.flatMap((event) => {
    switch (event.type) {
      case 'begin':
      case 'commit':
      case 'snapshot':
        return [];
      case 'definition':
        return [`definition ${event.table.leaf}`];
      case 'truncate':
        return [`truncate ${event.tables.map(({ leaf }) => leaf).join()}`];
      case 'gap':
        return [`gap ${event.tables?.join() ?? 'all'}`];
      case 'idle':
      case 'message':
        return [event.type];
      default: {
        const [id = ''] = fieldTexts(event.key ?? new Uint8Array(0));
        const text = rowTexts(event.after)?.[1];
        const words = [event.type, String(BigInt(`0x${id}`))];
        return [[...words, ...(text === undefined ? [] : [Buffer.from(text, 'hex').toString()])].join(' ')];
      }
    }
  });
}

function positionOf(events: readonly ChangeEvent[]): Position {
  const last = events.findLast((event) => event.type === 'commit' || event.type === 'idle');
  if (last === undefined || !('position' in last)) throw new Error('no position was given');
  return last.position;
}
