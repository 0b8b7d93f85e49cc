import { setTimeout as sleep } from 'node:timers/promises';
import type { Admin, Message } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTopicSite } from '../../connectors/kafka/topic-site.ts';
import type { TopicResult } from '../../src/compare/topic-result.ts';
import { verifyTopic } from '../../src/compare/topic-verify.ts';
import { waitUntil } from '../../src/demo/cluster-wait.ts';
import { runCli } from '../servers/harness/cli.ts';
import { MirrorMaker } from '../servers/harness/kafka-mirror-maker.ts';
import { MIRROR_MAKER, missingPackage } from '../servers/harness/kafka-packages.ts';
import { createKafka, type KafkaServer } from '../servers/harness/kafka-server.ts';
import { forever } from '../servers/harness/server-set.ts';

const missing = await missingPackage(MIRROR_MAKER);
const skipped = missing === null ? '' : ` (${missing})`;
const NAMES = { from: 'pangyo', to: 'gasan' };
const LIMIT_MS = 120_000;
/** Of tests that wait for MirrorMaker. */
const PATIENT = { timeout: 300_000 };
/** More than a comparison looks ahead. */
const MANY = 30_000;

/** Older records would be removed by the retention of topics. */
const started = Date.now() - 600_000;

function records(count: number, from = 0): Message[] {
  return Array.from({ length: count }, (_, index) => ({
    key: index % 5 === 0 ? null : `order ${from + index}`,
    value: index % 7 === 0 ? Buffer.alloc(0) : `paid ${from + index}`,
    headers: { trace: [`t${index}`, 'again'], empty: Buffer.alloc(0) },
    timestamp: String(started + from + index),
    partition: 0,
  }));
}

