import { closeSync, existsSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TwinproofError } from '../errors.ts';
import type { Binaries } from './binaries.ts';
import { sendSignal, ServerChild } from './server-child.ts';
import type { Guarded } from './server-guard.ts';

/** How PostgreSQL is told to stop: `fast` ends sessions, `smart` waits for them, `immediate` is a crash. */
export type StopMode = 'fast' | 'immediate' | 'smart';

const STOP_SIGNALS = { fast: 'SIGINT', immediate: 'SIGQUIT', smart: 'SIGTERM' } as const;
const POLL_MS = 15;
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 60_000;

/** What one start of a server needs. Paths are absolute. */
export interface ServerPaths {
  /** Folder of everything that belongs to the server; removed when this process dies. */
  readonly home: string;
  readonly data: string;
  readonly log: string;
}

/** Environment of every PostgreSQL program: nothing of ours (PGDATA, PGPORT, …) may leak in. */
export function serverEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };
}

/** One running postmaster. */
export class ServerProcess implements Guarded {
  private readonly child: ServerChild;
  private readonly paths: ServerPaths;

  private constructor(child: ServerChild, paths: ServerPaths) {
    this.child = child;
    this.paths = paths;
    child.guardedBy(this);
  }

  /** Spawns the postmaster; see `ready` for when it serves. @throws TwinproofError TP-DEMO */
  static launch(binaries: Binaries, paths: ServerPaths): ServerProcess {
    const log = openSync(paths.log, 'a');
    const child = ServerChild.launch({
      program: binaries.postgres,
      args: ['-D', paths.data],
      home: paths.home,
      user: binaries.user,
      environment: serverEnvironment(),
      stdio: ['ignore', log, log],
      lastSignal: 'QUIT',
    });
    closeSync(log);
    if (child === null) {
      throw new TwinproofError('TP-DEMO', { message: `${binaries.postgres} could not be started` });
    }
    return new ServerProcess(child, paths);
  }

  get pid(): number {
    return this.child.pid;
  }

  get ended(): boolean {
    return this.child.ended;
  }

  /**
   * Waits until the server accepts connections (a standby without hot standby: until it replays). False when the
   * server ended instead. @throws TwinproofError TP-DEMO after a minute, TP-INTERRUPTED when `signal` says so.
   */
  async ready(signal?: AbortSignal): Promise<boolean> {
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (!this.ended) {
      if (signal?.aborted === true) throw new TwinproofError('TP-INTERRUPTED');
      const status = this.status();
      if (status === 'ready' || status === 'standby') return true;
      if (Date.now() > deadline) {
        throw new TwinproofError('TP-DEMO', { message: `PostgreSQL is still "${status}" after a minute` });
      }
      await sleep(POLL_MS);
    }
    return false;
  }

  /** Tells the server to stop and waits for its end. @throws TwinproofError TP-DEMO after a minute. */
  async stop(mode: StopMode): Promise<void> {
    this.signal(STOP_SIGNALS[mode]);
    if (await this.child.end(STOP_TIMEOUT_MS, POLL_MS)) return;
    throw new TwinproofError('TP-DEMO', { message: `PostgreSQL did not stop (${mode}) within a minute` });
  }

  /** SIGKILL to the postmaster and all its children, as a power cut would; returns when all are gone. */
  async kill(): Promise<void> {
    const children = childrenOf(this.pid);
    this.signal('SIGKILL');
    for (const pid of children) sendSignal(pid, 'SIGKILL');
    await this.child.end(STOP_TIMEOUT_MS, POLL_MS);
    const deadline = Date.now() + 2_000;
    while (children.some((pid) => isAlive(pid)) && Date.now() < deadline) await sleep(POLL_MS);
  }

  signal(name: NodeJS.Signals): void {
    this.child.signal(name);
  }

  endNow(): void {
    // SIGQUIT, not SIGKILL: the postmaster then frees its shared memory. It removes this file last.
    this.signal('SIGQUIT');
    const file = join(this.paths.data, 'postmaster.pid');
    const pause = new Int32Array(new SharedArrayBuffer(4));
    for (let waited = 0; waited < 2_000 && existsSync(file); waited += 10) Atomics.wait(pause, 0, 0, 10);
    if (existsSync(file)) this.signal('SIGKILL');
    rmSync(this.paths.home, { recursive: true, force: true, maxRetries: 3 });
  }

  /** The eighth line of postmaster.pid, which is how pg_ctl learns it too. */
  private status(): string {
    try {
      const lines = readFileSync(join(this.paths.data, 'postmaster.pid'), 'utf8').split('\n');
      // A file that an earlier, killed server left behind is not ours.
      return lines[0] === String(this.pid) ? (lines[7] ?? '').trim() : '';
    } catch {
      return '';
    }
  }
}

/** Whether the process runs; a zombie that nobody reaps (no init in the container) does not. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return !stat.slice(stat.lastIndexOf(')')).startsWith(') Z');
  } catch {
    return false;
  }
}

/** Direct children, where the kernel tells. Elsewhere they end by themselves when they see the postmaster gone. */
function childrenOf(pid: number): number[] {
  try {
    const list = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    return list === '' ? [] : list.split(' ').map(Number);
  } catch {
    return [];
  }
}
