import protocolErrors from 'kafkajs/src/protocol/error.js';
import { TwinproofError } from '../../src/errors.ts';
import { inflated } from './compression.ts';
import { crc32c } from './crc32c.ts';
import type { RecordBatch } from './record-batch.ts';

/** What a fetch gave of one partition. */
export interface FetchedPartition {
  readonly topic: string;
  readonly partition: number;
  /** Of the protocol; 0: none. */
  readonly errorCode: number;
  /**
   * Behind the newest record that can be read: all replicas in sync have it, and no transaction of a producer is open
   * before it.
   */
  readonly high: bigint;
  /** Of the oldest record that is there; null: the broker does not say. */
  readonly low: bigint | null;
  /** In the order of their offsets. The first may begin before what was asked for. */
  readonly batches: readonly RecordBatch[];
}

/** New records of a partition. */
export interface FetchedRecords extends FetchedPartition {
  /** `topic:partition` */
  readonly name: string;
  /** What was asked for: records before it may come along. */
  readonly from: bigint;
  /** Asking failed since the last that came, or another leader answers now: the log may have become another. */
  readonly shaken: boolean;
}

const MAGIC = 2;
/** Places in a record batch, from its beginning on (Kafka documentation, "Record Batch"). */
const BATCH = {
  length: 8,
  leaderEpoch: 12,
  magic: 16,
  checkSum: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  count: 57,
  records: 61,
};
const COMPRESSION = 0x07;
const APPEND_TIME = 0x08;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;

/** Of what one answer holds once it is no longer compressed; a larger batch comes all the same, alone. */
const INFLATED_AT_ONCE = 64 * 1024 * 1024;

export interface FetchAnswer {
  readonly clientSideThrottleTime: number;
  readonly partitions: readonly FetchedPartition[];
}

/** How many bytes may still be made of compressed ones. */
interface Budget {
  left: number;
}

interface AbortedTransaction {
  readonly producer: bigint;
  readonly firstOffset: bigint;
}

class Reader {
  readonly bytes: Buffer;
  at = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  int16(): number {
    this.at += 2;
    return this.bytes.readInt16BE(this.at - 2);
  }

  int32(): number {
    this.at += 4;
    return this.bytes.readInt32BE(this.at - 4);
  }

  int64(): bigint {
    this.at += 8;
    return this.bytes.readBigInt64BE(this.at - 8);
  }

  text(): string {
    const length = Math.max(this.int16(), 0);
    this.at += length;
    return this.bytes.toString('utf8', this.at - length, this.at);
  }

