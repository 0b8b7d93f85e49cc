import { type Client, escapeIdentifier } from 'pg';
import { connectPostgres, type PostgresConnector } from '../../connectors/postgres/connector.ts';
import { parseUrl } from '../../src/config/url.ts';
import { type Cluster, createCluster } from '../servers/harness/cluster.ts';
import { createLogicalPair, waitForApply } from '../../src/demo/cluster-logical.ts';
import { createStandby, waitForReplay } from '../../src/demo/cluster-standby.ts';
import { createWatcher, WATCHER } from '../servers/harness/watcher.ts';
import {
  type ColumnValues,
  type ContractPair,
  type ContractTable,
  type ContractType,
  type ContractValue,
  signalFor,
  type TableName,
} from './pair.ts';

const VERSION = 17;
/** Fewer than the reads that the suite runs side by side: some have to wait. */
const OPTIONS = { jobs: 3, statementTimeoutMs: 60_000 };
const SQL_TYPES: Readonly<Record<ContractType, string>> = { int8: 'bigint', text: 'text', bytea: 'bytea' };
/** A publication needs a table to begin with. */
const ANCHOR = 'public.contract_anchor';
const SETTINGS = { autovacuum: 'off' };

/** Real servers: a primary with its standby, or a publisher with its subscriber. */
export async function makePostgresPair(kind: 'physical' | 'logical'): Promise<ContractPair> {
  const clusters: Cluster[] = [];
  const end = async (): Promise<void> => {
    await Promise.all(clusters.map((cluster) => cluster.destroy()));
  };
  try {
    return await build(kind, clusters, end);
  } catch (error) {
    await end();
    throw error;
  }
}

async function build(
  kind: 'physical' | 'logical',
  clusters: Cluster[],
  end: () => Promise<void>,
): Promise<ContractPair> {
  const own = async (making: Promise<Cluster>): Promise<Cluster> => {
    const cluster = await making;
    clusters.push(cluster);
    return cluster;
  };
  const server = async (name: string): Promise<Cluster> => {
    const cluster = await own(createCluster({ version: VERSION, name, settings: SETTINGS }));
    await createWatcher(cluster);
    return cluster;
  };
  const [primary, stranger, subscriber] = await Promise.all([
    server('primary'),
    server('stranger'),
    kind === 'physical' ? null : server('subscriber'),
  ]);
  const candidate = subscriber ?? (await own(createStandby(primary, { settings: SETTINGS })));
  const caughtUp = kind === 'physical' ? () => waitForReplay(candidate) : await subscribe(primary, candidate);
  const connect = (cluster: Cluster): Promise<PostgresConnector> =>
    connectPostgres(parseUrl(cluster.url('postgres', WATCHER), 'argument').address, OPTIONS, signalFor());
  const connectors = {
    primary: await connect(primary),
    candidate: await connect(candidate),
    unrelated: await connect(stranger),
  };
  // A subscriber learns from it in whose log its positions are.
  await connectors.candidate.relateTo(connectors.primary, signalFor());
  const writer = await primary.connect();
  const sites = kind === 'physical' ? [primary] : [primary, candidate];
  const onEverySite = async (sql: string): Promise<void> => {
    for (const site of sites) await site.sql(sql);
  };
  return {
    kind,
    ...connectors,
    foreignPosition: (await connectors.unrelated.head(signalFor())).head,
    connect: (site) => connect(site === 'primary' ? primary : candidate),
    createTable: async (table) => {
      await onEverySite(createSql(table));
      if (kind === 'logical') {
        await primary.sql(`ALTER PUBLICATION twinproof ADD TABLE ${quoted(table)}`);
        await candidate.sql('ALTER SUBSCRIPTION twinproof REFRESH PUBLICATION WITH (copy_data = false)');
      }
      await insertRows(writer, table, table.columns, table.rows);
      await caughtUp();
      await onEverySite(`ANALYZE ${quoted(table)}`);
      await caughtUp();
    },
    addColumn: (table, column, type) =>
      onEverySite(`ALTER TABLE ${quoted(table)} ADD ${escapeIdentifier(column)} ${SQL_TYPES[type]}`),
    insert: async (table, rows) => {
      await insertRows(writer, table, await columnsOf(writer, table), rows);
    },
    update: async (table, match, set) => {
      const { columns, values } = assignments(set);
      const { condition, wanted } = matching(match, values.length);
      await writer.query(`UPDATE ${quoted(table)} SET ${columns} WHERE ${condition}`, [...values, ...wanted]);
    },
    remove: async (table, match) => {
      const { condition, wanted } = matching(match, 0);
      await writer.query(`DELETE FROM ${quoted(table)} WHERE ${condition}`, wanted);
    },
    beginInsert: async (table, row) => {
      const session = await primary.connect();
      await session.query('BEGIN');
      await insertRows(session, table, await columnsOf(session, table), [row]);
      return async () => {
        await session.query('ROLLBACK');
        await session.end();
      };
    },
    caughtUp: async () => void (await caughtUp()),
    openReads: async () => (await openReads(primary)) + (await openReads(candidate)),
    dispose: async () => {
      for (const connector of Object.values(connectors)) await connector.close();
      await writer.end();
      await end();
    },
  };
}

