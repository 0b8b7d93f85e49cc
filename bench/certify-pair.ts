import { createCluster } from '../src/demo/cluster.ts';
import { createStandby, waitForReplay } from '../src/demo/cluster-standby.ts';
import { VERIFIER } from '../test/servers/harness/mysql-accounts.ts';
import type { MysqlFlavor } from '../test/servers/harness/mysql-installation.ts';
import type { MysqlServer } from '../test/servers/harness/mysql-server.ts';
import { createWatchedPair } from '../test/servers/harness/mysql-watch.ts';
import { benchSettings, CREATE_ORDERS, fillBoth } from './mysql-servers.ts';

const VERSION = 17;
const DATABASE = 'bank';

/** A primary and its replica with one table, whose log may be followed. */
export interface CertifyPair {
  readonly primaryUrl: string;
  readonly candidateUrl: string;
  /** What an entry of the configuration says of the primary beside its URL. */
  readonly primaryOptions: string;
  /** One transaction that changes the rows with these keys. */
  readonly update: (keys: readonly number[]) => Promise<void>;
  /** Something for the log, which changes no row. */
  readonly tick: () => Promise<void>;
  /**
   * True: the candidate gets none of the changes, and `watch` runs on beside `certify`, which trusts a site that others
   * can write to only while its own log is followed. False: it gets them while `watch` does not reach it.
   */
  readonly staysBehind: boolean;
  /** Before the changes are made. */
  readonly holdBack: () => Promise<void>;
  /** Behind the changes. */
  readonly caughtUp: () => Promise<void>;
  readonly losePrimary: () => Promise<void>;
  readonly destroy: () => Promise<void>;
}

export type CertifyEngine = 'postgres' | MysqlFlavor;

export function certifyPair(engine: CertifyEngine, rows: number): Promise<CertifyPair> {
  return engine === 'postgres' ? postgresPair(rows) : mysqlPair(engine, rows);
}

async function postgresPair(rows: number): Promise<CertifyPair> {
  const primary = await createCluster({ version: VERSION });
  await primary.sql(
    `CREATE TABLE account (id bigint PRIMARY KEY, owner text, amount numeric(12,2), note text)`,
  );
  await primary.sql(`INSERT INTO account SELECT i, 'owner ' || i, i / 7.0, md5(i::text)
    FROM generate_series(1, ${rows}) i`);
  await primary.sql('VACUUM (ANALYZE) account');
  await primary.sql('CREATE PUBLICATION twinproof FOR TABLE account');
  await primary.sql(`SELECT pg_create_logical_replication_slot('twinproof', 'pgoutput')`);
  const standby = await createStandby(primary);
  return {
    primaryUrl: primary.url(),
    candidateUrl: standby.url(),
    primaryOptions: ', allowUnboundedWal: true',
    update: async (keys) => {
      await primary.sql(`UPDATE account SET amount = amount + 1 WHERE id IN (${keys.join()})`);
    },
    tick: async () => {
      await primary.sql(`SELECT pg_logical_emit_message(true, 'tick', '')`);
    },
    staysBehind: false,
    holdBack: () => Promise.resolve(),
    caughtUp: async () => {
      await waitForReplay(standby);
    },
    losePrimary: () => primary.kill(),
    destroy: async () => {
      await standby.destroy();
      await primary.destroy();
    },
  };
}

async function mysqlPair(flavor: MysqlFlavor, rows: number): Promise<CertifyPair> {
  const pair = await createWatchedPair({
    flavor,
    database: DATABASE,
    schema: CREATE_ORDERS,
    settings: benchSettings(flavor),
  });
  await fillBoth(pair, rows);
  const urlOf = (server: MysqlServer): string => server.url(VERIFIER.user, DATABASE, VERIFIER.password);
  return {
    primaryUrl: urlOf(pair.source),
    candidateUrl: urlOf(pair.replica),
    primaryOptions: '',
    update: async (keys) => {
      await pair.source.sql(
        `UPDATE orders SET amount = amount + 1 WHERE id IN (${keys.join()})`,
        [],
        DATABASE,
      );
    },
    // The place of these logs moves with transactions alone, and a witness needs no more than what is there.
    tick: () => Promise.resolve(),
    staysBehind: true,
    holdBack: () => pair.stopReplica('io'),
    caughtUp: () => Promise.resolve(),
    losePrimary: () => pair.source.kill(),
    destroy: () => pair.destroy(),
  };
}
