import type { Admin, Kafka } from 'kafkajs';
import fetchProtocol from 'kafkajs/src/protocol/requests/fetch/index.js';
import { TwinproofError } from '../../src/errors.ts';
import { decodeFetch, type FetchedPartition } from './fetch-response.ts';

const FETCH = 1;
/**
 * Of the fetch request (Kafka protocol guide, "Fetch API"): the versions with record batches that only a leader
 * answers. From 11 on (KIP-392) a replica does, too: one that is behind would tell that an offset is not there.
 */
const VERSION_MIN = 4;
const VERSION_MAX = 10;
const READ_UNCOMMITTED = 0;
const READ_COMMITTED = 1;
const METADATA_MAX_AGE_MS = 60_000;

/** A broker as kafkajs keeps it: connected, logged in. */
export interface Broker {
  readonly versions: Readonly<Record<number, { readonly maxVersion: number } | undefined>> | null;
  readonly connectionPool: {
    send<Answer, Result>(exchange: {
      readonly request: {
        readonly apiKey: number;
        readonly apiVersion?: number;
        readonly apiName?: string;
        encode(): Promise<{ readonly buffer: Buffer }>;
      };
      readonly response: {
        decode(payload: Buffer): Promise<Answer>;
        parse(answer: Answer): Promise<Result>;
      };
      readonly requestTimeout?: number;
    }): Promise<Result>;
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

/** What else is asked of it where nothing is fetched. */
export interface AskedCluster extends Cluster {
  readonly brokerPool: { findConnectedBroker(): Promise<Broker> };
  /**
   * The oldest records that are kept, or the ends, as `upTo` of `clusterOf` says. Throws for any partition without a
   * leader.
   */
  fetchTopicsOffset(
    wanted: readonly {
      readonly topic: string;
      readonly partitions: readonly { readonly partition: number }[];
      readonly fromBeginning: boolean;
    }[],
  ): Promise<
    readonly {
      readonly topic: string;
      readonly partitions: readonly { readonly partition: number; readonly offset: string }[];
    }[]
  >;
}

/**
 * Which end a partition has: behind everything that was written, or before the first record of a producer's transaction
 * that is still open.
 */
export type EndsUpTo = 'written' | 'stable';

/**
 * The connections of a client of kafkajs, for requests that it does not offer. Its consumer reads by groups alone, one
 * fetch after the other, makes several objects of each record, and begins elsewhere by itself where an offset is gone.
 * Throws TP-BUG with a kafkajs that keeps them elsewhere.
 */
export function clusterOf(client: Kafka, upTo: EndsUpTo = 'stable'): AskedCluster {
  const create: unknown = Reflect.get(client, createName(client));
  if (typeof create !== 'function') throw elsewhere();
  const options = {
    metadataMaxAge: METADATA_MAX_AGE_MS,
    allowAutoTopicCreation: false,
    isolationLevel: upTo === 'written' ? READ_UNCOMMITTED : READ_COMMITTED,
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- kafkajs does not declare it
  return Reflect.apply(create, client, [options]) as AskedCluster;
}

/** What kafkajs offers for questions, on connections that are there. Throws TP-BUG as `clusterOf` does. */
export function adminOn(client: Kafka, cluster: AskedCluster): Admin {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the same client, but for this one member
  const own = Object.create(client, { [createName(client)]: { value: () => cluster } }) as Kafka;
  return own.admin();
}

function createName(client: Kafka): symbol {
  const name = Object.getOwnPropertySymbols(client).find(
    ({ description }) => description === 'private:Kafka:createCluster',
  );
  if (name === undefined) throw elsewhere();
  return name;
}

function elsewhere(): TwinproofError {
  return new TwinproofError('TP-BUG', { message: 'this version of kafkajs keeps its connections elsewhere' });
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
