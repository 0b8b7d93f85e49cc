import { chmod, chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tail, writeOwned } from '../../../src/demo/cluster-files.ts';
import { waitUntil } from '../../../src/demo/cluster-wait.ts';
import { serverUser } from '../../../src/demo/server-user.ts';
import { JavaProcess, JVM } from './kafka-java.ts';
import { classPath, MIRROR_MAKER } from './kafka-packages.ts';
import type { KafkaServer } from './kafka-server.ts';
import { propertiesOf } from './kafka-template.ts';

/** As in connect-mirror-maker.properties (Kafka documentation, "MirrorMaker Configs"). */
export type MirrorSettings = Readonly<Record<string, string>>;

const WAIT_MS = 150_000;

/** What it calls the two clusters. */
export interface MirrorNames {
  readonly from: string;
  readonly to: string;
}

/** Small topics of its own, and nothing that waits for minutes. */
const DEFAULTS: MirrorSettings = {
  'replication.factor': '1',
  'checkpoints.topic.replication.factor': '1',
  'heartbeats.topic.replication.factor': '1',
  'offset-syncs.topic.replication.factor': '1',
  'config.storage.replication.factor': '1',
  'offset.storage.replication.factor': '1',
  'offset.storage.partitions': '1',
  'status.storage.replication.factor': '1',
  'status.storage.partitions': '1',
  'tasks.max': '1',
  'refresh.topics.interval.seconds': '1',
  'refresh.groups.interval.seconds': '1',
  'emit.checkpoints.interval.seconds': '1',
  'sync.group.offsets.enabled': 'true',
  'sync.group.offsets.interval.seconds': '1',
  'sync.topic.acls.enabled': 'false',
};

function between({ from, to }: MirrorNames): MirrorSettings {
  return {
    clusters: `${from}, ${to}`,
    [`${from}->${to}.enabled`]: 'true',
    [`${to}->${from}.enabled`]: 'false',
    [`${to}->${from}.emit.heartbeats.enabled`]: 'false',
    [`${to}.offset.flush.interval.ms`]: '1000',
    // What a killed worker did is taken over when its session has ended, not five minutes later.
    [`${to}.session.timeout.ms`]: '6000',
    [`${to}.heartbeat.interval.ms`]: '2000',
    [`${to}.scheduled.rebalance.max.delay.ms`]: '0',
  };
}

/** MirrorMaker 2 in a Java process of its own, from one cluster to another. */
export class MirrorMaker {
  readonly #home: string;
  readonly #args: readonly string[];
  #program: JavaProcess;

  private constructor(home: string, args: readonly string[]) {
    this.#home = home;
    this.#args = args;
    this.#program = this.#launched();
  }

  /** Returns before it replicates. @throws Error where it cannot be had. */
  static async start(
    from: KafkaServer,
    to: KafkaServer,
    names: MirrorNames,
    settings: MirrorSettings = {},
  ): Promise<MirrorMaker> {
    const home = await mkdtemp(join(tmpdir(), 'twinproof-mirror-'));
    const user = serverUser();
    await chmod(home, 0o700);
    if (user !== null) await chown(home, user.uid, user.gid);
    const clusters = {
      [`${names.from}.bootstrap.servers`]: from.broker,
      [`${names.to}.bootstrap.servers`]: to.broker,
    };
    const file = join(home, 'mm2.properties');
    await writeOwned(file, propertiesOf({ ...DEFAULTS, ...between(names), ...clusters, ...settings }), user);
    const classes = ['-cp', await classPath(MIRROR_MAKER)];
    return new MirrorMaker(home, [...JVM, ...classes, 'org.apache.kafka.connect.mirror.MirrorMaker', file]);
  }

  /** Waits until what it does shows. @throws Error with the end of its log. */
  async until(isSo: () => Promise<boolean>, what: () => string): Promise<void> {
    const asked = async (): Promise<boolean> => {
      if (this.#program.ended) throw new Error(`MirrorMaker ended; its log:\n${await this.#log()}`);
      return isSo();
    };
    await waitUntil(asked, WAIT_MS, async () => `${what()}; MirrorMaker’s log:\n${await this.#log()}`);
  }

  async stop(): Promise<void> {
    await this.#program.stop();
  }

  /** SIGKILL: it has not noted its place since the last flush. */
  async kill(): Promise<void> {
    await this.#program.kill();
  }

  /** After `stop` or `kill`. */
  again(): void {
    this.#program = this.#launched();
  }

  async end(): Promise<void> {
    await this.#program.kill();
    await rm(this.#home, { recursive: true, force: true, maxRetries: 3 });
  }

  #launched(): JavaProcess {
    const log = join(this.#home, 'mirror.log');
    return JavaProcess.launch(this.#args, { home: this.#home, log, user: serverUser() });
  }

  #log(): Promise<string> {
    return tail(join(this.#home, 'mirror.log'), 40);
  }
}
