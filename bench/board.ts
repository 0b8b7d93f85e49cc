import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import { statePath } from '../src/state/file.ts';
import type { VerdictWord } from '../src/verdict/verdict.ts';
import { launchChromium } from '../test/servers/harness/chromium-program.ts';
import { candidateOf, fleetYaml, stateOf } from '../test/unit/board-fixture.ts';
import { cpuOf, median, statusMiB } from './measure.ts';

/** The board with many systems: what a browser has to wait for, and what it costs. */

const { values: options } = parseArgs({
  options: {
    systems: { type: 'string', default: '1000' },
    updates: { type: 'string', default: '40' },
    loads: { type: 'string', default: '5' },
    /** Milliseconds between two writings of each system while updates are measured under load; 0: not measured. */
    every: { type: 'string', default: '10000' },
  },
});

const CLI = fileURLToPath(new URL('../src/cli.js', import.meta.url));
const VERDICTS: readonly VerdictWord[] = ['SAFE', 'SAFE_WITH_LOSS', 'NOT_SAFE', 'UNKNOWN'];
const count = Number(options.systems);
const names = Array.from({ length: count }, (_, index) => `system-${String(index).padStart(4, '0')}`);
const folder = mkdtempSync(path.join(tmpdir(), 'twinproof-bench-board-'));
const states = path.join(folder, 'state');
/** What was published last of each system. */
const published = new Map<string, VerdictWord>();

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function writeFleet(): void {
  const facts = names.map((name, index) => {
    const needs =
      index % 5 === 0 || index < 10 ? '' : `, dependsOn: [${names[Math.floor(index / 10)] ?? ''}]`;
    const group = index % 10 < 2 ? `, group: "group ${Math.floor(index / 10)}"` : '';
    return [
      name,
      `title: "System ${index}", tier: "${1 + (index % 5)}", owner: "Team ${index % 40}"${needs}${group}`,
    ];
  });
  const more = 'fleet: { name: "Bench", tiers: ["1", "2", "3", "4", "5"] }\nstate: { path: ./state }\n';
  writeFileSync(path.join(folder, 'twinproof.yaml'), fleetYaml(Object.fromEntries(facts), more));
  mkdirSync(states);
  for (const [index, name] of names.entries()) publish(name, VERDICTS[index % 4] ?? 'SAFE');
}

/** As `watch` does, but for the flush to disk. The answer: when the new file was in its place, in epoch milliseconds. */
function publish(name: string, verdict: VerdictWord): number {
  const now = new Date();
  published.set(name, verdict);
  const state = stateOf(name, [candidateOf('gasan', verdict, {}, now)], { staleAfterMs: 3_600_000 }, now);
  const temporary = path.join(states, `.${name}.tmp`);
  writeFileSync(temporary, JSON.stringify(state));
  const at = Date.now();
  renameSync(temporary, statePath(states, name));
  return at;
}

async function startBoard(): Promise<{ readonly child: ChildProcess; readonly url: string }> {
  const child = spawn(
    process.execPath,
    [CLI, 'board', '--config', path.join(folder, 'twinproof.yaml'), '--port', '0'],
    {
      stdio: ['ignore', 'inherit', 'pipe'],
    },
  );
  let told = '';
  const url = await new Promise<string>((resolve, reject) => {
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      told += text;
      const found = /board at (\S+)/.exec(told)?.[1];
      if (found !== undefined) resolve(found);
    });
    child.once('exit', () => reject(new Error(`the board has ended: ${told}`)));
  });
  return { child, url };
}

