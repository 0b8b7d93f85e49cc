import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { kafkaClient } from '../connectors/kafka/client.ts';
import { comparePositions } from '../connectors/kafka/position.ts';
import { openTopicStream } from '../connectors/kafka/topic-stream.ts';
import { Ledger } from '../src/ledger/ledger.ts';
import { recordOf, STATED_COLUMNS } from '../test/servers/harness/kafka-changes.ts';
import { createKafka, type KafkaServer } from '../test/servers/harness/kafka-server.ts';
import { createTopic } from '../test/servers/harness/kafka-topics.ts';
import { drain } from './ledger-drain.ts';
import { cpuOf } from './measure.ts';

/**
 * How many change events a second the ledger takes, durably, from a Debezium topic without schemas (target: 50,000 of
 * up to 1 KB, on two cores with the broker): first inserts, then updates at random.
 *
 *   node dist/bench/kafka-ledger.js [--events 500000] [--bytes 1000] [--partitions 2]
 */
const { values: options } = parseArgs({
  options: {
    events: { type: 'string', default: '500000' },
    bytes: { type: 'string', default: '1000' },
    partitions: { type: 'string', default: '2' },
  },
});
const events = Number(options.events);
const bytes = Number(options.bytes);
const partitions = Number(options.partitions);
const TOPIC = 'p.public.letters';
const PER_TRANSACTION = 10;
/** Brokers take 1 MiB of one partition at once. */
const BYTES_AT_ONCE = 800_000;

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Text that makes an event as long as wanted. */
function fillerOf(): string {
  const bare = recordOf({ op: 'u', id: events, text: '', tx: events, lsn: events * 100 }).value.length;
  return randomBytes(bytes)
    .toString('base64')
    .slice(0, Math.max(0, bytes - bare));
}

async function fill(kafka: KafkaServer, op: 'c' | 'u', firstTx: number): Promise<void> {
  const producer = kafka.client().producer();
  await producer.connect();
  const filler = fillerOf();
  const at = Math.max(1, Math.floor(BYTES_AT_ONCE / (bytes + 50)));
  const batches: { partition: number; key: string | null; value: string }[][] = [];
  for (let partition = 0; partition < partitions; partition += 1) batches.push([]);
  for (let index = 0; index < events; index += 1) {
    // Lehmer's generator: every key once before any comes again is not wanted of updates.
    const id = op === 'c' ? index : (index * 48_271) % events;
    const tx = firstTx + Math.floor(index / PER_TRANSACTION);
    const change = { op, id, text: `${op}${index}${filler}`, tx, lsn: tx * 100 + (index % 100) };
    const batch = batches[id % partitions];
    batch?.push({ ...recordOf({ ...change, last: tx * 100 - 1 }), partition: id % partitions });
    if (batch === undefined || batch.length < at) continue;
    await producer.send({ topic: TOPIC, acks: 1, messages: batch.splice(0) });
  }
  for (const messages of batches) await producer.send({ topic: TOPIC, acks: 1, messages });
  await producer.disconnect();
}

async function report(what: string, kafka: KafkaServer, ledger: Ledger): Promise<void> {
  const client = await kafkaClient({ brokers: [kafka.broker], tls: null, sasl: null });
  const streamOptions = {
    topics: [TOPIC],

    decoder: {
      settings: { decimals: 'precise', times: 'adaptive', binary: 'bytes' },
      declared: new Map([['public.letters', STATED_COLUMNS]]),
      beforeImages: false,
    },
    waitMs: 200,
  } as const;
  const before = cpuOf(kafka.pid ?? undefined) ?? 0;
  const source = {
    stream: (after: typeof ledger.position) =>
      openTopicStream(client, streamOptions, after, new AbortController().signal),
    senderSeconds: () => Promise.resolve((cpuOf(kafka.pid ?? undefined) ?? 0) - before),
    streamEnded: () => Promise.resolve(),
  };
  const { changes, seconds, ownSeconds, senderSeconds, peakMiB } = await drain(source, ledger, events);
  print(
    `${what}: ${Math.round(changes / seconds)}/s by the clock (target: 50000); an event takes ` +
      `${((ownSeconds / changes) * 1e6).toFixed(1)} µs of CPU here and ${((senderSeconds / changes) * 1e6).toFixed(1)} µs ` +
      `of the broker's; private memory at most ${peakMiB.toFixed(0)} MiB`,
  );
}

const folder = mkdtempSync(path.join(tmpdir(), 'twinproof-bench-kafka-'));
const kafka = await createKafka();
try {
  await createTopic(await kafka.admin(), TOPIC, partitions);
  const ledger = await Ledger.open({
    folder,
    system: 'bench',
    source: 'bench',
    digest: 'xxh64',
    comparePositions,
    retention: { timeUs: 10n ** 15n, bytes: 2 ** 40 },
    now: () => new Date(),
  });
  print(`${events} events of ${bytes} bytes in ${partitions} partitions…`);
  await fill(kafka, 'c', 1);
  await report('inserts', kafka, ledger);
  await fill(kafka, 'u', events);
  await report('updates at random', kafka, ledger);
  await ledger.close();
} finally {
  await kafka.destroy();
  rmSync(folder, { recursive: true, force: true });
}
