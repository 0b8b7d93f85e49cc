import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Cluster } from '../../src/demo/cluster.ts';
import { createLogicalPair, type LogicalPair, waitForApply } from '../../src/demo/cluster-logical.ts';
import { Known, type KnownOwnLog } from '../../src/ledger/known.ts';
import { prepareStream } from '../servers/harness/change-stream.ts';
import { ServerSet } from '../servers/harness/server-set.ts';
import { provenOf, RunningWatch, WatchFolder } from '../servers/harness/watch.ts';

const SCHEMA = `CREATE TABLE account (id int PRIMARY KEY, v int);
  CREATE TABLE part (id int, region text, v int, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
  CREATE TABLE part_kr PARTITION OF part FOR VALUES IN ('kr');
  CREATE TABLE part_jp PARTITION OF part FOR VALUES IN ('jp')`;
const servers = new ServerSet();
let primary: Cluster;
let subscriber: Cluster;
let pair: LogicalPair;
let folder: WatchFolder;
let watch: RunningWatch;

beforeAll(async () => {
  [primary, subscriber] = await Promise.all([servers.cluster(), servers.cluster()]);
  await Promise.all([primary.sql(SCHEMA), subscriber.sql(SCHEMA)]);
  pair = await createLogicalPair(primary, subscriber, {
    name: 'bank',
    tables: ['account', 'part'],
    copyData: false,
  });
  await primary.sql(`INSERT INTO account SELECT i, i FROM generate_series(1, 3000) i;
    INSERT INTO part SELECT i, CASE i % 2 WHEN 0 THEN 'kr' ELSE 'jp' END, i FROM generate_series(1, 200) i`);
  await prepareStream(primary, 'TABLE account, part_kr, part_jp');
  await prepareStream(subscriber, 'TABLE account, part_kr, part_jp');
  // Written by replication itself: ENABLE ALWAYS triggers act where rows are applied.
  await subscriber.sql(`
    CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN UPDATE public.account SET v = -1 WHERE id = NEW.id - 1000; RETURN NEW; END $$;
    CREATE TRIGGER meddle AFTER UPDATE ON account FOR EACH ROW WHEN (NEW.id = 2500) EXECUTE FUNCTION meddle();
    ALTER TABLE account ENABLE ALWAYS TRIGGER meddle`);
  await waitForApply(pair);
  folder = new WatchFolder({ primary, candidates: { gasan: subscriber } });
  watch = new RunningWatch(folder);
  await watch.said(/^stream$/, /following/);
});

afterAll(async () => {
  await watch.stop();
  folder.remove();
  await servers.end();
});

async function differences(): Promise<readonly string[]> {
  return [...(await provenOf(folder, 'gasan')).differences].toSorted();
}

function ownLog(): Promise<KnownOwnLog | null> {
  return folder.reading((ledger) => new Known(ledger.core.store).ownLog('gasan'));
}

async function allProven(): Promise<boolean> {
  const { unproven, dirty } = await provenOf(folder, 'gasan');
  return unproven.length === 0 && dirty === 0;
}

