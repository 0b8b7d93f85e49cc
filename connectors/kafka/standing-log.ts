import type { Kafka } from 'kafkajs';
import { TwinproofError } from '../../src/errors.ts';
import type { Ends } from './brokers.ts';
import { PartitionFetch } from './partition-fetch.ts';
import { PartitionReading } from './partition-reading.ts';
import { isAnother, type Places } from './position.ts';
import { RecordCursor } from './record-batch.ts';
import type { FetchedRecords } from './fetch-response.ts';
import { madeAnew, otherLog } from './topic-log.ts';

const WAIT_MS = 200;
/** How often brokers may give nothing of what is there. */
const EMPTY_MAX = 100;

/**
 * Looks whether the records that were read last of each partition stand there still; nothing is told of one that retention
 * or compaction took since. Throws TP-GAP where another stands in place of one, the log ends before it, or the topic is
 * another; otherwise as PartitionFetch does.
 */
export async function demandStanding(
  client: Kafka,
  { places, ends }: { readonly places: Places; readonly ends: Ends },
  signal: AbortSignal,
): Promise<void> {
  const readings = lastRecords(places, ends);
  if (readings.size === 0) return;
  const starts = [...readings.values()].map(({ topic, partition, offset }) => ({
    topic,
    partition,
    offset: offset - 1n,
  }));
  const fetch = new PartitionFetch(client, starts, { waitMs: WAIT_MS });
  const onAbort = (): void => void fetch.close();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    signal.throwIfAborted();
    await fetch.open();
    for (let empty = 0; readings.size > 0; empty += 1) {
      const came = await fetch.next();
      signal.throwIfAborted();
      if (empty > EMPTY_MAX) throw notGiven([...readings.keys()]);
      for (const fetched of came) {
        const reading = readings.get(fetched.name);
        if (reading === undefined || fetched.batches.length === 0) continue;
        demandLast(reading, fetched);
        readings.delete(fetched.name);
        fetch.leave(fetched.name);
        empty = 0;
      }
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    await fetch.close();
  }
}

function lastRecords(places: Places, ends: Ends): Map<string, PartitionReading> {
  const readings = new Map<string, PartitionReading>();
  for (const [name, { topic, partition, low, high, topicId }] of ends) {
    const place = places.get(name);
    if (place === undefined) continue;
    if (isAnother(place, { topicId })) throw madeAnew(name);
    if (place.offset > high) throw otherLog(name);
    if (place.mark === null || place.offset <= low) continue;
    const readFrom = place.offset - 1n;
    const start = { partition, place, readFrom, resumed: true, grown: false, high };
    readings.set(name, new PartitionReading(topic, start));
  }
  return readings;
}

function demandLast(reading: PartitionReading, { batches }: FetchedRecords): void {
  const cursor = new RecordCursor();
  for (const batch of batches) {
    cursor.open(batch);
    while (cursor.next()) {
      if (!reading.isSame(cursor.offset, cursor, batch.leaderEpoch)) throw otherLog(reading.name);
      if (cursor.offset >= reading.offset) return;
    }
  }
}

function notGiven(names: readonly string[]): TwinproofError {
  return new TwinproofError('TP-CONNECTION-LOST', {
    message: `the brokers do not give the last records of ${names.join(', ')}`,
    hint: 'see whether they are well, and whether each partition has a leader',
    retryable: true,
  });
}
