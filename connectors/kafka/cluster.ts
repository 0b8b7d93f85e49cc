import type { Kafka } from 'kafkajs';
import fetchProtocol from 'kafkajs/src/protocol/requests/fetch/index.js';
import { TwinproofError } from '../../src/errors.ts';
import { decodeFetch, type FetchedPartition } from './fetch-response.ts';

const FETCH = 1;
/** Of the fetch request (Kafka protocol guide, "Fetch API"): the versions with record batches that kafkajs can ask for. */
const VERSION_MIN = 4;
const VERSION_MAX = 11;
const READ_COMMITTED = 1;
const METADATA_MAX_AGE_MS = 60_000;

interface Answer {
  readonly clientSideThrottleTime: number;
  readonly partitions: readonly FetchedPartition[];
}

/** A broker as kafkajs keeps it: connected, logged in. */
export interface Broker {
  readonly versions: Readonly<Record<number, { readonly maxVersion: number } | undefined>> | null;
  readonly connectionPool: {
    send(exchange: {
      readonly request: { readonly apiKey: number; encode(): Promise<{ readonly buffer: Buffer }> };
      readonly response: {
        decode(payload: Buffer): Promise<Answer>;
        parse(answer: Answer): Promise<readonly FetchedPartition[]>;
      };
      readonly requestTimeout: number;
    }): Promise<readonly FetchedPartition[]>;
  };
}

/** What kafkajs knows of a cluster: its brokers, connections to them, and which of them leads a partition. */
export interface Cluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  addMultipleTargetTopics(topics: readonly string[]): Promise<void>;
  refreshMetadata(): Promise<void>;
  refreshMetadataIfNecessary(): Promise<void>;
  findTopicPartitionMetadata(
    topic: string,
  ): readonly { readonly partitionId: number; readonly leader: number }[];
  findBroker(of: { readonly nodeId: number }): Promise<Broker>;
}

/**
 * The connections of a client of kafkajs, for requests that it does not offer. Its consumer reads by groups alone, one
 * fetch after the other, makes several objects of each record, and begins elsewhere by itself where an offset is gone.
 * Throws TP-BUG with a kafkajs that keeps them elsewhere.
 */
export function clusterOf(client: Kafka): Cluster {
  const name = Object.getOwnPropertySymbols(client).find(
    ({ description }) => description === 'private:Kafka:createCluster',
  );
  const create: unknown = name === undefined ? null : Reflect.get(client, name);
  if (typeof create !== 'function') {
    throw new TwinproofError('TP-BUG', {
      message: 'this version of kafkajs keeps its connections elsewhere',
    });
  }
  const options = { metadataMaxAge: METADATA_MAX_AGE_MS, allowAutoTopicCreation: false };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- kafkajs does not declare it
  return Reflect.apply(create, client, [options]) as Cluster;
}

/** What is wanted of one partition. */
export interface Wish {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
}

export interface FetchLimits {
  /** How long the broker may wait for records, in milliseconds. */
  readonly waitMs: number;
  /** Of one partition, and of all together; a larger record comes all the same, alone. */
  readonly partitionBytes: number;
  readonly bytes: number;
}

/** Asks a broker for records. Only those of producers' transactions that were committed are told to be data. */
export function fetchFrom(
  broker: Broker,
  wishes: readonly Wish[],
  { waitMs, partitionBytes, bytes }: FetchLimits,
): Promise<readonly FetchedPartition[]> {
  const version = Math.min(VERSION_MAX, broker.versions?.[FETCH]?.maxVersion ?? VERSION_MIN);
  const topics = new Map<string, { partition: number; fetchOffset: string; maxBytes: number }[]>();
  for (const { topic, partition, offset } of wishes) {
    const one = { partition, fetchOffset: String(offset), maxBytes: partitionBytes };
    const there = topics.get(topic);
    if (there === undefined) topics.set(topic, [one]);
    else there.push(one);
  }
  const { request, requestTimeout } = fetchProtocol.protocol({ version })({
    isolationLevel: READ_COMMITTED,
    maxWaitTime: waitMs,
    minBytes: 1,
    maxBytes: bytes,
    topics: [...topics].map(([topic, partitions]) => ({ topic, partitions })),
    rackId: '',
  });
  return broker.connectionPool.send({
    request,
    requestTimeout,
    response: {
      decode: (payload) => decodeFetch(payload, version),
      parse: ({ partitions }) => Promise.resolve(partitions),
    },
  });
}
