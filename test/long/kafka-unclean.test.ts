import type { Message } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parsePosition, positionText } from '../../connectors/kafka/position.ts';
import { openTopicStream } from '../../connectors/kafka/topic-stream.ts';
import type { ChangeEvent } from '../../src/connector/changes.ts';
import type { Position } from '../../src/connector/position.ts';
import { type Cluster, createCluster } from '../servers/harness/cluster.ts';
import { waitUntil } from '../../src/demo/cluster-wait.ts';
import { becomesProven, certify, fenced, provenWatch, weighty } from '../servers/harness/certify-ledger.ts';
import { prepareStream } from '../servers/harness/change-stream.ts';
import { runCli } from '../servers/harness/cli.ts';
import { builtProgram } from '../servers/harness/cli-build.ts';
import { recordOf, STATED_COLUMNS } from '../servers/harness/kafka-changes.ts';
import { KafkaTrio } from '../servers/harness/kafka-cluster.ts';
import { FeedFolder } from '../servers/harness/kafka-feed.ts';
import { KAFKA, missingPackage } from '../servers/harness/kafka-packages.ts';
import { postgresRows, Sink } from '../servers/harness/kafka-sink.ts';
import { forever } from '../servers/harness/server-set.ts';
import { RunningWatch } from '../servers/harness/watch.ts';

const missing = await missingPackage(KAFKA);
const LETTERS = 'w.public.letters';
const REPLICA = 'kept.letters';
const SINK = { group: 'sink', topics: [LETTERS] };
const UNCLEAN = { 'unclean.leader.election.enable': 'true' };
const COLUMNS = `{ decimals: precise, times: adaptive, binary: bytes, columns: { public.letters: { id: integer, text: text } } }`;
const LOST =
  /does not hold the record that was read there last|or its log lost its end|it was made anew, or its log/;

