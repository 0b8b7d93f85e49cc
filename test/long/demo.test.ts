import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { once } from 'node:events';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { installedVersions } from '../../src/demo/binaries.ts';
import { widthOf } from '../../src/report/text-width.ts';
import { builtProgram } from '../servers/harness/cli-build.ts';
import { until } from '../servers/harness/cli.ts';

/** Far above what it takes, less than a minute: this is about the machine of a stranger. */
const LIMIT_MS = 480_000;

interface Demo {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  readonly type: (line: string) => void;
  readonly stdout: () => string;
  readonly stderr: () => string;
}

/** A temporary directory of the demo's own, short as sockets lie in it: what is left in there was left behind. */
const temporary = mkdtempSync('/tmp/tp-demo-');
// As root the servers run as another user, who must get in.
chmodSync(temporary, 0o755);

afterAll(() => rmSync(temporary, { recursive: true, force: true }));

function startDemo(args: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Demo {
  const child = spawn(process.execPath, [builtProgram(), 'demo', ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    // What a user's shell says of their own servers must not lead the demo astray.
    env: {
      PATH: process.env['PATH'],
      TMPDIR: temporary,
      PGHOST: 'db.example.org',
      PGSSLMODE: 'verify-full',
      ...env,
    },
  });
  // Whoever has ended reads nothing more.
  child.stdin.on('error', () => undefined);
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const limit = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
  const ended = once(child, 'close').then(([code]: unknown[]) => {
    clearTimeout(limit);
    return typeof code === 'number' ? code : null;
  });
  const type = (line: string): void => void child.stdin.write(`${line}\n`);
  return { child, ended, type, stdout: () => stdout, stderr: () => stderr };
}

/** Servers and folders; the copy of the programs for a user who cannot reach them is a cache and stays. */
function leftBehind(): readonly string[] {
  return readdirSync(temporary).filter((name) => !name.startsWith('twinproof-postgres-'));
}

function portsOf(text: string): readonly string[] {
  return [...new Set([...text.matchAll(/@127\.0\.0\.1:(\d+)/g)].map(([, port]) => port ?? ''))];
}

/** The verdict that a board gives its first system; null: it gives none. */
async function verdictAt(url: string): Promise<unknown> {
  const fleet: { systems?: { verdict?: unknown }[] } = JSON.parse(
    await (await fetch(`${url}/api/v1/fleet`)).text(),
  );
  return fleet.systems?.[0]?.verdict ?? null;
}

async function answers(port: string): Promise<boolean> {
  try {
    await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(2_000) });
    return true;
  } catch (error) {
    // A server of PostgreSQL hangs up on such talk; a port that nobody has refuses it.
    const cause = error instanceof Error ? error.cause : undefined;
    return !(cause instanceof Error && 'code' in cause && cause.code === 'ECONNREFUSED');
  }
}

