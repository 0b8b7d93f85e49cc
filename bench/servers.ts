import { type Cluster, createCluster } from '../src/demo/cluster.ts';
import { createLogicalPair, waitForTables } from '../src/demo/cluster-logical.ts';
import { createStandby, waitForReplay } from '../src/demo/cluster-standby.ts';
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

export interface BenchPair {
  readonly primary: Cluster;
  readonly candidate: Cluster;
}

export async function physicalPair(tables: readonly BenchTable[], rows: number): Promise<BenchPair> {
  const primary = await createCluster({ version: VERSION, name: 'bench-primary', settings: SETTINGS });
  for (const table of tables) await load(primary, table, rows);
  await primary.sql('checkpoint');
  const candidate = await createStandby(primary, { name: 'bench-standby', settings: SETTINGS });
  await waitForReplay(candidate);
  return { primary, candidate };
}

export async function logicalPair(tables: readonly BenchTable[], rows: number): Promise<BenchPair> {
  const primary = await createCluster({ version: VERSION, name: 'bench-publisher', settings: SETTINGS });
  const candidate = await createCluster({ version: VERSION, name: 'bench-subscriber', settings: SETTINGS });
  for (const table of tables) {
    await load(primary, table, rows);
    await candidate.sql(table.create);
  }
  const pair = await createLogicalPair(primary, candidate, {
    tables: tables.map(({ name }) => `public.${name}`),
    timeoutMs: 600_000,
  });
  await waitForTables(pair);
  for (const { name } of tables) await candidate.sql(`vacuum (freeze, analyze) ${name}`);
  await candidate.sql('checkpoint');
  return { primary, candidate };
}

async function load(cluster: Cluster, table: BenchTable, rows: number): Promise<void> {
  await cluster.sql(table.create);
  await cluster.sql(table.fill(rows));
  await cluster.sql(`vacuum (freeze, analyze) ${table.name}`);
}
