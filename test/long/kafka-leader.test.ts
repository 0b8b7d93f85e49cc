import { readFileSync, truncateSync } from 'node:fs';
import path from 'node:path';
import type { Message } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTopicOutlet } from '../../connectors/kafka/topic-outlet.ts';
import { openTopicSite } from '../../connectors/kafka/topic-site.ts';
import { openTopicStream, type TopicStreamOptions } from '../../connectors/kafka/topic-stream.ts';
import type { ChangeEvent, ChangeStream } from '../../src/connector/changes.ts';
import type { Position } from '../../src/connector/position.ts';
import { type Cluster, createCluster } from '../servers/harness/cluster.ts';
import { waitUntil } from '../../src/demo/cluster-wait.ts';
import { REAL_TIMING } from '../../src/commands/timing.ts';
import { TwinproofError } from '../../src/errors.ts';
import { Publisher } from '../../src/service/publisher.ts';
import { prepareStream } from '../servers/harness/change-stream.ts';
import { becomesProven, certify, fenced, provenWatch } from '../servers/harness/certify-ledger.ts';
import { runCli } from '../servers/harness/cli.ts';
import { builtProgram } from '../servers/harness/cli-build.ts';
import { recordOf, STATED_COLUMNS, type StatedChange } from '../servers/harness/kafka-changes.ts';
import { KafkaPair } from '../servers/harness/kafka-cluster.ts';
import { FeedFolder } from '../servers/harness/kafka-feed.ts';
import { KAFKA, missingPackage } from '../servers/harness/kafka-packages.ts';
import { postgresRows, Sink } from '../servers/harness/kafka-sink.ts';
import { forever } from '../servers/harness/server-set.ts';
import { problemsOf, type RunningWatch } from '../servers/harness/watch.ts';

const missing = await missingPackage(KAFKA);
const LIMIT_MS = 90_000;
const COLUMNS = `{ decimals: precise, times: adaptive, binary: bytes, columns: { public.letters: { id: integer, text: text } } }`;
const SINK = { group: 'sink', topics: ['w.public.letters'] };
const LETTERS = 'f.public.letters';
const ENDS = 'f.transaction';

type Opening = (after: Position | null, signal: AbortSignal) => Promise<ChangeStream>;

/** What a stream gave that is opened again, as a watch does, where it ended for a while. */
class Followed {
  readonly events: ChangeEvent[] = [];
  readonly codes: string[] = [];
  position: Position | null = null;

  get told(): string {
    return [...this.events.map(({ type }) => type), ...this.codes].join(' ');
  }

  /** Until aborted, or until it lacks something. */
  async follow(open: Opening, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.codes.at(-1) !== 'TP-GAP') {
      try {
        const stream = await open(this.position, signal);
        for await (const batch of stream.batches) {
          this.events.push(...batch);
          for (const event of batch) if ('position' in event) this.position = event.position;
        }
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof TwinproofError)) throw error;
        this.codes.push(error.code);
      }
    }
  }
}

