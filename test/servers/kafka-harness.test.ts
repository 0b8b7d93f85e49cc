import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { KAFKA, missingPackage } from './harness/kafka-packages.ts';
import { createKafka, type KafkaServer } from './harness/kafka-server.ts';

const missing = await missingPackage(KAFKA);

describe.skipIf(missing !== null)(`a broker for tests${missing === null ? '' : ` (${missing})`}`, () => {
  let kafka: KafkaServer;

  // The first time its programs are downloaded.
  beforeAll(async () => {
    kafka = await createKafka();
  }, 300_000);

  afterAll(() => kafka.destroy());

  test('takes and gives records, and keeps them over a kill', async () => {
    const admin = await kafka.admin();
    await admin.createTopics({ topics: [{ topic: 'letters', numPartitions: 2 }] });
    const producer = kafka.client().producer({ idempotent: true });
    await producer.connect();
    await producer.send({
      topic: 'letters',
      messages: ['a', 'b', 'c'].map((value) => ({ value, partition: 1 })),
    });
    await producer.disconnect();
    await kafka.kill();
    await kafka.start();
    const offsets = await (await kafka.admin()).fetchTopicOffsets('letters');
    expect(offsets.map(({ partition, high }) => `${partition}:${high}`).sort()).toEqual(['0:0', '1:3']);
  });
});
