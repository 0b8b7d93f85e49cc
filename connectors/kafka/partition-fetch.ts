import { setTimeout as sleep } from 'node:timers/promises';
import type { Kafka } from 'kafkajs';
import protocolErrors from 'kafkajs/src/protocol/error.js';
import { TwinproofError } from '../../src/errors.ts';
import { type Cluster, clusterOf, fetchFrom, type Wish } from './cluster.ts';
import { isStale, kafkaFailure } from './failure.ts';
import { type Demanded, DemandedTopics } from './demanded-topics.ts';
import { behindOf, type FetchedPartition, type FetchedRecords } from './fetch-response.ts';

/** Where the reading of a partition begins. */
export interface FetchStart {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
}

export interface FetchOptions extends Partial<Demanded> {
  /** How long brokers may wait for records. */
  readonly waitMs: number;
  /** How it waits before it asks again, in milliseconds; absent: by the clock. */
  readonly pause?: (ms: number, signal: AbortSignal) => Promise<void>;
}

interface Reading {
  readonly topic: string;
  readonly partition: number;
  /** Of the next record to ask for. */
  offset: bigint;
  /** What was asked for, and is not answered yet. */
  asked: bigint | null;
  paused: boolean;
  /** How often asking went wrong since it last went well. */
  failures: number;
  /** Who answered last; null: nobody yet. */
  leader: number | null;
  /** The offset was said not to be there. */
  missing: boolean;
}

type Answer =
  | {
      readonly leader: number;
      readonly wishes: readonly Wish[];
      readonly fetched: readonly FetchedPartition[];
    }
  | { readonly leader: number; readonly wishes: readonly Wish[]; readonly error: unknown };

const PARTITION_BYTES = 1024 * 1024;
const BYTES_AT_ONCE = 8 * PARTITION_BYTES;
/**
 * With the pauses between them some 15 s: brokers that are gone are noticed by the others after nine
 * (broker.session.timeout.ms).
 */
const FAILURES_MAX = 8;
/** What it counts for that no broker says who leads: then there is nobody to wait for. */
const NOBODY_ANSWERS = 2;
const BACKOFF_MS = 200;
const BACKOFF_MAX_MS = 3000;
const OFFSET_OUT_OF_RANGE = 1;

/**
 * Reads partitions from given offsets on, from whoever leads them. While what came is looked at, one more fetch of each
 * leader is under way, and no more. There is no consumer group: nobody else can take partitions away, and nothing
 * begins elsewhere by itself.
 */
export class PartitionFetch {
  readonly #cluster: Cluster;
  readonly #waitMs: number;
  readonly #readings = new Map<string, Reading>();
  readonly #demanded: DemandedTopics;
  readonly #pause: NonNullable<FetchOptions['pause']>;
  readonly #underWay = new Map<number, Promise<Answer>>();
  readonly #closed = new AbortController();
  #closing: Promise<void> | null = null;
  /** Ends the wait for a partition that is no longer paused. */
  #wake: () => void = () => undefined;

  constructor(
    client: Kafka,
    starts: readonly FetchStart[],
    { waitMs, whole = new Map(), ids = new Map(), pause = sleepFor }: FetchOptions,
  ) {
    this.#cluster = clusterOf(client);
    this.#waitMs = waitMs;
    this.#demanded = new DemandedTopics({ whole, ids });
    this.#pause = pause;
    for (const { topic, partition, offset } of starts) {
      const begun = { asked: null, paused: false, failures: 0, leader: null, missing: false };
      this.#readings.set(`${topic}:${partition}`, { topic, partition, offset, ...begun });
    }
  }

