import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Cluster } from '../../src/demo/cluster.ts';
import { createStandby, waitForReplay, writtenLsn } from '../../src/demo/cluster-standby.ts';
import { waitUntil } from '../../src/demo/cluster-wait.ts';
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
import {
  conninfo,
  FailoverSites,
  gapsOf,
  hasRowsOf,
  NAMES,
  SCHEMA,
  timeline,
} from '../servers/harness/failover.ts';

const MESSAGE = `SELECT pg_logical_emit_message(true, 'tick', repeat('x', 1000))`;

/** The tests of each story follow one another. */
describe('two standbys that are promoted without knowing of one another', () => {
  let sites: FailoverSites;
  let other: Cluster;
  let beside: Cluster;

  beforeAll(async () => {
    builtProgram();
    sites = await FailoverSites.open(18, SCHEMA);
    const { primary, servers } = sites;
    const copying = { hot_standby_feedback: 'on', sync_replication_slots: 'on' };
    const settings = { primary_conninfo: conninfo(primary, 'other'), ...copying };
    other = servers.add(await createStandby(primary, { name: 'other', slot: 'other', settings }));
    beside = servers.add(await createStandby(primary, { name: 'beside' }));
    sites.configure({ beside });
    await sites.prepare(primary);
    sites.watchWith(await provenWatch(sites.folder, ['beside'], NAMES.length));
    await sites.inStep('twinproof');
    const copied = async (): Promise<boolean> => {
      await primary.sql('SELECT pg_log_standby_snapshot()');
      const sql = `SELECT FROM pg_replication_slots WHERE slot_name = 'twinproof' AND synced AND NOT temporary`;
      return (await other.sql(sql)).length === 1;
    };
    await waitUntil(copied, 120_000, () => 'the other has no copy of the slot');
    await Promise.all([waitForReplay(other), waitForReplay(beside)]);
    // The heir alone gets the end of the log, which changes no row; what follows the other may not be ahead of it.
    await setReceiving(beside, null);
    await setReceiving(other, null);
    await primary.sql(MESSAGE);
    await sites.failOver();
    await other.promote();
  }, 600_000);
  afterAll(() => sites.end());

  it('begin timelines of one number, and a standby of the one is never safe by a ledger of the other', async () => {
    const { heir, folder, watch } = sites;
    await hasRowsOf(sites, 3000);
    await setReceiving(beside, conninfo(other, 'beside'));
    await waitForReplay(beside, await writtenLsn(other));
    expect([await heir.timeline(), await other.timeline()]).toEqual([2, 2]);
    await watch.said(/^connection$/, /its timeline 2 \(left 1 at .*\) is not that of the primary/);
    // So far both have the same rows; the ledger goes on, and never sees what is written to the other.
    await other.sql(`UPDATE account SET owner = 'of the other' WHERE id = 7`);
    await waitForReplay(beside, await writtenLsn(other));
    for (let at = 0; at < 20; at++) await heir.sql(MESSAGE);
    await ledgerCaughtUp(folder, heir);
    expect(await timeline(sites)).toBe('2');
    for (const args of [[], ['--primary-lost', ...fenced()]]) {
      const { verdict } = await certify(folder, ...args);
      expect(weighty(verdict)).toContain('TP-V-LINEAGE candidate');
      expect(verdict.verdict).toBe('UNKNOWN');
      expect(verdict.integrity).not.toBe('same');
    }
  }, 400_000);

  it('is another primary, of which everything is read anew', async () => {
    const { heir, folder, watch } = sites;
    expect(gapsOf(sites)).toEqual([]);
    sites.address.lead(other.port);
    await heir.kill();
    await watch.said(/^failover$/, /on a timeline 2 that began elsewhere/);
    await other.sql(`INSERT INTO account VALUES (9003, 'of the other')`);
    await hasRowsOf(sites, 3001);
    await waitForReplay(beside, await writtenLsn(other));
    await ledgerCaughtUp(folder, other);
    await becomesProven(folder, 'beside', NAMES.length);
    const { verdict } = await certify(folder);
    expect(weighty(verdict)).not.toContain('TP-V-LINEAGE candidate');
    expect(verdict.integrity).toBe('same');
  }, 400_000);

  it('and one that has lost the history of its timeline is not taken for either', async () => {
    rmSync(join(beside.paths.data, 'pg_wal', '00000002.history'));
    const { verdict } = await certify(sites.folder);
    expect(verdict.reasons).toContainEqual(
      expect.objectContaining({
        code: 'TP-V-UNREACHABLE',
        message: expect.stringMatching(/lost the history/),
      }),
    );
    expect(verdict.verdict).toBe('UNKNOWN');
  }, 100_000);
});

describe('a standby that has received what the new primary lacks, and has not applied it yet', () => {
  let sites: FailoverSites;
  let beside: Cluster;

  beforeAll(async () => {
    builtProgram();
    sites = await FailoverSites.open(18, SCHEMA);
    beside = sites.servers.add(await createStandby(sites.primary, { name: 'beside' }));
    sites.configure({ beside });
    await sites.prepare(sites.primary);
    await sites.holdBack();
    sites.watchWith(await provenWatch(sites.folder, ['beside'], NAMES.length));
    await sites.inStep('twinproof');
  }, 600_000);
  afterAll(() => sites.end());

  it('is not what was proven once it is promoted, so it is never safe', async () => {
    const { primary, heir, folder } = sites;
    await waitForReplay(beside);
    await waitForReplay(heir);
    await beside.sql('SELECT pg_wal_replay_pause()');
    await setReceiving(heir, null);
    await primary.sql(`UPDATE account SET owner = 'lost' WHERE id = 7`);
    const written = await writtenLsn(primary);
    const received = async (): Promise<boolean> =>
      (await beside.sql('SELECT FROM (SELECT) one WHERE pg_last_wal_receive_lsn() >= $1::pg_lsn', [written]))
        .length === 1;
    await waitUntil(received, 60_000, () => 'nothing is received');
    await sites.failOver();
    await heir.sql(`INSERT INTO account VALUES (9001, 'new')`);
    await hasRowsOf(sites, 3001);
    await ledgerCaughtUp(folder, heir);
    expect(gapsOf(sites)).toEqual([]);
    await heir.kill();
    const { verdict } = await certify(folder, '--primary-lost', ...fenced());
    expect(verdict.reasons).toContainEqual(
      expect.objectContaining({
        code: 'TP-V-LINEAGE',
        message: expect.stringMatching(/log of another history/),
      }),
    );
    expect(['UNKNOWN', 'NOT_SAFE']).toContain(verdict.verdict);
    // What it would have been: it applies what it has received.
    await beside.promote();
    expect(await beside.sql(`SELECT owner FROM account WHERE id = 7`)).toEqual([{ owner: 'lost' }]);
  }, 400_000);
});
