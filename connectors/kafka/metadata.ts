import protocolErrors from 'kafkajs/src/protocol/error.js';
import type { Broker } from './cluster.ts';

const METADATA = 3;
/**
 * The first version with the ids of topics (KIP-516), and the last one that is spoken here; both are flexible
 * (KIP-482).
 */
const VERSION_MIN = 10;
const VERSION_MAX = 12;
/** From here on nothing is said of what may be done to the cluster. */
const WITHOUT_OPERATIONS = 11;
const ID_BYTES = 16;
/** 48 bits of what brokers draw by chance tell two topics apart; positions stay short. */
const ID_TOLD = 8;
const UNKNOWN_TOPIC = 3;

/**
 * Which topics stand behind these names: a topic that was deleted and made anew under its name has another id. Of each,
 * the first eight characters of its id in base64url (kafka-topics.sh --describe tells all 22); a topic of which nothing
 * is told is left out. Empty where the broker tells no ids (before Kafka 2.8). Throws errors of kafkajs.
 */
export async function topicIds(
  broker: Broker,
  topics: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const known = broker.versions?.[METADATA]?.maxVersion ?? 0;
  if (known < VERSION_MIN || topics.length === 0) return new Map();
  const apiVersion = Math.min(VERSION_MAX, known);
  return await broker.connectionPool.send({
    request: {
      apiKey: METADATA,
      apiVersion,
      apiName: 'Metadata',
      encode: () => Promise.resolve(encoded(requestOf(topics, apiVersion))),
    },
    response: {
      decode: (payload) => Promise.resolve(decodeTopicIds(payload)),
      parse: ({ ids }) => Promise.resolve(ids),
    },
  });
}

/** What kafkajs takes for one of its encoders. */
function encoded(buffer: Buffer): { readonly buf: Buffer; readonly buffer: Buffer } {
  return { buf: buffer, buffer };
}

/**
 * Kafka protocol guide, "Metadata API", request: the end of the header's second version (its tagged fields, none),
 * topics (id, name, tagged fields), whether to make those that are not there, whether to tell what may be done to the
 * cluster and to the topics, tagged fields.
 */
function requestOf(topics: readonly string[], version: number): Buffer {
  const parts: Buffer[] = [Buffer.of(0), varint(topics.length + 1)];
  for (const topic of topics) {
    const name = Buffer.from(topic);
    parts.push(Buffer.alloc(ID_BYTES), varint(name.length + 1), name, Buffer.of(0));
  }
  const operations = version < WITHOUT_OPERATIONS ? [0, 0] : [0];
  return Buffer.concat([...parts, Buffer.of(0, ...operations, 0)]);
}

/** Least significant seven bits first (protocol guide, UNSIGNED_VARINT). */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let left = value; ; left >>>= 7) {
    if (left < 0x80) return Buffer.of(...bytes, left);
    bytes.push((left & 0x7f) | 0x80);
  }
}

/** Of an answer of version 10 to 12, and its header of the second version. Throws RangeError where it is cut off. */
export function decodeTopicIds(payload: Buffer): {
  readonly clientSideThrottleTime: number;
  readonly ids: ReadonlyMap<string, string>;
} {
  const reader = new FlexibleReader(payload);
  reader.tags();
  const clientSideThrottleTime = reader.int32();
  reader.each(() => {
    reader.skip(4);
    reader.text();
    reader.skip(4);
    reader.text();
    reader.tags();
  });
  reader.text();
  reader.skip(4);
  const ids = new Map<string, string>();
  reader.each(() => {
    const errorCode = reader.int16();
    const name = reader.text();
    const id = reader.take(ID_BYTES);
    reader.skip(1);
    reader.each(() => partition(reader));
    reader.skip(4);
    reader.tags();
    if (errorCode === UNKNOWN_TOPIC) throw protocolErrors.createErrorFromCode(errorCode);
    // Nothing but zeros: it is from before there were ids.
    if (errorCode === 0 && id.some((byte) => byte !== 0)) {
      ids.set(name, id.toString('base64url').slice(0, ID_TOLD));
    }
  });
  return { clientSideThrottleTime, ids };
}

function partition(reader: FlexibleReader): void {
  reader.skip(2 + 4 + 4 + 4);
  for (let lists = 0; lists < 3; lists += 1) reader.each(() => reader.skip(4));
  reader.tags();
}

/** What flexible versions of the protocol are made of (KIP-482). */
class FlexibleReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  int16(): number {
    return this.take(2).readInt16BE();
  }

  int32(): number {
    return this.take(4).readInt32BE();
  }

  skip(count: number): void {
    this.#at += count;
  }

  take(count: number): Buffer {
    const from = this.#at;
    this.#at += count;
    if (this.#at > this.#bytes.length) throw new RangeError('the answer is cut off');
    return this.#bytes.subarray(from, this.#at);
  }

  /** Empty where there is none. */
  text(): string {
    return this.take(Math.max(this.#varint() - 1, 0)).toString();
  }

  /** Every element of an array. */
  each(read: () => void): void {
    for (let left = this.#varint() - 1; left > 0; left -= 1) read();
  }

  /** What later versions may add. */
  tags(): void {
    for (let left = this.#varint(); left > 0; left -= 1) {
      this.#varint();
      this.skip(this.#varint());
    }
  }

  #varint(): number {
    let value = 0;
    for (let shift = 0; shift < 32; shift += 7) {
      const byte = this.take(1).readUInt8();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    return value;
  }
}