function memoryOf(pid: number | undefined): string {
  const [now, peak] = [statusMiB(pid, 'VmRSS'), statusMiB(pid, 'VmHWM')];
  return `${now?.toFixed(0)} MiB now, ${peak?.toFixed(0)} MiB at most`;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

async function measurePage(url: string): Promise<void> {
  const times: number[] = [];
  let bytes = 0;
  for (let round = 0; round < 7; round += 1) {
    times.push(await timed(async () => (bytes = (await (await fetch(url)).arrayBuffer()).byteLength)));
  }
  print(`page: ${bytes} bytes, ${median(times).toFixed(0)} ms (the first ${times[0]?.toFixed(0)})`);
}

async function measurePaint(browser: Browser, url: string): Promise<void> {
  const paints: number[] = [];
  const complete: number[] = [];
  for (let round = 0; round < Number(options.loads); round += 1) {
    const context = await browser.newContext({ locale: 'en', viewport: { width: 1320, height: 900 } });
    const page = await context.newPage();
    await page.goto(url);
    await page.locator('.liveness.on').waitFor();
    const [paint, loaded] = await page.evaluate<[number, number]>(`[
      performance.getEntriesByName('first-contentful-paint')[0].startTime,
      performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd,
    ]`);
    paints.push(paint);
    complete.push(loaded);
    await context.close();
  }
  print(`first paint: ${spread(paints)} ms; all rows and live: ${spread(complete)} ms`);
}

function spread(values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b);
  const late = sorted[Math.ceil(sorted.length * 0.95) - 1];
  return `median ${median(values).toFixed(0)}, 95% ${late?.toFixed(0)}, most ${sorted.at(-1)?.toFixed(0)}`;
}

/** From the rename of a state file to the change of its row in the page. */
async function measureUpdates(page: Page, title: string): Promise<void> {
  const latencies: number[] = [];
  for (let update = 0; update < Number(options.updates); update += 1) {
    const name = names[(update * 7919) % count] ?? '';
    const verdict = VERDICTS.find((one) => one !== published.get(name)) ?? 'SAFE';
    const seen = page.evaluate<number>(`new Promise((resolve) => {
      const look = () => {
        if (!document.querySelector('.row[data-system="${name}"][data-verdict=${verdict}]')) return;
        observer.disconnect();
        resolve(Date.now());
      };
      const observer = new MutationObserver(look);
      observer.observe(document.querySelector('#main'), { childList: true, subtree: true });
    })`);
    // Until the page looks: what is asked of it is answered in order.
    await page.evaluate('0');
    const at = publish(name, verdict);
    latencies.push((await seen) - at);
    await sleep(50 + ((update * 37) % 200));
  }
  print(`${title}: ${spread(latencies)} ms`);
}

/** Every system is written once in so many milliseconds, as verdicts stand. */
async function churn(ms: number, signal: AbortSignal): Promise<void> {
  const startedAt = performance.now();
  for (let done = 0; !signal.aborted; done += 1) {
    const name = names[(done * 31) % count] ?? '';
    publish(name, published.get(name) ?? 'SAFE');
    const due = startedAt + ((done + 1) * ms) / count;
    if (due > performance.now()) await sleep(due - performance.now());
  }
}

async function measureIdle(pid: number | undefined): Promise<void> {
  const before = cpuOf(pid) ?? 0;
  await sleep(10_000);
  print(`board at rest, one page open: ${(((cpuOf(pid) ?? 0) - before) * 10).toFixed(1)} % of a core`);
}

async function measureAll(url: string, pid: number | undefined): Promise<void> {
  await measurePage(url);
  const browser = await launchChromium();
  try {
    await measurePaint(browser, url);
    const page = await (await browser.newContext({ locale: 'en' })).newPage();
    await page.goto(url);
    await page.locator('.liveness.on').waitFor();
    await measureIdle(pid);
    await measureUpdates(page, 'update, nothing else changes');
    const every = Number(options.every);
    if (every > 0) {
      const stop = new AbortController();
      const before = cpuOf(pid) ?? 0;
      const startedAt = performance.now();
      const churning = churn(every, stop.signal);
      await measureUpdates(page, `update, while each system is published every ${every / 1000} s`);
      const share = ((cpuOf(pid) ?? 0) - before) / ((performance.now() - startedAt) / 1000);
      stop.abort();
      await churning;
      print(`board meanwhile: ${(share * 100).toFixed(0)} % of a core`);
    }
    await page.goto(`${url}/cutover`);
    await page.locator('.liveness.on').waitFor();
  } finally {
    await browser.close();
  }
  print(`memory of the board: ${memoryOf(pid)}`);
}

try {
  writeFleet();
  const startedAt = performance.now();
  const { child, url } = await startBoard();
  print(`${count} systems; the board listens after ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
  try {
    await measureAll(url, child.pid);
  } finally {
    child.kill('SIGTERM');
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
