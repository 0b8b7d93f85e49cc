import { connectSite } from '../../../connectors/registry.ts';
import { REAL_TIMING } from '../../../src/commands/timing.ts';
import type { VerifyResult } from '../../../src/compare/result.ts';
import { DEFAULT_LIMITS } from '../../../src/compare/site-pair.ts';
import { verify } from '../../../src/compare/verify.ts';
import { type ColumnMapping, type Mapping, NO_MAPPING, NOTHING_SAID } from '../../../src/config/mapping.ts';
import { parseUrl } from '../../../src/config/url.ts';
import type { Connector } from '../../../src/connector/contract.ts';
import { installedVersions } from '../../../src/demo/binaries.ts';
import { type Cluster, createCluster } from './cluster.ts';
import { accountsSql, VERIFIER } from './mysql-accounts.ts';
import { createMysqlServer, type MysqlServer } from './mysql-server.ts';
import { verifierOf } from './readiness.ts';
import { forever } from './server-set.ts';
import { type Found, foundIn, one } from './verify.ts';

type Flavor = 'mysql' | 'mariadb';

/** The database on the MySQL side; on PostgreSQL tables are in `public` of the database `postgres`. */
const DATABASE = 'bank';

export interface CrossRun {
  readonly mapping?: Mapping;
  readonly applyWithinMs?: number;
  /** The MySQL side is the primary. */
  readonly reversed?: boolean;
}

/** A PostgreSQL and a MySQL or MariaDB server that nothing but the test feeds, and what compares them. */
export class CrossPair {
  readonly postgres: Cluster;
  readonly mysql: MysqlServer;
  readonly #sites: { readonly postgres: Connector; readonly mysql: Connector };

  private constructor(
    postgres: Cluster,
    mysql: MysqlServer,
    sites: { readonly postgres: Connector; readonly mysql: Connector },
  ) {
    this.postgres = postgres;
    this.mysql = mysql;
    this.#sites = sites;
  }

  static async create(flavor: Flavor): Promise<CrossPair> {
    const version = installedVersions().at(-1) ?? 18;
    const postgres = await createCluster({ version, name: `beside ${flavor}` });
    const mysql = await createMysqlServer({ flavor });
    await postgres.sql(verifierOf(version));
    await mysql.sql(`CREATE DATABASE ${DATABASE} CHARACTER SET utf8mb4; ${accountsSql(flavor, DATABASE)}`);
    const open = (url: string): Promise<Connector> =>
      connectSite(parseUrl(url, 'secret').address, { jobs: 2, statementTimeoutMs: 0 }, forever());
    return new CrossPair(postgres, mysql, {
      postgres: await open(postgres.url('postgres', 'verifier')),
      mysql: await open(mysql.url(VERIFIER.user, DATABASE, VERIFIER.password)),
    });
  }

  /** SQL on the MySQL side, in its database. */
  mysqlSql(sql: string): Promise<unknown> {
    return this.mysql.sql(sql, [], DATABASE);
  }

  async run(tables: readonly string[], options: CrossRun = {}): Promise<VerifyResult> {
    const { postgres, mysql } = this.#sites;
    return verify({
      primary: options.reversed === true ? mysql : postgres,
      candidate: options.reversed === true ? postgres : mysql,
      selection: { include: tables, exclude: [] },
      limits: { ...DEFAULT_LIMITS, samplesMax: 100 },
      mapping: options.mapping ?? NO_MAPPING,
      applyWithinMs: options.applyWithinMs ?? 200,
      throttle: { rowsPerSecondMax: null, lagMaxMs: null },
      timing: REAL_TIMING,
      signal: forever(),
      showValues: true,
      onDifference: null,
      onProgress: null,
      checkpoint: null,
    });
  }

  /** What is found in one table, by the primary's name for it. */
  async find(table: string, options: CrossRun = {}): Promise<Found> {
    return one(foundIn(await this.run([table], options)), table);
  }

  async end(): Promise<void> {
    await Promise.all([this.#sites.postgres.close(), this.#sites.mysql.close()]);
    await this.mysql.destroy();
    await this.postgres.destroy();
  }
}

/** A mapping as the configuration would have it. */
export function mappingOf(
  columns: Readonly<Record<string, Readonly<Record<string, Partial<ColumnMapping>>>>>,
  tables: Readonly<Record<string, string>> = {},
): Mapping {
  return {
    tables: new Map(Object.entries(tables)),
    columns: new Map(
      Object.entries(columns).map(([table, each]) => [
        table,
        new Map(Object.entries(each).map(([name, said]) => [name, Object.assign({}, NOTHING_SAID, said)])),
      ]),
    ),
  };
}