describe.skipIf(installedVersions().length === 0 && process.env['CI'] === undefined)('the demo', () => {
  let demo: Demo;

  beforeAll(async () => {
    // Once for all tests: it is kept open until the last of them.
    demo = startDemo(['--keep', '--board']);
    const ended = demo.ended.then(() => true);
    const told = (): boolean => demo.stdout().includes('open it in a browser');
    await Promise.race([ended, until(told, 'the board of the demo', LIMIT_MS)]);
  }, LIMIT_MS);

  test(
    'ends with the board of a pair that lives, until Enter',
    async () => {
      const url = /(http:\S+) {3}open it/.exec(demo.stdout())?.[1] ?? '';
      const becomes = (verdict: string): Promise<void> =>
        until(async () => (await verdictAt(url)) === verdict, `the board says ${verdict}`, 90_000);
      await becomes('SAFE');
      demo.type('p');
      await becomes('NOT_SAFE');
      demo.type('p');
      await becomes('SAFE');
      demo.type('w');
      await becomes('UNKNOWN');
      demo.type('');
      await until(() => demo.stdout().includes('   files    '), 'the end of the board', 90_000);
      await expect(fetch(url)).rejects.toThrow('fetch failed');
    },
    LIMIT_MS,
  );

  test('shows what it claims', () => {
    expect(demo.stdout()).toContain('everything that was broken was found, nothing else was');
  });

  test('finds two copies the same under load, and gives the standby a verdict', () => {
    const text = demo.stdout();
    expect(text.match(/✔ SAME {2}every row of 4 tables is the same/g)).toHaveLength(2);
    expect(text).toMatch(/--quiesced[^│]*│ ✔ SAFE {2}/);
    expect(text.match(/│ ✖ NOT_SAFE {2}do not/g)).toHaveLength(2);
    expect(text).toContain('│ ✔ authentic and in force');
    expect(text).toContain('│ ✖ NOT AUTHENTIC');
  });

  test('puts the rows that it broke beside those that were found', () => {
    const rows = demo
      .stdout()
      .split('\n')
      .filter((line) => /^ {3}(transfer|account|customer|purchase) \d+ /.test(line))
      .map((line) => line.trim().replaceAll(/ {2,}/g, ' | '));
    expect(rows).toEqual([
      expect.stringMatching(/^transfer \d+ \| one bit: [\d.]+ reads [\d.]+ \| ✔ changed: amount$/),
      'customer 12017 | row lost from its page | ✔ missing',
      'transfer 90210 | row deleted | ✔ missing',
      'account 31007 | balance raised by 0.10 | ✔ changed: balance',
      'customer 30001 | row inserted here | ✔ extra',
      'customer 25011 | phone swapped with 25012 | ✔ changed: phone',
      'customer 25012 | phone swapped with 25011 | ✔ changed: phone',
      "transfer 90002 | memo: NULL became '' | ✔ changed: memo",
    ]);
  });

  test('counts the loss of a burnt primary, transaction by transaction, as its writer knows it', () => {
    const text = demo.stdout();
    expect(text).toContain('│ ! SAFE_WITH_LOSS  gasan');
    expect(text).toMatch(
      /✔ [\d,]+ lost transactions with [\d,]+ rows: each is one that the writer had confirmed/,
    );
  });

  test('names rows that changed on the standby after the primary was gone', () => {
    const text = demo.stdout();
    const last = text.slice(text.lastIndexOf('--primary-lost'));
    expect(last).toContain('│ ✖ NOT_SAFE  gasan');
    expect(last).toContain('id=12017');
  });

  test('has certificates checked by openssl, or says why not', () => {
    const text = demo.stdout();
    if (text.includes('Not checked with stock openssl')) return;
    expect(text.match(/\.cert: Signature Verified Successfully/g)).toHaveLength(2);
  });

  test('is plain text where there is no terminal, of bounded width', () => {
    const text = demo.stdout();
    expect(text).not.toContain('\x1b');
    expect(text.split('\n').filter((line) => widthOf(line) > 110)).toEqual([]);
  });

  test('keeps the servers until it is interrupted, then leaves no server and no file', async () => {
    const ports = portsOf(demo.stdout());
    // The primary has burnt, and another standby has come.
    expect(await Promise.all(ports.map(answers))).toEqual([false, true, true, true]);
    demo.child.kill('SIGINT');
    expect([await demo.ended, demo.stderr()]).toEqual([0, '']);
    expect(await Promise.all(ports.map(answers))).toEqual([false, false, false, false]);
    expect(leftBehind()).toEqual([]);
  });
});

test(
  'an interrupted demo ends at once and leaves nothing',
  async () => {
    const demo = startDemo([], { LC_ALL: 'C' });
    await until(() => demo.stdout().includes('PostgreSQL'), 'the first servers', LIMIT_MS / 2);
    expect(leftBehind()).not.toEqual([]);
    expect(demo.stdout()).toMatch(/^[\x20-\x7e\n]*$/);
    demo.child.kill('SIGINT');
    expect([await demo.ended, demo.stderr()]).toEqual([3, expect.stringContaining('error TP-INTERRUPTED')]);
    expect(leftBehind()).toEqual([]);
  },
  LIMIT_MS,
);
