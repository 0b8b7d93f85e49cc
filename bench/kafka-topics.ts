import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Message, Producer } from 'kafkajs';
import { createKafka, type KafkaServer } from '../test/servers/harness/kafka-server.ts';
import { createTopic } from '../test/servers/harness/kafka-topics.ts';
import { type Measurement, measure, median } from './measure.ts';

/**
 * What `verify` of a topic and its replica takes, as a ratio to draining both with kafkajs alone
 * (bench/kafka-drain.ts), each as a whole process, in turns. Both topics are on one broker.
 *
 *   node dist/bench/kafka-topics.js [--records 5000000] [--bytes 100] [--partitions 4] [--rounds 3]
 */
const { values: options } = parseArgs({
  options: {
    records: { type: 'string', default: '5000000' },
    bytes: { type: 'string', default: '100' },
    partitions: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '3' },
  },
});
const records = Number(options.records);
const partitions = Number(options.partitions);
const CLI = fileURLToPath(new URL('../src/cli.js', import.meta.url));
const DRAIN = fileURLToPath(new URL('kafka-drain.js', import.meta.url));
const TOPICS = ['orders', 'dr.orders'] as const;
/** Brokers take 1 MiB of one partition at once. */
const BYTES_AT_ONCE = 800_000;

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** The same records in both topics. */
async function fill(kafka: KafkaServer): Promise<void> {
  const size = Number(options.bytes);
  const at = Math.max(1, Math.floor(BYTES_AT_ONCE / (size + 60)));
  const filler = randomBytes(size).toString('base64').slice(0, size);
  const producer = kafka.client().producer();
  await producer.connect();
  const started = Date.now();
  for (let first = 0, turn = 0; first < records; first += at, turn += 1) {
    const messages: Message[] = [];
    for (let index = first; index < Math.min(first + at, records); index += 1) {
      messages.push({
        key: `order ${index}`,
        value: `${index} ${filler}`,
        headers: { source: 'bench' },
        timestamp: String(started + (index >> 10)),
        partition: turn % partitions,
      });
    }
    await sendTo(producer, messages);
  }
  await producer.disconnect();
}

async function sendTo(producer: Producer, messages: Message[]): Promise<void> {
  await Promise.all(TOPICS.map((topic) => producer.send({ topic, acks: 1, messages })));
}

function report(what: string, { seconds, cpuSeconds, peakMiB }: Measurement): void {
  const rate = Math.round((2 * records) / seconds / 1000);
  print(
    `  ${what}: ${seconds.toFixed(1)} s (${rate}k records/s of both), ${cpuSeconds.toFixed(1)} s of CPU, ` +
      `at most ${(peakMiB ?? 0).toFixed(0)} MiB`,
  );
}

async function run(kafka: KafkaServer): Promise<void> {
  const addresses = TOPICS.map((topic) => `kafka://${kafka.broker}/${topic}`);
  const verify = [CLI, 'verify', '--primary', addresses[0] ?? '', '--candidate', addresses[1] ?? ''];
  const ratios: number[] = [];
  for (let round = 0; round < Number(options.rounds); round += 1) {
    const drained = await measure(process.execPath, [DRAIN, kafka.broker, ...TOPICS]);
    report('kafkajs alone', drained);
    const verified = await measure(process.execPath, verify);
    report('verify', verified);
    if (drained.exitCode !== 0 || verified.exitCode !== 0) throw new Error(verified.stdout);
    ratios.push(verified.seconds / drained.seconds);
  }
  print(`verify ÷ draining both (target: at most 1.3): ${median(ratios).toFixed(2)}`);
}

const kafka = await createKafka({ 'num.io.threads': '4' });
try {
  const admin = await kafka.admin();
  for (const topic of TOPICS) await createTopic(admin, topic, partitions);
  print(`${records} records in each of two topics of ${partitions} partitions…`);
  await fill(kafka);
  await run(kafka);
} finally {
  await kafka.destroy();
}
