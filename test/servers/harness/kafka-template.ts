import { randomBytes } from 'node:crypto';
import { rename, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { freePort, tail } from '../../../src/demo/cluster-files.ts';
import { waitUntil } from '../../../src/demo/cluster-wait.ts';
import { JavaProcess, JVM, runJava } from './kafka-java.ts';
import { classPath, KAFKA } from './kafka-packages.ts';
import { cached } from './mysql-packages.ts';
import { run } from '../../../src/demo/mysql-run.ts';

/** As in server.properties (Kafka documentation, "Broker Configs"). */
export type BrokerSettings = Readonly<Record<string, string>>;

/** Users that every broker knows for SCRAM-SHA-256 and SCRAM-SHA-512: made when its folder is formatted. */
export const SCRAM_USERS: Readonly<Record<string, string>> = {
  verifier: 'verifier-secret',
  publisher: 'publisher-secret',
  nobody: 'nobody-secret',
};

/** Raise it when what is in a formatted folder changes. */
const FORMAT = 3;

/** Of classes, in that folder. */
export const ARCHIVE = 'classes.jsa';
const START_TIMEOUT_MS = 90_000;

/** One node that is broker and controller; small, and quick to take a group of one in. */
export const DEFAULTS: BrokerSettings = {
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
    await runJava('java', [...JVM, ...classes, ...tool, '-c', file, ...scramUsers()]);
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

function scramUsers(): string[] {
  return Object.entries(SCRAM_USERS).flatMap(([name, password]) =>
    ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
      '--add-scram',
      `${mechanism}=[name=${name},iterations=4096,password=${password}]`,
    ]),
  );
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('close', () => resolve(false)).setTimeout(1000, () => socket.destroy());
    socket.once('connect', () => socket.destroy());
  });
}

export function propertiesOf(settings: BrokerSettings): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}
