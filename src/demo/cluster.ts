import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, type QueryResult, escapeIdentifier } from 'pg';
import { TwinproofError } from '../errors.ts';
import { type Binaries, type PostgresVersion, findBinaries } from './binaries.ts';
import {
  type InitOptions,
  createHome,
  freePort,
  initialise,
  removeHome,
  tail,
  writeOwned,
} from './cluster-files.ts';
import { DEFAULT_SETTINGS, type Settings, settingsFile } from './cluster-settings.ts';
import { waitUntil } from './cluster-wait.ts';
import { type Guarded, guard, release } from './server-guard.ts';
import { type ServerPaths, ServerProcess, type StopMode } from './server-process.ts';

export interface ClusterOptions extends InitOptions {
  readonly version: PostgresVersion;
  /** Used in messages and as `cluster_name`. */
  readonly name?: string;
  /** Added to, and stronger than, the defaults of cluster-settings.ts. */
  readonly settings?: Settings;
  /** Folder in which the server's folder is made; default the system's temporary directory. */
  readonly parent?: string;
}

/** Where a server of a replicating pair takes its changes from. */
export interface ClusterParts {
  readonly name: string;
  readonly binaries: Binaries;
  readonly paths: ServerPaths;
  readonly settings: Settings;
  readonly password: string | null;
  readonly upstream: Cluster | null;
}

export type Row = Record<string, unknown>;

/** How often a new server may find its port taken by someone quicker. */
const PORT_ATTEMPTS = 5;

/**
 * A PostgreSQL server of our own: a data directory in the temporary folder and, while started, a postmaster that is a
 * child of this process. It listens on 127.0.0.1 and on a socket in its folder. It never outlives this process.
 */
export class Cluster {
  readonly name: string;
  readonly version: PostgresVersion;
  readonly binaries: Binaries;
  readonly paths: ServerPaths;
  /** Password of `postgres`; null: trusted. */
  readonly password: string | null;
  /** The primary of a physical standby; null for a server of its own. */
  readonly upstream: Cluster | null;
  private settings: Settings;
  private server: ServerProcess | null = null;
  private listeningPort = 0;
  private readonly clients = new Set<Client>();
  /** Files of a stopped server must not outlive this process either. */
  private readonly files: Guarded;

  /** Use `createCluster` or `createStandby`. */
  constructor(parts: ClusterParts) {
    this.name = parts.name;
    this.version = parts.binaries.version;
    this.binaries = parts.binaries;
    this.paths = parts.paths;
    this.settings = { cluster_name: parts.name, ...parts.settings };
    this.password = parts.password;
    this.upstream = parts.upstream;
    this.files = { endNow: () => removeHome(parts.paths, parts.binaries.user) };
    guard(this.files);
  }

  /** The TCP port; fixed at the first start. */
  get port(): number {
    return this.listeningPort;
  }

  get running(): boolean {
    return this.server !== null && !this.server.ended;
  }

  /** Process id of the postmaster, or null. */
  get pid(): number | null {
    return this.running ? (this.server?.pid ?? null) : null;
  }

  /** Connection URL, without password even when one is needed. */
  url(database = 'postgres', user = 'postgres'): string {
    return `postgres://${encodeURIComponent(user)}@127.0.0.1:${this.port}/${encodeURIComponent(database)}`;
  }

  /**
   * Starts the server and waits until it accepts connections (a standby without hot standby: until it replays).
   * Does nothing when it runs. @throws TwinproofError TP-DEMO with the end of its log, TP-INTERRUPTED.
   */
  async start(signal?: AbortSignal): Promise<void> {
    if (this.running) return;
    const first = this.listeningPort === 0;
    for (let attempt = 1; ; attempt += 1) {
      if (first) this.listeningPort = await freePort();
      await this.writeSettings();
      if (await this.launch(signal)) return;
      const log = await this.log(12);
      if (attempt < PORT_ATTEMPTS && log.includes('could not create any TCP/IP sockets')) {
        await sleep(first ? 0 : 500);
        continue;
      }
      throw new TwinproofError('TP-DEMO', {
        message: `PostgreSQL ${this.version} "${this.name}" did not start`,
        hint: `the end of its log: ${log}`,
      });
    }
  }

  /** Stops the server and waits for its end. Does nothing when it is stopped. */
  async stop(mode: StopMode = 'fast'): Promise<void> {
    if (this.running) await this.server?.stop(mode);
    this.server = null;
  }

  async restart(mode: StopMode = 'fast'): Promise<void> {
    await this.stop(mode);
    await this.start();
  }

  /** SIGKILL to the postmaster and its children, as a power cut would; returns when all are gone. */
  async kill(): Promise<void> {
    if (this.running) await this.server?.kill();
    this.server = null;
  }

  /** Changes settings in postgresql.conf; they act at the next `reload` or, some, `restart`. */
  async configure(settings: Settings): Promise<void> {
    this.settings = { ...this.settings, ...settings };
    await this.writeSettings();
  }

