import { chmod, chown, mkdtemp } from 'node:fs/promises';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Connection, type ConnectionOptions, createConnection } from 'mysql2/promise';
import { freePort, tail, writeOwned } from '../../../src/demo/cluster-files.ts';
import { type Guarded, guard, release } from '../../../src/demo/server-guard.ts';
import { type MysqlFlavor, type MysqlInstallation, findMysql } from './mysql-installation.ts';
import { type MysqlPaths, MysqlProcess } from './mysql-process.ts';
import { type MysqlSettings, newServerId, serverSettings, settingsFile } from './mysql-settings.ts';
import { copyFolder, templateFolder } from './mysql-template.ts';

export interface MysqlServerOptions {
  readonly flavor: MysqlFlavor;
  /** Used in messages. */
  readonly name?: string;
  /** Added to, and stronger than, the defaults of mysql-settings.ts. */
  readonly settings?: MysqlSettings;
}

export type MysqlRow = Readonly<Record<string, unknown>>;

export interface MysqlLogin {
  readonly user?: string;
  readonly password?: string;
  readonly database?: string;
}

const PORT_ATTEMPTS = 5;
const START_TIMEOUT_MS = 60_000;
const POLL_MS = 20;

/**
 * A MySQL or MariaDB server of our own: a folder in the temporary folder and, while started, a child of this process.
 * It listens on 127.0.0.1 and on a socket in its folder; `root` needs no password. It never outlives this process.
 */
export class MysqlServer {
  readonly flavor: MysqlFlavor;
  readonly name: string;
  /** Such as `10.11.19`. */
  readonly version: string;
  readonly serverId: string;
  readonly host = '127.0.0.1';
  readonly paths: MysqlPaths;
  private readonly installation: MysqlInstallation;
  private settings: MysqlSettings;
  private server: MysqlProcess | null = null;
  private listeningPort = 0;
  private readonly connections = new Set<Connection>();
  /** Files of a stopped server must not outlive this process either. */
  private readonly files: Guarded;

  /** Use `createMysqlServer`. */
  constructor(installation: MysqlInstallation, paths: MysqlPaths, options: MysqlServerOptions) {
    this.flavor = installation.flavor;
    this.version = installation.version;
    this.name = options.name ?? installation.flavor;
    this.installation = installation;
    this.paths = paths;
    this.settings = { server_id: newServerId(), ...options.settings };
    this.serverId = this.settings['server_id'] ?? '';
    this.files = { endNow: () => rmSync(paths.home, { recursive: true, force: true, maxRetries: 3 }) };
    guard(this.files);
  }

  /** The TCP port; fixed at the first start. */
  get port(): number {
    return this.listeningPort;
  }

  get socket(): string {
    return this.paths.socket;
  }

  get running(): boolean {
    return this.server !== null && !this.server.ended;
  }

  /** Process id, or null. */
  get pid(): number | null {
    return this.running ? (this.server?.pid ?? null) : null;
  }

