import { DATABASE } from './bank-schema.ts';
import type { BrokenRow } from './broken-row.ts';
import type { FirePair, Spoilt } from './fire-pair.ts';
import { mariadbSession } from './mariadb-bank.ts';
import type { Replication } from './mysql-replication.ts';
import type { MysqlServer } from './mysql-server.ts';

/** Ids of rows that the bank's writer leaves alone. */
const CHANGED_TRANSFER = 90_210;
const DELETED_CUSTOMER = 29_017;

/** A primary of MariaDB and its replica, named by a configuration. */
export function mariadbFirePair(
  primary: MysqlServer,
  replica: MysqlServer,
  { replication, config }: { readonly replication: Replication; readonly config: string },
): FirePair {
  return {
    copy: 'replica',
    config,
    client: 'mariadb',
    setup: 'the grants that are missing',
    setUp: async (sql) => {
      if (sql.trim() !== '') await primary.sql(sql);
    },
    connect: () => mariadbSession(primary),
    cutLink: () => replication.stop('io'),
    burn: async () => {
      await primary.kill();
      const at = new Date();
      await primary.destroy();
      return at;
    },
    rowsThere: () => rowsThere(replica),
    spoil: () => spoil(replica),
  };
}

async function rowsThere(replica: MysqlServer): Promise<ReadonlySet<string>> {
  const rows = await replica.sql(
    `SELECT CONCAT('${DATABASE}.transfer ', id) AS row FROM transfer WHERE booked_at >= now() - INTERVAL 1 HOUR
     UNION ALL SELECT CONCAT('${DATABASE}.purchase ', id) FROM purchase WHERE paid_at >= now() - INTERVAL 1 HOUR`,
    [],
    DATABASE,
  );
  return new Set(rows.map(({ row }) => String(row)));
}

/** What an administrator may do with a session that logs nothing (knowledge base, "sql_log_bin"). */
async function spoil(replica: MysqlServer): Promise<Spoilt> {
  const amount = async (): Promise<string> => {
    const [row] = await replica.sql(
      `SELECT amount FROM transfer WHERE id = ${CHANGED_TRANSFER}`,
      [],
      DATABASE,
    );
    return String(row?.['amount']);
  };
  const before = await amount();
  await replica.sql(
    `SET SESSION sql_log_bin = 0, foreign_key_checks = 0;
     UPDATE transfer SET amount = amount + 512 WHERE id = ${CHANGED_TRANSFER};
     DELETE FROM customer WHERE id = ${DELETED_CUSTOMER}`,
    [],
    DATABASE,
  );
  const after = await amount();
  await replica.restart();
  const row = { columns: [], done: '' };
  const rows: readonly BrokenRow[] = [
    { ...row, table: `${DATABASE}.transfer`, kind: 'changed', key: { id: String(CHANGED_TRANSFER) } },
    { ...row, table: `${DATABASE}.customer`, kind: 'missing', key: { id: String(DELETED_CUSTOMER) } },
  ];
  return {
    rows,
    done: `then somebody edits the replica with sql_log_bin = 0 and starts it anew: a transfer of ${before} reads ${after}, a customer is lost, and no log tells of it`,
    moral: `without the primary: ${before} was right, ${after} is not`,
  };
}
