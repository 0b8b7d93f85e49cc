import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Cluster } from '../../src/demo/cluster.ts';
import { createStandby, waitForReplay, writtenLsn } from '../../src/demo/cluster-standby.ts';
import {
  becomesProven,
  certify,
  fenced,
  ledgerCaughtUp,
  provenWatch,
  setReceiving,
  weighty,
} from '../servers/harness/certify-ledger.ts';
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
  timeline,
} from '../servers/harness/failover.ts';
import { versionsOf } from '../servers/harness/versions.ts';
import { provenOf, RunningWatch } from '../servers/harness/watch.ts';

type Version = 14 | 15 | 16 | 17 | 18;

/** A primary with an heir and another standby, watched and proven. */
async function open(version: Version, heldBack = false): Promise<{ sites: FailoverSites; beside: Cluster }> {
  builtProgram();
  const sites = await FailoverSites.open(version, SCHEMA);
  const beside = sites.servers.add(await createStandby(sites.primary, { name: 'beside' }));
  sites.configure({ beside });
  const sql = await sites.prepare(sites.primary);
  expect(sql.includes('failover => true')).toBe(version >= 17);
  if (heldBack) await sites.holdBack();
  sites.watchWith(await provenWatch(sites.folder, ['beside'], NAMES.length));
  await sites.inStep('twinproof');
  return { sites, beside };
}

/** The tests of each story follow one another. */
describe.each(versionsOf<Version>([17], [17, 18]))(
  'PostgreSQL %i: a standby with copies of slots takes the place of the primary',
  (version) => {
    let sites: FailoverSites;
    let beside: Cluster;

    beforeAll(async () => {
      ({ sites, beside } = await open(version, true));
    }, 400_000);
    afterAll(() => sites.end());

    it('is followed from the very commit on, without a gap and without reading a row anew', async () => {
      const { primary, heir, watch } = sites;
      await primary.sql(
        `UPDATE account SET owner = 'other' WHERE id <= 100; INSERT INTO account VALUES (9001, 'old')`,
      );
      await hasRowsOf(sites, 3001);
      const before = await generations(sites);
      await waitForReplay(beside);
      await waitForReplay(heir);
      await primary.kill();
      // The address leads there before anybody has promoted it.
      sites.address.lead(heir.port);
      await watch.said(/^stream$/, /is a copy that this standby keeps/);
      await heir.promote();
      await heir.sql(`INSERT INTO account VALUES (9002, 'new'); DELETE FROM tag WHERE name = 'tag 7'`);
      await hasRowsOf(sites, 3002);
      await watch.said(/^failover$/, /on timeline 2, and was on 1/);
      expect(gapsOf(sites)).toEqual([]);
      expect(await generations(sites)).toEqual(before);
      expect(await timeline(sites)).toBe('2');
    }, 400_000);

    it('is what other standbys are proven by, and they are safe to promote', async () => {
      await setReceiving(beside, conninfo(sites.heir, 'beside'));
      await ledgerCaughtUp(sites.folder, sites.heir);
      await becomesProven(sites.folder, 'beside', NAMES.length);
      expect((await provenOf(sites.folder, 'beside')).differences).toEqual([]);
      const { verdict } = await certify(sites.folder);
      expect(weighty(verdict)).toEqual([]);
      expect(verdict).toMatchObject({ verdict: 'SAFE', integrity: 'same', loss: { kind: 'none' } });
    }, 400_000);

    it('is accounted for when it is lost as well, also by a watch that was started in between', async () => {
      await sites.watch.stop();
      sites.watchWith(new RunningWatch(sites.folder));
      await sites.watch.said(/^stream$/, /following the log/);
      await setReceiving(beside, null);
      await sites.heir.sql(`INSERT INTO account VALUES (9003, 'lost')`);
      await sites.heir.sql(`UPDATE tag SET note = 'lost' WHERE name = 'tag 9'`);
      await ledgerCaughtUp(sites.folder, sites.heir);
      await sites.heir.kill();
      const { verdict } = await certify(sites.folder, '--primary-lost', ...fenced());
      expect(weighty(verdict)).toEqual(['TP-V-LOSS-WITHIN-RPO loss']);
      expect(verdict).toMatchObject({
        verdict: 'SAFE_WITH_LOSS',
        integrity: 'same',
        loss: { kind: 'bounded', transactions: '2', keys: '2' },
      });
      expect(gapsOf(sites)).toEqual([]);
    }, 400_000);
  },
);

