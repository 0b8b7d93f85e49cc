import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Brokers } from '../../connectors/kafka/brokers.ts';
import { RecordCursor } from '../../connectors/kafka/record-batch.ts';
import { SinkGroup } from '../../connectors/kafka/sink-group.ts';
import { parsePosition } from '../../connectors/kafka/position.ts';
import { type TakeRecords, TopicReader } from '../../connectors/kafka/topic-reader.ts';
import { parseUrl } from '../../src/config/url.ts';
import { kcat, KcatBrokers, missingKcat } from './harness/kcat.ts';
import { forever } from './harness/server-set.ts';

const missing = await missingKcat();
const skipped = missing === null ? '' : ` (${missing})`;
const COUNT = 2000;
const LINES = Array.from({ length: COUNT }, (_, index) => `order ${index}:paid ${'x'.repeat(index % 50)}`);

/** Another producer than Kafka's own and kafkajs, and brokers that tell no ids of topics. */
describe.skipIf(missing !== null)(`brokers and records of librdkafka${skipped}`, () => {
  let brokers: KcatBrokers;

  beforeAll(async () => {
    brokers = await KcatBrokers.start();
  }, 60_000);

  afterAll(() => brokers.end());

  const client = (): Kafka => new Kafka({ brokers: [brokers.broker], logLevel: logLevel.NOTHING });

  const send = (topic: string, codec: string, lines: readonly string[]): Promise<void> =>
    kcat(
      ['-P', '-b', brokers.broker, '-t', topic, '-p', '0', '-K', ':', '-X', `compression.codec=${codec}`],
      lines.join('\n'),
    );

  it.each(['none', 'gzip', 'snappy', 'lz4'])('give whole records, compressed with %s', async (codec) => {
    const topic = `orders-${codec}`;
    await send(topic, codec, LINES);
    const read: string[] = [];
    const cursor = new RecordCursor();
    const take: TakeRecords = (_, { batches }) => {
      for (const batch of batches) {
        cursor.open(batch);
        while (cursor.next()) {
          read.push([cursor.key, cursor.value].map((bytes) => Buffer.from(bytes ?? []).toString()).join(':'));
        }
      }
      return null;
    };
    const partitions = new Map([[0, { from: 0n, end: BigInt(COUNT) }]]);
    await new TopicReader(client(), { topic, partitions }, take).run(forever());
    expect(read).toEqual(LINES);
  });

  it('tell where topics end and how far a group is, without ids of topics', async () => {
    const topic = 'bank.public.orders';
    await send(topic, 'none', LINES.slice(0, 10));
    const asked = await Brokers.connect(client(), 'written');
    const ends = await asked.endsOf([topic]);
    await asked.close();
    expect(ends.get(`${topic}:0`)).toEqual({ topic, partition: 0, low: 0n, high: 10n, topicId: null });

    const consumer = client().consumer({ groupId: 'sink' });
    let came = 0;
    const all = new Promise<void>((resolve) => {
      consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
        came += payload.batchSize;
        if (came === 10) resolve();
      });
    });
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({ eachMessage: () => Promise.resolve() });
    await all;
    await consumer.commitOffsets([{ topic, partition: 0, offset: '7' }]);
    await consumer.disconnect();
    const { address } = parseUrl(`kafka://${brokers.broker}/bank`, 'argument');
    const unknown = { decimals: null, times: null, binary: null, dates: null };
    const topics = {
      tables: { include: ['public.*'], exclude: [] },
      ...unknown,
      wholeBefore: false,
      placeholder: null,
      columns: new Map(),
    };
    const group = new SinkGroup(client(), 'bank', { group: 'sink', address, topics }, Date.now);
    const { written } = await group.place(forever());
    await group.close();
    expect(parsePosition(written)?.places.get(`${topic}:0`)).toMatchObject({ offset: 7n, topicId: null });
  });
});
