import { rmSync } from 'node:fs';
import { chmod, chown, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, tail, writeOwned } from './cluster-files.ts';
import { type MysqlAddress, MysqlEndpoint, rowsOf } from './mysql-endpoint.ts';
import type { MysqlInstallation } from './mysql-installation.ts';
import { type MysqlPaths, MysqlProcess } from './mysql-process.ts';
import { type MysqlSettings, newServerId, serverSettings, settingsFile } from './mysql-settings.ts';
import { type Guarded, guard, release } from './server-guard.ts';

const PORT_ATTEMPTS = 5;
/** A server whose process lives is on its way: on a busy disk it takes minutes to make its log. */
const START_TIMEOUT_MS = 300_000;
const ANSWER_TIMEOUT_MS = 15_000;
const POLL_MS = 20;
/** Of the event loop, in which a socket that was closed is read to its end and says so. */
const TURNS_TO_END = 20;

/**
 * A server of our own: a folder in the temporary folder and, while started, a child of this process. It listens on
 * 127.0.0.1 and on a socket in its folder; `root` needs no password. It never outlives this process.
 */
export class MysqlServer extends MysqlEndpoint {
  readonly paths: MysqlPaths;
  private readonly installation: MysqlInstallation;
  private settings: MysqlSettings;
  private server: MysqlProcess | null = null;
  private listeningPort = 0;
  /** Files of a stopped server must not outlive this process either. */
  private readonly files: Guarded;

  /** On a data folder that is there or comes before `start`. */
  constructor(installation: MysqlInstallation, paths: MysqlPaths, name: string, settings: MysqlSettings) {
    super(installation.flavor, name);
    this.installation = installation;
    this.paths = paths;
    this.settings = { server_id: newServerId(), ...settings };
    this.files = { endNow: () => rmSync(paths.home, { recursive: true, force: true, maxRetries: 3 }) };
    guard(this.files);
  }

  get version(): string {
    return this.installation.version;
  }

  get serverId(): string {
    return this.settings['server_id'] ?? '';
  }

  /** Path of the Unix socket; `root` may log in there as `root@localhost`. */
  get socket(): string {
    return this.paths.socket;
  }

  /** PEM file of the authority that signed the certificate of a server with TLS. */
  get authority(): string {
    return this.paths.authority;
  }

  get running(): boolean {
    return this.server !== null && !this.server.ended;
  }

  /** Process id, or null. */
  get pid(): number | null {
    return this.running ? (this.server?.pid ?? null) : null;
  }

  protected get address(): MysqlAddress {
    return { host: '127.0.0.1', port: this.listeningPort, admin: { user: 'root' } };
  }

  /** Starts the server and waits until it takes logins. Nothing happens when it runs. @throws Error with its log. */
  async start(): Promise<void> {
    if (this.running) return;
    const first = this.listeningPort === 0;
    for (let attempt = 1; ; attempt += 1) {
      if (first) this.listeningPort = await freePort();
      await this.writeSettings();
      this.server = MysqlProcess.launch(this.installation, this.paths);
      if (await this.ready()) return;
      await this.kill();
      const log = await this.errorLog(30);
      // Errors of the network are told in the log only. Somebody quicker took the port: there are others.
      if (attempt >= PORT_ATTEMPTS || !log.includes('Bind on TCP/IP port')) {
        throw new Error(`${this.flavor} "${this.name}" did not start; the end of its log:\n${log}`);
      }
      await sleep(first ? 0 : 500);
    }
  }

  /** Clean shutdown; MySQL takes more than a second. Nothing happens when it is stopped. */
  async stop(): Promise<void> {
    this.closeConnections();
    if (this.running) await this.server?.stop();
    this.server = null;
  }

  /** Stops cleanly and starts, with more settings if any are given. */
  async restart(settings: MysqlSettings = {}): Promise<void> {
    await this.stop();
    this.settings = { ...this.settings, ...settings };
    await this.start();
  }

  /** SIGKILL, as a power cut would. `start` brings it back. */
  async kill(): Promise<void> {
    if (this.running) await this.server?.kill();
    this.server = null;
    // Its end is at our sockets by now: what waits for an answer fails with it, and never would in a session destroyed.
    for (let turn = 0; turn < TURNS_TO_END; turn += 1) await new Promise(setImmediate);
    this.closeConnections();
  }

  /** The last lines of the server's log. */
  errorLog(lines = 50): Promise<string> {
    return tail(this.paths.log, lines);
  }

  override async set(settings: MysqlSettings): Promise<void> {
    await super.set(settings);
    this.settings = { ...this.settings, ...settings };
  }

  async destroy(): Promise<void> {
    await this.kill();
    release(this.files);
    this.files.endNow();
  }

  private async ready(): Promise<boolean> {
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (this.running && Date.now() < deadline) {
      if (await this.answers().catch(() => false)) return true;
      await sleep(POLL_MS);
    }
    return false;
  }

  /** What answers on our port may be somebody else, and our server about to end over it. */
  private async answers(): Promise<boolean> {
    const session = await this.connect({}, { connectTimeout: ANSWER_TIMEOUT_MS });
    try {
      const [facts] = await rowsOf(session, 'SELECT @@GLOBAL.pid_file AS file');
      return facts?.['file'] === this.paths.pid;
    } finally {
      session.destroy();
    }
  }

  private async writeSettings(): Promise<void> {
    const own = {
      ...this.installation.folders,
      datadir: this.paths.data,
      port: String(this.port),
      socket: this.paths.socket,
      log_error: this.paths.log,
      pid_file: this.paths.pid,
      tmpdir: this.paths.home,
    };
    const settings = { ...serverSettings(this.flavor, this.settings), ...own };
    await writeOwned(this.paths.settings, settingsFile(settings), this.installation.user);
  }
}

/** Makes the private folder of a server: mode 0700, owned by the server's user. */
export async function createMysqlHome({ flavor, user }: MysqlInstallation): Promise<MysqlPaths> {
  const home = await mkdtemp(join(tmpdir(), `twinproof-${flavor}-`));
  await chmod(home, 0o700);
  if (user !== null) await chown(home, user.uid, user.gid);
  const at = (name: string): string => join(home, name);
  return {
    home,
    data: at('data'),
    settings: at('my.cnf'),
    socket: at('sock'),
    log: at('server.log'),
    pid: at('server.pid'),
    authority: at('authority.pem'),
  };
}