describe.each(versionsOf<Version>([18], [17, 18]))(
  'PostgreSQL %i: a standby that lacks what the ledger has seen takes the place',
  (version) => {
    let sites: FailoverSites;
    let beside: Cluster;

    beforeAll(async () => {
      ({ sites, beside } = await open(version));
    }, 400_000);
    afterAll(() => sites.end());

    it('is a gap that says how much the failover has lost, and everything is read anew', async () => {
      const { primary, heir, watch } = sites;
      await setReceiving(heir, null);
      await primary.sql(`INSERT INTO account VALUES (8001, 'lost')`);
      await primary.sql(`UPDATE account SET owner = 'lost' WHERE id = 5`);
      await hasRowsOf(sites, 3001);
      await waitForReplay(beside);
      // Started anew, with another address, as after a failover by hand.
      await watch.stop();
      await sites.failOver();
      await heir.sql(`INSERT INTO account VALUES (8002, 'new'), (8003, 'new')`);
      sites.watchWith(new RunningWatch(sites.folder));
      await sites.watch.said(/^gap$/, /2 transactions behind that which our store has are lost there/);
      await hasRowsOf(sites, 3002);
      expect(gapsOf(sites)).toHaveLength(1);
      expect(await timeline(sites)).toBe('2');
    }, 400_000);

    it('leaves a standby that has what was lost on another history, which is never safe', async () => {
      const { verdict } = await certify(sites.folder);
      expect(weighty(verdict)).toContain('TP-V-LINEAGE candidate');
      expect(['NOT_SAFE', 'UNKNOWN']).toContain(verdict.verdict);
      const lost = await certify(sites.folder, '--primary-lost', ...fenced());
      expect(weighty(lost.verdict)).toContain('TP-V-LINEAGE candidate');
      expect(lost.verdict.loss.kind).toBe('unknown');
    }, 200_000);

    it('proves a new standby of the new primary', async () => {
      const { heir, servers } = sites;
      const next = servers.add(await createStandby(heir, { name: 'next' }));
      await sites.watch.stop();
      sites.folder.write({ primary: sites.site, candidates: { next }, policy: '{ rpo: 1h, maxTail: 1h }' });
      sites.watchWith(await provenWatch(sites.folder, ['next'], NAMES.length));
      await setReceiving(next, null);
      await heir.sql(`DELETE FROM account WHERE id = 8002`);
      await ledgerCaughtUp(sites.folder, heir);
      await heir.kill();
      const { verdict } = await certify(sites.folder, '--primary-lost', ...fenced());
      expect(verdict).toMatchObject({
        integrity: 'same',
        loss: { kind: 'bounded', transactions: '1', keys: '1' },
      });
    }, 400_000);
  },
);

describe('a standby that lacks nothing but log without changes', () => {
  let sites: FailoverSites;

  beforeAll(async () => {
    ({ sites } = await open(18));
  }, 400_000);
  afterAll(() => sites.end());

  it('is followed without a gap, from a place before the ledger’s', async () => {
    const { primary, heir } = sites;
    const before = await generations(sites);
    await setReceiving(heir, null);
    const [row] = await heir.sql('SELECT pg_last_wal_receive_lsn()::text AS lsn');
    await primary.sql(`SELECT pg_logical_emit_message(true, 'tick', '')`);
    await ledgerCaughtUp(sites.folder, primary);
    const reached = await sites.folder.reading((ledger) => ledger.position?.split('/').slice(2).join('/'));
    const [order] = await heir.sql('SELECT $1::pg_lsn > $2::pg_lsn AS ahead', [reached, row?.['lsn']]);
    expect(order?.['ahead']).toBe(true);
    await sites.failOver();
    await heir.sql(`INSERT INTO account VALUES (9002, 'new')`);
    await hasRowsOf(sites, 3001);
    expect(gapsOf(sites)).toEqual([]);
    expect(await generations(sites)).toEqual(before);
    expect(await timeline(sites)).toBe('2');
  }, 400_000);
});

describe.each(versionsOf<Version>([14], [14, 16]))(
  'PostgreSQL %i: a standby of a version that copies no slots takes the place',
  (version) => {
    let sites: FailoverSites;
    let beside: Cluster;

    beforeAll(async () => {
      ({ sites, beside } = await open(version));
    }, 400_000);
    afterAll(() => sites.end());

    it('is a gap with a name; once it has a slot everything is read anew, and other standbys are proven', async () => {
      const { heir, watch } = sites;
      await waitForReplay(beside);
      await waitForReplay(heir);
      await sites.failOver();
      await watch.said(/^gap$/, /replication slot twinproof has gone/);
      await watch.said(/^stream$/, /replication slot twinproof does not exist/);
      const { verdict } = await certify(sites.folder);
      expect(['NOT_SAFE', 'UNKNOWN']).toContain(verdict.verdict);
      expect(await sites.prepare(heir)).toContain(
        `pg_create_logical_replication_slot('twinproof', 'pgoutput')`,
      );
      await heir.sql(`INSERT INTO account VALUES (9002, 'new')`);
      await hasRowsOf(sites, 3001);
      await setReceiving(beside, conninfo(heir, 'beside'));
      await becomesProven(sites.folder, 'beside', NAMES.length);
      await until(
        async () => (await provenOf(sites.folder, 'beside')).dirty === 0,
        'nothing is dirty',
        60_000,
      );
      expect(gapsOf(sites)).toHaveLength(1);
    }, 400_000);
  },
);

describe.each(versionsOf<Version>([18], [14, 18]))(
  'PostgreSQL %i: a ledger that has seen nothing of a failover',
  (version) => {
    let sites: FailoverSites;
    let beside: Cluster;

    beforeAll(async () => {
      ({ sites, beside } = await open(version));
    }, 400_000);
    afterAll(() => sites.end());

    it('never calls a standby safe that has followed the new primary, also when that is gone too', async () => {
      const { primary, heir } = sites;
      await waitForReplay(beside);
      await waitForReplay(heir);
      await sites.watch.stop();
      await primary.kill();
      await heir.promote();
      await setReceiving(beside, conninfo(heir, 'beside'));
      await heir.sql(`UPDATE account SET owner = 'of another history' WHERE id = 7`);
      await waitForReplay(beside, await writtenLsn(heir));
      // Its receiver alone has shown by SQL which timeline it is on.
      await setReceiving(beside, null);
      await heir.kill();
      const { verdict } = await certify(sites.folder, '--primary-lost', ...fenced());
      expect(weighty(verdict)).toEqual(expect.arrayContaining(['TP-V-LINEAGE candidate']));
      expect(['NOT_SAFE', 'UNKNOWN']).toContain(verdict.verdict);
      expect(verdict.loss.kind).toBe('unknown');
    }, 400_000);
  },
);
