import { Kafka } from 'kafkajs';
import { describe, expect, it } from 'vitest';
import type { Broker, Cluster } from '../../connectors/kafka/cluster.ts';
import { crc32c } from '../../connectors/kafka/crc32c.ts';
import { PartitionFetch } from '../../connectors/kafka/partition-fetch.ts';
import { PartitionReading } from '../../connectors/kafka/partition-reading.ts';
import { RecordCursor, type RecordBatch } from '../../connectors/kafka/record-batch.ts';

type Answered = (offsets: readonly bigint[]) => {
  readonly code?: number;
  readonly batches?: readonly Buffer[];
};

/** A batch of one record without key, value and headers. */
function batchAt(offset: bigint): Buffer {
  const record = Buffer.from([12, 0, 0, 0, 1, 1, 0]);
  const head = Buffer.alloc(61);
  head.writeBigInt64BE(offset, 0);
  head.writeInt32BE(49 + record.length, 8);
  head.writeInt8(2, 16);
  head.writeInt32BE(1, 57);
  const batch = Buffer.concat([head, record]);
  batch.writeUInt32BE(crc32c(batch, 21), 17);
  return batch;
}

/** The answer of version 4 for partition 0 of the topic `t`. */
function payloadOf({ code = 0, batches = [] }: ReturnType<Answered>): Buffer {
  const records = Buffer.concat([...batches]);
  const bytes = Buffer.alloc(4 + 4 + 3 + 4 + 4 + 2 + 8 + 8 + 4 + 4);
  let at = bytes.writeInt32BE(1, 4);
  at = bytes.writeInt16BE(1, at);
  at += bytes.write('t', at);
  at = bytes.writeInt32BE(1, at);
  at = bytes.writeInt32BE(0, at);
  at = bytes.writeInt16BE(code, at);
  at = bytes.writeBigInt64BE(99n, at + 0);
  at = bytes.writeBigInt64BE(99n, at);
  at = bytes.writeInt32BE(-1, at);
  bytes.writeInt32BE(records.length, at);
  return Buffer.concat([bytes, records]);
}

/** A client of kafkajs whose brokers, by number, answer as stated; the leader is the first one, then the next, once asked for. */
function clientOf(
  leaders: readonly number[],
  answers: Readonly<Record<number, Answered>>,
  { partitions = 1, leaderNow = null as (() => number) | null } = {},
) {
  const asked: string[] = [];
  /** Partitions that stood first in what was asked for. */
  const firsts: number[] = [];
  let refreshed = 0;
  const brokerOf = (nodeId: number): Broker => ({
    versions: { 1: { maxVersion: 4 } },
    connectionPool: {
      send: async ({ request, response }) => {
        const { buffer } = await request.encode();
        // replica, wait, least, most, isolation, one topic by its name, one partition
        const offset = buffer.readBigInt64BE(4 + 4 + 4 + 4 + 1 + (4 + 3) + (4 + 4));
        firsts.push(buffer.readInt32BE(4 + 4 + 4 + 4 + 1 + (4 + 3) + 4));
        asked.push(`${nodeId}@${offset}`);
        const answer = answers[nodeId]?.([offset]) ?? {};
        return response.parse(await response.decode(payloadOf(answer)));
      },
    },
  });
  const cluster: Cluster = {
    connect: () => Promise.resolve(),
    disconnect: () => Promise.resolve(),
    addMultipleTargetTopics: () => Promise.resolve(),
    refreshMetadata: () => {
      refreshed += 1;
      return Promise.resolve();
    },
    refreshMetadataIfNecessary: () => Promise.resolve(),
    findTopicPartitionMetadata: () =>
      Array.from({ length: partitions }, (_, partitionId) => ({
        partitionId,
        leader: leaderNow?.() ?? leaders[Math.min(refreshed, leaders.length - 1)] ?? 0,
      })),
    findBroker: ({ nodeId }) => Promise.resolve(brokerOf(nodeId)),
  };
  const client = new Kafka({ brokers: ['nowhere:1'] });
  const name = Object.getOwnPropertySymbols(client).find((one) => one.description?.includes('createCluster'));
  Reflect.set(client, name ?? '', () => cluster);
  return { client, asked, firsts };
}

