import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Guarded, guard, release } from '../../../src/demo/server-guard.ts';
import type { ServerUser } from '../../../src/demo/server-user.ts';

const POLL_MS = 10;
const STOP_TIMEOUT_MS = 60_000;

/** See mysql-process.ts: ends the program and removes its files when we were killed. */
const WATCHDOG = 'read -r word; [ "$word" = over ] && exit 0; kill -KILL "$1"; sleep 1; rm -rf "$2"';

/** Small and quick to start: no second compiler, no concurrent collector, one heap of fixed bounds. */
export const JVM = ['-Xms64m', '-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto'];

/** Nothing of ours leaks into a program but the way to Java, to Maven's registry and to the home of its settings. */
function javaEnvironment(): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = { LC_ALL: 'C.UTF-8', TZ: 'UTC' };
  for (const name of ['PATH', 'HOME', 'JAVA_HOME', 'http_proxy', 'https_proxy', 'no_proxy']) {
    if (process.env[name] !== undefined) environment[name] = process.env[name];
  }
  return environment;
}

/** Runs a program to its end. Returns what it printed (the last 64 KiB). @throws Error with the end of that. */
export async function runJava(program: string, args: readonly string[]): Promise<string> {
  const child = spawn(program, args, { cwd: '/', env: javaEnvironment(), stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output = (output + text).slice(-65_536)));
  }
  const [code]: unknown[] = await once(child, 'close');
  if (code === 0) return output;
  throw new Error(`${program} failed (${String(code)}): ${output.trim().split('\n').slice(-12).join('\n')}`);
}

/** One running Java program: a direct child, so that its end is seen and no process is ever guessed. */
export class JavaProcess implements Guarded {
  readonly pid: number;
  readonly child: ChildProcess;
  private readonly home: string;

  private constructor(child: ChildProcess, pid: number, watchdog: ChildProcess, home: string) {
    this.child = child;
    this.pid = pid;
    this.home = home;
    guard(this);
    child.once('exit', () => {
      release(this);
      watchdog.stdin?.end('over\n');
    });
  }

  /** Starts it in its folder `home`; what it prints goes to the file `log`, standard output too unless `piped`. */
  static launch(
    args: readonly string[],
    at: {
      readonly home: string;
      readonly log: string;
      readonly user: ServerUser | null;
      readonly piped?: true;
    },
  ): JavaProcess {
    const log = openSync(at.log, 'a');
    // Detached: Ctrl-C in a terminal must reach us only; we decide how the program ends.
    const common = { ...at.user, env: javaEnvironment(), detached: true };
    const output = at.piped === true ? ('pipe' as const) : log;
    const child = spawn('java', args, { ...common, cwd: at.home, stdio: ['ignore', output, log] });
    closeSync(log);
    child.on('error', () => undefined);
    if (child.pid === undefined) throw new Error('java could not be started');
    const watchdog = spawn('/bin/sh', ['-c', WATCHDOG, 'watchdog', String(child.pid), at.home], {
      ...common,
      cwd: '/',
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    watchdog.on('error', () => undefined);
    watchdog.stdin.on('error', () => undefined);
    child.unref();
    watchdog.unref();
    return new JavaProcess(child, child.pid, watchdog, at.home);
  }

  get ended(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Clean shutdown (SIGTERM); returns at its end. @throws Error after a minute. */
  async stop(): Promise<void> {
    await this.end('SIGTERM');
  }

  /** SIGKILL, as a power cut would; returns when the process is gone. */
  async kill(): Promise<void> {
    await this.end('SIGKILL');
  }

  endNow(): void {
    this.signal('SIGKILL');
    rmSync(this.home, { recursive: true, force: true, maxRetries: 3 });
  }

  private async end(name: NodeJS.Signals): Promise<void> {
    this.signal(name);
    const deadline = Date.now() + STOP_TIMEOUT_MS;
    while (!this.ended && Date.now() < deadline) await sleep(POLL_MS);
    if (!this.ended) throw new Error(`the Java program outlived ${name} for a minute`);
  }

  private signal(name: NodeJS.Signals): void {
    if (this.ended) return;
    try {
      process.kill(this.pid, name);
    } catch {
      // It ended by itself in the meantime.
    }
  }
}