  /** Makes the server read its configuration again; returns when new sessions see it. */
  async reload(): Promise<void> {
    const loaded = 'SELECT pg_conf_load_time()::text AS t';
    const before = (await this.sql(loaded))[0]?.['t'];
    this.server?.signal('SIGHUP');
    const done = async (): Promise<boolean> => (await this.sql(loaded))[0]?.['t'] !== before;
    await waitUntil(done, 10_000, () => `"${this.name}" did not reload`);
  }

  /** Makes a hot standby a primary and returns its new timeline. The last checkpoint may still be running. */
  async promote(): Promise<number> {
    await this.sql('SELECT pg_promote(true, 60)');
    const done = async (): Promise<boolean> =>
      (await this.sql('SELECT pg_is_in_recovery() AS r'))[0]?.['r'] === false;
    await waitUntil(done, 60_000, () => `"${this.name}" was not promoted`);
    return this.timeline();
  }

  /** The timeline a primary writes. @throws on a standby, whose timeline this is not. */
  async timeline(): Promise<number> {
    const rows = await this.sql('SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) AS t');
    return Number.parseInt(String(rows[0]?.['t']), 16);
  }

  /** The eighteen or so digits that all servers of one lineage share. */
  async systemIdentifier(): Promise<string> {
    const rows = await this.sql('SELECT system_identifier::text AS id FROM pg_control_system()');
    return String(rows[0]?.['id']);
  }

  /** Runs one statement in the database `postgres` and returns its rows. */
  sql(text: string, params?: readonly unknown[]): Promise<Row[]> {
    return this.query('postgres', text, params);
  }

  /** Runs one statement (without `params`: or several) in a session of its own and returns the last one's rows. */
  async query(database: string, text: string, params?: readonly unknown[]): Promise<Row[]> {
    const client = await this.connect(database);
    try {
      const answer: QueryResult<Row> | QueryResult<Row>[] =
        params === undefined ? await client.query<Row>(text) : await client.query<Row>(text, [...params]);
      // pg answers several statements with a list, which its types do not tell.
      return Array.isArray(answer) ? (answer.at(-1)?.rows ?? []) : answer.rows;
    } finally {
      await this.disconnect(client);
    }
  }

  /** Opens a session that the caller ends; what is left open is ended by `destroy`. */
  async connect(database = 'postgres', user = 'postgres'): Promise<Client> {
    const client = new Client({
      host: '127.0.0.1',
      port: this.port,
      user,
      database,
      application_name: 'harness',
      connectionTimeoutMillis: 15_000,
      // Whatever PGSSLMODE says of the user's own servers.
      ssl: false,
      ...(this.password === null ? {} : { password: this.password }),
    });
    // A server that is killed breaks its sessions; without a listener that would end this process.
    client.on('error', () => undefined);
    client.once('end', () => this.clients.delete(client));
    await client.connect();
    this.clients.add(client);
    return client;
  }

  async createDatabase(name: string): Promise<void> {
    await this.sql(`CREATE DATABASE ${escapeIdentifier(name)}`);
  }

  /** The last lines of the server's log. */
  log(lines = 50): Promise<string> {
    return tail(this.paths.log, lines);
  }

  /** Stops the server and removes all its files. May be called twice. */
  async destroy(): Promise<void> {
    // At once: a session whose statement takes long would end only with it.
    const disconnected = Promise.all([...this.clients].map((client) => this.disconnect(client)));
    await this.stop('immediate').catch(() => this.kill());
    await disconnected;
    release(this.files);
    removeHome(this.paths, this.binaries.user);
  }

  private async launch(signal?: AbortSignal): Promise<boolean> {
    const server = ServerProcess.launch(this.binaries, this.paths);
    this.server = server;
    try {
      return await server.ready(signal);
    } catch (error) {
      await this.kill();
      throw error;
    }
  }

  private async writeSettings(): Promise<void> {
    const own = { port: String(this.port), unix_socket_directories: this.paths.home };
    const text = settingsFile({ ...DEFAULT_SETTINGS, ...this.settings, ...own });
    await writeOwned(join(this.paths.data, 'postgresql.conf'), text, this.binaries.user);
  }

  private async disconnect(client: Client): Promise<void> {
    this.clients.delete(client);
    await client.end().catch(() => undefined);
  }
}

/**
 * Makes and starts a server with its own system identifier; about a second. `fill` makes its data directory.
 * @throws TwinproofError TP-DEMO when it cannot run here, TP-INTERRUPTED when `signal` says so. Nothing is left behind.
 */
export async function createCluster(options: ClusterOptions, fill = initialise): Promise<Cluster> {
  const binaries = await findBinaries(options.version);
  if (options.signal?.aborted === true) throw new TwinproofError('TP-INTERRUPTED');
  const paths = await createHome(binaries.user, options.parent);
  const cluster = new Cluster({
    name: options.name ?? 'primary',
    binaries,
    paths,
    settings: options.settings ?? {},
    password: options.password ?? null,
    upstream: null,
  });
  try {
    await fill(binaries, paths, options);
    await cluster.start(options.signal);
    return cluster;
  } catch (error) {
    await cluster.destroy();
    throw error;
  }
}
