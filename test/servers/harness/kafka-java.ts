import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, rmSync } from 'node:fs';
import { ServerChild } from '../../../src/demo/server-child.ts';
import type { Guarded } from '../../../src/demo/server-guard.ts';
import type { ServerUser } from '../../../src/demo/server-user.ts';

const POLL_MS = 10;
const STOP_TIMEOUT_MS = 60_000;

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

/** One running Java program. */
export class JavaProcess implements Guarded {
  readonly #running: ServerChild;
  readonly #home: string;

  private constructor(running: ServerChild, home: string) {
    this.#running = running;
    this.#home = home;
    running.guardedBy(this);
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
    const running = ServerChild.launch({
      program: 'java',
      args,
      home: at.home,
      user: at.user,
      environment: javaEnvironment(),
      stdio: ['ignore', at.piped === true ? 'pipe' : log, log],
      lastSignal: 'KILL',
    });
    closeSync(log);
    if (running === null) throw new Error('java could not be started');
    return new JavaProcess(running, at.home);
  }

  get pid(): number {
    return this.#running.pid;
  }

  get child(): ChildProcess {
    return this.#running.process;
  }

  get ended(): boolean {
    return this.#running.ended;
  }

  /** Clean shutdown (SIGTERM); returns at its end. @throws Error after a minute. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  /** SIGKILL, as a power cut would; returns when the process is gone. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  endNow(): void {
    this.#running.signal('SIGKILL');
    rmSync(this.#home, { recursive: true, force: true, maxRetries: 3 });
  }

  async #end(name: NodeJS.Signals): Promise<void> {
    this.#running.signal(name);
    if (await this.#running.end(STOP_TIMEOUT_MS, POLL_MS)) return;
    throw new Error(`the Java program outlived ${name} for a minute`);
  }
}