const pause = (): Promise<void> => Promise.resolve();
const START = [{ topic: 't', partition: 0, offset: 5n }];
const [NOT_LEADER, OUT_OF_RANGE, REFUSED] = [6, 1, 29];

describe('a partition that is fetched', () => {
  it('is asked for at its new leader where the old one no longer is, behind what came', async () => {
    const { client, asked } = clientOf([1, 2], {
      1: ([offset = 0n]) => (offset === 5n ? { batches: [batchAt(5n)] } : { code: NOT_LEADER }),
      2: ([offset = 0n]) => ({ batches: [batchAt(offset)] }),
    });
    const fetch = new PartitionFetch(client, START, { waitMs: 1, pause });
    await fetch.open();
    const offsets: bigint[] = [];
    while (offsets.length < 3) {
      for (const { batches } of await fetch.next())
        offsets.push(...batches.map(({ baseOffset }) => baseOffset));
    }
    await fetch.close();
    expect(offsets).toEqual([5n, 6n, 7n]);
    expect(asked.slice(0, 4)).toEqual(['1@5', '1@6', '2@6', '2@7']);
  });

  it('is asked for once more where a leader said that its offset is not there, and may be another log then', async () => {
    const { client, asked } = clientOf([1, 2], {
      1: () => ({ code: OUT_OF_RANGE }),
      2: ([offset = 0n]) => ({ batches: [batchAt(offset)] }),
    });
    const fetch = new PartitionFetch(client, START, { waitMs: 1, pause });
    await fetch.open();
    const found: boolean[] = [];
    while (found.length < 2) found.push(...(await fetch.next()).map(({ shaken }) => shaken));
    await fetch.close();
    expect(asked.slice(0, 2)).toEqual(['1@5', '2@5']);
    expect(found).toEqual([true, false]);
  });

  it('may be another log where another leader answers, whoever told so', async () => {
    let leader = 1;
    const answer: Answered = ([offset = 0n]) => ({ batches: [batchAt(offset)] });
    const { client } = clientOf([1], { 1: answer, 2: answer }, { leaderNow: () => leader });
    const fetch = new PartitionFetch(client, START, { waitMs: 1, pause });
    await fetch.open();
    const found: boolean[] = [];
    for (const next of [1, 2, 2, 2]) {
      for (const { shaken } of await fetch.next()) found.push(shaken);
      leader = next;
    }
    await fetch.close();
    // One more fetch of the former leader was under way.
    expect(found).toEqual([false, false, false, true]);
  });

  it('stands first in what is asked for in its turn: no broker gives a large batch to another', async () => {
    const { client, firsts } = clientOf([1], {}, { partitions: 3 });
    const starts = [0, 1, 2].map((partition) => ({ topic: 't', partition, offset: 5n }));
    const fetch = new PartitionFetch(client, starts, { waitMs: 1, pause });
    await fetch.open();
    for (let fetches = 0; fetches < 4; fetches += 1) await fetch.next();
    await fetch.close();
    expect(firsts.slice(0, 4)).toEqual([0, 1, 2, 0]);
  });

  it.each([
    ['is not there any more', OUT_OF_RANGE, 'TP-GAP'],
    ['may not be read', REFUSED, 'TP-PERMISSION'],
  ])('ends the reading where it %s', async (_, code, expected) => {
    const fetch = new PartitionFetch(clientOf([1], { 1: () => ({ code }) }).client, START, {
      waitMs: 1,
      pause,
    });
    await fetch.open();
    const reading = (async () => {
      for (let fetches = 0; fetches < 5; fetches += 1) await fetch.next();
    })();
    await expect(reading).rejects.toMatchObject({ code: expected, retryable: false });
    await fetch.close();
    expect(await fetch.next()).toEqual([]);
  });

  it('goes on elsewhere when it is told to, without what was under way', async () => {
    const { client } = clientOf([1], { 1: ([offset = 0n]) => ({ batches: [batchAt(offset)] }) });
    const fetch = new PartitionFetch(client, START, { waitMs: 1, pause });
    await fetch.open();
    await fetch.next();
    fetch.seek('t:0', 2n);
    const offsets: bigint[] = [];
    while (offsets.length < 2) {
      for (const { from, batches } of await fetch.next()) {
        expect(batches[0]?.baseOffset).toBe(from);
        offsets.push(from);
      }
    }
    await fetch.close();
    expect(offsets).toEqual([2n, 3n]);
  });

  it('of another topic than before ends the reading when it has more partitions', async () => {
    const { client } = clientOf([1], {});
    const fetch = new PartitionFetch(client, START, { waitMs: 1, whole: new Map([['t', 0]]) });
    await fetch.open();
    await expect(fetch.next()).rejects.toMatchObject({ code: 'TP-STREAM-SETUP', retryable: true });
    await fetch.close();
  });
});