describe.skipIf(missing !== null)(`another leader${missing === null ? '' : ` (${missing})`}`, () => {
  let kafka: KafkaPair;
  let candidate: Cluster;
  let folder: FeedFolder;
  let watch: RunningWatch;
  let sink: Sink;
  const letters = new Followed();
  const stopped = new AbortController();
  let reading: Promise<void>;
  let publishing: Promise<void>;
  let published = 0;

  beforeAll(async () => {
    builtProgram();
    [kafka, candidate] = await Promise.all([
      KafkaPair.create(),
      createCluster({ version: 17, settings: { wal_level: 'logical' } }),
    ]);
    await candidate.sql('CREATE TABLE letters (id int PRIMARY KEY, text text)');
    await prepareStream(candidate, 'TABLE letters');
    for (const topic of [...SINK.topics, LETTERS, ENDS, 'dr.rpo']) await kafka.createTopic(topic, [[2, 1]]);
    await kafka.createTopic('elsewhere', [[2]]);
    await send('elsewhere', [{ value: 'x' }]);
    await send(SINK.topics[0], changes({ op: 'r', id: 1, text: 'a', tx: 1, lsn: 5, mark: 'last' }));
    folder = new FeedFolder({
      kafka: kafka.second,
      brokers: [kafka.first.broker],
      prefix: 'w',
      candidate,
      group: SINK.group,
      topics: COLUMNS,
    });
    sink = await Sink.start(kafka.client(), postgresRows(candidate), SINK);
    watch = await provenWatch(folder, ['gasan'], 1);
  }, 300_000);

  afterAll(async () => {
    stopped.abort();
    await publishing?.catch(() => undefined);
    await reading?.catch(() => undefined);
    await watch?.stop().catch(() => undefined);
    await sink?.stop().catch(() => undefined);
    await kafka?.destroy();
    await candidate?.destroy();
    folder?.remove();
  });

  async function send(topic = '', messages: readonly Message[] = []): Promise<void> {
    const producer = kafka.client().producer();
    await producer.connect();
    await producer.send({ topic, acks: -1, messages: messages.map((one) => ({ ...one, partition: 0 })) });
    await producer.disconnect();
  }

  const changes = (...stated: StatedChange[]): Message[] => stated.map(recordOf);
  const tied = (change: StatedChange): Message => {
    const { key, value } = recordOf(change);
    return { key, value: value.replace('"transaction":null', '"transaction":{"id":"1:1"}') };
  };
  const told = (status: 'BEGIN' | 'END', tx: number): Message => {
    const counts = [{ data_collection: 'public.letters', event_count: 1 }];
    return { value: JSON.stringify({ status, id: `${tx}:9`, data_collections: counts }) };
  };

  function open(topic: string, feed: TopicStreamOptions['feed']): Opening {
    const settings = { decimals: 'precise', times: 'adaptive', binary: 'bytes' } as const;
    const options: TopicStreamOptions = {
      topics: [topic],
      decoder: { settings, declared: new Map([['public.letters', STATED_COLUMNS]]), beforeImages: false },
      waitMs: 200,
      ...(feed === undefined ? {} : { feed }),
    };
    return (after, signal) => openTopicStream(kafka.client(), options, after, signal);
  }

  const rows = (): string[] =>
    letters.events.flatMap((event) =>
      event.type === 'insert' || event.type === 'update' ? [event.type] : [],
    );

  function publish(): Promise<void> {
    const address = { brokers: kafka.brokers, tls: null, sasl: null };
    const publisher = new Publisher({
      open: () => openTopicOutlet(address, 'dr.rpo'),
      bytesMax: 4 * 1024 * 1024,
      timing: REAL_TIMING,
      random: Math.random,
      tell: () => undefined,
    });
    const timer = setInterval(() => publisher.publish('bank/gasan', { number: (published += 1) }), 20);
    stopped.signal.addEventListener('abort', () => clearInterval(timer));
    return publisher.run(stopped.signal);
  }

  /** Numbers of what was published, as they stand in the topic. */
  async function numbers(): Promise<number[]> {
    const site = await openTopicSite({ brokers: kafka.brokers, tls: null, sasl: null }, 'dr.rpo');
    const { partitions } = await site.facts(forever());
    await site.close();
    const wanted = Number(partitions[0]?.high ?? 0n);
    const found: number[] = [];
    const consumer = kafka.client().consumer({ groupId: `numbers-${wanted}`, maxWaitTimeInMs: 100 });
    await consumer.connect();
    await consumer.subscribe({ topics: ['dr.rpo'], fromBeginning: true });
    await consumer.run({
      eachMessage: ({ message }) => {
        const { number }: { readonly number: number } = JSON.parse(String(message.value));
        found.push(number);
        return Promise.resolve();
      },
    });
    await waitUntil(
      () => Promise.resolve(found.length >= wanted),
      LIMIT_MS,
      () => `${found.length} came`,
    );
    await consumer.disconnect();
    return found;
  }

  test('goes on with the records of a stream, also those that wait for the rest of their transaction', async () => {
    await send(LETTERS, [
      tied({ op: 'c', id: 1, text: 'a', tx: 1, lsn: 110 }),
      tied({ op: 'u', id: 1, text: 'b', tx: 2, lsn: 210 }),
    ]);
    await send(ENDS, [told('BEGIN', 1), told('END', 1)]);
    const opening = open(LETTERS, { prefix: 'f', beside: { transactions: ENDS, schemas: null } });
    reading = letters.follow(opening, stopped.signal);
    reading.catch(() => undefined);
    publishing = publish();
    // The second record came with the first.
    const isFirst = (): Promise<boolean> => Promise.resolve(rows().length === 1 && published > 10);
    await waitUntil(isFirst, LIMIT_MS, () => JSON.stringify(rows()));
    await kafka.second.kill();
    await kafka.isLed(LETTERS, 1);
    await kafka.isLed(ENDS, 1);
    await send(LETTERS, [tied({ op: 'u', id: 1, text: 'c', tx: 3, lsn: 310 })]);
    await send(ENDS, [told('BEGIN', 2), told('END', 2), told('BEGIN', 3), told('END', 3)]);
    const isAll = (): Promise<boolean> =>
      Promise.resolve(rows().length >= 3 && letters.events.at(-1)?.type === 'idle');
    await waitUntil(isAll, LIMIT_MS, () => letters.told);
    expect(rows()).toEqual(['insert', 'update', 'update']);
    expect(letters.told).not.toContain('gap');
  }, 200_000);

  test('goes on with a watch, whose address names another broker, while a topic of others has no leader', async () => {
    await send(SINK.topics[0], changes({ op: 'u', id: 1, text: 'A', tx: 3, lsn: 310 }));
    await waitUntil(
      async () => (await candidate.sql(`SELECT 1 FROM letters WHERE text = 'A'`)).length === 1,
      LIMIT_MS,
      () => 'the sink did not write',
    );
    await watch.sees(
      () => folder.reading(({ core }) => (core.committed.newestUs ?? 0n) >= 1_700_000_000_003_007n),
      'the change is in the ledger',
    );
    await becomesProven(folder, 'gasan', 1);
    expect(await problemsOf(folder)).toEqual([]);
    expect(watch.lines.filter(({ event }) => event === 'gap')).toEqual([]);
    const { verdict } = await certify(folder, '--primary-lost', ...fenced());
    expect(verdict).toMatchObject({ integrity: 'same', loss: { kind: 'bounded', transactions: '0' } });
  }, 200_000);

  test('is waited for by who reads a topic that has none, and said', async () => {
    const url = `kafka://${kafka.first.broker}/elsewhere`;
    const { code, stderr, stdout } = await runCli(['verify', '--primary', url, '--candidate', url]);
    expect(code).not.toBe(0);
    expect(`${stdout}${stderr}`).toMatch(/has no leader: see which broker is down/);
    expect(`${stdout}${stderr}`).not.toContain('TP-BUG');
  }, 120_000);

  test('is no reason for what is published to be lost, and the first one may come back', async () => {
    await kafka.second.start();
    await kafka.isLed(LETTERS, 2);
    await send(LETTERS, [tied({ op: 'u', id: 1, text: 'd', tx: 4, lsn: 410 })]);
    await send(ENDS, [told('BEGIN', 4), told('END', 4)]);
    const isAll = (): Promise<boolean> =>
      Promise.resolve(rows().length >= 4 && letters.events.at(-1)?.type === 'idle');
    await waitUntil(isAll, LIMIT_MS, () => letters.told);
    expect(rows()).toHaveLength(4);
    expect(letters.told).not.toContain('gap');
    stopped.abort();
    await publishing;
    const found = await numbers();
    expect([...new Set(found)]).toEqual(Array.from({ length: published }, (_, index) => index + 1));
    await becomesProven(folder, 'gasan', 1);
  }, 200_000);

  test('that lost the end of the log is found out, although it has as many records again', async () => {
    await kafka.createTopic('cut', [[2]]);
    for (const id of [1, 2]) await send('cut', changes({ op: 'c', id, text: 'x', tx: id, lsn: id * 100 }));
    const cut = new Followed();
    const following = cut.follow(open('cut', undefined), forever());
    following.catch(() => undefined);
    const isRead = (): Promise<boolean> => Promise.resolve(/cut:0@2/.test(cut.position ?? ''));
    await waitUntil(isRead, LIMIT_MS, () => cut.told);
    await kafka.second.kill();
    cutLastBatch(path.join(kafka.second.home, 'data', 'cut-0', '00000000000000000000.log'));
    await kafka.second.start();
    await kafka.isLed('cut', 2);
    await send('cut', changes({ op: 'c', id: 9, text: 'another', tx: 9, lsn: 900 }));
    await following;
    expect(cut.codes.at(-1)).toBe('TP-GAP');
  }, 200_000);
});

/** As a disk that lost what was not written through. A batch's length stands behind its offset (Kafka documentation, "Record Batch"). */
function cutLastBatch(file: string): void {
  const log = readFileSync(file);
  let last = 0;
  for (let at = 0; at < log.length; at += 12 + log.readInt32BE(at + 8)) last = at;
  truncateSync(file, last);
}
