import { setTimeout as sleep } from 'node:timers/promises';
import type { Consumer, EachBatchPayload, Kafka, Producer } from 'kafkajs';
import type { Cluster } from '../../../src/demo/cluster.ts';
import { waitUntil } from '../../../src/demo/cluster-wait.ts';
import type { Capture } from './kafka-debezium.ts';
import type { KafkaServer } from './kafka-server.ts';
import type { MysqlServer } from './mysql-server.ts';

const PAUSE_MS = 30;
const LIMIT_MS = 60_000;

/** Carries what Debezium sends to a broker, record by record and in order, as Kafka Connect does. */
export class Relay {
  readonly #capture: Capture;
  readonly #producer: Producer;
  readonly #kafka: KafkaServer;
  readonly #partitions: number;
  readonly #topics = new Set<string>();
  readonly #ended: Promise<void>;
  #running = true;
  #sent = 0;

  private constructor(capture: Capture, kafka: KafkaServer, producer: Producer, partitions: number) {
    this.#capture = capture;
    this.#kafka = kafka;
    this.#producer = producer;
    this.#partitions = partitions;
    this.#ended = this.#run();
    // Whoever stops it looks at how it ended.
    this.#ended.catch(() => undefined);
  }

  /** `partitions`: of each topic of changes. */
  static async start(capture: Capture, kafka: KafkaServer, partitions: number): Promise<Relay> {
    const producer = kafka.client().producer({ idempotent: true, maxInFlightRequests: 1 });
    await producer.connect();
    return new Relay(capture, kafka, producer, partitions);
  }

  /** Everything that has been captured is on the broker. */
  async through(): Promise<void> {
    const late = (): string => `${this.#sent} of ${this.#capture.records.length} records are sent`;
    await waitUntil(() => Promise.resolve(this.#sent === this.#capture.records.length), LIMIT_MS, late);
  }

  async stop(): Promise<void> {
    this.#running = false;
    try {
      await this.#ended;
    } finally {
      await this.#producer.disconnect();
    }
  }

  async #run(): Promise<void> {
    while (this.#running) {
      const waiting = this.#capture.records.slice(this.#sent);
      for (const { topic, key, value } of waiting) {
        await this.#demandTopic(topic);
        await this.#producer.send({ topic, acks: -1, messages: [{ key, value }] });
        this.#sent += 1;
        if (!this.#running) return;
      }
      await sleep(PAUSE_MS);
    }
  }

  async #demandTopic(topic: string): Promise<void> {
    if (this.#topics.has(topic)) return;
    this.#topics.add(topic);
    const admin = await this.#kafka.admin();
    // Heartbeats, transactions and redefinitions are in an order of their own.
    const numPartitions = /^[^.]+\.[^.]+\.[^.]+$/.test(topic) ? this.#partitions : 1;
    await admin.createTopics({ topics: [{ topic, numPartitions }], waitForLeaders: true });
  }
}

interface Envelope {
  readonly after: Readonly<Record<string, unknown>> | null;
}

/**
 * A sink as there are many: a consumer that writes rows into a database and commits offsets behind what it wrote. Tables
 * have one key column; topics are called PREFIX.schema.table. Numbers, texts and NULL only.
 */
export class Sink {
  readonly #consumer: Consumer;
  readonly #write: RowWriter;

  private constructor(consumer: Consumer, write: RowWriter) {
    this.#consumer = consumer;
    this.#write = write;
  }

  static async start(
    client: Kafka,
    write: RowWriter,
    { group, topics }: { readonly group: string; readonly topics: readonly string[] },
  ): Promise<Sink> {
    const consumer = client.consumer({ groupId: group, maxWaitTimeInMs: 50, sessionTimeout: 10_000 });
    await consumer.connect();
    await consumer.subscribe({ topics: [...topics], fromBeginning: true });
    const sink = new Sink(consumer, write);
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      eachBatch: (payload) => sink.#take(payload),
    });
    return sink;
  }

  async stop(): Promise<void> {
    await this.#consumer.disconnect();
  }

  async #take(payload: EachBatchPayload): Promise<void> {
    const { batch } = payload;
    const { topic, partition } = batch;
    const table = topic.slice(topic.indexOf('.') + 1);
    for (const { key, value, offset } of batch.messages) {
      if (payload.isStale() || !payload.isRunning()) return;
      // A tombstone follows its delete.
      if (key !== null && value !== null) await this.#apply(table, key, value);
      payload.resolveOffset(offset);
      const next = String(BigInt(offset) + 1n);
      await this.#consumer.commitOffsets([{ topic, partition, offset: next }]);
      // A busy machine may take longer for a batch than the group waits for a member.
      await payload.heartbeat();
    }
  }

  async #apply(table: string, key: Buffer, value: Buffer): Promise<void> {
    const { after }: Envelope = JSON.parse(payloadOf(value));
    const [[column, id] = ['', null]] = Object.entries(JSON.parse(payloadOf(key)));
    await this.#write(table, { column, id: String(id) }, after);
  }
}

/** Puts a row in the place of the one that has its key; null: takes that one away. `table`: `schema.table`. */
export type RowWriter = (
  table: string,
  key: { readonly column: string; readonly id: string },
  row: Readonly<Record<string, unknown>> | null,
) => Promise<void>;

export function postgresRows(cluster: Cluster): RowWriter {
  return async (table, { column, id }, row) => {
    const remove = `DELETE FROM ${table} WHERE ${column} = '${id}';`;
    const json = JSON.stringify(row).replaceAll("'", "''");
    const insert =
      row === null
        ? ''
        : `INSERT INTO ${table} SELECT * FROM jsonb_populate_record(null::${table}, '${json}');`;
    await cluster.sql(`BEGIN; ${remove} ${insert} COMMIT;`);
  };
}

export function mysqlRows(server: MysqlServer): RowWriter {
  return async (table, { column, id }, row) => {
    const names = Object.keys(row ?? {});
    const places = names.map(() => '?').join(', ');
    const insert = row === null ? '' : `INSERT INTO ${table} (${names.join(', ')}) VALUES (${places});`;
    await server.sql(`START TRANSACTION; DELETE FROM ${table} WHERE ${column} = ?; ${insert} COMMIT;`, [
      id,
      ...Object.values(row ?? {}),
    ]);
  };
}

/** With or without its schema. */
function payloadOf(bytes: Buffer): string {
  const parsed = JSON.parse(bytes.toString());
  return JSON.stringify('payload' in parsed ? parsed.payload : parsed);
}
