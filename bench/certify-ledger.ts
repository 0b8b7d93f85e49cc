import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Ledger } from '../src/ledger/ledger.ts';
import { Witness } from '../src/ledger/witness.ts';
import { type CertifyEngine, certifyPair, type CertifyPair } from './certify-pair.ts';
import { measure, type Measurement, median } from './measure.ts';

/**
 * How long `certify` takes after the loss of a primary, as a whole command, with so many dirty keys, by the size of the
 * table. The ledger is made by `watch`. A standby gets the changes while `watch` cannot reach it; a replica of MySQL or
 * MariaDB lacks them, so that all of them are lost, and `watch` runs on beside `certify`.
 *
 *   node dist/bench/certify-ledger.js [--rows 1000000,10000000] [--dirty 10000] [--rounds 5]
 *     [--engine postgres|mariadb|mysql]
 */
const ENGINES: readonly CertifyEngine[] = ['postgres', 'mariadb', 'mysql'];
const { values: options } = parseArgs({
  options: {
    rows: { type: 'string', default: '1000000,10000000' },
    dirty: { type: 'string', default: '10000' },
    rounds: { type: 'string', default: '5' },
    engine: { type: 'string', default: 'postgres' },
  },
});
const CLI = fileURLToPath(new URL('../src/cli.js', import.meta.url));
const dirty = Number(options.dirty);

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

interface Bench {
  readonly pair: CertifyPair;
  readonly folder: string;
}

async function prepare(rows: number): Promise<Bench> {
  const engine = ENGINES.find((name) => name === options.engine);
  if (engine === undefined) throw new Error(`--engine is one of ${ENGINES.join(', ')}`);
  const pair = await certifyPair(engine, rows);
  return { pair, folder: mkdtempSync(path.join(tmpdir(), 'twinproof-bench-certify-')) };
}

/** One that is not `reached` stands behind a port at which nobody listens. */
function configure({ pair, folder }: Bench, reached: boolean): string {
  const file = path.join(folder, 'twinproof.yaml');
  const candidate = reached ? pair.candidateUrl : pair.candidateUrl.replace(/:\d+\//, ':1/');
  writeFileSync(
    file,
    `systems:
  bank:
    primary: { url: "${pair.primaryUrl}"${pair.primaryOptions} }
    candidates: [{ name: gasan, url: "${candidate}" }]
    policy: { rpo: 24h, maxTail: 1h }
ledger: { path: ./ledger }
`,
  );
  return file;
}

/** What of the primary's time the ledger has seen, in microseconds. */
async function witnessed(folder: string): Promise<bigint> {
  const ledger = await Ledger.read({
    folder: path.join(folder, 'ledger', 'bank'),
    system: 'bank',
    source: null,
    digest: 'xxh64',
    comparePositions: () => 'incomparable',
    retention: { timeUs: 0n, bytes: 0 },
    now: () => new Date(),
  });
  try {
    return new Witness(ledger.core).read()?.timeUs ?? 0n;
  } finally {
    await ledger.close();
  }
}

/** Changes `dirty` rows, in transactions of 100, and waits until the ledger has them; `watch` runs on. */
async function makeDirty(bench: Bench, rows: number): Promise<ChildProcess> {
  const { pair, folder } = bench;
  await pair.holdBack();
  const config = configure(bench, pair.staysBehind);
  const watch = spawn(process.execPath, [CLI, 'watch', '--quiet', '--config', config], { stdio: 'ignore' });
  try {
    const step = Math.floor(rows / dirty);
    for (let first = 0; first < dirty; first += 100) {
      await pair.update(Array.from({ length: 100 }, (_, index) => (first + index) * step + 1));
    }
    const until = BigInt(Date.now()) * 1000n;
    while ((await witnessed(folder)) < until) {
      await pair.tick();
      await sleep(500);
    }
  } catch (error) {
    await end(watch);
    throw error;
  }
  return watch;
}

async function end(watch: ChildProcess): Promise<void> {
  if (watch.exitCode !== null) return;
  watch.kill('SIGINT');
  await once(watch, 'close');
}

/** Seconds by the clock and of the processor. */
async function certify(config: string): Promise<Measurement> {
  const fence = ['--fenced-at', new Date().toISOString(), '--fenced-by', 'bench'];
  const args = ['certify', '--config', config, '--format', 'json', '--primary-lost', ...fence];
  const result = await measure(process.execPath, [CLI, ...args]);
  if (result.exitCode !== 1) throw new Error(`certify ended with ${result.exitCode}: ${result.stdout}`);
  return result;
}

async function run(rows: number): Promise<{ readonly seconds: number; readonly cpu: number }> {
  const bench = await prepare(rows);
  let watch: ChildProcess | null = null;
  try {
    const config = configure(bench, true);
    const watched = await measure(process.execPath, [CLI, 'watch', '--once', '--quiet', '--config', config]);
    if (watched.exitCode !== 0) throw new Error(`watch ended with ${watched.exitCode}`);
    watch = await makeDirty(bench, rows);
    if (!bench.pair.staysBehind) await end(watch);
    await bench.pair.caughtUp();
    await bench.pair.losePrimary();
    configure(bench, true);
    const rounds: Measurement[] = [];
    for (let round = 0; round < Number(options.rounds); round++) {
      const result = await certify(config);
      rounds.push(result);
      print(`  ${rows} rows: ${result.seconds.toFixed(2)} s, CPU ${result.cpuSeconds.toFixed(2)} s`);
    }
    return {
      seconds: median(rounds.map(({ seconds }) => seconds)),
      cpu: median(rounds.map(({ cpuSeconds }) => cpuSeconds)),
    };
  } finally {
    if (watch !== null) await end(watch);
    await bench.pair.destroy();
    rmSync(bench.folder, { recursive: true, force: true });
  }
}

const sizes = options.rows.split(',').map(Number);
const results: { readonly rows: number; readonly seconds: number; readonly cpu: number }[] = [];
for (const rows of sizes) results.push({ rows, ...(await run(rows)) });
print(
  `certify after a loss with ${dirty} dirty keys (target: at most 2 s, 1.3 times at ten times the rows):`,
);
const [first] = results;
for (const { rows, seconds, cpu } of results) {
  const ratio = first === undefined ? 1 : seconds / first.seconds;
  print(`  ${rows} rows: ${seconds.toFixed(2)} s (CPU ${cpu.toFixed(2)} s), ratio ${ratio.toFixed(2)}`);
}