// Proven rows are not read again for a day: only the candidate's own log can tell of these.
describe('a proven subscriber whose own log is followed', () => {
  it('is proven while only replication writes to it', async () => {
    for (const leaf of ['account', 'part_jp', 'part_kr'])
      await watch.said(/^baseline$/, new RegExp(`${leaf}: every row is known`));
    await watch.sees(allProven, 'all is proven');
    await primary.sql('UPDATE account SET v = v + 1 WHERE id <= 500; DELETE FROM part WHERE id = 7');
    await waitForApply(pair);
    await watch.sees(allProven, 'what replication wrote is proven');
    const nowUs = BigInt(Date.now()) * 1000n;
    const guarded = async (): Promise<boolean> => ((await ownLog())?.atUs ?? 0n) > nowUs;
    await watch.sees(guarded, 'it is known that nobody else wrote, though nothing is written');
    expect(await differences()).toEqual([]);
  });

  it('differs in the rows that others changed, removed and added, in whichever partition', async () => {
    await subscriber.sql(`UPDATE account SET v = 0 WHERE id = 17; DELETE FROM account WHERE id = 18;
      INSERT INTO account VALUES (9001, 1); UPDATE account SET id = 9002 WHERE id = 19;
      UPDATE part SET v = 0 WHERE id = 20`);
    await watch.sees(async () => (await differences()).length === 6, 'all six are found');
    expect(await differences()).toEqual([
      'public.account changed',
      'public.account extra',
      'public.account extra',
      'public.account missing',
      'public.account missing',
      'public.part changed',
    ]);
    await subscriber.sql(`UPDATE account SET v = 18 WHERE id = 17; INSERT INTO account VALUES (18, 19);
      DELETE FROM account WHERE id = 9001; UPDATE account SET id = 19 WHERE id = 9002;
      UPDATE part SET v = 20 WHERE id = 20`);
    await watch.sees(async () => (await differences()).length === 0, 'all are mended');
  });

  it('differs in a row that a trigger changed while another was applied', async () => {
    await primary.sql('UPDATE account SET v = v + 1 WHERE id = 2500');
    await watch.sees(async () => (await differences()).length === 1, 'the trigger is found out');
    await subscriber.sql('UPDATE account SET v = 1500 WHERE id = 1500');
    await watch.sees(async () => (await differences()).length === 0, 'it is mended');
    expect(await differences()).toEqual([]);
  });

  it('differs in a row whose change was in its log long before anybody saw it', async () => {
    // Its commit waits for a standby of the subscriber that is not there.
    await subscriber.sql(`ALTER SYSTEM SET synchronous_standby_names = 'nobody'`);
    await subscriber.reload();
    const writing = subscriber.sql('UPDATE account SET v = 0 WHERE id = 40');
    const waits = async (): Promise<boolean> =>
      (await subscriber.sql(`SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'`)).length === 1;
    await watch.sees(waits, 'the commit waits');
    for (const id of [601, 602, 603]) {
      await primary.sql('UPDATE account SET v = v + 1 WHERE id = $1', [id]);
      await waitForApply(pair);
      await watch.sees(allProven, 'what replication wrote meanwhile is proven');
    }
    await subscriber.sql('ALTER SYSTEM RESET synchronous_standby_names');
    await subscriber.reload();
    await writing;
    await watch.sees(async () => (await differences()).length === 1, 'the row is found');
    await subscriber.sql('UPDATE account SET v = 41 WHERE id = 40');
    await watch.sees(allProven, 'it is mended');
    expect(await differences()).toEqual([]);
  });

  it('is proven again when somebody wrote and took it back while the primary was gone', async () => {
    await primary.stop();
    await subscriber.sql('UPDATE account SET v = 0 WHERE id = 41');
    await watch.sees(async () => (await differences()).length === 1, 'the row is found');
    await subscriber.sql('UPDATE account SET v = 42 WHERE id = 41');
    await watch.sees(allProven, 'nothing stays dirty');
    await primary.start();
    await primary.sql('UPDATE account SET v = v + 1 WHERE id = 41');
    await waitForApply(pair);
    await watch.sees(allProven, 'it goes on');
    expect(await differences()).toEqual([]);
  });

  it('is proven anew after a table was emptied on it', async () => {
    await subscriber.sql('TRUNCATE part_kr');
    await watch.said(/incarnation/, /emptied/);
    await watch.sees(async () => (await differences()).length > 0, 'rows are missing');
    expect(new Set(await differences())).toEqual(new Set(['public.part missing']));
  });

  it('is proven anew when its own log has a gap', async () => {
    const slot = `(SELECT active_pid FROM pg_replication_slots WHERE slot_name = 'twinproof')`;
    const before = watch.lines.length;
    await subscriber.sql(`SELECT pg_terminate_backend(${slot})`);
    await subscriber.sql(`INSERT INTO account VALUES (9100, 1)`);
    // Whoever drops the slot and makes it again takes the log away.
    for (let attempt = 0; ; attempt += 1) {
      try {
        await subscriber.sql(`SELECT pg_drop_replication_slot('twinproof')`);
        break;
      } catch (error) {
        if (attempt > 200) throw error;
        await subscriber.sql(`SELECT pg_terminate_backend(${slot})`);
      }
    }
    await subscriber.sql(`INSERT INTO account VALUES (9101, 1)`);
    await subscriber.sql(`SELECT pg_create_logical_replication_slot('twinproof', 'pgoutput')`);
    await watch.sees(
      () =>
        watch.lines
          .slice(before)
          .some(({ event, message }) => event === 'incarnation' && message.includes('gap')),
      'the gap is named',
    );
    await watch.sees(
      async () => (await differences()).filter((text) => text === 'public.account extra').length === 2,
      'what was written meanwhile is found',
    );
    expect(await differences()).toContain('public.account extra');
  });
});
