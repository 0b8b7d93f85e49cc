import { type Connection, type ConnectionOptions, createConnection } from 'mysql2/promise';
import type { MysqlFlavor } from './mysql-installation.ts';
import type { MysqlSettings } from './mysql-settings.ts';

export type MysqlRow = Readonly<Record<string, unknown>>;

export interface MysqlLogin {
  readonly user: string;
  readonly password?: string;
  readonly database?: string;
}

/** Where a server is and who may do everything there. */
export interface MysqlAddress {
  readonly host: string;
  readonly port: number;
  readonly admin: MysqlLogin;
}

/** A MySQL or MariaDB server for tests: one of our own (mysql-server.ts) or one that is named (mysql-named.ts). */
export abstract class MysqlEndpoint {
  readonly flavor: MysqlFlavor;
  /** Used in messages. */
  readonly name: string;
  private readonly connections = new Set<Connection>();

  protected constructor(flavor: MysqlFlavor, name: string) {
    this.flavor = flavor;
    this.name = name;
  }

  protected abstract get address(): MysqlAddress;

  /** Such as `10.11.18`. */
  abstract get version(): string;

  /** Ends what was made for the tests: all of a server of our own, or what was added to another. May be called twice. */
  abstract destroy(): Promise<void>;

  get host(): string {
    return this.address.host;
  }

  get port(): number {
    return this.address.port;
  }

  /** Connection URL, such as `mysql://root@127.0.0.1:12345/`; `mariadb:` for MariaDB. */
  url(user = this.address.admin.user, database = '', password?: string): string {
    const { admin } = this.address;
    const secret = password ?? (user === admin.user ? (admin.password ?? '') : '');
    const login = encodeURIComponent(user) + (secret === '' ? '' : `:${encodeURIComponent(secret)}`);
    return `${this.flavor}://${login}@${this.host}:${this.port}/${encodeURIComponent(database)}`;
  }

  /**
   * Runs one statement or several (text protocol, `?` for `params`) as administrator in a session of its own and
   * returns the last one's rows: 64-bit integers (COUNT too), decimals and dates as text, binary values as Buffer.
   */
  sql(text: string, params: readonly unknown[] = [], database = ''): Promise<MysqlRow[]> {
    return this.sqlAs({ ...this.address.admin, database }, text, params);
  }

  /** The same as somebody else. */
  async sqlAs(login: MysqlLogin, text: string, params: readonly unknown[] = []): Promise<MysqlRow[]> {
    const connection = await this.connect(login);
    try {
      return await rowsOf(connection, text, params);
    } finally {
      this.connections.delete(connection);
      await connection.end().catch(() => undefined);
    }
  }

  /** Opens a session over TCP that the caller ends with `end()`; what is left open ends with the server. */
  async connect(login: Partial<MysqlLogin> = {}, options: ConnectionOptions = {}): Promise<Connection> {
    const { user, password, database } =
      login.user === undefined ? { ...this.address.admin, ...login } : login;
    const connection = await createConnection({
      host: this.host,
      port: this.port,
      ...(user === undefined ? {} : { user }),
      ...(password === undefined ? {} : { password }),
      ...(database === undefined || database === '' ? {} : { database }),
      charset: 'utf8mb4',
      timezone: 'Z',
      multipleStatements: true,
      supportBigNumbers: true,
      bigNumberStrings: true,
      dateStrings: true,
      connectTimeout: 60_000,
      ...options,
    });
    // A server that is killed breaks its sessions; without a listener that would end this process.
    connection.on('error', () => undefined);
    connection.once('end', () => this.connections.delete(connection));
    this.connections.add(connection);
    return connection;
  }

  /** Changes settings of the running server, and of the next start where the server is ours. */
  async set(settings: MysqlSettings): Promise<void> {
    const list = Object.entries(settings).map(([name, value]) => `GLOBAL ${name} = ${value}`);
    if (list.length > 0) await this.sql(`SET ${list.join(', ')}`);
  }

  protected closeConnections(): void {
    for (const connection of this.connections) connection.destroy();
    this.connections.clear();
  }
}

/** Runs text in a session and returns the last statement's rows; none for a statement that has none. */
export async function rowsOf(
  connection: Connection,
  text: string,
  params: readonly unknown[] = [],
): Promise<MysqlRow[]> {
  const [answer, fields]: [unknown, unknown] = await connection.query(text, [...params]);
  if (!Array.isArray(answer)) return [];
  // Several statements are answered with a list of answers, and a list of lists of fields tells that.
  const several =
    Array.isArray(fields) && fields.some((field) => field === undefined || Array.isArray(field));
  const last: unknown = several ? answer.at(-1) : answer;
  return Array.isArray(last) ? last : [];
}
