import { type Cluster, createCluster } from '../src/demo/cluster.ts';
import { createLogicalPair, waitForTables } from '../src/demo/cluster-logical.ts';
import { createStandby, waitForReplay } from '../src/demo/cluster-standby.ts';
import type { BenchPair, BenchSite } from './comparison.ts';
import type { BenchTable } from './tables.ts';

/** Big enough that the tables stay in memory: the disk is not what is measured. */
const SETTINGS = {
  shared_buffers: '1GB',
  max_wal_size: '8GB',
  checkpoint_timeout: '1h',
  maintenance_work_mem: '512MB',
  autovacuum: 'off',
};
const VERSION = 17;

export interface PostgresPair extends BenchPair {
  readonly clusters: { readonly primary: Cluster; readonly candidate: Cluster };
}

export async function physicalPair(tables: readonly BenchTable[], rows: number): Promise<PostgresPair> {
  const primary = await startPostgres(tables, rows);
  await primary.sql('checkpoint');
  const candidate = await createStandby(primary, { name: 'bench-standby', settings: SETTINGS });
  await waitForReplay(candidate);
  return postgresPair(primary, candidate);
}

export async function logicalPair(tables: readonly BenchTable[], rows: number): Promise<PostgresPair> {
  const primary = await startPostgres(tables, rows);
  const candidate = await createCluster({ version: VERSION, name: 'bench-subscriber', settings: SETTINGS });
  for (const table of tables) await candidate.sql(table.create);
  const pair = await createLogicalPair(primary, candidate, {
    tables: tables.map(({ name }) => name),
    timeoutMs: 600_000,
  });
  await waitForTables(pair);
  for (const { name } of tables) await candidate.sql(`vacuum (freeze, analyze) ${name}`);
  await candidate.sql('checkpoint');
  return postgresPair(primary, candidate);
}

/** A server with tables and their rows. */
export async function startPostgres(tables: readonly BenchTable[], rows: number): Promise<Cluster> {
  const cluster = await createCluster({ version: VERSION, name: 'bench-primary', settings: SETTINGS });
  for (const { name, create, fill } of tables) {
    await cluster.sql(create);
    await cluster.sql(fill(rows));
    await cluster.sql(`vacuum (freeze, analyze) ${name}`);
  }
  return cluster;
}

export function postgresSite(cluster: Cluster): BenchSite {
  const url = `postgres://postgres@127.0.0.1:${cluster.port}/postgres`;
  return {
    url: cluster.url(),
    drain: (table) => ['psql', '-Xqc', `\\copy (select * from ${table}) to '/dev/null' (format binary)`, url],
  };
}

function postgresPair(primary: Cluster, candidate: Cluster): PostgresPair {
  return {
    clusters: { primary, candidate },
    primary: postgresSite(primary),
    candidate: postgresSite(candidate),
    destroy: async () => {
      await candidate.destroy();
      await primary.destroy();
    },
  };
}
