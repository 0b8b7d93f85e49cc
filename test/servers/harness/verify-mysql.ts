import { connectMysql, type MysqlConnector } from '../../../connectors/mysql/connector.ts';
import { parseUrl } from '../../../src/config/url.ts';
import { DEFAULT_LIMITS } from '../../../src/compare/site-pair.ts';
import { VERIFIER } from './mysql-accounts.ts';
import type { MysqlFlavor } from './mysql-installation.ts';
import { createMysqlPair, type MysqlPair } from './mysql-pair.ts';
import type { MysqlServer } from './mysql-server.ts';
import type { MysqlSettings } from '../../../src/demo/mysql-settings.ts';
import { Verifier } from './verify.ts';

export interface MysqlSitesOptions {
  readonly flavor: MysqlFlavor;
  /** Run on the source; the replica has it when the sites are returned. */
  readonly schema: string;
  readonly settings?: MysqlSettings;
}

/** Named so that tables are `public.…`, as those of the tests on PostgreSQL. */
const DATABASE = 'public';

/** A source and its replica with tables, and what compares them: an account with the least privileges. */
export class MysqlSites {
  readonly servers: MysqlPair;
  readonly verifier: Verifier;

  private constructor(servers: MysqlPair, verifier: Verifier) {
    this.servers = servers;
    this.verifier = verifier;
  }

  static async open({ flavor, schema, settings = {} }: MysqlSitesOptions): Promise<MysqlSites> {
    const servers = await createMysqlPair({ flavor, database: DATABASE, schema, settings });
    try {
      const primary = await connectTo(servers.source);
      const candidate = await connectTo(servers.replica);
      return new MysqlSites(servers, new Verifier(primary, candidate));
    } catch (error) {
      await servers.destroy();
      throw error;
    }
  }

  /** Runs SQL on the source and waits until the replica has it. */
  write(sql: string): Promise<void> {
    return this.servers.write(sql);
  }

  /** Runs SQL on the replica alone, unlogged: what replication did not bring. */
  tamper(sql: string): Promise<void> {
    return this.servers.tamper(sql);
  }

  async end(): Promise<void> {
    await this.verifier.close();
    await this.servers.destroy();
  }
}

/** A connector to the tests' database, as the account with the least privileges unless told otherwise. */
export function connectTo(
  server: MysqlServer,
  { user, password }: { readonly user: string; readonly password: string } = VERIFIER,
): Promise<MysqlConnector> {
  const { address } = parseUrl(server.url(user, DATABASE, password), 'secret');
  const options = { jobs: DEFAULT_LIMITS.jobs, statementTimeoutMs: 0 };
  return connectMysql(address, options, new AbortController().signal);
}
