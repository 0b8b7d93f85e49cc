import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Cluster, createCluster } from '../src/demo/cluster.ts';
import { createStandby } from '../src/demo/cluster-standby.ts';
import { waitUntil } from '../src/demo/cluster-wait.ts';
import { measure, median, timesOf } from './measure.ts';

/**
 * What a primary pays for being followed: the processor time of the whole server per pgbench transaction while `watch`
 * tails it, against that beside a bare pg_recvlogical on the same publication. The two take turns. Needs pgbench and
 * pg_recvlogical (PostgreSQL's client programs) in the PATH.
 *
 *   node dist/bench/tailing-load.js [--transactions 20000] [--rate 500] [--rounds 5] [--scale 10]
 */
const { values: options } = parseArgs({
  options: {
    transactions: { type: 'string', default: '20000' },
    /** Transactions a second, so that both sides are measured under the same load; 0: as fast as it goes. */
    rate: { type: 'string', default: '500' },
    rounds: { type: 'string', default: '5' },
    scale: { type: 'string', default: '10' },
  },
});
const CLI = fileURLToPath(new URL('../src/cli.js', import.meta.url));
const VERSION = 17;
const PUBLICATION = 'twinproof';
const SLOTS = { bare: 'bare', watch: 'twinproof' } as const;

type Follower = keyof typeof SLOTS;

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Processor seconds of the server's living processes and of those that have ended. */
function serverSeconds(postmaster: number): number {
  let seconds = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const times = timesOf(pid);
    if (Number(pid) === postmaster) seconds += (times?.own ?? 0) + (times?.reaped ?? 0);
    else if (times?.parent === postmaster) seconds += times.own;
  }
  return seconds;
}

async function pgbench(cluster: Cluster, args: readonly string[]): Promise<void> {
  const place = ['-h', '127.0.0.1', '-p', String(cluster.port), '-U', 'postgres'];
  const { exitCode } = await measure('pgbench', [...place, ...args, 'postgres']);
  if (exitCode !== 0) throw new Error(`pgbench ended with ${exitCode}`);
}

function follow(follower: Follower, primary: Cluster, config: string): ReturnType<typeof spawn> {
  if (follower === 'watch') {
    return spawn(process.execPath, [CLI, 'watch', '--quiet', '--config', config], { stdio: 'ignore' });
  }
  const place = ['-h', '127.0.0.1', '-p', String(primary.port), '-U', 'postgres', '-d', 'postgres'];
  const slot = ['--slot', SLOTS.bare, '--start', '--file', '/dev/null', '--fsync-interval', '0'];
  const plugin = ['-o', 'proto_version=1', '-o', `publication_names=${PUBLICATION}`];
  return spawn('pg_recvlogical', [...place, ...slot, ...plugin], { stdio: 'ignore' });
}

/** Until everything that was written by now has been confirmed. */
async function caughtUp(primary: Cluster, follower: Follower): Promise<void> {
  const [now] = await primary.sql('select pg_current_wal_insert_lsn()::text as lsn');
  const done = async (): Promise<boolean> => {
    await primary.sql(`select pg_logical_emit_message(true, 'bench', '')`);
    const [slot] = await primary.sql(
      `select active and confirmed_flush_lsn >= $1::pg_lsn as done from pg_replication_slots where slot_name = $2`,
      [now?.['lsn'], SLOTS[follower]],
    );
    return slot?.['done'] === true;
  };
  await waitUntil(done, 600_000, () => `${follower} does not catch up`);
}

/** Microseconds of the server's processor time per transaction. */
async function round(primary: Cluster, follower: Follower, config: string): Promise<number> {
  const child = follow(follower, primary, config);
  try {
    await caughtUp(primary, follower);
    await primary.sql('vacuum pgbench_branches, pgbench_tellers, pgbench_accounts');
    await primary.sql('checkpoint');
    const { pid } = primary;
    if (pid === null) throw new Error('the server has ended');
    const before = serverSeconds(pid);
    const rate = options.rate === '0' ? [] : ['-R', options.rate];
    const clients = 2;
    const each = String(Math.ceil(Number(options.transactions) / clients));
    await pgbench(primary, ['-n', '-c', String(clients), '-j', '1', '-t', each, ...rate]);
    await caughtUp(primary, follower);
    return ((serverSeconds(pid) - before) / Number(options.transactions)) * 1e6;
  } finally {
    child.kill('SIGINT');
    await once(child, 'close');
  }
}

async function prepare(primary: Cluster): Promise<void> {
  await pgbench(primary, ['-i', '-q', '-s', options.scale]);
  // pgbench_history has no key: its rows are not followed, but the publication would refuse nothing of it.
  await primary.sql(
    `create publication ${PUBLICATION} for table pgbench_accounts, pgbench_branches, pgbench_tellers`,
  );
  for (const slot of Object.values(SLOTS)) {
    await primary.sql(`select pg_create_logical_replication_slot($1, 'pgoutput')`, [slot]);
  }
}

async function run(folder: string, primary: Cluster, standby: Cluster): Promise<void> {
  const config = path.join(folder, 'twinproof.yaml');
  writeFileSync(
    config,
    `systems:
  bank:
    primary: { url: "${primary.url()}", allowUnboundedWal: true }
    candidates: [{ name: gasan, url: "${standby.url()}" }]
    tables: { include: ["public.pgbench_*"], exclude: ["public.pgbench_history"] }
ledger: { path: ./ledger }
`,
  );
  // The baseline is not what is measured.
  const first = await measure(process.execPath, [CLI, 'watch', '--once', '--quiet', '--config', config]);
  if (first.exitCode !== 0) throw new Error(`watch ended with ${first.exitCode}`);
  const ratios: number[] = [];
  for (let index = 0; index < Number(options.rounds); index++) {
    // Each goes first in turn: what the rounds leave behind makes the later one dearer.
    const order: readonly Follower[] = index % 2 === 0 ? ['bare', 'watch'] : ['watch', 'bare'];
    const cost: Record<Follower, number> = { bare: 0, watch: 0 };
    for (const follower of order) cost[follower] = await round(primary, follower, config);
    const { bare, watch: watched } = cost;
    ratios.push(watched / bare);
    print(
      `  beside pg_recvlogical ${bare.toFixed(0)} µs, beside watch ${watched.toFixed(0)} µs a transaction: ` +
        (watched / bare).toFixed(3),
    );
  }
  print(
    `processor time of the server, watch ÷ pg_recvlogical (target: at most 1.05): ${median(ratios).toFixed(3)}`,
  );
}

const folder = mkdtempSync(path.join(tmpdir(), 'twinproof-bench-tailing-'));
const settings = { shared_buffers: '512MB', max_wal_size: '8GB', autovacuum: 'off' };
const primary = await createCluster({ version: VERSION, settings });
try {
  await prepare(primary);
  const standby = await createStandby(primary);
  try {
    await run(folder, primary, standby);
  } finally {
    await standby.destroy();
  }
} finally {
  await primary.destroy();
  rmSync(folder, { recursive: true, force: true });
}
