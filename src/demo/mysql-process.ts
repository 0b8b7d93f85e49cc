import { rmSync } from 'node:fs';
import { ServerChild } from './server-child.ts';
import type { Guarded } from './server-guard.ts';
import type { MysqlInstallation } from './mysql-installation.ts';
import { mysqlEnvironment } from './mysql-run.ts';

const POLL_MS = 10;
const STOP_TIMEOUT_MS = 180_000;

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

/** One running server. */
export class MysqlProcess implements Guarded {
  private readonly child: ServerChild;
  private readonly home: string;

  private constructor(child: ServerChild, home: string) {
    this.child = child;
    this.home = home;
    child.guardedBy(this);
  }

  static launch({ command, user }: MysqlInstallation, { home, settings }: MysqlPaths): MysqlProcess {
    const [program, ...first] = command;
    const child = ServerChild.launch({
      program,
      args: [...first, `--defaults-file=${settings}`],
      home,
      user,
      environment: mysqlEnvironment(),
      stdio: 'ignore',
      lastSignal: 'KILL',
    });
    if (child === null) throw new Error(`${program} could not be started`);
    return new MysqlProcess(child, home);
  }

  get pid(): number {
    return this.child.pid;
  }

  get ended(): boolean {
    return this.child.ended;
  }

  /** Clean shutdown; returns at its end. @throws Error after three minutes. */
  async stop(): Promise<void> {
    this.signal('SIGTERM');
    if (!(await this.child.end(STOP_TIMEOUT_MS, POLL_MS)))
      throw new Error('the server did not stop within three minutes');
  }

  /** SIGKILL, as a power cut would; returns when the process is gone. */
  async kill(): Promise<void> {
    this.signal('SIGKILL');
    if (!(await this.child.end(STOP_TIMEOUT_MS, POLL_MS)))
      throw new Error('the server outlived SIGKILL for three minutes');
  }

  signal(name: NodeJS.Signals): void {
    this.child.signal(name);
  }

  endNow(): void {
    this.signal('SIGKILL');
    rmSync(this.home, { recursive: true, force: true, maxRetries: 3 });
  }
}
