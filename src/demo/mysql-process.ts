import { type ChildProcess, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Guarded, guard, release } from './server-guard.ts';
import type { MysqlInstallation } from './mysql-installation.ts';
import { mysqlEnvironment } from './mysql-run.ts';

const POLL_MS = 10;
const STOP_TIMEOUT_MS = 60_000;

/**
 * Ends the server and removes its files when the pipe from our process closes without a word, that is when we were
 * killed and could do neither. Runs as the server's user, so it can harm nothing else.
 */
const WATCHDOG = 'read -r word; [ "$word" = over ] && exit 0; kill -KILL "$1"; sleep 1; rm -rf "$2"';

/** Folder of everything that belongs to a server, and the file of settings in it. */
export interface MysqlPaths {
  readonly home: string;
  readonly data: string;
  readonly settings: string;
  readonly socket: string;
  readonly log: string;
  readonly pid: string;
  /** The certificate authority of a server with TLS. */
  readonly authority: string;
}

/** One running server: a direct child, so that its end is seen and no process is ever guessed. */
export class MysqlProcess implements Guarded {
  readonly pid: number;
  private readonly child: ChildProcess;
  private readonly watchdog: ChildProcess;
  private readonly home: string;

  private constructor(child: ChildProcess, pid: number, watchdog: ChildProcess, home: string) {
    this.child = child;
    this.pid = pid;
    this.watchdog = watchdog;
    this.home = home;
    guard(this);
    child.once('exit', () => this.dismiss());
  }

  static launch(installation: MysqlInstallation, paths: MysqlPaths): MysqlProcess {
    const [program, ...first] = installation.command;
    // Detached: Ctrl-C in a terminal must reach us only; we decide how the server ends.
    const common = { ...installation.user, env: mysqlEnvironment(), detached: true };
    const child = spawn(program, [...first, `--defaults-file=${paths.settings}`], {
      ...common,
      cwd: paths.home,
      stdio: 'ignore',
    });
    child.on('error', () => undefined);
    if (child.pid === undefined) throw new Error(`${program} could not be started`);
    const watchdog = spawn('/bin/sh', ['-c', WATCHDOG, 'watchdog', String(child.pid), paths.home], {
      ...common,
      cwd: '/',
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    watchdog.on('error', () => undefined);
    watchdog.stdin.on('error', () => undefined);
    child.unref();
    watchdog.unref();
    return new MysqlProcess(child, child.pid, watchdog, paths.home);
  }

  get ended(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Clean shutdown; returns at its end. @throws Error after a minute. */
  async stop(): Promise<void> {
    this.signal('SIGTERM');
    if (!(await this.end())) throw new Error('the server did not stop within a minute');
  }

  /** SIGKILL, as a power cut would; returns when the process is gone. */
  async kill(): Promise<void> {
    this.signal('SIGKILL');
    if (!(await this.end())) throw new Error('the server outlived SIGKILL for a minute');
  }

  signal(name: NodeJS.Signals): void {
    if (this.ended) return;
    try {
      process.kill(this.pid, name);
    } catch {
      // It ended by itself in the meantime.
    }
  }

  endNow(): void {
    this.signal('SIGKILL');
    rmSync(this.home, { recursive: true, force: true, maxRetries: 3 });
  }

  private async end(): Promise<boolean> {
    const deadline = Date.now() + STOP_TIMEOUT_MS;
    while (!this.ended && Date.now() < deadline) await sleep(POLL_MS);
    return this.ended;
  }

  private dismiss(): void {
    release(this);
    this.watchdog.stdin?.end('over\n');
  }
}
