import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { chmod, chown, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Admin, Kafka, type KafkaConfig, logLevel } from 'kafkajs';
import { freePort, tail, writeOwned } from '../../../src/demo/cluster-files.ts';
import { type Guarded, guard, release } from '../../../src/demo/server-guard.ts';
import { serverUser } from '../../../src/demo/server-user.ts';
import { JavaProcess, JVM } from './kafka-java.ts';
import { classPath, KAFKA } from './kafka-packages.ts';
import { ARCHIVE, type BrokerSettings, DEFAULTS, formatted, propertiesOf } from './kafka-template.ts';
import { run } from '../../../src/demo/mysql-run.ts';

/** What a broker may have besides its listener without any protection. */
export interface BrokerExtras {
  /** More listeners on 127.0.0.1: name, in capitals, to security protocol. */
  readonly listeners?: Readonly<Record<string, 'SSL' | 'SASL_SSL' | 'SASL_PLAINTEXT'>>;
  /** Makes files in the broker's folder, and gives the settings that name them. */
  readonly prepare?: (home: string) => Promise<BrokerSettings>;
  /** Which one of several it is; absent: it is alone. */
  readonly node?: KafkaNode;
}

/** A broker among others. */
export interface KafkaNode {
  /** 1: the controller, too, which has to be there first. */
  readonly id: number;
  readonly clusterId: string;
  /** Port of the controller. */
  readonly controller: number;
}

const START_TIMEOUT_MS = 90_000;
const PORT_ATTEMPTS = 5;
const POLL_MS = 50;

/**
 * A Kafka broker of our own: a folder in the temporary folder and, while started, a Java process that is a child of this
 * process. It listens on 127.0.0.1. It never outlives this process.
 */
export class KafkaServer {
  readonly home: string;
  readonly clusterId: string;
  private readonly settings: BrokerSettings;
  private readonly listeners: NonNullable<BrokerExtras['listeners']>;
  private readonly node: KafkaNode | null;
  private server: JavaProcess | null = null;
  private listeningPort = 0;
  private readonly otherPorts = new Map<string, number>();
  private readonly clients = new Set<Admin>();
  /** Files of a stopped broker must not outlive this process either. */
  private readonly files: Guarded;

  /** Use `createKafka`. */
  constructor(
    home: string,
    clusterId: string,
    settings: BrokerSettings,
    { listeners = {}, node }: BrokerExtras = {},
  ) {
    this.home = home;
    this.clusterId = clusterId;
    this.settings = settings;
    this.listeners = listeners;
    this.node = node ?? null;
    this.files = { endNow: () => rmSync(home, { recursive: true, force: true, maxRetries: 3 }) };
    guard(this.files);
  }

  get port(): number {
    return this.listeningPort;
  }

  /** Null: it does not run. */
  get pid(): number | null {
    return this.running ? (this.server?.pid ?? null) : null;
  }

  get running(): boolean {
    return this.server !== null && !this.server.ended;
  }

  /** `127.0.0.1:9092` */
  get broker(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Where one of its other listeners is: `127.0.0.1:9093`. */
  brokerOf(listener: string): string {
    return `127.0.0.1:${this.otherPorts.get(listener)}`;
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
      const controller = this.node?.controller ?? (await freePort());
      if (first) {
        this.listeningPort = await freePort();
        for (const name of Object.keys(this.listeners)) this.otherPorts.set(name, await freePort());
      }
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
      return clusterId === this.clusterId && brokers.some(({ port }) => port === this.port);
    } finally {
      await admin.disconnect().catch(() => undefined);
    }
  }

  private async writeSettings(controller: number): Promise<void> {
    const others = Object.keys(this.listeners).map((name) => `${name}://${this.brokerOf(name)}`);
    const listeners = [`PLAINTEXT://${this.broker}`, ...others].join(',');
    const protocols = Object.entries(this.listeners).map(([name, protocol]) => `,${name}:${protocol}`);
    const id = this.node?.id ?? 1;
    const isController = id === 1;
    const all: BrokerSettings = {
      ...DEFAULTS,
      'node.id': String(id),
      'process.roles': isController ? 'broker,controller' : 'broker',
      'listener.security.protocol.map': `CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT${protocols.join('')}`,
      'controller.quorum.voters': `1@127.0.0.1:${controller}`,
      listeners: isController ? `${listeners},CONTROLLER://127.0.0.1:${controller}` : listeners,
      'advertised.listeners': listeners,
      'log.dirs': join(this.home, 'data'),
      ...this.settings,
    };
    await writeOwned(join(this.home, 'server.properties'), propertiesOf(all), serverUser());
  }
}

/** Makes and starts a broker; a few seconds. @throws Error when it cannot run here. Nothing is left behind. */
export async function createKafka(
  settings: BrokerSettings = {},
  extras: BrokerExtras = {},
): Promise<KafkaServer> {
  const template = await formatted();
  const user = serverUser();
  const home = await mkdtemp(join(tmpdir(), 'twinproof-kafka-'));
  await chmod(home, 0o700);
  const { node } = extras;
  const clusterId = node?.clusterId ?? randomBytes(16).toString('base64url');
  const prepared = await extras.prepare?.(home).catch((error: unknown) => {
    rmSync(home, { recursive: true, force: true });
    throw error;
  });
  const server = new KafkaServer(home, clusterId, { ...settings, ...prepared }, extras);
  try {
    const data = join(home, 'data');
    await run('cp', ['-r', join(template, 'data'), data], null);
    const meta = join(data, 'meta.properties');
    const text = await readFile(meta, 'utf8');
    const own = { 'cluster.id': clusterId, 'node.id': String(node?.id ?? 1), 'directory.id': directoryId() };
    await writeFile(meta, withSettings(text, own));
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

/** A directory's own, as Kafka makes them: 16 random bytes, the first character no dash. */
function directoryId(): string {
  return `A${randomBytes(16).toString('base64url').slice(1)}`;
}

function withSettings(properties: string, own: BrokerSettings): string {
  return Object.entries(own).reduce((text, [name, value]) => {
    const line = new RegExp(`^${name.replaceAll('.', '\\.')}=.*$`, 'm');
    return text.replace(line, () => `${name}=${value}`);
  }, properties);
}
