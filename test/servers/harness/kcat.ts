import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { waitUntil } from '../../../src/demo/cluster-wait.ts';

const WAIT_MS = 20_000;

/** Of Debian's package `kcat`. In CI what is missing must fail, not be skipped. */
export async function missingKcat(): Promise<string | null> {
  if (process.env['CI'] !== undefined) return null;
  return kcat(['-V']).then(
    () => null,
    () => 'there is no kcat here',
  );
}

/** Runs it to its end, with `input` as its standard input. @throws Error with what it said. */
export async function kcat(args: readonly string[], input = ''): Promise<void> {
  const child = spawn('kcat', args, { stdio: ['pipe', 'ignore', 'pipe'] });
  const ended = once(child, 'close');
  child.stdin.on('error', () => undefined).end(input);
  const said = text(child.stderr);
  const [code]: unknown[] = await ended;
  if (code !== 0) throw new Error(`kcat failed (${String(code)}): ${await said}`);
}

/**
 * Brokers within kcat (librdkafka's test.mock.num.brokers), in memory: for what they can do where no Kafka is to be had.
 * They know records, ends and offsets of groups, and no configurations, no lists of groups, no ids of topics, no
 * transactions. kcat ends when its standard input does, so it never outlives this process.
 */
export class KcatBrokers {
  readonly broker: string;
  readonly #child: ChildProcessByStdio<Writable, null, Readable>;

  private constructor(child: ChildProcessByStdio<Writable, null, Readable>, broker: string) {
    this.#child = child;
    this.broker = broker;
  }

  static async start(): Promise<KcatBrokers> {
    const args = ['-P', '-t', 'none', '-b', 'none', '-d', 'mock', '-X', 'test.mock.num.brokers=1'];
    const child = spawn('kcat', args, { stdio: ['pipe', 'ignore', 'pipe'] });
    child.stdin.on('error', () => undefined);
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (more: string) => (said = (said + more).slice(0, 10_000)));
    const where = (): string | undefined => /bootstrap\.servers=(127\.0\.0\.1:\d+)/.exec(said)?.[1];
    await waitUntil(
      () => Promise.resolve(where() !== undefined),
      WAIT_MS,
      () => `kcat did not start: ${said}`,
    );
    return new KcatBrokers(child, where() ?? '');
  }

  async end(): Promise<void> {
    const ended = once(this.#child, 'close');
    this.#child.stdin.end();
    await ended;
  }
}
