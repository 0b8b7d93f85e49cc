import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { chmod, chown, mkdtemp, readFile, rename, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Admin, Kafka, type KafkaConfig, logLevel } from 'kafkajs';
import { freePort, tail, writeOwned } from '../../../src/demo/cluster-files.ts';
import { waitUntil } from '../../../src/demo/cluster-wait.ts';
import { type Guarded, guard, release } from '../../../src/demo/server-guard.ts';
import { serverUser } from '../../../src/demo/server-user.ts';
import { JavaProcess, JVM, runJava } from './kafka-java.ts';
import { classPath, KAFKA } from './kafka-packages.ts';
import { cached } from './mysql-packages.ts';
import { run } from '../../../src/demo/mysql-run.ts';

/** As in server.properties (Kafka documentation, "Broker Configs"). */
export type BrokerSettings = Readonly<Record<string, string>>;

/** Raise it when what is in a formatted folder changes. */
const FORMAT = 2;

const ARCHIVE = 'classes.jsa';
const START_TIMEOUT_MS = 90_000;
const PORT_ATTEMPTS = 5;
const POLL_MS = 50;

/** One node that is broker and controller; small, and quick to take a group of one in. */
const DEFAULTS: BrokerSettings = {
  'process.roles': 'broker,controller',
  'node.id': '1',
  'controller.listener.names': 'CONTROLLER',
  'inter.broker.listener.name': 'PLAINTEXT',
  'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
  'offsets.topic.replication.factor': '1',
  'offsets.topic.num.partitions': '1',
  'transaction.state.log.replication.factor': '1',
  'transaction.state.log.min.isr': '1',
  'transaction.state.log.num.partitions': '1',
  'group.initial.rebalance.delay.ms': '0',
  'auto.create.topics.enable': 'false',
  'num.network.threads': '1',
  'num.io.threads': '2',
  'background.threads': '2',
  // A buffer of 128 MiB by default, taken at the start.
  'log.cleaner.dedupe.buffer.size': '4194304',
  'log.retention.check.interval.ms': '500',
  'controlled.shutdown.enable': 'false',
};

/**
 * A Kafka broker of our own: a folder in the temporary folder and, while started, a Java process that is a child of this
 * process. It listens on 127.0.0.1. It never outlives this process.
 */
export class KafkaServer {
  readonly home: string;
  readonly clusterId: string;
  private readonly settings: BrokerSettings;
  private server: JavaProcess | null = null;
  private listeningPort = 0;
  private readonly clients = new Set<Admin>();
  /** Files of a stopped broker must not outlive this process either. */
  private readonly files: Guarded;

  /** Use `createKafka`. */
  constructor(home: string, clusterId: string, settings: BrokerSettings) {
    this.home = home;
    this.clusterId = clusterId;
    this.settings = settings;
    this.files = { endNow: () => rmSync(home, { recursive: true, force: true, maxRetries: 3 }) };
    guard(this.files);
  }

  get port(): number {
    return this.listeningPort;
  }

  get running(): boolean {
    return this.server !== null && !this.server.ended;
  }