  /** Throws TP-UNREACHABLE, TP-AUTH, TP-TLS, TP-PERMISSION, TP-STREAM-SETUP. */
  async open(): Promise<void> {
    try {
      await this.#cluster.connect();
      await this.#cluster.addMultipleTargetTopics([
        ...new Set([...this.#readings.values()].map(({ topic }) => topic)),
      ]);
    } finally {
      // It connected while it was closed.
      if (this.#closing !== null) await this.#cluster.disconnect().catch(() => undefined);
    }
  }

  /** Goes on at another offset; what is under way of the partition is forgotten. */
  seek(name: string, offset: bigint): void {
    const reading = this.#readings.get(name);
    if (reading !== undefined) reading.offset = offset;
  }

  /** Nothing more is asked for of it; what is under way still comes. */
  pause(name: string): void {
    const reading = this.#readings.get(name);
    if (reading !== undefined) reading.paused = true;
  }

  resume(name: string): void {
    const reading = this.#readings.get(name);
    if (reading !== undefined) reading.paused = false;
    this.#wake();
  }

  /** No records of it are wanted any more. */
  leave(name: string): void {
    this.#readings.delete(name);
  }

  /**
   * What came next, by partition; without records where a broker had none to give. Empty once closed, or when no
   * partition is left. Throws TP-GAP for an offset that is not there, and what kafkaFailure makes of errors that did
   * not pass.
   */
  async next(): Promise<readonly FetchedRecords[]> {
    while (this.#closing === null) {
      this.#ask();
      if (this.#underWay.size === 0) {
        if (this.#readings.size === 0) return [];
        await new Promise<void>((resolve) => (this.#wake = resolve));
        continue;
      }
      const answer = await Promise.race(this.#underWay.values());
      this.#underWay.delete(answer.leader);
      if (this.#closing !== null) break;
      if ('error' in answer) {
        await this.#recover(answer.error, answer.wishes);
        continue;
      }
      const fetched = await this.#taken(answer.leader, answer.wishes, answer.fetched);
      this.#ask();
      return fetched;
    }
    return [];
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#closed.abort();
    this.#wake();
    await Promise.all(this.#underWay.values());
    await this.#cluster.disconnect().catch(() => undefined);
  }

  /** One fetch of every leader that has none under way. */
  #ask(): void {
    const byLeader = new Map<number, Reading[]>();
    for (const reading of this.#readings.values()) {
      if (reading.asked !== null || reading.paused) continue;
      const leader = this.#leaderOf(reading);
      const there = byLeader.get(leader);
      if (there === undefined) byLeader.set(leader, [reading]);
      else there.push(reading);
    }
    for (const [leader, readings] of byLeader) {
      if (this.#underWay.has(leader)) continue;
      for (const reading of readings) reading.asked = reading.offset;
      const wishes = readings.map(({ topic, partition, offset }) => ({ topic, partition, offset }));
      this.#underWay.set(leader, this.#fetch(leader, wishes));
    }
  }

  async #fetch(leader: number, wishes: readonly Wish[]): Promise<Answer> {
    try {
      await this.#cluster.refreshMetadataIfNecessary();
      this.#demanded.wholeIn(this.#cluster);
      const broker = await this.#cluster.findBroker({ nodeId: leader });
      const limits = { waitMs: this.#waitMs, partitionBytes: PARTITION_BYTES, bytes: BYTES_AT_ONCE };
      const fetched = await fetchFrom(broker, wishes, limits);
      await this.#demanded.sameOn(broker, wishes);
      return { leader, wishes, fetched };
    } catch (error) {
      return { leader, wishes, error };
    }
  }

  #leaderOf({ topic, partition }: Reading): number {
    const known = this.#cluster.findTopicPartitionMetadata(topic);
    return known.find(({ partitionId }) => partitionId === partition)?.leader ?? -1;
  }

  async #taken(
    leader: number,
    wishes: readonly Wish[],
    fetched: readonly FetchedPartition[],
  ): Promise<readonly FetchedRecords[]> {
    const taken: FetchedRecords[] = [];
    const refused: Wish[] = [];
    let refusal: Error | null = null;
    for (const one of fetched) {
      const name = `${one.topic}:${one.partition}`;
      const reading = this.#readings.get(name);
      if (reading === undefined || reading.asked !== reading.offset) continue;
      if (one.errorCode !== 0) {
        refusal ??= this.#refusal(name, reading, one.errorCode);
        refused.push(reading);
        continue;
      }
      const shaken = reading.failures > 0 || (reading.leader !== null && reading.leader !== leader);
      const records = { ...one, name, from: reading.offset, shaken };
      reading.failures = 0;
      reading.missing = false;
      reading.leader = leader;
      reading.offset = behindOf(records);
      taken.push(records);
    }
    this.#answered(wishes);
    if (refusal !== null) await this.#recover(refusal, refused);
    return taken;
  }

  #answered(wishes: readonly Wish[]): void {
    for (const [place, { topic, partition }] of wishes.entries()) {
      const name = `${topic}:${partition}`;
      const reading = this.#readings.get(name);
      if (reading === undefined) continue;
      reading.asked = null;
      if (place > 0) continue;
      // A broker gives a batch larger than the limit to the first alone: each is the first in its turn.
      this.#readings.delete(name);
      this.#readings.set(name, reading);
    }
  }

  #refusal(name: string, reading: Reading, code: number): Error {
    const { offset, missing } = reading;
    reading.missing = code === OFFSET_OUT_OF_RANGE;
    if (!reading.missing || !missing) return protocolErrors.createErrorFromCode(code);
    return new TwinproofError('TP-GAP', {
      message: `${name} has no offset ${offset}: its records were removed before they were read, or its log lost its end`,
      hint: 'see retention and unclean leader elections; a new baseline is needed',
    });
  }

  /** Asks who leads now, after a while; throws what does not pass, or did not. */
  async #recover(error: unknown, wishes: readonly Wish[]): Promise<void> {
    this.#answered(wishes);
    let failures = 0;
    for (const { topic, partition } of wishes) {
      const reading = this.#readings.get(`${topic}:${partition}`);
      if (reading === undefined) continue;
      reading.failures += 1;
      failures = Math.max(failures, reading.failures);
    }
    const failure = kafkaFailure(error);
    // Damaged bytes may come whole the next time; what else we throw ourselves stays as it is.
    const isOwn = error instanceof TwinproofError && error.code !== 'TP-STREAM-PROTOCOL';
    const mayPass = isStale(error) || (!isOwn && failure instanceof TwinproofError && failure.retryable);
    if (!mayPass || failures > FAILURES_MAX) throw failure;
    const ms = Math.min(BACKOFF_MS * 2 ** (failures - 1), BACKOFF_MAX_MS);
    await this.#pause(ms, this.#closed.signal).catch(() => undefined);
    if (this.#closing !== null) return;
    await this.#cluster.refreshMetadata().catch(() => {
      for (const reading of this.#readings.values()) reading.failures += NOBODY_ANSWERS;
    });
  }
}

async function sleepFor(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal });
}
