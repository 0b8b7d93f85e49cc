import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { connectSite } from '../connectors/registry.ts';
import { parseUrl } from '../src/config/url.ts';
import type { ReadinessOptions } from '../src/connector/facts.ts';
import type { ReadinessJson } from '../src/report/readiness-json.ts';
import { VERIFIER } from '../test/servers/harness/mysql-accounts.ts';
import type { MysqlFlavor } from '../test/servers/harness/mysql-installation.ts';
import { missingMysql } from '../test/servers/harness/mysql-named.ts';
import { measure, timesOf } from './measure.ts';
import {
  type ReadyPair,
  type ReadySite,
  withCross,
  withLogical,
  withMysql,
  withPhysical,
} from './readiness-pairs.ts';

/**
 * How long all readiness checks take where there are many tables: the facts of each site by itself while the other is
 * idle, as the least-privilege role over a new connection each time, and the whole command on both sites, which share
 * this machine's processors. Processor time is given too: it says what a quiet machine would need.
 *
 *   node dist/bench/readiness-tables.js [--tables 10000] [--only physical|logical|cross|mariadb|mysql] [--rounds 3]
 */
const { values: options } = parseArgs({
  options: {
    tables: { type: 'string', default: '10000' },
    only: { type: 'string', default: '' },
    rounds: { type: 'string', default: '3' },
  },
});
const tables = Number(options.tables);
const CLI = path.resolve(import.meta.dirname, '../src/cli.js');
const LIMIT_MS = 300_000;
/** Until a server has collected the process of a connection that was closed. */
const REAPED_MS = 300;

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function measureSite(as: 'primary' | 'candidate', site: ReadySite, pair: ReadyPair): Promise<void> {
  const times: string[] = [];
  let unread: readonly string[] = [];
  for (let round = 0; round < Number(options.rounds); round += 1) {
    const before = { own: process.cpuUsage(), server: cpuOf(site.pid) };
    const { seconds, holes } = await readOnce(site.url, { pair: pair.kind, as });
    unread = holes;
    const { user, system } = process.cpuUsage(before.own);
    await sleep(REAPED_MS);
    const server = cpuOf(site.pid) - before.server;
    times.push(
      `${seconds.toFixed(2)} s (CPU: here ${((user + system) / 1e6).toFixed(2)}, server ${server.toFixed(2)})`,
    );
  }
  print(`  ${as}, ${site.name}: ${times.join(', ')}; wanted: below 3 s`);
  for (const line of unread.slice(0, 3)) print(`    not read: ${line}`);
}

async function readOnce(
  url: string,
  asking: ReadinessOptions,
): Promise<{ readonly seconds: number; readonly holes: readonly string[] }> {
  const signal = AbortSignal.timeout(LIMIT_MS);
  const { address } = parseUrl(url, 'secret');
  const site = await connectSite(address, { jobs: 1, statementTimeoutMs: LIMIT_MS }, signal);
  try {
    const start = performance.now();
    const facts = await site.readiness(signal, asking);
    const seconds = (performance.now() - start) / 1000;
    return { seconds, holes: facts.unread.map(({ fact, reason }) => `${fact}: ${reason}`) };
  } finally {
    await site.close();
  }
}

/** Of a process and its children that have ended. */
function cpuOf(pid: number): number {
  const { own, reaped } = timesOf(pid) ?? { own: Number.NaN, reaped: Number.NaN };
  return own + reaped;
}

async function measureCommand({ primary, candidate }: ReadyPair): Promise<void> {
  const sites = ['--primary', primary.url, '--candidate', candidate.url];
  const times: string[] = [];
  let answer = '';
  for (let round = 0; round < Number(options.rounds); round += 1) {
    const run = await measure(process.execPath, [CLI, 'readiness', ...sites, '--format', 'json']);
    times.push(`${run.seconds.toFixed(2)} s (CPU here ${run.cpuSeconds.toFixed(2)})`);
    const { switchover, results }: ReadinessJson = JSON.parse(run.stdout);
    const open = results.filter(({ state, severity }) => state !== 'pass' && severity.switchover === 'block');
    answer = [switchover.word, ...new Set(open.map(({ code, state }) => `${code} ${state}`))].join(', ');
  }
  print(`  the whole command: ${times.join(', ')}; answer: ${answer}`);
}

async function measurePair(pair: ReadyPair): Promise<void> {
  print(`${pair.name}, ${tables} tables`);
  await measureSite('primary', pair.primary, pair);
  await measureSite('candidate', pair.candidate, pair);
  await measureCommand(pair);
}

async function isThere(flavor: MysqlFlavor): Promise<boolean> {
  const missing = await missingMysql(flavor);
  if (missing !== null) print(`left out: ${flavor} (${missing})`);
  return missing === null;
}

process.env['MYSQL_PWD'] = VERIFIER.password;
const wants = (kind: string): boolean => options.only === '' || options.only === kind;
if (wants('physical')) await withPhysical(tables, measurePair);
if (wants('logical')) await withLogical(tables, measurePair);
for (const flavor of ['mariadb', 'mysql'] as const) {
  if (!wants('cross') && !wants(flavor)) continue;
  if (!(await isThere(flavor))) continue;
  if (wants('cross')) await withCross(flavor, tables, measurePair);
  if (wants(flavor)) await withMysql(flavor, tables, measurePair);
}
