import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Cluster } from '../../src/demo/cluster.ts';
import { createStandby, waitForReplay } from '../../src/demo/cluster-standby.ts';
import { waitForTables } from '../../src/demo/cluster-logical.ts';
import { waitUntil } from '../../src/demo/cluster-wait.ts';
import { Known } from '../../src/ledger/known.ts';
import { Witness } from '../../src/ledger/witness.ts';
import { certify, fenced, provenWatch, setReceiving, weighty } from '../servers/harness/certify-ledger.ts';
import { Follower, prepareStream } from '../servers/harness/change-stream.ts';
import { runCli, until } from '../servers/harness/cli.ts';
import { builtProgram } from '../servers/harness/cli-build.ts';
import { ServerSet } from '../servers/harness/server-set.ts';
import { versionsOf } from '../servers/harness/versions.ts';
import { ledgerRows, provenOf, type RunningWatch, WatchFolder } from '../servers/harness/watch.ts';

const TABLES = 2;
type Version = 16 | 17 | 18;

const servers = new ServerSet();
const SCHEMA = `CREATE TABLE account (id bigint PRIMARY KEY, owner text);
  CREATE TABLE tag (name text PRIMARY KEY, note text)`;
const ROWS = `INSERT INTO account SELECT i, 'owner ' || i FROM generate_series(1, 3000) i;
  INSERT INTO tag SELECT 'tag ' || i, 'x' FROM generate_series(1, 100) i`;

afterAll(() => servers.end());

/** A primary with rows and a publication, and the standby in its place, whose log is followed. */
async function fed(version: Version): Promise<{ primary: Cluster; feed: Cluster }> {
  builtProgram();
  const primary = await servers.cluster(version);
  await primary.sql(`${SCHEMA}; ${ROWS}; CREATE PUBLICATION twinproof FOR TABLE account, tag`);
  const settings = { hot_standby_feedback: 'on' };
  const feed = servers.add(await createStandby(primary, { name: 'feed', settings }));
  const made = feed.sql(`SELECT pg_create_logical_replication_slot('twinproof', 'pgoutput')`);
  await snapshotsLogged(primary, made);
  return { primary, feed };
}

/** A slot of a standby is ready when that has replayed a list of running transactions; they are logged until it is. */
async function snapshotsLogged(primary: Cluster, made: Promise<unknown>): Promise<void> {
  let isOver = false;
  const over = made.finally(() => {
    isOver = true;
  });
  const logged = async (): Promise<boolean> => {
    await primary.sql('SELECT pg_log_standby_snapshot()');
    return isOver;
  };
  await Promise.all([over, waitUntil(logged, 90_000, () => 'the slots of the standby are not ready')]);
}

async function known(folder: WatchFolder, count: number): Promise<boolean> {
  const { ledger } = await ledgerRows(folder, 'public.account');
  return ledger.size === count;
}

async function witnessedUs(folder: WatchFolder): Promise<bigint> {
  return folder.reading(({ core }) => new Witness(core).read()?.timeUs ?? 0n);
}

async function clockUs(primary: Cluster): Promise<bigint> {
  const [row] = await primary.sql(
    `SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8::text AS us`,
  );
  return BigInt(String(row?.['us']));
}

async function isProven(folder: WatchFolder, name: string): Promise<boolean> {
  const { unproven, dirty } = await provenOf(folder, name);
  return unproven.length === 0 && dirty === 0;
}