  piece(length: number): Buffer {
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
}

/**
 * Decodes the answer to a fetch of version 4 to 10 (Kafka protocol guide, "Fetch API"). Of compressed records so many
 * are taken that they fill `inflatedAtOnce` bytes: the others come with the next fetch, as if the answer had ended
 * there. Throws TP-STREAM-PROTOCOL, TP-STREAM-SETUP for a compression or a format that is not read, and an error of the
 * brokers that is of no partition.
 */
export async function decodeFetch(
  payload: Buffer,
  version: number,
  inflatedAtOnce = INFLATED_AT_ONCE,
): Promise<FetchAnswer> {
  try {
    return await answerOf(new Reader(payload), version, { left: inflatedAtOnce });
  } catch (error) {
    // As Buffer tells that it has no more bytes.
    if (!(error instanceof RangeError)) throw error;
    throw new TwinproofError('TP-STREAM-PROTOCOL', {
      message: 'the answer of the brokers to a fetch ends too early',
      cause: error,
      retryable: true,
    });
  }
}

async function answerOf(reader: Reader, version: number, budget: Budget): Promise<FetchAnswer> {
  const clientSideThrottleTime = reader.int32();
  const errorCode = version >= 7 ? reader.int16() : 0;
  if (version >= 7) reader.at += 4; // session, of which there is none
  const partitions: FetchedPartition[] = [];
  for (let topics = reader.int32(); topics > 0; topics -= 1) {
    const topic = reader.text();
    for (let left = reader.int32(); left > 0; left -= 1) {
      partitions.push(await partitionOf(topic, reader, version, budget));
    }
  }
  if (errorCode !== 0 && partitions.length === 0) throw protocolErrors.createErrorFromCode(errorCode);
  return { clientSideThrottleTime, partitions };
}

async function partitionOf(
  topic: string,
  reader: Reader,
  version: number,
  budget: Budget,
): Promise<FetchedPartition> {
  const partition = reader.int32();
  const errorCode = reader.int16();
  const high = reader.int64();
  const stable = reader.int64();
  const low = version >= 5 ? reader.int64() : -1n;
  const aborted: AbortedTransaction[] = [];
  for (let left = reader.int32(); left > 0; left -= 1) {
    aborted.push({ producer: reader.int64(), firstOffset: reader.int64() });
  }
  const records = reader.piece(Math.max(reader.int32(), 0));
  const batches = await batchesOf(`${topic}:${partition}`, records, aborted, budget);
  const readable = stable >= 0n && stable < high ? stable : high;
  return { topic, partition, errorCode, high: readable, low: low < 0n ? null : low, batches };
}

/** The last batch may be cut off: it comes whole with the next fetch. */
async function batchesOf(
  name: string,
  bytes: Buffer,
  transactions: readonly AbortedTransaction[],
  budget: Budget,
): Promise<readonly RecordBatch[]> {
  const waiting = transactions.toSorted((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1));
  const aborted = new Set<bigint>();
  const batches: RecordBatch[] = [];
  for (let at = 0; at + BATCH.checkSum <= bytes.length && budget.left > 0;) {
    const magic = bytes.readInt8(at + BATCH.magic);
    if (magic !== MAGIC) throw oldFormat(magic);
    const end = at + 12 + bytes.readInt32BE(at + BATCH.length);
    if (end < at + BATCH.records) {
      throw new TwinproofError('TP-STREAM-PROTOCOL', {
        message: 'the brokers sent a record batch without a length',
      });
    }
    if (end > bytes.length) break;
    const batch = bytes.subarray(at, end);
    // What stands before the check sum a broker may change: it is not summed up.
    if (crc32c(batch, BATCH.attributes) !== batch.readUInt32BE(BATCH.checkSum)) throw damaged(name, batch);
    const one = await batchAt(batch, waiting, aborted);
    if (one.bytes.buffer !== bytes.buffer) budget.left -= one.bytes.length;
    batches.push(one);
    at = end;
  }
  return batches;
}

async function batchAt(
  bytes: Buffer,
  waiting: AbortedTransaction[],
  aborted: Set<bigint>,
): Promise<RecordBatch> {
  const attributes = bytes.readInt16BE(BATCH.attributes);
  const baseOffset = bytes.readBigInt64BE(0);
  const lastOffset = baseOffset + BigInt(bytes.readInt32BE(BATCH.lastOffsetDelta));
  const producer = bytes.readBigInt64BE(BATCH.producerId);
  for (let next = waiting[0]; next !== undefined && next.firstOffset <= lastOffset; next = waiting[0]) {
    aborted.add(next.producer);
    waiting.shift();
  }
  const isMarker = (attributes & CONTROL) !== 0;
  const isAborted = (attributes & TRANSACTIONAL) !== 0 && aborted.has(producer);
  // The marker is the last that this transaction of the producer has.
  if (isMarker) aborted.delete(producer);
  const isAppendTime = (attributes & APPEND_TIME) !== 0;
  return {
    bytes: await inflated(bytes.subarray(BATCH.records), attributes & COMPRESSION),
    count: bytes.readInt32BE(BATCH.count),
    baseOffset,
    lastOffset,
    leaderEpoch: bytes.readInt32BE(BATCH.leaderEpoch),
    baseTimestamp: Number(bytes.readBigInt64BE(BATCH.baseTimestamp)),
    appendTimestamp: isAppendTime ? Number(bytes.readBigInt64BE(BATCH.maxTimestamp)) : null,
    kind: isMarker ? 'marker' : isAborted ? 'aborted' : 'data',
  };
}

function damaged(name: string, batch: Buffer): TwinproofError {
  return new TwinproofError('TP-STREAM-PROTOCOL', {
    message: `the records of ${name} from offset ${batch.readBigInt64BE(0)} on do not have their check sum: they were damaged on the broker’s disk or on their way`,
    hint: 'nothing after them was taken; see whether another replica of the partition holds them unharmed',
    retryable: true,
  });
}

function oldFormat(magic: number): TwinproofError {
  return new TwinproofError('TP-STREAM-SETUP', {
    message: `the records have the format ${magic}, which brokers wrote before Kafka 0.11`,
    hint: 'only record batches (format 2) are read: let the topic be written anew',
  });
}

/** The offset behind everything that came. */
export function behindOf({ from, batches }: FetchedRecords): bigint {
  const last = batches.at(-1)?.lastOffset;
  return last === undefined || last < from ? from : last + 1n;
}
