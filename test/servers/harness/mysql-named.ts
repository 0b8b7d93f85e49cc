import { randomBytes } from 'node:crypto';
import { messageOf } from '../../../src/errors.ts';
import { parseUrl } from '../../../src/config/url.ts';
import { accountsSql } from './mysql-accounts.ts';
import { type MysqlAddress, MysqlEndpoint } from '../../../src/demo/mysql-endpoint.ts';
import { findMysql, type MysqlFlavor } from './mysql-installation.ts';
import { createMysqlPair, MysqlPair } from './mysql-pair.ts';

/** A server that somebody else runs: there is no way to stop, kill or configure it. */
class NamedMysqlServer extends MysqlEndpoint {
  readonly version: string;
  protected readonly address: MysqlAddress;
  private database: string | null = null;

  private constructor(flavor: MysqlFlavor, name: string, address: MysqlAddress, version: string) {
    super(flavor, name);
    this.address = address;
    this.version = version;
  }

  static async open(flavor: MysqlFlavor, name: string, url: string): Promise<NamedMysqlServer> {
    const { host, port, user, password } = parseUrl(url, 'secret').address;
    const secret = password === null ? {} : { password: password.reveal() };
    const address = { host, port: port ?? 3306, admin: { user: user ?? 'root', ...secret } };
    const [facts] = await new NamedMysqlServer(flavor, name, address, '').sql('SELECT VERSION() AS version');
    const text = String(facts?.['version']);
    if (text.includes('MariaDB') !== (flavor === 'mariadb'))
      throw new Error(`the ${name} is no ${flavor} but ${text}`);
    return new NamedMysqlServer(flavor, name, address, /^[\d.]+/.exec(text)?.[0] ?? text);
  }

  /** Makes a database that `destroy` drops. */
  async createDatabase(name: string): Promise<void> {
    await this.sql(`CREATE DATABASE \`${name}\``);
    this.database = name;
  }

  async destroy(): Promise<void> {
    this.closeConnections();
    if (this.database !== null) await this.sql(`DROP DATABASE IF EXISTS \`${this.database}\``);
    this.database = null;
  }
}

/**
 * Why servers of a flavor cannot be had here, or null; the first question may take a download. In CI always null: what
 * is missing must fail there, not be skipped. `any`: servers that the environment names will do.
 */
export async function missingMysql(
  flavor: MysqlFlavor,
  need: 'own' | 'any' = 'own',
  find: (flavor: MysqlFlavor) => Promise<unknown> = findMysql,
): Promise<string | null> {
  if (process.env['CI'] !== undefined || (need === 'any' && namedUrls(flavor) !== null)) return null;
  return find(flavor).then(
    () => null,
    (error: unknown) => `no ${flavor} server can be had: ${messageOf(error)}`,
  );
}

/**
 * A pair for tests that need SQL only: the one that the environment names, else one of our own.
 *
 * `TWINPROOF_TEST_MYSQL_URL` and `TWINPROOF_TEST_MYSQL_REPLICA_URL` (for MariaDB `TWINPROOF_TEST_MARIADB_URL` and
 * `TWINPROOF_TEST_MARIADB_REPLICA_URL`) are connection URLs of administrators on a source and on its replica, which
 * follows by GTIDs and may be written to by administrators. A database with a name of its own is made there and
 * dropped; the accounts of mysql-accounts.ts are made there and stay.
 */
export async function openMysqlPair(flavor: MysqlFlavor, schema: string): Promise<MysqlPair<MysqlEndpoint>> {
  const urls = namedUrls(flavor);
  if (urls === null) return createMysqlPair({ flavor, schema });
  const source = await NamedMysqlServer.open(flavor, 'source', urls.source);
  const replica = await NamedMysqlServer.open(flavor, 'replica', urls.replica);
  const database = `twinproof_test_${randomBytes(6).toString('hex')}`;
  const pair = new MysqlPair<MysqlEndpoint>(source, replica, database);
  try {
    await source.createDatabase(database);
    await source.sql(accountsSql(flavor, database));
    await source.sql(schema, [], database);
    await pair.caughtUp();
    return pair;
  } catch (error) {
    await pair.destroy();
    throw error;
  }
}

function namedUrls(flavor: MysqlFlavor): { source: string; replica: string } | null {
  const prefix = `TWINPROOF_TEST_${flavor.toUpperCase()}`;
  const source = process.env[`${prefix}_URL`];
  const replica = process.env[`${prefix}_REPLICA_URL`];
  return source === undefined || replica === undefined ? null : { source, replica };
}