describe.skipIf(missing !== null)(`topics that MirrorMaker 2 replicates${skipped}`, () => {
  let pangyo: KafkaServer;
  let gasan: KafkaServer;
  let here: Admin;
  let there: Admin;

  beforeAll(async () => {
    [pangyo, gasan] = await Promise.all([createKafka(), createKafka()]);
    [here, there] = await Promise.all([pangyo.admin(), gasan.admin()]);
  }, 300_000);

  afterAll(() => Promise.all([pangyo.destroy(), gasan.destroy()]));

  async function create(
    topic: string,
    settings: Readonly<Record<string, string>> = {},
    numPartitions = 1,
  ): Promise<void> {
    const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
    await here.createTopics({ topics: [{ topic, numPartitions, configEntries }] });
  }

  async function send(kafka: KafkaServer, topic: string, messages: readonly Message[]): Promise<void> {
    const producer = kafka.client().producer();
    await producer.connect();
    for (let at = 0; at < messages.length; at += 5000) {
      await producer.send({ topic, messages: messages.slice(at, at + 5000) });
    }
    await producer.disconnect();
  }

  /** Committed and taken back by turns. */
  async function pay(topic: string, count: number): Promise<void> {
    const settings = { idempotent: true, maxInFlightRequests: 1, transactionalId: topic };
    const producer = pangyo.client().producer(settings);
    await producer.connect();
    for (const [index, message] of records(count).entries()) {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: [message] });
      await (index % 2 === 0 ? transaction.commit() : transaction.abort());
    }
    await producer.disconnect();
  }

  async function highOf(topic: string): Promise<number> {
    const [first] = await there.fetchTopicOffsets(topic).catch(() => []);
    return Number(first?.high ?? 0);
  }

  /** Until the replica's first partition has so many places, of records or of the ends of transactions. */
  function comes(maker: MirrorMaker, topic: string, count: number): Promise<void> {
    let last = 0;
    const isThere = async (): Promise<boolean> => (last = await highOf(topic)) >= count;
    return maker.until(isThere, () => `${topic} has ${last} of ${count} places`);
  }

  async function compare(topic: string, replica: string, applyWithinMs = 1000): Promise<TopicResult> {
    const timing = { now: () => Date.now(), sleep: (ms: number) => sleep(ms) };
    const [primary, candidate] = await Promise.all([
      openTopicSite({ brokers: [pangyo.broker], tls: null, sasl: null }, topic),
      openTopicSite({ brokers: [gasan.broker], tls: null, sasl: null }, replica),
    ]);
    return verifyTopic(primary, candidate, { applyWithinMs, timing }, forever());
  }

  /** −1: none. */
  async function offsetOf(groupId: string, topic: string): Promise<number> {
    const [found] = await there.fetchOffsets({ groupId, topics: [topic] });
    return Number(found?.partitions.find(({ partition }) => partition === 0)?.offset ?? -1);
  }

  async function commit(kafka: KafkaServer, groupId: string, topic: string, offset: number): Promise<void> {
    const consumer = kafka.client().consumer({ groupId });
    let joined = false;
    consumer.on(consumer.events.GROUP_JOIN, () => (joined = true));
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({ autoCommit: false, eachMessage: () => Promise.resolve() });
    // The group's own topic may have to be made first.
    await waitUntil(
      () => Promise.resolve(joined),
      LIMIT_MS,
      () => `${groupId} has no member`,
    );
    await consumer.commitOffsets([{ topic, partition: 0, offset: String(offset) }]);
    await consumer.disconnect();
  }

  const summary = ({ outcome, reasons, partitions }: TopicResult): unknown[] => [
    outcome,
    reasons,
    partitions.map(({ matched }) => Number(matched)),
  ];

  describe('under other names, as it is set up by default', () => {
    let maker: MirrorMaker;

    beforeAll(async () => {
      await create('orders', {}, 2);
      await send(pangyo, 'orders', records(MANY));
      await send(
        pangyo,
        'orders',
        records(20).map((one) => Object.assign(one, { partition: 1 })),
      );
      await create('cut');
      await send(pangyo, 'cut', records(100));
      await here.fetchTopicOffsets('cut');
      await here.deleteTopicRecords({ topic: 'cut', partitions: [{ partition: 0, offset: '40' }] });
      await create('stamped', { 'message.timestamp.type': 'LogAppendTime' });
      await send(pangyo, 'stamped', records(50));
      await create('state', { 'cleanup.policy': 'compact' });
      await send(
        pangyo,
        'state',
        records(50).map((one) => Object.assign(one, { key: 'k' })),
      );
      await create('paid');
      await pay('paid', 10);
      await create('open');
      // So that a kill lets it send all of it again; a topic that comes later would let it note its place.
      maker = await MirrorMaker.start(pangyo, gasan, NAMES, { 'gasan.offset.flush.interval.ms': '600000' });
      await comes(maker, 'pangyo.orders', MANY);
      await comes(maker, 'pangyo.cut', 60);
    }, 300_000);

    afterAll(() => maker?.end());

    // The program may have to be built first.
    test('are the same by the command of the README', { timeout: 180_000 }, async () => {
      const sites = [
        ['--primary', `kafka://${pangyo.broker}/orders`],
        ['--candidate', `kafka://${gasan.broker}/pangyo.orders`],
      ];
      const { code, stdout, stderr } = await runCli(['verify', ...sites.flat()]);
      expect([code, stderr, stdout]).toEqual([0, '', expect.stringContaining('30,020 records equal')]);
    });

    test(
      'are the same where the primary’s beginning was removed before, and where its brokers set the time stamps',
      PATIENT,
      async () => {
        expect(summary(await compare('cut', 'pangyo.cut'))).toEqual(['same', [], [60]]);
        await comes(maker, 'pangyo.stamped', 50);
        expect(summary(await compare('stamped', 'pangyo.stamped'))).toEqual(['same', [], [50]]);
      },
    );

    test('that are compacted are unproven', PATIENT, async () => {
      await comes(maker, 'pangyo.state', 50);
      const { outcome, candidate } = await compare('state', 'pangyo.state');
      expect([outcome, candidate.compacted]).toEqual(['unproven', true]);
    });

    test('hold what producers took back, and that is told', PATIENT, async () => {
      await comes(maker, 'pangyo.paid', 10);
      const { outcome, partitions, reasons } = await compare('paid', 'pangyo.paid');
      expect([outcome, partitions[0]?.takenBack, partitions[0]?.extra.count]).toEqual([
        'different',
        expect.objectContaining({ count: 5n, offsets: [1n, 3n, 5n, 7n, 9n] }),
        0n,
      ]);
      expect(reasons).toEqual([expect.stringMatching(/took back .*isolation\.level=read_committed/)]);
    });

    test(
      'wait for a transaction that is open on the primary, and are unproven until it ends',
      PATIENT,
      async () => {
        const settings = { idempotent: true, maxInFlightRequests: 1, transactionalId: 'open' };
        const producer = pangyo.client().producer(settings);
        await producer.connect();
        await send(pangyo, 'open', records(5));
        const transaction = await producer.transaction();
        await transaction.send({ topic: 'open', messages: records(1, 5) });
        await send(pangyo, 'open', records(3, 6));
        await comes(maker, 'pangyo.open', 9);
        const { outcome, partitions, reasons } = await compare('open', 'pangyo.open');
        expect([outcome, partitions[0]?.matched, partitions[0]?.open]).toEqual(['unproven', 5n, 4n]);
        expect(reasons).toEqual([expect.stringContaining('transaction is still open')]);
        const ending = sleep(500).then(() => transaction.commit());
        expect(summary(await compare('open', 'pangyo.open', 20_000))).toEqual(['same', [], [9]]);
        await ending;
        await producer.disconnect();
      },
    );

    test(
      'have groups whose offsets MirrorMaker translated, and one that was set beyond its place is told',
      PATIENT,
      async () => {
        await commit(pangyo, 'billing', 'orders', 20_000);
        const synced = async (): Promise<number> => offsetOf('billing', 'pangyo.orders');
        await maker.until(
          async () => (await synced()) >= 0,
          () => 'no offset of the group was translated',
        );
        const { outcome, groups, groupsCompared, reasons } = await compare('orders', 'pangyo.orders');
        expect([outcome, groups, groupsCompared, reasons]).toEqual(['same', [], 1, []]);
        expect(await synced()).toBeLessThanOrEqual(20_000);
        await commit(gasan, 'billing', 'pangyo.orders', 20_001);
        const beyond = { group: 'billing', partition: 0, problem: 'skips', offset: 20_001n, most: 20_000n };
        const told = await compare('orders', 'pangyo.orders');
        expect([told.outcome, told.groups]).toEqual(['different', [beyond]]);
        await commit(gasan, 'billing', 'pangyo.orders', 100);
      },
    );

    test(
      'are behind while it is gone, and hold much twice when it was killed and came back',
      PATIENT,
      async () => {
        await maker.kill();
        await send(pangyo, 'orders', records(7, MANY));
        const { outcome, partitions } = await compare('orders', 'pangyo.orders');
        expect([outcome, partitions[0]?.behind]).toEqual(['unproven', 7n]);
        maker.again();
        await comes(maker, 'pangyo.orders', 2 * MANY + 7);
        const came = await compare('orders', 'pangyo.orders');
        expect(summary(came)).toEqual([
          'same',
          [
            `partition 0: ${MANY} records came to the candidate twice`,
            expect.stringMatching(/^partition 1: 20 /),
          ],
          [MANY + 7, 20],
        ]);
      },
    );

    test('have new partitions later than the primary, which is no difference', async () => {
      await maker.stop();
      await here.createPartitions({ topicPartitions: [{ topic: 'cut', count: 2 }] });
      const { outcome, reasons } = await compare('cut', 'pangyo.cut');
      expect([outcome, reasons[0]]).toEqual([
        'unproven',
        'the primary’s topic has 2 partitions and the candidate’s 1',
      ]);
    });

    test('differ by what somebody else wrote to the replica', async () => {
      await send(gasan, 'pangyo.cut', records(1, 1000));
      const { outcome, partitions } = await compare('cut', 'pangyo.cut');
      expect([outcome, partitions[0]?.extra.offsets.length]).toEqual(['different', 1]);
    });
  });

  describe('under their own names, in transactions of its own, without what was taken back, and without tombstones', () => {
    let maker: MirrorMaker;

    beforeAll(async () => {
      await create('same.plain');
      await send(pangyo, 'same.plain', records(400));
      await create('same.paid');
      await pay('same.paid', 10);
      await create('same.dropped');
      const removed = records(2, 10).map((one) => Object.assign(one, { value: null }));
      await send(pangyo, 'same.dropped', [...records(10), ...removed, ...records(5, 12)]);
      // By another name, it knows nothing of the other one.
      maker = await MirrorMaker.start(
        pangyo,
        gasan,
        { from: 'seoul', to: 'gasan' },
        {
          'replication.policy.class': 'org.apache.kafka.connect.mirror.IdentityReplicationPolicy',
          'seoul->gasan.topics': 'same\\..*',
          'seoul.consumer.isolation.level': 'read_committed',
          'gasan.exactly.once.source.support': 'enabled',
          'seoul->gasan.transforms': 'drop',
          'seoul->gasan.transforms.drop.type': 'org.apache.kafka.connect.transforms.Filter',
          'seoul->gasan.transforms.drop.predicate': 'tombstone',
          'seoul->gasan.predicates': 'tombstone',
          'seoul->gasan.predicates.tombstone.type':
            'org.apache.kafka.connect.transforms.predicates.RecordIsTombstone',
        },
      );
      await comes(maker, 'same.plain', 401);
      await comes(maker, 'same.paid', 6);
      await comes(maker, 'same.dropped', 16);
    }, 300_000);

    afterAll(() => maker?.end());

    test('are the same at other offsets', async () => {
      expect(summary(await compare('same.plain', 'same.plain'))).toEqual(['same', [], [400]]);
      expect(summary(await compare('same.paid', 'same.paid'))).toEqual(['same', [], [5]]);
    });

    test('lack the tombstones, each by its offset on the primary', async () => {
      const { outcome, partitions, reasons } = await compare('same.dropped', 'same.dropped');
      expect([outcome, partitions[0]?.missing]).toEqual([
        'different',
        expect.objectContaining({ count: 2n, offsets: [10n, 11n] }),
      ]);
      expect(reasons).toEqual([
        'partition 0: 2 records are missing on the candidate (offsets 10 without a key, 11 key order 11 on the primary)',
      ]);
    });

    test(
      'have groups whose places stand behind the ends of MirrorMaker’s transactions',
      PATIENT,
      async () => {
        await commit(pangyo, 'ledger', 'same.plain', 400);
        await maker.until(
          async () => (await offsetOf('ledger', 'same.plain')) >= 0,
          () => 'no offset of the group was translated',
        );
        const { outcome, groups, groupsCompared } = await compare('same.plain', 'same.plain');
        expect([outcome, groups, groupsCompared]).toEqual(['same', [], 1]);
      },
    );
  });
});
