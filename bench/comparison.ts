import { fileURLToPath } from 'node:url';
import { measure, median, type Measurement } from './measure.ts';

/** One site as the bench sees it. */
export interface BenchSite {
  readonly url: string;
  /** The stock client's command that reads a whole table and throws it away. */
  drain(table: string): readonly [string, ...string[]];
}

export interface BenchPair {
  readonly primary: BenchSite;
  readonly candidate: BenchSite;
  /** Such as `--config FILE --system bench`, where the URLs of the sites do not say it all. */
  readonly arguments?: readonly string[];
  /** Passwords: on a command line every user of the machine could read them. */
  readonly environment?: NodeJS.ProcessEnv;
  destroy(): Promise<void>;
}

export interface ComparisonOptions {
  readonly rounds: number;
  readonly jobs: string;
}

interface Case {
  readonly name: string;
  readonly target: string;
  readonly ratio: number;
  readonly spread: string;
  readonly peakMiB: number;
}

const CLI = fileURLToPath(new URL('../src/cli.js', import.meta.url));

export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** The cases of one run of the bench. */
export class Comparison {
  readonly #options: ComparisonOptions;
  readonly #results: Case[] = [];

  constructor(options: ComparisonOptions) {
    this.#options = options;
  }

  /** Both sites read by their stock clients at once; the time of the slower one. */
  async drain({ primary, candidate, environment = {} }: BenchPair, table: string): Promise<number> {
    const drainOne = async (site: BenchSite): Promise<Measurement> => {
      const [program, ...args] = site.drain(table);
      const result = await measure(program, args, { discard: true, environment });
      if (result.exitCode !== 0) throw new Error(`${program} failed: is it installed?`);
      return result;
    };
    const both = await Promise.all([drainOne(primary), drainOne(candidate)]);
    return Math.max(...both.map(({ seconds }) => seconds));
  }

  async verify(pair: BenchPair, table: string, expected: number): Promise<Measurement> {
    const sites = pair.arguments ?? ['--primary', pair.primary.url, '--candidate', pair.candidate.url];
    const common = ['verify', '--quiet', '--format', 'json', '--jobs', this.#options.jobs];
    const { environment = {} } = pair;
    const args = [CLI, ...common, '--tables', table, ...sites];
    const result = await measure(process.execPath, args, { environment });
    if (result.exitCode !== expected) {
      throw new Error(
        `verify ended with ${result.exitCode} instead of ${expected}: ${result.stdout.slice(0, 2000)}`,
      );
    }
    return result;
  }

  /** Verify against the drain, turn by turn. */
  async compare(name: string, target: string, pair: BenchPair, table: string): Promise<void> {
    const ratios: number[] = [];
    const peaks: number[] = [];
    await this.drain(pair, table);
    await this.verify(pair, table, 0);
    for (let round = 0; round < this.#options.rounds; round++) {
      const baseline = await this.drain(pair, table);
      const { seconds, cpuSeconds, peakMiB } = await this.verify(pair, table, 0);
      ratios.push(seconds / baseline);
      peaks.push(peakMiB ?? 0);
      const cpu = `(${cpuSeconds.toFixed(1)} s of CPU)`;
      print(`  ${name}: drain ${baseline.toFixed(2)} s, verify ${seconds.toFixed(2)} s ${cpu}`);
    }
    this.record(name, target, ratios, peaks);
  }

  /** A table with rows that differ against its identical twin, turn by turn. */
  async compareDifferent(
    name: string,
    target: string,
    pair: BenchPair,
    { identical, differing }: { readonly identical: string; readonly differing: string },
  ): Promise<void> {
    const ratios: number[] = [];
    const peaks: number[] = [];
    for (let round = 0; round < this.#options.rounds; round++) {
      const same = await this.verify(pair, identical, 0);
      const { seconds, peakMiB, stdout } = await this.verify(pair, differing, 2);
      ratios.push(seconds / same.seconds);
      peaks.push(peakMiB ?? 0);
      const counts = /"differences": \{[^}]*\}/.exec(stdout)?.[0].replace(/\s+/g, ' ') ?? '';
      print(`  ${name}: ${same.seconds.toFixed(2)} s and ${seconds.toFixed(2)} s, ${counts}`);
    }
    this.record(name, target, ratios, peaks);
  }

  /** Peak memory of comparing a table of `rows` rows and one four times as large. */
  async compareMemory(
    engine: string,
    rows: number,
    table: string,
    open: (rows: number) => Promise<BenchPair>,
  ): Promise<void> {
    print(`memory, ${engine}, ${rows} and ${4 * rows} rows…`);
    const peaks: number[] = [];
    for (const size of [rows, 4 * rows]) {
      const pair = await open(size);
      try {
        const runs: number[] = [];
        for (let round = 0; round < 3; round++) {
          runs.push((await this.verify(pair, table, 0)).peakMiB ?? 0);
        }
        peaks.push(Math.max(...runs));
      } finally {
        await pair.destroy();
      }
    }
    const [small = 0, large = 0] = peaks;
    this.#results.push({
      name: `memory, ${engine}, ${4 * rows} ÷ ${rows} rows`,
      target: 'at most 1.2, below 350 MiB',
      ratio: large / small,
      spread: `${small.toFixed(0)} and ${large.toFixed(0)} MiB`,
      peakMiB: large,
    });
  }

  printResults(): void {
    print(
      `\n${'case'.padEnd(42)} ${'ratio'.padStart(6)}  ${'spread'.padEnd(16)} ${'peak MiB'.padStart(8)}  target`,
    );
    for (const { name, target, ratio, spread, peakMiB } of this.#results) {
      print(
        `${name.padEnd(42)} ${ratio.toFixed(2).padStart(6)}  ${spread.padEnd(16)} ${peakMiB.toFixed(0).padStart(8)}  ${target}`,
      );
    }
  }

  private record(name: string, target: string, ratios: readonly number[], peaks: readonly number[]): void {
    const spread = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`;
    this.#results.push({ name, target, ratio: median(ratios), spread, peakMiB: Math.max(...peaks) });
  }
}
