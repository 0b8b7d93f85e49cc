import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Cluster } from '../../src/demo/cluster.ts';
import { createStandby, waitForReplay } from '../../src/demo/cluster-standby.ts';
import { waitUntil } from '../../src/demo/cluster-wait.ts';
import { Known } from '../../src/ledger/known.ts';
import { Witness } from '../../src/ledger/witness.ts';
import { certify, fenced, provenWatch, setReceiving, weighty } from '../servers/harness/certify-ledger.ts';
import { Follower, prepareStream } from '../servers/harness/change-stream.ts';
import { runCli, until } from '../servers/harness/cli.ts';
import { builtProgram } from '../servers/harness/cli-build.ts';
import { ServerSet } from '../servers/harness/server-set.ts';
import { ledgerRows, provenOf, type RunningWatch, WatchFolder } from '../servers/harness/watch.ts';

const TABLES = 2;
const servers = new ServerSet();
let primary: Cluster;
/** Stands in the primary's place: its log is followed. */
let feed: Cluster;
let beside: Cluster;
let below: Cluster;
let folder: WatchFolder;
let watch: RunningWatch;

beforeAll(async () => {
  builtProgram();
  primary = await servers.cluster(18);
  await primary.sql(`CREATE TABLE account (id bigint PRIMARY KEY, owner text);
    CREATE TABLE tag (name text PRIMARY KEY, note text);
    INSERT INTO account SELECT i, 'owner ' || i FROM generate_series(1, 3000) i;
    INSERT INTO tag SELECT 'tag ' || i, 'x' FROM generate_series(1, 100) i;
    CREATE PUBLICATION twinproof FOR TABLE account, tag`);
  const settings = { hot_standby_feedback: 'on' };
  feed = servers.add(await createStandby(primary, { name: 'feed', settings }));
  beside = servers.add(await createStandby(primary, { name: 'beside' }));
  below = servers.add(await createStandby(primary, { name: 'below' }));
  await setReceiving(below, `host=127.0.0.1 port=${feed.port} user=postgres application_name=below`);
  await makeSlot();
  folder = new WatchFolder({
    primary: feed,
    candidates: { beside, below },
    policy: '{ rpo: 1h, maxTail: 1h }',
  });
  watch = await provenWatch(folder, ['beside', 'below'], TABLES);
}, 600_000);

afterAll(async () => {
  await watch.stop().catch(() => undefined);
  folder.remove();
});
afterAll(() => servers.end());

/** The slot is ready when the standby has replayed a list of running transactions. */
async function makeSlot(): Promise<void> {
  await waitForReplay(feed);
  const made = feed.sql(`SELECT pg_create_logical_replication_slot('twinproof', 'pgoutput')`);
  const ready = async (): Promise<boolean> => {
    await primary.sql('SELECT pg_log_standby_snapshot()');
    const [row] = await feed.sql(`SELECT count(*)::int AS n FROM pg_replication_slots
      WHERE confirmed_flush_lsn IS NOT NULL AND active_pid IS NULL`);
    return row?.['n'] === 1;
  };
  await waitUntil(ready, 60_000, () => 'the slot on the standby is not ready');
  await made;
}

async function known(count: number): Promise<boolean> {
  const { ledger } = await ledgerRows(folder, 'public.account');
  return ledger.size === count;
}

async function witnessedUs(): Promise<bigint> {
  return folder.reading(({ core }) => new Witness(core).read()?.timeUs ?? 0n);
}

async function clockUs(): Promise<bigint> {
  const [row] = await primary.sql(
    `SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8::text AS us`,
  );
  return BigInt(String(row?.['us']));
}