/** The tests follow one another: what happens to the servers is one story. */
describe.each(versionsOf<Version>([16, 18], [16, 17, 18]))(
  'PostgreSQL %i: a ledger that is fed from a standby',
  (version) => {
    let primary: Cluster;
    let feed: Cluster;
    let beside: Cluster;
    let below: Cluster;
    let folder: WatchFolder;
    let watch: RunningWatch;

    beforeAll(async () => {
      ({ primary, feed } = await fed(version));
      beside = servers.add(await createStandby(primary, { name: 'beside' }));
      below = servers.add(await createStandby(primary, { name: 'below' }));
      await setReceiving(below, `host=127.0.0.1 port=${feed.port} user=postgres application_name=below`);
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

    it('knows every row that the standby has, and proves other standbys, also one below it', async () => {
      const role = await folder.reading(({ core }) => new Known(core.store).primary()?.identity.role);
      expect(role).toBe('standby');
      await primary.sql(
        `UPDATE account SET owner = 'other' WHERE id <= 100; DELETE FROM tag WHERE name = 'tag 7'`,
      );
      await primary.sql(`INSERT INTO account VALUES (9001, 'new')`);
      await until(() => known(folder, 3001), 'the ledger has the new row', 100_000);
      const rows = await ledgerRows(folder, 'public.account');
      expect(rows.ledger).toEqual(rows.primary);
      for (const name of ['beside', 'below']) {
        await until(() => isProven(folder, name), `${name} is proven`, 100_000);
        expect((await provenOf(folder, name)).differences).toEqual([]);
      }
    }, 400_000);

    it('witnesses what the standby has replayed, by the primary’s clock, and nothing later', async () => {
      const before = await clockUs(primary);
      await primary.sql(`UPDATE tag SET note = 'late' WHERE name = 'tag 1'`);
      const after = await clockUs(primary);
      await until(async () => (await witnessedUs(folder)) >= before, 'the commit is witnessed', 200_000);
      // Nothing was committed since; the watch goes on asking.
      expect(await witnessedUs(folder)).toBeLessThanOrEqual(after);
    }, 300_000);

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
      const before = await clockUs(primary);
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
      await until(() => known(folder, 3002), 'the ledger has the row of the new primary', 200_000);
      const positions = await folder.reading((ledger) => ledger.position);
      expect(positions?.split('/')[1]).toBe('2');
      expect(watch.lines.filter(({ event }) => event === 'gap')).toEqual([]);
      // It has no more than the new primary had at its promotion, on the timeline that both were on.
      const { verdict } = await certify(folder, '--candidate', 'below', '--primary-lost', ...fenced());
      expect(verdict).toMatchObject({ integrity: 'same', loss: { transactions: '1', keys: '1' } });
    }, 400_000);
  },
);

describe.each(versionsOf<Version>([18], [16, 18]))(
  'PostgreSQL %i: a ledger that is fed from a standby with a subscriber',
  (version) => {
    let primary: Cluster;
    let subscriber: Cluster;
    let folder: WatchFolder;
    let watch: RunningWatch;

    beforeAll(async () => {
      const sites = await fed(version);
      ({ primary } = sites);
      subscriber = await servers.cluster(version);
      await subscriber.sql(SCHEMA);
      await primary.sql('CREATE PUBLICATION below FOR TABLE account, tag');
      await waitForReplay(sites.feed);
      const url = `host=127.0.0.1 port=${sites.feed.port} user=postgres dbname=postgres`;
      const ready = async (): Promise<void> => {
        await subscriber.sql(`CREATE SUBSCRIPTION below CONNECTION '${url}' PUBLICATION below`);
        await waitForTables(
          { publisher: sites.feed, subscriber, database: 'postgres', name: 'below' },
          90_000,
        );
      };
      await snapshotsLogged(primary, ready());
      await prepareStream(subscriber, 'TABLE account, tag');
      folder = new WatchFolder({
        primary: sites.feed,
        candidates: { gasan: subscriber },
        policy: '{ rpo: 1h, maxTail: 1h }',
      });
      watch = await provenWatch(folder, ['gasan'], TABLES);
    }, 600_000);

    afterAll(async () => {
      await watch.stop().catch(() => undefined);
      folder.remove();
    });

    it('proves the subscriber, and finds what somebody else wrote to it', async () => {
      await primary.sql(
        `UPDATE account SET owner = 'other' WHERE id <= 100; INSERT INTO account VALUES (9001, 'new')`,
      );
      await until(() => known(folder, 3001), 'the ledger has the new row', 100_000);
      await until(() => isProven(folder, 'gasan'), 'it is proven', 100_000);
      const { verdict } = await certify(folder);
      expect(verdict).toMatchObject({ verdict: 'UNKNOWN', integrity: 'same', loss: { kind: 'unknown' } });
      expect(weighty(verdict)).toContain('TP-V-FED-BY-CANDIDATE ledger');
      await subscriber.sql(`DELETE FROM tag WHERE name = 'tag 3'`);
      await until(
        async () => (await provenOf(folder, 'gasan')).differences.length === 1,
        'it differs',
        100_000,
      );
      expect((await certify(folder)).verdict).toMatchObject({ verdict: 'NOT_SAFE', integrity: 'different' });
    }, 400_000);
  },
);

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
