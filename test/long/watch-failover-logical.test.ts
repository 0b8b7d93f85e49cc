import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Cluster } from '../../src/demo/cluster.ts';
import { createLogicalPair, type LogicalPair, waitForApply } from '../../src/demo/cluster-logical.ts';
import {
  becomesProven,
  certify,
  ledgerCaughtUp,
  provenWatch,
  setReceiving,
  weighty,
} from '../servers/harness/certify-ledger.ts';
import { prepareStream } from '../servers/harness/change-stream.ts';
import { builtProgram } from '../servers/harness/cli-build.ts';
import { until } from '../servers/harness/cli.ts';
import {
  conninfo,
  FailoverSites,
  gapsOf,
  generations,
  hasRowsOf,
  NAMES,
  SCHEMA,
  TABLES,
} from '../servers/harness/failover.ts';
import { provenOf, RunningWatch } from '../servers/harness/watch.ts';

/** A primary with an heir that copies the slots, and a subscriber, watched and proven. */
async function openLogical(version: 17 | 18): Promise<{ sites: FailoverSites; pair: LogicalPair }> {
  builtProgram();
  const sites = await FailoverSites.open(version, SCHEMA);
  const subscriber = await sites.servers.cluster(version);
  await subscriber.sql(TABLES);
  const options = { tables: ['account', 'tag'], name: 'feed', subscriptionOptions: 'failover = true' };
  const pair = await createLogicalPair(sites.primary, subscriber, options);
  await prepareStream(subscriber, 'TABLE account, tag');
  sites.configure({ gasan: subscriber });
  await sites.prepare(sites.primary);
  sites.watchWith(await provenWatch(sites.folder, ['gasan'], NAMES.length));
  await sites.inStep('twinproof', 'feed');
  return { sites, pair };
}

/** The subscriber goes on from another publisher. */
async function resubscribe(subscriber: Cluster, publisher: Cluster): Promise<void> {
  await subscriber.sql('ALTER SUBSCRIPTION feed DISABLE');
  const idle = 'SELECT count(*)::int AS n FROM pg_stat_subscription WHERE pid IS NOT NULL';
  await until(async () => (await subscriber.sql(idle))[0]?.['n'] === 0, 'the worker has ended', 60_000);
  await subscriber.sql(`ALTER SUBSCRIPTION feed CONNECTION '${conninfo(publisher, 'feed')}'`);
  await subscriber.sql('ALTER SUBSCRIPTION feed ENABLE');
}

describe.each([17, 18] as const)('PostgreSQL %i: a subscriber whose publisher is replaced', (version) => {
  let sites: FailoverSites;
  let pair: LogicalPair;

  beforeAll(async () => {
    ({ sites, pair } = await openLogical(version));
  }, 400_000);
  afterAll(() => sites.end());

  it('is proven anew by a ledger that has followed the new one without a gap', async () => {
    const { heir, primary } = sites;
    const { subscriber } = pair;
    await sites.holdBack();
    await primary.sql(`UPDATE account SET owner = 'other' WHERE id <= 10`);
    await waitForApply(pair);
    await hasRowsOf(sites, 3000);
    const before = await generations(sites);
    await sites.failOver();
    await resubscribe(subscriber, heir);
    await heir.sql(
      `INSERT INTO account VALUES (9002, 'new'); UPDATE tag SET note = 'new' WHERE name = 'tag 3'`,
    );
    await hasRowsOf(sites, 3001);
    expect(gapsOf(sites)).toEqual([]);
    expect(await generations(sites)).toEqual(before);
    await sites.watch.said(/^incarnation$/, /another incarnation/);
    await waitForApply({ ...pair, publisher: heir });
    await ledgerCaughtUp(sites.folder, heir);
    await becomesProven(sites.folder, 'gasan', NAMES.length);
    const { verdict } = await certify(sites.folder);
    expect(weighty(verdict)).toEqual([]);
    expect(verdict).toMatchObject({ verdict: 'SAFE', integrity: 'same' });
    await subscriber.sql(`UPDATE account SET owner = 'somebody' WHERE id = 1500`);
    await until(async () => (await provenOf(sites.folder, 'gasan')).dirty === 1, 'it is dirty', 60_000);
    expect((await certify(sites.folder)).verdict).toMatchObject({
      verdict: 'NOT_SAFE',
      integrity: 'different',
    });
  }, 400_000);
});

describe('a subscriber that has what the new publisher never had', () => {
  let sites: FailoverSites;
  let pair: LogicalPair;

  beforeAll(async () => {
    ({ sites, pair } = await openLogical(18));
  }, 400_000);
  afterAll(() => sites.end());

  it('differs, although nobody watched when it got that', async () => {
    const { heir, primary } = sites;
    const { subscriber } = pair;
    await setReceiving(heir, null);
    await sites.watch.stop();
    await primary.sql(
      `INSERT INTO account VALUES (8001, 'lost'); UPDATE account SET owner = 'lost' WHERE id = 5`,
    );
    await waitForApply(pair);
    await sites.failOver();
    await resubscribe(subscriber, heir);
    // Beyond the place that the subscriber has reached on the old history.
    await heir.sql(`SELECT pg_switch_wal()`);
    await heir.sql(`INSERT INTO account VALUES (9002, 'new')`);
    const arrived = async (): Promise<boolean> =>
      (await subscriber.sql('SELECT FROM account WHERE id = 9002')).length === 1;
    await until(arrived, 'the subscriber goes on', 60_000);
    sites.watchWith(new RunningWatch(sites.folder));
    await hasRowsOf(sites, 3001);
    expect(gapsOf(sites)).toEqual([]);
    const differs = async (): Promise<boolean> => {
      const { differences } = await provenOf(sites.folder, 'gasan');
      return differences.length === 2;
    };
    await sites.watch.sees(differs, 'both rows differ');
    expect((await provenOf(sites.folder, 'gasan')).differences.toSorted()).toEqual([
      'public.account changed',
      'public.account extra',
    ]);
    expect((await certify(sites.folder)).verdict).toMatchObject({
      verdict: 'NOT_SAFE',
      integrity: 'different',
    });
  }, 400_000);
});
