import type { Stage } from './acts.ts';
import { DATABASE } from './bank-schema.ts';
import { bankSession } from './bank-session.ts';
import { rotStandby } from './bit-rot.ts';
import type { Cluster } from './cluster.ts';
import { waitUntil } from './cluster-wait.ts';
import type { FirePair } from './fire-pair.ts';
import { setUpPrimary, writeConfig } from './watched-pair.ts';

/** The primary with a fresh standby, and the configuration that names both. */
export async function postgresFirePair(
  { narrator, sites, folder }: Stage,
  primary: Cluster,
): Promise<{ readonly pair: FirePair; readonly standby: Cluster }> {
  const standby = await narrator.step(
    'copying the primary to a fresh standby',
    () => sites.standby(primary, 'gasan'),
    ({ port }) => `a fresh standby (port ${port}), since both copies are spoilt`,
  );
  const pair: FirePair = {
    copy: 'standby',
    config: await writeConfig(folder, { primary, standby }),
    client: 'psql',
    setup: 'role, publication, slot',
    setUp: (sql) => setUpPrimary(primary, sql),
    connect: () => bankSession(primary),
    cutLink: () => cutLink(standby),
    burn: async () => {
      await primary.kill();
      const at = new Date();
      await primary.destroy();
      return at;
    },
    rowsThere: () => rowsThere(standby),
    spoil: async () => {
      const { rows, amountBefore, amountAfter } = await rotStandby(null, standby);
      return {
        rows,
        done: `then the standby’s disk decays: a transfer of ${amountBefore} reads ${amountAfter}, a customer is lost`,
        moral: `without the primary: ${amountBefore} was right, ${amountAfter} is not`,
      };
    },
  };
  return { pair, standby };
}

async function rowsThere(standby: Cluster): Promise<ReadonlySet<string>> {
  const rows = await standby.query(
    DATABASE,
    `SELECT 'public.transfer ' || id AS row FROM transfer_now
     UNION ALL SELECT 'public.purchase ' || id FROM purchase WHERE paid_at >= now() - interval '1 hour'`,
  );
  return new Set(rows.map(({ row }) => String(row)));
}

async function cutLink(standby: Cluster): Promise<void> {
  await standby.configure({ primary_conninfo: '' });
  await standby.reload();
  await waitUntil(
    async () => (await standby.sql('SELECT FROM pg_stat_wal_receiver')).length === 0,
    10_000,
    () => 'the standby goes on receiving',
  );
}