async function subscribe(publisher: Cluster, subscriber: Cluster): Promise<() => Promise<string>> {
  for (const site of [publisher, subscriber])
    await site.sql(`CREATE TABLE ${ANCHOR} (id bigint PRIMARY KEY)`);
  const pair = await createLogicalPair(publisher, subscriber, { tables: [ANCHOR], copyData: false });
  return () => waitForApply(pair);
}

async function openReads(cluster: Cluster): Promise<number> {
  const [row] = await cluster.sql(
    `SELECT count(*)::int AS reads FROM pg_stat_activity
     WHERE application_name = 'twinproof read' AND state = 'active'`,
  );
  return Number(row?.['reads']);
}

function quoted({ schema, table }: TableName): string {
  return `${escapeIdentifier(schema)}.${escapeIdentifier(table)}`;
}

/** Subscribers find rows without a key by their whole value. */
function createSql(table: ContractTable): string {
  const columns = table.columns.map(({ name, type }) => `${escapeIdentifier(name)} ${SQL_TYPES[type]}`);
  const key = table.key?.map((column) => escapeIdentifier(column)).join(', ');
  if (key !== undefined) columns.push(`PRIMARY KEY (${key})`);
  const identity = key === undefined ? 'FULL' : 'DEFAULT';
  return `CREATE TABLE ${quoted(table)} (${columns.join(', ')});
    ALTER TABLE ${quoted(table)} REPLICA IDENTITY ${identity}`;
}

type Columns = readonly { readonly name: string; readonly type: string }[];

async function columnsOf(session: Client, { schema, table }: TableName): Promise<Columns> {
  const { rows } = await session.query<{ name: string; type: string }>(
    `SELECT column_name AS name, data_type AS type FROM information_schema.columns
     WHERE table_schema = $1 AND table_name = $2 ORDER BY ordinal_position`,
    [schema, table],
  );
  return rows;
}

/** One statement for all rows, a parameter for each column. */
async function insertRows(
  session: Client,
  table: TableName,
  columns: Columns,
  rows: readonly (readonly ContractValue[])[],
): Promise<void> {
  if (rows.length === 0) return;
  const arrays = columns.map(({ type }, index) => `$${index + 1}::${type}[]`);
  const values = columns.map((_, index) => rows.map((row) => parameterOf(row[index] ?? null)));
  await session.query(`INSERT INTO ${quoted(table)} SELECT * FROM unnest(${arrays.join(', ')})`, values);
}

function parameterOf(value: ContractValue): string | Buffer | null {
  if (value === null || typeof value === 'string') return value;
  return typeof value === 'bigint' ? String(value) : Buffer.from(value);
}

function assignments(set: ColumnValues): { readonly columns: string; readonly values: unknown[] } {
  const names = Object.keys(set);
  return {
    columns: names.map((name, index) => `${escapeIdentifier(name)} = $${index + 1}`).join(', '),
    values: Object.values(set).map(parameterOf),
  };
}

function matching(
  match: ColumnValues,
  used: number,
): { readonly condition: string; readonly wanted: unknown[] } {
  const names = Object.keys(match);
  return {
    condition: names
      .map((name, index) => `${escapeIdentifier(name)} IS NOT DISTINCT FROM $${used + index + 1}`)
      .join(' AND '),
    wanted: Object.values(match).map(parameterOf),
  };
}
