import type { Connection } from 'mysql2/promise';
import { connectMysql, type MysqlConnector } from '../../connectors/mysql/connector.ts';
import { parseUrl } from '../../src/config/url.ts';
import { VERIFIER } from '../servers/harness/mysql-accounts.ts';
import type { MysqlFlavor } from '../servers/harness/mysql-installation.ts';
import { createMysqlPair } from '../servers/harness/mysql-pair.ts';
import { createMysqlServer, type MysqlServer } from '../servers/harness/mysql-server.ts';
import {
  type ColumnValues,
  type ContractPair,
  type ContractTable,
  type ContractType,
  type ContractValue,
  signalFor,
  type TableName,
} from './pair.ts';

/** Fewer than the reads that the suite runs side by side: some have to wait. */
const OPTIONS = { jobs: 3, statementTimeoutMs: 60_000 };
const SQL_TYPES: Readonly<Record<ContractType, string>> = {
  int8: 'bigint',
  text: 'longtext',
  bytea: 'longblob',
};
/** A text in a key needs a length; its collation compares bytes, as that of the suite's other engines. */
const KEY_TEXT = 'varchar(190) collate utf8mb4_bin';
const DATABASE = 'public';
const ROWS_AT_ONCE = 500;

/** Real servers: a source and its replica, read as an account with the least privileges. */
export async function makeMysqlPair(flavor: MysqlFlavor): Promise<ContractPair> {
  const servers = await createMysqlPair({ flavor, database: DATABASE });
  // MariaDB tells lineages apart by domain; of one domain a higher number is later, whichever server wrote it.
  const settings = flavor === 'mariadb' ? { gtid_domain_id: '7' } : {};
  const stranger = await createMysqlServer({ flavor, name: 'stranger', settings });
  const end = async (): Promise<void> => {
    await stranger.destroy();
    await servers.destroy();
  };
  try {
    await stranger.sql(`CREATE DATABASE ${DATABASE}; CREATE TABLE ${DATABASE}.anchor (id int PRIMARY KEY)`);
    return await build(servers.source, servers.replica, stranger, () => servers.caughtUp(), end);
  } catch (error) {
    await end();
    throw error;
  }
}

async function build(
  source: MysqlServer,
  replica: MysqlServer,
  stranger: MysqlServer,
  caughtUp: () => Promise<void>,
  end: () => Promise<void>,
): Promise<ContractPair> {
  const connect = (server: MysqlServer, login: { user: string; password: string }): Promise<MysqlConnector> =>
    connectMysql(
      parseUrl(server.url(login.user, DATABASE, login.password), 'secret').address,
      OPTIONS,
      signalFor(),
    );
  const connectors = {
    primary: await connect(source, VERIFIER),
    candidate: await connect(replica, VERIFIER),
    unrelated: await connect(stranger, { user: 'root', password: '' }),
  };
  // A replica learns from it in whose log its positions are.
  await connectors.candidate.relateTo(connectors.primary, signalFor());
  const writer = await source.connect({ database: DATABASE });
  return {
    kind: 'logical',
    ...connectors,
    foreignPosition: (await connectors.unrelated.head(signalFor())).head,
    connect: (site) => connect(site === 'primary' ? source : replica, VERIFIER),
    createTable: async (table) => {
      await writer.query(createSql(table));
      await insertRows(writer, table, table.rows);
      await writer.query(`ANALYZE TABLE ${quoted(table)}`);
      await caughtUp();
    },
    addColumn: async (table, column, type) => {
      await writer.query(`ALTER TABLE ${quoted(table)} ADD ${name(column)} ${SQL_TYPES[type]}`);
      await caughtUp();
    },
    insert: (table, rows) => insertRows(writer, table, rows),
    update: async (table, match, set) => {
      const columns = Object.keys(set).map((column) => `${name(column)} = ?`);
      const values = [...Object.values(set), ...Object.values(match)].map(parameterOf);
      await writer.query(
        `UPDATE ${quoted(table)} SET ${columns.join(', ')} WHERE ${matching(match)}`,
        values,
      );
    },
    remove: async (table, match) => {
      await writer.query(
        `DELETE FROM ${quoted(table)} WHERE ${matching(match)}`,
        Object.values(match).map(parameterOf),
      );
    },
    beginInsert: async (table, row) => {
      const session = await source.connect({ database: DATABASE });
      await session.query('START TRANSACTION');
      await insertRows(session, table, [row]);
      return async () => {
        await session.query('ROLLBACK');
        await session.end();
      };
    },
    caughtUp,
    openReads: async () => (await openReads(source)) + (await openReads(replica)),
    dispose: async () => {
      for (const connector of Object.values(connectors)) await connector.close();
      await writer.end();
      await end();
    },
  };
}

async function openReads(server: MysqlServer): Promise<number> {
  const rows = await server.sql(
    `SELECT id FROM information_schema.processlist WHERE user = ? AND command IN ('Query', 'Execute')`,
    [VERIFIER.user],
  );
  return rows.length;
}

function name(identifier: string): string {
  return `\`${identifier.replaceAll('`', '``')}\``;
}

function quoted({ schema, table }: TableName): string {
  return `${name(schema)}.${name(table)}`;
}

function createSql(table: ContractTable): string {
  const columns = table.columns.map((column) => {
    const inKey = table.key?.includes(column.name) ?? false;
    const type = inKey && column.type === 'text' ? KEY_TEXT : SQL_TYPES[column.type];
    return `${name(column.name)} ${type}`;
  });
  if (table.key !== null) columns.push(`PRIMARY KEY (${table.key.map(name).join(', ')})`);
  return `CREATE TABLE ${quoted(table)} (${columns.join(', ')})`;
}

async function insertRows(
  session: Connection,
  table: TableName,
  rows: readonly (readonly ContractValue[])[],
): Promise<void> {
  for (let at = 0; at < rows.length; at += ROWS_AT_ONCE) {
    const some = rows.slice(at, at + ROWS_AT_ONCE);
    const places = some.map((row) => `(${row.map(() => '?').join(', ')})`).join(', ');
    await session.query(`INSERT INTO ${quoted(table)} VALUES ${places}`, some.flat().map(parameterOf));
  }
}

function parameterOf(value: ContractValue): bigint | string | Buffer | null {
  return value instanceof Uint8Array ? Buffer.from(value) : value;
}

function matching(match: ColumnValues): string {
  return Object.keys(match)
    .map((column) => `${name(column)} <=> ?`)
    .join(' AND ');
}
