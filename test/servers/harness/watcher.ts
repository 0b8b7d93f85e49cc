import type { Cluster } from '../../../src/demo/cluster.ts';

/** As which `watch`, `lag` and `certify` with a ledger, and streams, log in to PostgreSQL. */
export const WATCHER = 'twinproof';

/** Makes the role on a primary or a subscriber: what the README grants for these commands, and no more. */
export async function createWatcher(cluster: Cluster): Promise<void> {
  await cluster.sql(`CREATE ROLE ${WATCHER} LOGIN REPLICATION; GRANT pg_read_all_data, pg_read_all_stats TO ${WATCHER};
    GRANT EXECUTE ON FUNCTION pg_catalog.pg_show_replication_origin_status() TO ${WATCHER}`);
}