describe('how far a partition was read', () => {
  const batch = (leaderEpoch: number, lastOffset: bigint): RecordBatch => ({
    bytes: new Uint8Array(0),
    count: 0,
    baseOffset: lastOffset,
    lastOffset,
    leaderEpoch,
    baseTimestamp: 0,
    appendTimestamp: null,
    kind: 'data',
  });
  const readingAt = (offset: bigint, mark = '1.1'): PartitionReading => {
    const place = { offset, mark };
    return new PartitionReading('t', {
      partition: 0,
      place,
      readFrom: offset,
      resumed: true,
      grown: false,
      high: offset,
    });
  };

  it('is looked at again when another leader goes on, as far as the log still has it', () => {
    const reading = readingAt(100n);
    expect(reading.before(batch(3, 100n), 0n)).toBeNull();
    expect(reading.before(batch(3, 101n), 0n)).toBeNull();
    expect([reading.before(batch(4, 102n), 0n), reading.unchecked]).toEqual([92n, true]);
    // What is read once more was written under earlier leaders.
    expect(reading.before(batch(2, 95n), 0n)).toBeNull();
    const short = readingAt(100n);
    short.leaderEpoch = 3;
    expect(short.before(batch(4, 100n), 97n)).toBe(97n);
    const empty = readingAt(100n);
    empty.leaderEpoch = 3;
    expect([empty.before(batch(4, 100n), 100n), empty.unchecked]).toEqual([null, false]);
  });

  it('is looked at again on demand, once, and what is read then was handed out by the same reading', () => {
    const reading = readingAt(5n);
    expect([reading.again(null), reading.unchecked, reading.recalls]).toEqual([0n, true, false]);
    expect(reading.again(null)).toBeNull();
    const resumed = new PartitionReading('t', {
      partition: 0,
      place: { offset: 5n, mark: '1.1' },
      readFrom: 0n,
      resumed: true,
      grown: false,
      high: 5n,
    });
    expect([resumed.unchecked, resumed.recalls]).toEqual([true, true]);
  });

  it('counts no more where another leader’s record stands in place of the last, be it of the same time and size', () => {
    // One record of that time, its key absent, its value one byte, without headers.
    const cursor = new RecordCursor();
    const bytes = Uint8Array.of(14, 0, 0, 0, 1, 2, 120, 0);
    cursor.open({ ...batch(3, 4n), bytes, count: 1, baseOffset: 4n, baseTimestamp: 1 });
    expect([cursor.next(), cursor.timestamp, cursor.valueBytes]).toEqual([true, 1, 1]);
    expect(readingAt(5n, '1.1.3').isSame(4n, cursor, 3)).toBe(true);
    expect(readingAt(5n, '1.1.2').isSame(4n, cursor, 3)).toBe(false);
    expect(readingAt(5n, '1.1').isSame(4n, cursor, 3)).toBe(true);
    const reading = readingAt(4n, '0.0.2');
    reading.before(batch(3, 4n), null);
    // What was read under the leader before keeps its epoch until something of the next one is read.
    expect(reading.mark).toBe('0.0.2');
    reading.passed(4n, cursor);
    expect(reading.mark).toBe('1.1.3');
  });

  it('counts no more when an earlier leader’s records come: that is another log', () => {
    const reading = readingAt(100n);
    reading.before(batch(3, 100n), 0n);
    expect(() => reading.before(batch(2, 101n), 0n)).toThrow(expect.objectContaining({ code: 'TP-GAP' }));
  });
});
