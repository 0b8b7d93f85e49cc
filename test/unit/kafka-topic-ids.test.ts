import { describe, expect, it } from 'vitest';
import type { Broker } from '../../connectors/kafka/cluster.ts';
import { DemandedTopics } from '../../connectors/kafka/demanded-topics.ts';
import { decodeTopicIds, topicIds } from '../../connectors/kafka/metadata.ts';

const ZEROS = Buffer.alloc(16);
const one = Buffer.from('sX0bQ1aZAAAAAAAAAAAAAA', 'base64url');
const other = Buffer.from('tX0bQ1aZAAAAAAAAAAAAAA', 'base64url');

const text = (value: string): Buffer => Buffer.concat([Buffer.of(value.length + 1), Buffer.from(value)]);
const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};

function topic(name: string, id: Buffer, errorCode = 0): Buffer {
  const replicas = Buffer.concat([Buffer.of(3), int32(1), int32(2)]);
  const partition = Buffer.concat([
    Buffer.of(0, 0),
    int32(0),
    int32(1),
    int32(7),
    replicas,
    replicas,
    Buffer.of(1),
    // A field of later versions.
    Buffer.of(1, 9, 2, 0xff, 0xff),
  ]);
  const head = [Buffer.of(0, errorCode), text(name), id, Buffer.of(0)];
  return Buffer.concat([...head, Buffer.of(2), partition, int32(-1), Buffer.of(0)]);
}

/** Kafka protocol guide, "Metadata API", response of version 12 behind a header of the second version. */
function answerOf(...topics: readonly Buffer[]): Buffer {
  const broker = Buffer.concat([int32(1), text('k1'), int32(9092), Buffer.of(0), Buffer.of(0)]);
  const head = [Buffer.of(0), int32(0), Buffer.of(2), broker, text('cluster'), int32(1)];
  return Buffer.concat([...head, Buffer.of(topics.length + 1), ...topics, Buffer.of(0)]);
}

function brokerOf(maxVersion: number, answer: Buffer): { readonly broker: Broker; readonly asked: Buffer[] } {
  const asked: Buffer[] = [];
  const broker: Broker = {
    versions: { 3: { maxVersion } },
    connectionPool: {
      send: async ({ request, response }) => {
        asked.push((await request.encode()).buffer);
        return response.parse(await response.decode(answer));
      },
    },
  };
  return { broker, asked };
}

describe('which topic stands behind a name', () => {
  it('is told by the beginning of its id, where it has one', () => {
    const { ids } = decodeTopicIds(
      answerOf(topic('a', one), topic('older', ZEROS), topic('refused', other, 29)),
    );
    expect([...ids]).toEqual([['a', 'sX0bQ1aZ']]);
    expect(() => decodeTopicIds(answerOf(topic('a', ZEROS, 3)))).toThrow(/topic-partition/);
    expect(() => decodeTopicIds(answerOf(topic('a', one)).subarray(0, 40))).toThrow(RangeError);
  });

  it('is asked of brokers that know, and of no others', async () => {
    const { broker, asked } = brokerOf(13, answerOf(topic('a', one)));
    expect([...(await topicIds(broker, ['a']))]).toEqual([['a', 'sX0bQ1aZ']]);
    // The header's end, one topic without an id by its name, none made, nothing more told.
    expect(asked).toEqual([Buffer.concat([Buffer.of(0, 2), ZEROS, text('a'), Buffer.of(0, 0, 0, 0)])]);
    const older = brokerOf(9, answerOf(topic('a', one)));
    expect([(await topicIds(older.broker, ['a'])).size, older.asked.length]).toEqual([0, 0]);
  });

  it('ends the reading when it is another one', async () => {
    const demanded = new DemandedTopics({ whole: new Map(), ids: new Map([['a', 'sX0bQ1aZ']]) });
    const wishes = [{ topic: 'a', partition: 0, offset: 5n }];
    await demanded.sameOn(brokerOf(12, answerOf(topic('a', one))).broker, wishes);
    const anew = demanded.sameOn(brokerOf(12, answerOf(topic('a', other))).broker, wishes);
    await expect(anew).rejects.toMatchObject({ code: 'TP-GAP', retryable: false });
    // Brokers that tell no ids: what was read last is held against the log, as before.
    await demanded.sameOn(brokerOf(9, Buffer.alloc(0)).broker, wishes);
  });
});
