import { Kafka, logLevel } from 'kafkajs';

/**
 * Reads the topics named, from their beginnings to their present ends, with kafkajs alone, and does nothing with them:
 * what `verify` of topics is measured against. `node dist/bench/kafka-drain.js BROKER TOPIC…`
 */
const [broker = '', ...topics] = process.argv.slice(2);
const client = new Kafka({ brokers: [broker], logLevel: logLevel.NOTHING });

async function drain(topic: string): Promise<number> {
  const admin = client.admin();
  await admin.connect();
  const offsets = await admin.fetchTopicOffsets(topic);
  await admin.disconnect();
  const ends = new Map(offsets.map(({ partition, high }) => [partition, BigInt(high)]));
  const left = new Set([...ends].flatMap(([partition, end]) => (end > 0n ? [partition] : [])));
  const consumer = client.consumer({ groupId: `drain-${process.pid}-${topic}` });
  let records = 0;
  let done: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => (done = resolve));
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: false,
    eachBatch: (payload) => {
      const { batch } = payload;
      records += batch.messages.length;
      payload.resolveOffset(batch.lastOffset());
      if (BigInt(batch.lastOffset()) + 1n >= (ends.get(batch.partition) ?? 0n)) left.delete(batch.partition);
      if (left.size === 0) done();
      return Promise.resolve();
    },
  });
  await ended;
  await consumer.disconnect();
  return records;
}

const counts = await Promise.all(topics.map((topic) => drain(topic)));
process.stdout.write(`${counts.join(' ')}\n`);
