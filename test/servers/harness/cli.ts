import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { VerifyDocument } from '../../../src/report/verify-json.ts';
import type { VerdictJson } from '../../../src/verdict/json.ts';
import { builtProgram } from './cli-build.ts';

/** Stands for every password in these tests. Nothing that the program prints may hold it. */
export const CANARY = 'canary-s3cret';

const KILL_AFTER_MS = 50_000;

export interface CliResult {
  /** Null when a signal ended the process. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Default: the program as it was built. */
  readonly program?: string;
}

/** A command line under way. */
export interface CliRun {
  readonly child: ChildProcess;
  readonly ended: Promise<CliResult>;
  /** Standard error so far. */
  readonly stderr: () => string;
}

/** Starts `twinproof ARGS` as a child, with nothing of our environment but what is given. */
export function startCli(args: readonly string[], options: CliOptions = {}): CliRun {
  const child = spawn(process.execPath, [options.program ?? builtProgram(), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: options.cwd,
    env: { PATH: process.env['PATH'], HOME: '/nonexistent', PGUSER: 'postgres', ...options.env },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = new Promise<CliResult>((resolve, reject) => {
    const hung = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS);
    child.once('error', reject);
    child.once('close', (code) => {
      clearTimeout(hung);
      resolve({ code, stdout, stderr });
    });
  });
  return { child, ended, stderr: () => stderr };
}

/** Runs a command line to its end. Whatever it was, it printed neither a stack trace nor the canary. */
export async function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const result = await startCli(args, options).ended;
  expectClean(result);
  return result;
}

export function expectClean({ stdout, stderr }: CliResult): void {
  for (const text of [stdout, stderr]) {
    expect(text).not.toMatch(/^ {4}at /m);
    expect(text).not.toContain(CANARY);
  }
}

/** The error of a run that must fail with `exit` and `code`: one line and a hint, and nothing on standard output. */
export function expectRefusal(result: CliResult, exit: number, code: string): string {
  expect(result.stdout).toBe('');
  return expectFailure(result, exit, code);
}

/** The same of a run that printed its answer and then failed. */
export function expectFailure(result: CliResult, exit: number, code: string): string {
  expect(result).toMatchObject({ code: exit });
  const lines = result.stderr.trimEnd().split('\n');
  const at = lines.findIndex((line) => line.startsWith('error '));
  expect(lines[at]).toMatch(new RegExp(`^error ${code}: \\S`));
  expect(lines[at + 1]).toMatch(/^ {2}hint: \S/);
  expect(lines.slice(at)).toHaveLength(2);
  return `${lines[at]}\n${lines[at + 1]}`;
}

/** What `verify --format json` printed: exactly one object. */
export function documentOf(result: CliResult): VerifyDocument {
  const document: VerifyDocument = JSON.parse(printed(result));
  return document;
}

/** What `certify --format json` printed. */
export function verdictOf(result: CliResult): VerdictJson {
  const verdict: VerdictJson = JSON.parse(printed(result));
  return verdict;
}

function printed({ stdout, stderr }: CliResult): string {
  if (stdout === '') throw new Error(`nothing was printed; standard error: ${stderr}`);
  return stdout;
}

/** Codes of all reasons of a result, of the run and of its tables. */
export function reasonCodes(document: VerifyDocument): string[] {
  const reasons = [...document.reasons, ...document.tables.flatMap((table) => table.reasons)];
  return reasons.map(({ code }) => code);
}

/** Asks for `limitMs` whether something is so, and fails when it never is. */
export async function until(
  check: () => boolean | Promise<boolean>,
  what: string,
  limitMs = 20_000,
): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error(`never: ${what}`);
    await sleep(25);
  }
}
