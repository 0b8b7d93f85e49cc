import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Synchrony } from '../../src/connector/ledger-sites.ts';
import { waitUntil } from '../../src/demo/cluster-wait.ts';
import { Known } from '../../src/ledger/known.ts';
import { certify, fenced } from '../servers/harness/certify-ledger.ts';
import { runCli } from '../servers/harness/cli.ts';
import { builtProgram } from '../servers/harness/cli-build.ts';
import type { MysqlFlavor } from '../servers/harness/mysql-installation.ts';
import type { MysqlPair } from '../servers/harness/mysql-pair.ts';
import { describeMysql } from '../servers/harness/mysql-suite.ts';
import {
  createWatchedPair,
  ledgerCaughtUp,
  mysqlWatchFolder,
  provenWatch,
} from '../servers/harness/mysql-watch.ts';
import { RunningWatch, type WatchFolder } from '../servers/harness/watch.ts';

const LIMIT_MS = 60_000;
/** A commit waits so long for a replica before the server goes on without. */
const PATIENCE_MS = 1000;

/** MariaDB has both ends built in; MySQL has a plugin for each. */
async function turnOn(pair: MysqlPair, flavor: MysqlFlavor): Promise<void> {
  const { source, replica } = pair;
  if (flavor === 'mysql') {
    await source.sql(`SET SESSION sql_log_bin = 0; INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so';
      SET GLOBAL rpl_semi_sync_source_timeout = ${PATIENCE_MS}, GLOBAL rpl_semi_sync_source_enabled = 1`);
    await pair.setReadOnly(false);
    await replica.sql(`SET SESSION sql_log_bin = 0; INSTALL PLUGIN rpl_semi_sync_replica SONAME 'semisync_replica.so';
      SET GLOBAL rpl_semi_sync_replica_enabled = 1`);
    await pair.setReadOnly(true);
  } else {
    await source.sql(`SET GLOBAL rpl_semi_sync_master_timeout = ${PATIENCE_MS},
      GLOBAL rpl_semi_sync_master_wait_point = AFTER_SYNC, GLOBAL rpl_semi_sync_master_enabled = 1`);
    await replica.sql('SET GLOBAL rpl_semi_sync_slave_enabled = 1');
  }
  // Both ends agree when the replica connects.
  await pair.stopReplica('io');
  await pair.startReplica('io');
}

/** The tests follow one another. */
await describeMysql('a %s primary that waits for a replica', (flavor) => {
  const status = flavor === 'mysql' ? 'Rpl_semi_sync_source_status' : 'Rpl_semi_sync_master_status';
  let pair: MysqlPair;
  let folder: WatchFolder;
  let watch: RunningWatch | null = null;

  const waits = async (): Promise<boolean> =>
    (await pair.source.sql(`SHOW GLOBAL STATUS LIKE '${status}'`))[0]?.['Value'] === 'ON';
  const synchrony = (): Promise<Synchrony | null> =>
    folder.reading(({ core }) => new Known(core.store).primary()?.followed.synchrony ?? null);
  const noteOf = async (): Promise<string | undefined> => {
    const { verdict } = await certify(folder, ...fenced(), '--primary-lost');
    return verdict.reasons.find(({ code }) => code === 'TP-V-SEMISYNC')?.message;
  };

  beforeAll(async () => {
    builtProgram();
    pair = await createWatchedPair({ flavor, schema: 'CREATE TABLE account (id int PRIMARY KEY)' });
    await turnOn(pair, flavor);
    await waitUntil(waits, LIMIT_MS, () => 'the primary does not wait for its replica');
    await pair.write('INSERT INTO account VALUES (1)');
    folder = mysqlWatchFolder(pair, { policy: '{ rpo: 1h, maxTail: 1h }' });
    watch = await provenWatch(folder, 1);
  }, 400_000);

  afterAll(async () => {
    await watch?.stop().catch(() => undefined);
    await pair?.destroy();
    folder?.remove();
  });

  it('is told to have waited, of whom and until when, and nothing more than that', async () => {
    expect(await synchrony()).toEqual({
      state: 'waiting',
      awaited: 1,
      receivers: 1,
      hidden: true,
      unconfirmed: '0',
    });
    const { stdout } = await runCli(['lag', '--config', folder.config]);
    expect(stdout.replaceAll(/\s+/g, ' ')).toContain(
      'its commits waited until 1 of 1 servers had received them',
    );
  }, 60_000);

  it('is told to have fallen back, with the commits that nobody confirmed, from its next start of watch on', async () => {
    await pair.stopReplica('io');
    await pair.source.sql('INSERT INTO account VALUES (2)', [], pair.database);
    await waitUntil(
      async () => !(await waits()),
      LIMIT_MS,
      () => 'the primary goes on waiting',
    );
    await watch?.stop();
    const again = new RunningWatch(folder);
    watch = again;
    // How many receivers there are a server notices only when it writes to them once more.
    const fallenBack = { state: 'fallen back', awaited: 1, hidden: true, unconfirmed: '1' };
    let told: Synchrony | null = null;
    const isKnown = async (): Promise<boolean> => {
      told = await synchrony();
      return isDeepStrictEqual(told, { ...fallenBack, receivers: told?.receivers });
    };
    await waitUntil(isKnown, LIMIT_MS, () => `of the fallback the ledger has ${JSON.stringify(told)}`);
    await ledgerCaughtUp(folder, pair, again);
    await pair.source.kill();
    expect(await noteOf()).toMatch(/its commits should have waited for another server and did not/);
    // However it waited: what nobody but the ledger has received is lost.
    const { verdict } = await certify(folder, ...fenced());
    expect(verdict.loss).toMatchObject({ kind: 'bounded', transactions: '1' });
  }, 200_000);
});