  /** Connection URL, such as `mysql://root@127.0.0.1:12345/`; `mariadb:` for MariaDB. */
  url(user = 'root', database = '', password = ''): string {
    const login = encodeURIComponent(user) + (password === '' ? '' : `:${encodeURIComponent(password)}`);
    return `${this.flavor}://${login}@${this.host}:${this.port}/${encodeURIComponent(database)}`;
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
      if (attempt >= PORT_ATTEMPTS || !/Bind on TCP\/IP port/.test(log)) {
        throw new Error(`${this.flavor} "${this.name}" did not start; the end of its log:\n${log}`);
      }
      await sleep(first ? 0 : 500);
    }
  }

  /** Clean shutdown. Nothing happens when it is stopped. */
  async stop(): Promise<void> {
    await this.closeConnections();
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
    await this.closeConnections();
  }

  /**
   * Runs one statement or several (text protocol, `?` for `params`) as root in a session of its own and returns the
   * last one's rows: big integers, decimals and dates as text, binary values as Buffer.
   */
  sql(text: string, params: readonly unknown[] = [], database = ''): Promise<MysqlRow[]> {
    return this.sqlAs({ database }, text, params);
  }

  /** The same as somebody else. */
  async sqlAs(login: MysqlLogin, text: string, params: readonly unknown[] = []): Promise<MysqlRow[]> {
    const connection = await this.connect(login);
    try {
      return await rowsOf(connection, text, params);
    } finally {
      await this.disconnect(connection);
    }
  }

  /** Opens a session over TCP that the caller ends with `end()`; what is left open is ended with the server. */
  async connect(login: MysqlLogin = {}, options: ConnectionOptions = {}): Promise<Connection> {
    const connection = await createConnection({
      host: this.host,
      port: this.port,
      user: login.user ?? 'root',
      ...(login.password === undefined ? {} : { password: login.password }),
      ...(login.database === undefined || login.database === '' ? {} : { database: login.database }),
      charset: 'utf8mb4',
      timezone: 'Z',
      multipleStatements: true,
      supportBigNumbers: true,
      bigNumberStrings: true,
      dateStrings: true,
      connectTimeout: 15_000,
      ...options,
    });
    // A server that is killed breaks its sessions; without a listener that would end this process.
    connection.on('error', () => undefined);
    connection.once('end', () => this.connections.delete(connection));
    this.connections.add(connection);
    return connection;
  }

  /** The last lines of the server's log. */
  errorLog(lines = 50): Promise<string> {
    return tail(this.paths.log, lines);
  }

  /** Ends the server at once and removes all its files. May be called twice. */
  async destroy(): Promise<void> {
    await this.kill();
    release(this.files);
    this.files.endNow();
  }

  private async ready(): Promise<boolean> {
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (this.running && Date.now() < deadline) {
      try {
        await this.sql('DO 1');
        return true;
      } catch {
        await sleep(POLL_MS);
      }
    }
    return false;
  }

  private async writeSettings(): Promise<void> {
    const { user } = this.installation;
    const own = {
      ...this.installation.folders,
      datadir: this.paths.data,
      port: String(this.port),
      socket: this.paths.socket,
      log_error: this.paths.log,
      pid_file: join(this.paths.home, 'server.pid'),
      tmpdir: this.paths.home,
    };
    const settings = { ...serverSettings(this.flavor, this.settings), ...own };
    await writeOwned(this.paths.settings, settingsFile(settings), user);
  }

  private async closeConnections(): Promise<void> {
    for (const connection of this.connections) connection.destroy();
    this.connections.clear();
  }

  private async disconnect(connection: Connection): Promise<void> {
    this.connections.delete(connection);
    await connection.end().catch(() => undefined);
  }
}

/** Runs text in a session and returns the last statement's rows; none for a statement that has none. */
export async function rowsOf(
  connection: Connection,
  text: string,
  params: readonly unknown[] = [],
): Promise<MysqlRow[]> {
  const [answer]: [unknown, unknown] = await connection.query(text, [...params]);
  if (!Array.isArray(answer)) return [];
  const list: unknown[] = answer;
  // Several statements are answered with a list of lists and headers.
  const last = list.some((item) => Array.isArray(item) || isHeader(item)) ? list.at(-1) : list;
  return Array.isArray(last) ? last : [];
}

function isHeader(item: unknown): boolean {
  return typeof item === 'object' && item !== null && item.constructor.name === 'ResultSetHeader';
}

/** Makes and starts a server; about a second. @throws Error when it cannot run here. Nothing is left behind. */
export async function createMysqlServer(options: MysqlServerOptions): Promise<MysqlServer> {
  const installation = await findMysql(options.flavor);
  const template = await templateFolder(installation);
  const home = await mkdtemp(join(tmpdir(), `twinproof-${options.flavor}-`));
  const { user } = installation;
  await chmod(home, 0o700);
  if (user !== null) await chown(home, user.uid, user.gid);
  const at = (name: string): string => join(home, name);
  const paths = {
    home,
    data: at('data'),
    settings: at('my.cnf'),
    socket: at('sock'),
    log: at('server.log'),
  };
  const server = new MysqlServer(installation, paths, options);
  try {
    await copyFolder(template, paths.data);
    await server.start();
    return server;
  } catch (error) {
    await server.destroy();
    throw error;
  }
}
