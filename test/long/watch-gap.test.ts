import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Cluster } from '../../src/demo/cluster.ts';
import { createStandby } from '../../src/demo/cluster-standby.ts';
import { Known } from '../../src/ledger/known.ts';
import { prepareStream } from '../servers/harness/change-stream.ts';
import { until } from '../servers/harness/cli.ts';
import { ServerSet } from '../servers/harness/server-set.ts';
import { provenOf, RunningWatch, WatchFolder } from '../servers/harness/watch.ts';

const servers = new ServerSet();
let primary: Cluster;
let folder: WatchFolder;

beforeAll(async () => {
  primary = await servers.cluster();
  await primary.sql(`CREATE TABLE account (id bigint PRIMARY KEY, owner text);
    INSERT INTO account SELECT i, 'owner ' || i FROM generate_series(1, 30000) i`);
  await primary.sql('VACUUM (FREEZE)');
  await prepareStream(primary, 'TABLE account');
  const standby = servers.add(await createStandby(primary));
  folder = new WatchFolder({ primary, candidates: { gasan: standby } });
});

afterAll(async () => {
  folder.remove();
  await servers.end();
});

describe('a watch', () => {
  it('names a gap when its slot was dropped, says what to do, and reads everything anew', async () => {
    const watch = new RunningWatch(folder);
    await watch.said(/^baseline$/, /account/);
    await dropSlot();
    await watch.said(/^gap$/, /slot twinproof has gone/);
    await watch.said(/^stream$/, /slot twinproof does not exist/);
    expect(await folder.reading((ledger) => new Known(ledger.core.store).gap()?.reason)).toMatch(/has gone/);
    expect((await provenOf(folder, 'gasan')).unproven).toEqual(['public.account']);
    await primary.sql(`SELECT pg_create_logical_replication_slot('twinproof', 'pgoutput')`);
    await watch.sees(
      async () => (await provenOf(folder, 'gasan')).unproven.length === 0,
      'all is proven again',
    );
    await watch.stop();
  });
});

/** As somebody might who thinks that nobody needs it. */
async function dropSlot(): Promise<void> {
  await until(async () => {
    await primary.sql(`SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots
      WHERE slot_name = 'twinproof' AND active`);
    const drop = primary.sql(`SELECT pg_drop_replication_slot('twinproof')`);
    return drop.then(
      () => true,
      () => false,
    );
  }, 'the slot is dropped');
}
