import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';
import type { Cluster } from '../src/demo/cluster.ts';
import { editStandby, relationPath, replaceInRelation } from '../test/servers/harness/heap.ts';
import { measure, median, type Measurement } from './measure.ts';
import { type BenchPair, logicalPair, physicalPair } from './servers.ts';
import { BIGINT_TABLE, BIGINT_TABLE_DIFFERING, UUID_TABLE, UUID_TABLE_DIFFERING } from './tables.ts';

/**
 * Speed and memory of `verify`, as ratios to a baseline of the same run: psql draining both sites at once. Machines
 * differ and are noisy; the two take turns, and medians are compared.
 */

const CLI = fileURLToPath(new URL('../src/cli.js', import.meta.url));

const { values: options } = parseArgs({
  options: {
    rows: { type: 'string', default: '5000000' },
    rounds: { type: 'string', default: '5' },
    jobs: { type: 'string', default: '4' },
    memory: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
  },
});

interface Case {
  readonly name: string;
  readonly target: string;
  readonly ratio: number;
  readonly spread: string;
  readonly peakMiB: number;
}

const results: Case[] = [];

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function drain({ primary, candidate }: BenchPair, table: string): Promise<number> {
  const drainOne = ({ port }: Cluster): Promise<Measurement> =>
    measure('psql', [
      '-Xqc',
      `\\copy (select * from ${table}) to '/dev/null' (format binary)`,
      `postgres://postgres@127.0.0.1:${port}/postgres`,
    ]);
  const started = process.hrtime.bigint();
  const both = await Promise.all([drainOne(primary), drainOne(candidate)]);
  if (both.some(({ exitCode }) => exitCode !== 0)) throw new Error('psql failed: is it installed?');
  return Number(process.hrtime.bigint() - started) / 1e9;
}

async function verifyOnce(
  { primary, candidate }: BenchPair,
  table: string,
  expected: number,
): Promise<Measurement> {
  const result = await measure(process.execPath, [
    CLI,
    'verify',
    '--quiet',
    '--format',
    'json',
    '--jobs',
    options.jobs,
    '--tables',
    `public.${table}`,
    '--primary',
    primary.url(),
    '--candidate',
    candidate.url(),
  ]);
  if (result.exitCode !== expected) {
    throw new Error(
      `verify ended with ${result.exitCode} instead of ${expected}: ${result.stdout.slice(0, 2000)}`,
    );
  }
  return result;
}

/** Verify against the drain, turn by turn. */
async function compare(name: string, target: string, pair: BenchPair, table: string): Promise<void> {
  const ratios: number[] = [];
  const peaks: number[] = [];
  await drain(pair, table);
  await verifyOnce(pair, table, 0);
  for (let round = 0; round < Number(options.rounds); round++) {
    const baseline = await drain(pair, table);
    const { seconds, peakMiB } = await verifyOnce(pair, table, 0);
    ratios.push(seconds / baseline);
    peaks.push(peakMiB ?? 0);
    print(`  ${name}: drain ${baseline.toFixed(2)} s, verify ${seconds.toFixed(2)} s`);
  }
  record(name, target, ratios, peaks);
}

/** A table with rows that differ against its identical twin, turn by turn. */
async function compareDifferent(
  name: string,
  target: string,
  pair: BenchPair,
  identical: string,
  differing: string,
): Promise<void> {
  const ratios: number[] = [];
  const peaks: number[] = [];
  for (let round = 0; round < Number(options.rounds); round++) {
    const same = await verifyOnce(pair, identical, 0);
    const { seconds, peakMiB, stdout } = await verifyOnce(pair, differing, 2);
    ratios.push(seconds / same.seconds);
    peaks.push(peakMiB ?? 0);
    const counts = /"differences": \{[^}]*\}/.exec(stdout)?.[0].replace(/\s+/g, ' ') ?? '';
    print(`  ${name}: ${same.seconds.toFixed(2)} s and ${seconds.toFixed(2)} s, ${counts}`);
  }
  record(name, target, ratios, peaks);
}