/** The tests follow one another: what happens to the servers is one story. */
describe('a ledger that is fed from a standby', () => {
  it('knows every row that the standby has, and proves other standbys, also one below it', async () => {
    const role = await folder.reading(({ core }) => new Known(core.store).primary()?.identity.role);
    expect(role).toBe('standby');
    await primary.sql(
      `UPDATE account SET owner = 'other' WHERE id <= 100; DELETE FROM tag WHERE name = 'tag 7'`,
    );
    await primary.sql(`INSERT INTO account VALUES (9001, 'new')`);
    await until(() => known(3001), 'the ledger has the new row', 100_000);
    const rows = await ledgerRows(folder, 'public.account');
    expect(rows.ledger).toEqual(rows.primary);
    for (const name of ['beside', 'below']) {
      const proven = async (): Promise<boolean> => {
        const { unproven, dirty } = await provenOf(folder, name);
        return unproven.length === 0 && dirty === 0;
      };
      await until(proven, `${name} is proven`, 100_000);
      expect((await provenOf(folder, name)).differences).toEqual([]);
    }
  }, 400_000);

  it('witnesses what the standby has replayed, by the primary’s clock, and nothing later', async () => {
    const before = await clockUs();
    await primary.sql(`UPDATE tag SET note = 'late' WHERE name = 'tag 1'`);
    const after = await clockUs();
    await until(async () => (await witnessedUs()) >= before, 'the commit is witnessed', 100_000);
    // Nothing was committed since; the watch goes on asking.
    expect(await witnessedUs()).toBeLessThanOrEqual(after);
  }, 200_000);

  it('never says that nothing would be lost, not while all are alive either', async () => {
    await waitForReplay(beside);
    const { code, verdict } = await certify(folder, '--candidate', 'beside');
    expect({ code, verdict }).toMatchObject({
      code: 3,
      verdict: { verdict: 'UNKNOWN', integrity: 'same', loss: { kind: 'unknown' } },
    });
    expect(weighty(verdict)).toContain('TP-V-FED-BY-CANDIDATE ledger');
    expect((await runCli(['lag', '--config', folder.config, '--candidate', 'beside'])).code).not.toBe(2);
  }, 200_000);

  it('says so of a loss too that neither the standby nor the ledger has seen', async () => {
    await setReceiving(feed, null);
    await setReceiving(below, null);
    await setReceiving(beside, null);
    const before = await clockUs();
    await primary.sql(`INSERT INTO account VALUES (9002, 'lost')`);
    await primary.kill();
    for (const name of ['beside', 'below']) {
      const { code, verdict } = await certify(folder, '--candidate', name, '--primary-lost', ...fenced());
      expect({ code, verdict }).toMatchObject({
        code: 3,
        verdict: { verdict: 'UNKNOWN', mode: 'failover', integrity: 'same', loss: { kind: 'unknown' } },
      });
      expect(weighty(verdict)).toContain('TP-V-FED-BY-CANDIDATE ledger');
      expect(BigInt(Date.parse(verdict.loss.witnessedUntil ?? '')) * 1000n).toBeLessThanOrEqual(before);
    }
  }, 300_000);

  it('goes on with the standby’s own commits on its new timeline when it is promoted', async () => {
    await feed.promote();
    await feed.sql(`INSERT INTO account VALUES (9003, 'of the new primary')`);
    await until(() => known(3002), 'the ledger has the row of the new primary', 200_000);
    const positions = await folder.reading((ledger) => ledger.position);
    expect(positions?.split('/')[1]).toBe('2');
    // The standby beside it is on the old timeline, and may have what the new primary lacks.
    const { verdict } = await certify(folder, '--candidate', 'beside', '--primary-lost', ...fenced());
    expect(['NOT_SAFE', 'UNKNOWN']).toContain(verdict.verdict);
    expect(weighty(verdict)).toContain('TP-V-LINEAGE candidate');
  }, 400_000);
});

describe('a standby of a version that cannot decode', () => {
  it('is refused in words that say what can', async () => {
    const old = await servers.cluster(15);
    await old.sql('CREATE TABLE t (id int PRIMARY KEY)');
    await prepareStream(old, 'TABLE t');
    const standby = servers.add(await createStandby(old));
    await waitForReplay(standby);
    await expect(Follower.open(standby)).rejects.toMatchObject({
      code: 'TP-STREAM-SETUP',
      message: 'a standby of version 15 cannot stream changes',
    });
  }, 120_000);
});