  /** `127.0.0.1:9092` */
  get broker(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** A client of its own, which says nothing. */
  client(options: Partial<KafkaConfig> = {}): Kafka {
    const retry = { retries: 5, initialRetryTime: 50 };
    return new Kafka({
      clientId: 'test',
      brokers: [this.broker],
      logLevel: logLevel.NOTHING,
      retry,
      ...options,
    });
  }

  /** Connected until the broker is stopped. */
  async admin(): Promise<Admin> {
    const admin = this.client().admin();
    await admin.connect();
    this.clients.add(admin);
    return admin;
  }

  /** Starts the broker and waits until it serves. Nothing happens when it runs. @throws Error with its log. */
  async start(): Promise<void> {
    if (this.running) return;
    const first = this.listeningPort === 0;
    for (let attempt = 1; ; attempt += 1) {
      const controller = await freePort();
      if (first) this.listeningPort = await freePort();
      await this.writeSettings(controller);
      const archive = `-XX:SharedArchiveFile=${join(await formatted(), ARCHIVE)}`;
      const settings = join(this.home, 'server.properties');
      const args = [...JVM, archive, '-cp', await classPath(KAFKA), 'kafka.Kafka', settings];
      this.server = JavaProcess.launch(args, { home: this.home, log: this.log, user: serverUser() });
      if (await this.ready()) return;
      await this.kill();
      const log = await tail(this.log, 30);
      if (attempt >= PORT_ATTEMPTS || !log.includes('Address already in use')) {
        throw new Error(`Kafka did not start; the end of its log:\n${log}`);
      }
    }
  }

  /** Nothing happens when it is stopped. `start` brings it back on the same port. */
  async stop(): Promise<void> {
    await this.disconnect();
    if (this.running) await this.server?.stop();
    this.server = null;
  }

  /** SIGKILL, as a power cut would. */
  async kill(): Promise<void> {
    if (this.running) await this.server?.kill();
    this.server = null;
    await this.disconnect();
  }

  async destroy(): Promise<void> {
    await this.kill();
    release(this.files);
    this.files.endNow();
  }

  private get log(): string {
    return join(this.home, 'kafka.log');
  }

  private async disconnect(): Promise<void> {
    await Promise.all([...this.clients].map((client) => client.disconnect().catch(() => undefined)));
    this.clients.clear();
  }

  private async ready(): Promise<boolean> {
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (this.running && Date.now() < deadline) {
      if (await this.answers().catch(() => false)) return true;
      await sleep(POLL_MS);
    }
    return false;
  }

  /** What answers on our port may be somebody else. */
  private async answers(): Promise<boolean> {
    const admin = this.client({ retry: { retries: 0 }, connectionTimeout: 1000 }).admin();
    try {
      await admin.connect();
      const { clusterId, brokers } = await admin.describeCluster();
      return clusterId === this.clusterId && brokers.length === 1;
    } finally {
      await admin.disconnect().catch(() => undefined);
    }
  }

  private async writeSettings(controller: number): Promise<void> {
    const listener = `PLAINTEXT://127.0.0.1:${this.port}`;
    const all: BrokerSettings = {
      ...DEFAULTS,
      'controller.quorum.voters': `1@127.0.0.1:${controller}`,
      listeners: `${listener},CONTROLLER://127.0.0.1:${controller}`,
      'advertised.listeners': listener,
      'log.dirs': join(this.home, 'data'),
      ...this.settings,
    };
    await writeOwned(join(this.home, 'server.properties'), propertiesOf(all), serverUser());
  }
}

/** Makes and starts a broker; a few seconds. @throws Error when it cannot run here. Nothing is left behind. */
export async function createKafka(settings: BrokerSettings = {}): Promise<KafkaServer> {
  const template = await formatted();
  const user = serverUser();
  const home = await mkdtemp(join(tmpdir(), 'twinproof-kafka-'));
  await chmod(home, 0o700);
  const clusterId = randomBytes(16).toString('base64url');
  const server = new KafkaServer(home, clusterId, settings);
  try {
    const data = join(home, 'data');
    await run('cp', ['-r', join(template, 'data'), data], null);
    const meta = join(data, 'meta.properties');
    const text = await readFile(meta, 'utf8');
    await writeFile(meta, text.replace(/^cluster\.id=.*$/m, `cluster.id=${clusterId}`));
    if (user !== null) {
      await chown(home, user.uid, user.gid);
      await run('chown', ['-R', `${user.uid}:${user.gid}`, data], null);
    }
    await server.start();
    return server;
  } catch (error) {
    await server.destroy();
    throw error;
  }
}

/**
 * A folder as StorageTool formats it, and an archive of the classes that a broker loads, with which it starts in half of
 * the time: made once.
 */
export function formatted(): Promise<string> {
  return cached(`${KAFKA.name}-data-${FORMAT}`, async (draft) => {
    const [controller, port] = [await freePort(), await freePort()];
    const settings: BrokerSettings = {
      ...DEFAULTS,
      'controller.quorum.voters': `1@127.0.0.1:${controller}`,
      listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controller}`,
      'log.dirs': join(draft, 'data'),
    };
    const file = join(draft, 'server.properties');
    await writeFile(file, propertiesOf(settings));
    const tool = ['kafka.tools.StorageTool', 'format', '-t', randomBytes(16).toString('base64url')];
    const classes = ['-cp', await classPath(KAFKA)];
    await runJava('java', [...JVM, ...classes, ...tool, '-c', file]);
    await run('cp', ['-r', join(draft, 'data'), join(draft, 'kept')], null);
    const archive = `-XX:ArchiveClassesAtExit=${join(draft, ARCHIVE)}`;
    const args = [...JVM, archive, ...classes, 'kafka.Kafka', file];
    const server = JavaProcess.launch(args, { home: draft, log: join(draft, 'kafka.log'), user: null });
    await waitUntil(
      async () => server.ended || (await accepts(port)),
      START_TIMEOUT_MS,
      () => tail(join(draft, 'kafka.log'), 30),
    );
    await server.stop();
    await run('rm', ['-rf', join(draft, 'data')], null);
    await rename(join(draft, 'kept'), join(draft, 'data'));
  });
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('close', () => resolve(false)).setTimeout(1000, () => socket.destroy());
    socket.once('connect', () => socket.destroy());
  });
}

function propertiesOf(settings: BrokerSettings): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}