/** One story: a replica that stood still becomes the leader, and what the former one had taken in since is lost. */
describe.skipIf(missing !== null)(
  `a leader that lacks records${missing === null ? '' : ` (${missing})`}`,
  () => {
    let kafka: KafkaTrio;
    let candidate: Cluster;
    let folder: FeedFolder;
    let watch: RunningWatch;
    let sink: Sink;
    let fence: readonly string[];
    const startedMs = Math.floor(Date.now() / 1000) * 1000;

    beforeAll(async () => {
      builtProgram();
      [kafka, candidate] = await Promise.all([
        KafkaTrio.create(),
        createCluster({ version: 17, settings: { wal_level: 'logical' } }),
      ]);
      await candidate.sql('CREATE TABLE letters (id int PRIMARY KEY, text text)');
      await prepareStream(candidate, 'TABLE letters');
      await kafka.createTopic(LETTERS, [[2, 3]], UNCLEAN);
      await kafka.createTopic(REPLICA, [[1]]);
      for (const topic of [LETTERS, REPLICA]) await send(topic, letter('r', 1, 'a'));
      folder = new FeedFolder({
        kafka: kafka.first,
        prefix: 'w',
        candidate,
        group: SINK.group,
        topics: COLUMNS,
        policy: '{ rpo: 1h }',
      });
      sink = await startSink();
      watch = await provenWatch(folder, ['gasan'], 1);
    }, 300_000);

    afterAll(async () => {
      await watch?.stop().catch(() => undefined);
      await sink?.stop().catch(() => undefined);
      await kafka?.destroy();
      await candidate?.destroy();
      folder?.remove();
    });

    function startSink(): Promise<Sink> {
      return Sink.start(kafka.client(), postgresRows(candidate), SINK);
    }

    /** Records of one number have the same place, time and size, whatever their text. */
    function letter(op: 'r' | 'u', number: number, text: string): Message {
      const change = { op, id: 1, text, tx: number, lsn: number * 100 + 5, mark: 'last' } as const;
      const { key, value } = recordOf(change);
      const now = value.replaceAll('1700000000', String(startedMs / 1000));
      return { key, value: now, timestamp: String(startedMs + number) };
    }

    async function send(topic: string, message: Message): Promise<void> {
      const producer = kafka.client().producer();
      await producer.connect();
      await producer.send({ topic, acks: -1, messages: [{ ...message, partition: 0 }] });
      await producer.disconnect();
    }

    async function holds(text: string): Promise<void> {
      const isSo = async (): Promise<boolean> =>
        (await candidate.sql(`SELECT 1 FROM letters WHERE text = '${text}'`)).length === 1;
      await waitUntil(isSo, 90_000, () => `the sink did not write ${text}`);
    }

    function streamBehind(after: Position | null) {
      const settings = { decimals: 'precise', times: 'adaptive', binary: 'bytes' } as const;
      const declared = new Map([['public.letters', STATED_COLUMNS]]);
      const decoder = { settings, declared, beforeImages: false };
      return openTopicStream(kafka.client(), { topics: [LETTERS], decoder, waitMs: 200 }, after, forever());
    }

    /** Everything until nothing more is there. */
    async function behind(after: Position | null): Promise<string[]> {
      const stream = await streamBehind(after);
      const events: ChangeEvent[] = [];
      for await (const batch of stream.batches) {
        events.push(...batch);
        if (batch.at(-1)?.type === 'idle') break;
      }
      return events.map(({ type }) => type).filter((type) => type !== 'idle');
    }

    const positionNow = (): Promise<Position | null> => folder.reading(({ position }) => position);

    test('is chosen while nobody watches: the ledger stands behind records that are there no more', async () => {
      await holds('a');
      await kafka.third.kill();
      await kafka.isInSync(LETTERS, [2]);
      for (const [number, text] of [
        [3, 'b'],
        [4, 'c'],
      ] as const) {
        for (const topic of [LETTERS, REPLICA]) await send(topic, letter('u', number, text));
      }
      await holds('c');
      await watch.sees(
        () => folder.reading(({ core }) => (core.committed.newestUs ?? 0n) >= BigInt(startedMs + 4) * 1000n),
        'the change is in the ledger',
      );
      fence = fenced();
      await becomesProven(folder, 'gasan', 1);
      const before = await certify(folder, '--primary-lost', ...fence);
      expect(before.verdict).toMatchObject({ verdict: 'SAFE_WITH_LOSS', integrity: 'same' });
      await sink.stop();
      await watch.stop();
      expect(await positionNow()).toMatch(/w\.public\.letters:0@3~\d+\.\d+\.\d+\+[\w-]{8}$/);
      await kafka.second.kill();
      await kafka.third.start();
      await kafka.isLed(LETTERS, 3);
      for (const [number, text] of [
        [3, 'x'],
        [4, 'y'],
      ] as const)
        await send(LETTERS, letter('u', number, text));
    }, 240_000);

    test('is told from the one before by its epoch, though its records are of the same times and sizes', async () => {
      const position = await positionNow();
      await expect(behind(position)).rejects.toMatchObject({ code: 'TP-GAP', message: LOST });
      const stored = position === null ? null : parsePosition(position);
      const withoutEpoch = new Map(
        [...(stored?.places ?? [])].map(([name, place]) => {
          const mark = place.mark?.split('.').slice(0, 2).join('.') ?? null;
          return [name, { offset: place.offset, mark, topicId: place.topicId ?? null }];
        }),
      );
      expect(await behind(positionText(stored?.clusterId ?? '', withoutEpoch))).toEqual([]);
    }, 240_000);

    test('certifies nothing, before and after a watch has found it out', async () => {
      const unseen = await certify(folder, '--primary-lost', ...fence);
      expect(weighty(unseen.verdict)).toContain('TP-V-LINEAGE candidate');
      expect(JSON.stringify(unseen.verdict.reasons)).toMatch(LOST);
      expect(unseen).toMatchObject({ code: 3, verdict: { verdict: 'UNKNOWN' } });
      watch = new RunningWatch(folder);
      await watch.said(/^gap$/, LOST);
      sink = await startSink();
      const { verdict } = await certify(folder, '--primary-lost', ...fenced());
      expect(['UNKNOWN', 'NOT_SAFE']).toContain(verdict.verdict);
      // The sink has what was lost, and takes what stands in its place for read.
      await watch.said(/difference/, /letters.*changed/);
      const seen = await certify(folder, '--primary-lost', ...fenced());
      expect(seen).toMatchObject({ code: 2, verdict: { verdict: 'NOT_SAFE', integrity: 'different' } });
    }, 240_000);

    test('is found out by a comparison with a replica of the topic', async () => {
      const url = (topic: string): string => `kafka://${kafka.first.broker}/${topic}`;
      const sites = ['--primary', url(LETTERS), '--candidate', url(REPLICA)];
      const { code, stdout, stderr } = await runCli(['verify', ...sites, '--format', 'json']);
      expect(code, `${stdout}${stderr}`).toBe(2);
      expect(`${stdout}${stderr}`).toMatch(/lost|missing/);
    }, 240_000);
  },
);
