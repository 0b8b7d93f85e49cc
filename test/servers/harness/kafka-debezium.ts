import { chmod, chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Cluster } from '../../../src/demo/cluster.ts';
import { tail, writeOwned } from '../../../src/demo/cluster-files.ts';
import { waitUntil } from '../../../src/demo/cluster-wait.ts';
import { serverUser } from '../../../src/demo/server-user.ts';
import { JavaProcess, JVM } from './kafka-java.ts';
import { classPath, DEBEZIUM, type JavaPackage } from './kafka-packages.ts';

/** A record as Debezium hands it to Kafka. */
export interface CapturedRecord {
  readonly topic: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

/** Properties of a connector (Debezium documentation); its topics begin with `prefix`. */
export interface CaptureSettings {
  readonly prefix: string;
  readonly settings?: Readonly<Record<string, string>>;
}

const PROGRAM = join(import.meta.dirname, 'DebeziumRun.java');
const WAIT_MS = 120_000;

/** Debezium's connectors, running in a Java process of their own: what they send is collected here. */
export class Capture {
  readonly records: CapturedRecord[] = [];
  private readonly program: JavaProcess;
  private readonly home: string;

  private constructor(program: JavaProcess, home: string) {
    this.program = program;
    this.home = home;
    const { stdout } = program.child;
    if (stdout === null) throw new Error('its output is not read');
    createInterface({ input: stdout }).on('line', (line) => {
      const [topic = '', key = '-', value = '-'] = line.split(' ');
      this.records.push({ topic, key: bytesOf(key), value: bytesOf(value) });
    });
  }

  /** One PostgreSQL connector for each of `captures`; each has a slot and a publication of its prefix. */
  static start(cluster: Cluster, captures: readonly CaptureSettings[]): Promise<Capture> {
    return Capture.launch(DEBEZIUM, captures, (prefix) => postgresSettings(cluster, prefix));
  }

  /** One connector for each of `captures`, all in one process; `settingsOf` gives what all of them have, by prefix. */
  static async launch(
    source: JavaPackage,
    captures: readonly CaptureSettings[],
    settingsOf: (prefix: string, home: string) => Readonly<Record<string, string>>,
  ): Promise<Capture> {
    const home = await mkdtemp(join(tmpdir(), 'twinproof-debezium-'));
    const user = serverUser();
    await chmod(home, 0o700);
    if (user !== null) await chown(home, user.uid, user.gid);
    const files: string[] = [];
    for (const { prefix, settings = {} } of captures) {
      const file = join(home, `${prefix}.properties`);
      const all = { ...commonSettings(prefix), ...settingsOf(prefix, home), ...settings };
      const text = Object.entries(all).map(([name, value]) => `${name}=${value}\n`);
      await writeOwned(file, text.join(''), user);
      files.push(file);
    }
    const args = [...JVM, '-cp', await classPath(source), PROGRAM, ...files];
    const log = join(home, 'debezium.log');
    return new Capture(JavaProcess.launch(args, { home, log, user, piped: true }), home);
  }

  /** Until `done` says that enough has come. @throws Error with the end of its log. */
  async until(done: (records: readonly CapturedRecord[]) => boolean): Promise<void> {
    const late = async (): Promise<string> =>
      `Debezium sent ${this.records.length} records and not what was waited for; its log:\n${await this.log()}`;
    await waitUntil(
      async () => {
        if (this.program.ended) throw new Error(`Debezium ended; its log:\n${await this.log()}`);
        return done(this.records);
      },
      WAIT_MS,
      late,
    );
  }

  async end(): Promise<void> {
    await this.program.kill();
    await rm(this.home, { recursive: true, force: true, maxRetries: 3 });
  }

  private log(): Promise<string> {
    return tail(join(this.home, 'debezium.log'), 40);
  }
}

function commonSettings(prefix: string): Readonly<Record<string, string>> {
  return {
    name: prefix,
    'offset.storage': 'org.apache.kafka.connect.storage.MemoryOffsetBackingStore',
    'offset.flush.interval.ms': '1000',
    'database.hostname': '127.0.0.1',
    'topic.prefix': prefix,
    'poll.interval.ms': '20',
    'skipped.operations': 'none',
  };
}

function postgresSettings(cluster: Cluster, prefix: string): Readonly<Record<string, string>> {
  return {
    'connector.class': 'io.debezium.connector.postgresql.PostgresConnector',
    'database.port': String(cluster.port),
    'database.user': 'postgres',
    'database.password': 'none',
    'database.dbname': 'postgres',
    'plugin.name': 'pgoutput',
    'slot.name': prefix,
    'publication.name': prefix,
    'publication.autocreate.mode': 'filtered',
  };
}

function bytesOf(text: string): Buffer | null {
  return text === '-' ? null : Buffer.from(text, 'base64');
}