function record(name: string, target: string, ratios: readonly number[], peaks: readonly number[]): void {
  const spread = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`;
  results.push({ name, target, ratio: median(ratios), spread, peakMiB: Math.max(...peaks) });
}

async function benchPhysical(rows: number): Promise<void> {
  print(`physical pair, ${rows} rows…`);
  const pair = await physicalPair([BIGINT_TABLE, UUID_TABLE, BIGINT_TABLE_DIFFERING], rows);
  try {
    await compare('physical, bigint key', 'at most 1.0', pair, BIGINT_TABLE.name);
    await compare('physical, uuid key', 'at most 1.0', pair, UUID_TABLE.name);
    const differing = BIGINT_TABLE_DIFFERING.name;
    const path = await relationPath(pair.primary, 'postgres', differing);
    await editStandby(pair.primary, pair.candidate, async (target) => {
      // One row in four is `closed`: every 25th of those is 1% of all.
      await replaceInRelation(target, path, Buffer.from('closed'), Buffer.from('clozed'), { every: 25 });
    });
    for (const table of [BIGINT_TABLE.name, differing]) await drain(pair, table);
    const name = 'physical, 1% differing ÷ identical';
    await compareDifferent(name, 'at most 1.15', pair, BIGINT_TABLE.name, differing);
  } finally {
    await pair.candidate.destroy();
    await pair.primary.destroy();
  }
}

async function benchSlices(rows: number): Promise<void> {
  print(`logical pair by slices, ${rows} rows…`);
  const pair = await logicalPair([UUID_TABLE, UUID_TABLE_DIFFERING], rows);
  try {
    await compare('logical by slices', 'at most 1.1', pair, UUID_TABLE.name);
    const differing = UUID_TABLE_DIFFERING.name;
    await pair.candidate.sql(`update ${differing} set status = 'altered' where customer % 100 = 7`);
    await pair.candidate.sql(`vacuum analyze ${differing}`);
    await drain(pair, differing);
    const name = 'slices, 1% differing ÷ identical';
    await compareDifferent(name, 'at most 2.3', pair, UUID_TABLE.name, differing);
  } finally {
    await pair.candidate.destroy();
    await pair.primary.destroy();
  }
}

async function benchMemory(rows: number): Promise<void> {
  print(`memory, ${rows} and ${4 * rows} rows…`);
  const peaks: number[] = [];
  for (const size of [rows, 4 * rows]) {
    const pair = await physicalPair([BIGINT_TABLE], size);
    try {
      const runs: number[] = [];
      for (let round = 0; round < 3; round++) {
        runs.push((await verifyOnce(pair, BIGINT_TABLE.name, 0)).peakMiB ?? 0);
      }
      peaks.push(Math.max(...runs));
    } finally {
      await pair.candidate.destroy();
      await pair.primary.destroy();
    }
  }
  const [small = 0, large = 0] = peaks;
  results.push({
    name: `peak memory, ${4 * rows} ÷ ${rows} rows`,
    target: 'at most 1.2, below 350 MiB',
    ratio: large / small,
    spread: `${small.toFixed(0)} and ${large.toFixed(0)} MiB`,
    peakMiB: large,
  });
}

const rows = Number(options.rows);
const wanted = (part: string): boolean => options.only === '' || options.only === part;
if (wanted('physical')) await benchPhysical(rows);
if (wanted('slices')) await benchSlices(rows);
if (options.memory || options.only === 'memory') await benchMemory(rows);
print(
  `\n${'case'.padEnd(42)} ${'ratio'.padStart(6)}  ${'spread'.padEnd(16)} ${'peak MiB'.padStart(8)}  target`,
);
for (const { name, target, ratio, spread, peakMiB } of results) {
  print(
    `${name.padEnd(42)} ${ratio.toFixed(2).padStart(6)}  ${spread.padEnd(16)} ${peakMiB.toFixed(0).padStart(8)}  ${target}`,
  );
}
