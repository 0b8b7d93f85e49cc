import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Guarded, guard, release } from './server-guard.ts';
import type { ServerUser } from './server-user.ts';

/**
 * Ends the program and removes its files when the pipe from our process closes without a word, that is when we were
 * killed and could do neither. Runs as the program's user, so it can harm nothing else.
 */
const WATCHDOG = 'read -r word; [ "$word" = over ] && exit 0; kill "-$3" "$1"; sleep 1; rm -rf "$2"';

export interface ChildOptions {
  readonly program: string;
  readonly args: readonly string[];
  /** Folder in which it runs, of everything that belongs to it; removed when this process dies. Absolute. */
  readonly home: string;
  /** Null: it runs as whoever runs this process. */
  readonly user: ServerUser | null;
  /** All of it. */
  readonly environment: NodeJS.ProcessEnv;
  readonly stdio: StdioOptions;
  /** What ends it when this process has died. */
  readonly lastSignal: 'KILL' | 'QUIT';
}

/** One running program: a direct child, so that its end is seen and no process is ever guessed. It never outlives us. */
export class ServerChild {
  readonly pid: number;
  readonly process: ChildProcess;
  readonly #watchdog: ChildProcess;

  private constructor(child: ChildProcess, pid: number, watchdog: ChildProcess) {
    this.process = child;
    this.pid = pid;
    this.#watchdog = watchdog;
  }

  /** Null: it could not be started. */
  static launch({
    program,
    args,
    home,
    user,
    environment,
    stdio,
    lastSignal,
  }: ChildOptions): ServerChild | null {
    // Detached: Ctrl-C in a terminal must reach us only; we decide how the program ends.
    const common = { ...user, env: environment, detached: true };
    const child = spawn(program, args, { ...common, cwd: home, stdio });
    child.on('error', () => undefined);
    if (child.pid === undefined) return null;
    const watched = [String(child.pid), home, lastSignal];
    const watchdog = spawn('/bin/sh', ['-c', WATCHDOG, 'watchdog', ...watched], {
      ...common,
      cwd: '/',
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    watchdog.on('error', () => undefined);
    watchdog.stdin.on('error', () => undefined);
    child.unref();
    watchdog.unref();
    return new ServerChild(child, child.pid, watchdog);
  }

  /** From now on `owner` is ended with this process, until the program has ended. */
  guardedBy(owner: Guarded): void {
    guard(owner);
    this.process.once('exit', () => {
      release(owner);
      this.#watchdog.stdin?.end('over\n');
    });
  }

  get ended(): boolean {
    return this.process.exitCode !== null || this.process.signalCode !== null;
  }

  signal(name: NodeJS.Signals): void {
    if (!this.ended) sendSignal(this.pid, name);
  }

  /** Waits for its end, looking every `pollMs`; whether it came in time. */
  async end(timeoutMs: number, pollMs: number): Promise<boolean> {
    const deadline = Date.now() + timeoutMs;
    while (!this.ended && Date.now() < deadline) await sleep(pollMs);
    return this.ended;
  }
}

export function sendSignal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It ended by itself in the meantime.
  }
}
