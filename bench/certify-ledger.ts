import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createCluster, type Cluster } from '../src/demo/cluster.ts';
import { createStandby, waitForReplay } from '../src/demo/cluster-standby.ts';
import { Ledger } from '../src/ledger/ledger.ts';
import { Witness } from '../src/ledger/witness.ts';
import { measure, median } from './measure.ts';

/**
 * How long `certify` takes after the loss of a primary, as a whole command, with so many dirty keys, by the size of the
 * table. The ledger is made by `watch`; the changes reach ledger and standby while `watch` cannot reach the standby.
 *
 *   node dist/bench/certify-ledger.js [--rows 1000000,10000000] [--dirty 10000] [--rounds 5]
 */
const { values: options } = parseArgs({
  options: {
    rows: { type: 'string', default: '1000000,10000000' },
    dirty: { type: 'string', default: '10000' },
    rounds: { type: 'string', default: '5' },
  },
});
const CLI = fileURLToPath(new URL('../src/cli.js', import.meta.url));
const VERSION = 17;
const dirty = Number(options.dirty);

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

interface Bench {
  readonly primary: Cluster;
  readonly standby: Cluster;
  readonly folder: string;
}

async function prepare(rows: number): Promise<Bench> {
  const primary = await createCluster({ version: VERSION });
  await primary.sql(
    `CREATE TABLE account (id bigint PRIMARY KEY, owner text, amount numeric(12,2), note text)`,
  );
  await primary.sql(`INSERT INTO account SELECT i, 'owner ' || i, i / 7.0, md5(i::text)
    FROM generate_series(1, ${rows}) i`);
  await primary.sql('VACUUM (ANALYZE) account');
  await primary.sql('CREATE PUBLICATION twinproof FOR TABLE account');
  await primary.sql(`SELECT pg_create_logical_replication_slot('twinproof', 'pgoutput')`);
  const standby = await createStandby(primary);
  return { primary, standby, folder: mkdtempSync(path.join(tmpdir(), 'twinproof-bench-certify-')) };
}

/** With `standbyPort` 1 the candidate is not reached. */
function configure({ primary, standby, folder }: Bench, standbyPort: number): string {
  const file = path.join(folder, 'twinproof.yaml');
  const candidate = standby.url().replace(`:${standby.port}/`, `:${standbyPort}/`);
  writeFileSync(
    file,
    `systems:
  bank:
    primary: { url: "${primary.url()}", allowUnboundedWal: true }
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

/** Changes `dirty` rows, in transactions of 100, which the ledger and the standby both get. */
async function makeDirty(bench: Bench, rows: number): Promise<void> {
  const { primary, standby, folder } = bench;
  const watch = spawn(process.execPath, [CLI, 'watch', '--quiet', '--config', configure(bench, 1)], {
    stdio: 'ignore',
  });
  try {
    const step = Math.floor(rows / dirty);
    for (let first = 0; first < dirty; first += 100) {
      await primary.sql(`UPDATE account SET amount = amount + 1
        WHERE id IN (SELECT (i * ${step}) + 1 FROM generate_series(${first}, ${first + 99}) i)`);
    }
    const until = BigInt(Date.now()) * 1000n;
    while ((await witnessed(folder)) < until) {
      await primary.sql(`SELECT pg_logical_emit_message(true, 'tick', '')`);
      await sleep(500);
    }
  } finally {
    watch.kill('SIGINT');
    await once(watch, 'close');
  }
  await waitForReplay(standby);
}

async function run(rows: number): Promise<{ readonly seconds: number; readonly cpu: number }> {
  const bench = await prepare(rows);
  try {
    const config = configure(bench, bench.standby.port);
    const watched = await measure(process.execPath, [CLI, 'watch', '--once', '--quiet', '--config', config]);
    if (watched.exitCode !== 0) throw new Error(`watch ended with ${watched.exitCode}`);
    await makeDirty(bench, rows);
    await bench.primary.kill();
    configure(bench, bench.standby.port);
    const seconds: number[] = [];
    const cpu: number[] = [];
    for (let round = 0; round < Number(options.rounds); round++) {
      const fence = ['--fenced-at', new Date().toISOString(), '--fenced-by', 'bench'];
      const args = ['certify', '--config', config, '--format', 'json', '--primary-lost', ...fence];
      const result = await measure(process.execPath, [CLI, ...args]);
      if (result.exitCode !== 1) throw new Error(`certify ended with ${result.exitCode}: ${result.stdout}`);
      seconds.push(result.seconds);
      cpu.push(result.cpuSeconds);
      print(`  ${rows} rows: ${result.seconds.toFixed(2)} s, CPU ${result.cpuSeconds.toFixed(2)} s`);
    }
    return { seconds: median(seconds), cpu: median(cpu) };
  } finally {
    await bench.standby.destroy();
    await bench.primary.destroy();
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
