import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Cluster } from '../../src/demo/cluster.ts';
import { createLogicalPair, waitForApply, type LogicalPair } from '../../src/demo/cluster-logical.ts';
import { Known } from '../../src/ledger/known.ts';
import { ledgerOptions } from '../../src/ledger/options.ts';
import { Store } from '../../src/ledger/store.ts';
import { loadConfig } from '../../src/config/load.ts';
import {
  becomesProven,
  certify,
  ledgerCaughtUp,
  provenWatch,
  weighty,
} from '../servers/harness/certify-ledger.ts';
import { prepareStream } from '../servers/harness/change-stream.ts';
import { until } from '../servers/harness/cli.ts';
import { builtProgram } from '../servers/harness/cli-build.ts';
import { ServerSet } from '../servers/harness/server-set.ts';
import { RunningWatch, WatchFolder } from '../servers/harness/watch.ts';

const SCHEMA = `CREATE TABLE account (id int PRIMARY KEY, owner text);
  CREATE TABLE part (id int, region text, n int, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
  CREATE TABLE part_east PARTITION OF part FOR VALUES IN ('east')`;
const TABLES = 2;
const servers = new ServerSet();
let primary: Cluster;
let subscriber: Cluster;
let pair: LogicalPair;
let folder: WatchFolder;
let watch: RunningWatch;

beforeAll(async () => {
  builtProgram();
  primary = await servers.cluster();
  subscriber = await servers.cluster();
  await primary.sql(`${SCHEMA}; INSERT INTO account SELECT i, 'owner ' || i FROM generate_series(1, 500) i;
    INSERT INTO part SELECT i, 'east', i FROM generate_series(1, 100) i`);
  await subscriber.sql(SCHEMA);
  pair = await createLogicalPair(primary, subscriber, { tables: ['account', 'part'], name: 'feed' });
  await prepareStream(primary, 'TABLE account, part');
  await prepareStream(subscriber, 'TABLE account, part');
  folder = new WatchFolder({
    primary,
    candidates: { gasan: subscriber },
    policy: '{ rpo: 1h, maxTail: 1h }',
  });
  watch = await provenWatch(folder, ['gasan'], TABLES);
}, 400_000);

afterAll(async () => {
  await watch.stop().catch(() => undefined);
  folder.remove();
});
afterAll(() => servers.end());

/** Proven again, and SAFE: so that what comes next is what makes it otherwise. */
async function isSafe(): Promise<void> {
  await waitForApply(pair);
  await ledgerCaughtUp(folder, primary);
  await becomesProven(folder, 'gasan', TABLES);
  // The primary's own housekeeping moves its head now and then.
  const safe = async (): Promise<boolean> => (await certify(folder)).verdict.verdict === 'SAFE';
  await until(safe, 'it is SAFE', 200_000);
}

/** Whatever it is called meanwhile, it ends as NOT_SAFE: the rows do differ. The reasons that it then has. */
async function neverSafe(): Promise<readonly string[]> {
  let reasons: readonly string[] = [];
  const different = async (): Promise<boolean> => {
    const { verdict } = await certify(folder);
    expect(verdict.verdict).not.toBe('SAFE');
    reasons = weighty(verdict);
    return verdict.verdict === 'NOT_SAFE';
  };
  await until(different, 'the rows are found to differ', 200_000);
  return reasons;
}

describe('a subscriber whose rows were altered where its own log says nothing', () => {
  it('is not SAFE when its own publication lacked the table for a while', async () => {
    await isSafe();
    await subscriber.sql('ALTER PUBLICATION twinproof DROP TABLE account');
    await subscriber.sql(`UPDATE account SET owner = 'somebody' WHERE id = 7`);
    await subscriber.sql('ALTER PUBLICATION twinproof ADD TABLE account');
    expect(await neverSafe()).toContain('TP-V-DIFFERENT public.account');
    await subscriber.sql(`UPDATE account SET owner = 'owner 7' WHERE id = 7`);
    await isSafe();
  }, 500_000);

  it('is not SAFE when a partition was unlogged for a while', async () => {
    await subscriber.sql('ALTER TABLE part_east SET UNLOGGED');
    await subscriber.sql('UPDATE part SET n = -1 WHERE id = 7');
    await subscriber.sql('ALTER TABLE part_east SET LOGGED');
    expect(await neverSafe()).toContain('TP-V-DIFFERENT public.part');
    await subscriber.sql('UPDATE part SET n = 7 WHERE id = 7');
    await isSafe();
  }, 500_000);

  it('is UNKNOWN, with the table named by the watch, for as long as its own publication lacks it', async () => {
    await subscriber.sql('ALTER PUBLICATION twinproof DROP TABLE account');
    await watch.said(/own log tables/, /public\.account/);
    await becomesProven(folder, 'gasan', TABLES);
    await subscriber.sql(`UPDATE account SET owner = 'somebody' WHERE id = 8`);
    const { code, verdict } = await certify(folder);
    expect(code).toBe(3);
    expect(weighty(verdict)).toContain('TP-V-LOCAL-WRITES candidate');
    await subscriber.sql(`UPDATE account SET owner = 'owner 8' WHERE id = 8`);
    await subscriber.sql('ALTER PUBLICATION twinproof ADD TABLE account');
    await isSafe();
  }, 500_000);
});

describe('a switchover to a subscriber', () => {
  it('is not SAFE right after the primary’s rows were redefined, of which the log says nothing', async () => {
    await primary.sql(`ALTER TABLE account ALTER COLUMN owner TYPE text USING 'x' || owner`);
    expect(await neverSafe()).toContain('TP-V-DIFFERENT public.account');
    await primary.sql(`ALTER TABLE account ALTER COLUMN owner TYPE text USING substr(owner, 2)`);
    await isSafe();
  }, 500_000);

  it('is not SAFE by what a clock said that was set back since', async () => {
    await watch.stop();
    const { ledger } = loadConfig(folder.config, {});
    const { folder: path } = ledgerOptions(ledger, 'bank', {
      source: null,
      comparePositions: () => 'incomparable',
      now: () => new Date(),
    });
    await Store.writableIn(path);
    const store = new Store(path, true);
    const known = new Known(store);
    const own = known.ownLog('gasan');
    if (own === null) throw new Error('its own log was never followed');
    known.writeOwnLog('gasan', { ...own, atUs: own.atUs + 3_600_000_000n });
    await store.close();
    await subscriber.sql(`UPDATE account SET owner = 'somebody' WHERE id = 9`);
    const { verdict } = await certify(folder);
    expect(verdict.verdict).not.toBe('SAFE');
    expect(weighty(verdict)).toContain('TP-V-LOCAL-WRITES candidate');
  }, 200_000);
});
