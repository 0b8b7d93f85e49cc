import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readFacts } from '../../connectors/postgres/facts.ts';
import { readIdentity } from '../../connectors/postgres/identity.ts';
import { comparePositions } from '../../connectors/postgres/lsn.ts';
import { type HeadMemory, readApplied, readHead, readLag } from '../../connectors/postgres/positions.ts';
import { relateSites } from '../../connectors/postgres/relation.ts';
import type { Session } from '../../connectors/postgres/session.ts';
import type { Position } from '../../src/connector/position.ts';
import type { Cluster } from '../../src/demo/cluster.ts';
import { createLogicalPair, waitForApply } from '../../src/demo/cluster-logical.ts';
import { createStandby, waitForReplay } from '../../src/demo/cluster-standby.ts';
import { ServerSet, describeAll, eventually, forever } from './harness/server-set.ts';

const servers = new ServerSet();

afterAll(() => servers.end());

async function relate(candidate: Session, primary: Session): Promise<string> {
  const { relation } = await relateSites(candidate, primary, forever());
  return relation.kind === 'none' ? relation.code : relation.kind;
}

async function isQuiet(primary: Session): Promise<boolean | null> {
  return (await readHead(primary, forever())).quiet;
}

async function hasWaiting(standby: Cluster): Promise<boolean> {
  const [row] = await standby.sql(`SELECT count(*)::int AS n FROM t WHERE v LIKE 'waits%'`);
  return row?.['n'] === 1;
}

/** Drops the slots that nobody uses; true when none is left. */
async function dropSlots(publisher: Cluster): Promise<boolean> {
  await publisher.sql(
    'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active',
  );
  return (await publisher.sql('SELECT FROM pg_replication_slots')).length === 0;
}

describe('a physical pair', () => {
  let primary: Cluster;
  let standby: Cluster;
  let onPrimary: Session;
  let onStandby: Session;

  beforeAll(async () => {
    primary = await servers.cluster();
    standby = await createStandby(primary);
    servers.add(standby);
    await primary.sql(
      `CREATE ROLE lowly LOGIN; CREATE TABLE t (id serial PRIMARY KEY, v text); CREATE UNLOGGED TABLE u (id int);
       INSERT INTO t (v) SELECT 'x' FROM generate_series(1, 100)`,
    );
    await waitForReplay(standby);
    // Everything below must hold for a role that may do nothing but log in.
    onPrimary = await servers.open(primary, 'lowly');
    onStandby = await servers.open(standby, 'lowly');
  });

  const applied = async (): Promise<Position> => {
    const reading = await readApplied(onStandby, null, forever());
    expect(reading.applied).not.toBe(null);
    return reading.applied ?? (await readHead(onPrimary, forever())).head;
  };

  test('is one, and not the other way round, nor with itself or a stranger', async () => {
    expect(await relate(onStandby, onPrimary)).toBe('physical');
    expect(await relate(onPrimary, onStandby)).toBe('TP-ROLES');
    expect(await relate(await servers.open(primary), onPrimary)).toBe('TP-SAME-SERVER');
    expect(await relate(await servers.open(standby), onStandby)).toBe('TP-SAME-SERVER');
    const stranger = await servers.open(await servers.cluster());
    expect(await relate(stranger, onPrimary)).toBe('TP-UNRELATED');
    expect(await relate(onStandby, stranger)).toBe('TP-UNRELATED');
    // Every table would seem to be missing there.
    const elsewhere = await servers.open(standby, 'postgres', 'template1');
    expect(await relate(elsewhere, onPrimary)).toBe('TP-UNRELATED');
  });

  test('describes the same tables alike, and what a standby cannot read', async () => {
    const here = await describeAll(onPrimary);
    const there = await describeAll(onStandby);
    expect(there.get('public.t')?.fingerprint).toBe(here.get('public.t')?.fingerprint);
    expect(there.get('public.u')?.obstacle?.code).toBe('TP-T-UNLOGGED');
    expect((await readFacts([onStandby], forever())).unloggedTables).toEqual(['public.u']);
  });

  test('reaches the head when idle, after a log switch and at every page too', async () => {
    for (let round = 0; round < 6; round += 1) {
      await primary.sql('SELECT pg_switch_wal()');
      await primary.sql(`INSERT INTO t (v) SELECT repeat('y', ${round * 997}) FROM generate_series(1, 7)`);
      await primary.sql('SELECT pg_switch_wal()');
      const check = async (): Promise<boolean> =>
        comparePositions(await applied(), (await readHead(onPrimary, forever())).head) === 'equal';
      await eventually(check, 'the standby at the head');
    }
    const lag = await readLag(onStandby, null, forever());
    expect(lag.receivedNotAppliedBytes).toBe(0n);
  });

  test('shows what is received and not applied', async () => {
    const owner = await servers.open(standby);
    await standby.sql('SELECT pg_wal_replay_pause()');
    await eventually(async () => (await readFacts([owner], forever())).replayPaused === true, 'a pause');
    await primary.sql(`INSERT INTO t (v) SELECT repeat('z', 500) FROM generate_series(1, 1000)`);
    const waiting = async (): Promise<boolean> =>
      ((await readLag(owner, null, forever())).receivedNotAppliedBytes ?? 0n) > 100_000n;
    await eventually(waiting, 'bytes that wait');
    const { head } = await readHead(onPrimary, forever());
    expect(comparePositions(await applied(), head)).toBe('before');
    await standby.sql('SELECT pg_wal_replay_resume()');
  });

  test('is not quiet while a commit may be in the log and unseen', async () => {
    expect(await isQuiet(onPrimary)).toBe(true);
    const writer = await primary.connect();
    // The newest transaction, alone: pg_current_snapshot() does not list it.
    await writer.query(`BEGIN; INSERT INTO t (v) VALUES ('open')`);
    expect(await isQuiet(onPrimary)).toBe(false);
    await writer.query('COMMIT');
    expect(await isQuiet(onPrimary)).toBe(true);
    await primary.sql(`ALTER SYSTEM SET synchronous_standby_names = 'nobody'`);
    await primary.reload();
    const committing = writer.query(`INSERT INTO t (v) VALUES ('waits for nobody')`);
    await eventually(() => hasWaiting(standby), 'the row on the standby');
    expect(await isQuiet(onPrimary)).toBe(false);
    await primary.sql('ALTER SYSTEM RESET synchronous_standby_names');
    await primary.reload();
    await committing;
    expect(await isQuiet(onPrimary)).toBe(true);
    await writer.end();
  });

  test('keeps its head while the log grows without a commit, and moves it with every commit', async () => {
    const memory: HeadMemory = { still: null };
    const head = async (): Promise<Position> => (await readHead(onPrimary, forever(), memory)).head;
    const written = async (): Promise<unknown> =>
      (await primary.sql('SELECT pg_current_wal_insert_lsn()::text AS lsn'))[0]?.['lsn'];
    await primary.sql(`UPDATE t SET v = 'y' WHERE id % 2 = 0`);
    const [before, log] = [await head(), await written()];
    // A checkpoint, a log switch and the pruning of dead rows write to the log; they commit nothing.
    await primary.sql('CHECKPOINT');
    await primary.sql('SELECT pg_switch_wal(), count(v) FROM t');
    expect(await written()).not.toBe(log);
    expect(comparePositions(before, await head())).toBe('equal');
    await eventually(async () => comparePositions(await applied(), before) !== 'before', 'the standby there');

    const older = await primary.connect();
    await older.query(`BEGIN; UPDATE t SET v = 'older' WHERE id = 1`);
    await primary.sql(`UPDATE t SET v = 'z' WHERE id = 3`);
    const between = await head();
    expect(comparePositions(before, between)).toBe('before');
    // The newest identifier is the same after this commit.
    await older.query('COMMIT');
    expect(comparePositions(between, await head())).toBe('before');
    await older.end();

    const last = await head();
    expect(comparePositions(last, await head())).toBe('equal');
    await primary.sql(`SELECT nextval('t_id_seq')`);
    expect(comparePositions(last, await head())).toBe('before');
  });

  test('has no head on a standby, and is none any more after a promotion', async () => {
    await expect(readHead(onStandby, forever())).rejects.toMatchObject({ code: 'TP-ROLES' });
    const last = await applied();
    expect(await standby.promote()).toBe(2);
    expect(await readIdentity(onStandby, forever())).toMatchObject({
      role: 'primary',
      timeline: '2',
      writable: true,
    });
    expect(await relate(onStandby, onPrimary)).toBe('TP-ROLES');
    expect(comparePositions((await readHead(onStandby, forever())).head, last)).toBe('incomparable');
    expect(await readApplied(onStandby, null, forever())).toEqual({ applied: null });
  });
});

describe('a standby that follows a promotion', () => {
  test('is on the new timeline, comparable with the new primary and not with the old one', async () => {
    const old = await servers.cluster();
    await old.sql('CREATE TABLE t (id int)');
    const promoted = servers.add(await createStandby(old, { name: 'promoted' }));
    const follower = servers.add(await createStandby(old, { name: 'follower' }));
    expect(await promoted.promote()).toBe(2);
    await follower.configure({ primary_conninfo: `host=127.0.0.1 port=${promoted.port} user=postgres` });
    await follower.reload();
    const onFollower = await servers.open(follower);
    const onPromoted = await servers.open(promoted);
    const onOld = await servers.open(old);
    const follows = async (): Promise<boolean> =>
      (await readIdentity(onFollower, forever())).timeline === '2';
    await eventually(follows, 'the follower on timeline 2');
    await promoted.sql('INSERT INTO t VALUES (1)');
    const reached = async (): Promise<boolean> => {
      const { applied } = await readApplied(onFollower, null, forever());
      const { head } = await readHead(onPromoted, forever());
      return applied !== null && comparePositions(applied, head) === 'equal';
    };
    await eventually(reached, 'the follower at the head of the new primary');
    expect(await relate(onFollower, onPromoted)).toBe('physical');
    expect(await relate(onFollower, onOld)).toBe('TP-UNRELATED');
    expect(await relate(onPromoted, onOld)).toBe('TP-ROLES');
  });
});

describe('a logical pair', () => {
  let publisher: Cluster;
  let subscriber: Cluster;
  let primary: Session;
  let candidate: Session;

  beforeAll(async () => {
    [publisher, subscriber] = await Promise.all([servers.cluster(), servers.cluster()]);
    const schema = `CREATE ROLE lowly LOGIN; CREATE TABLE t (id serial PRIMARY KEY, v text); CREATE TABLE late (id int PRIMARY KEY);
      CREATE TABLE back (id int GENERATED BY DEFAULT AS IDENTITY (INCREMENT BY -1));`;
    await publisher.sql(
      `${schema} INSERT INTO t (v) SELECT 'x' FROM generate_series(1, 100); INSERT INTO back DEFAULT VALUES`,
    );
    await subscriber.sql(schema);
    await createLogicalPair(publisher, subscriber, { tables: ['t', 'back'], name: 'one' });
    await createLogicalPair(publisher, subscriber, { tables: ['late'], name: 'two', copyData: false });
    primary = await servers.open(publisher, 'lowly');
    candidate = await servers.open(subscriber, 'lowly');
  });

  test('is one by its slots and publications', async () => {
    const { relation, lineage } = await relateSites(candidate, primary, forever());
    expect(relation).toEqual({ kind: 'logical' });
    expect(lineage?.subscriptions).toHaveLength(2);
    expect((await readIdentity(candidate, forever())).role).toBe('subscriber');
    expect((await relateSites(primary, candidate, forever())).relation).toMatchObject({
      code: 'TP-UNRELATED',
    });
  });

  test.each(['lowly', 'postgres'])('reaches the head when idle, as %s sees it', async (user) => {
    const session = await servers.open(subscriber, user);
    const { lineage } = await relateSites(session, primary, forever());
    await publisher.sql(`INSERT INTO t (v) VALUES ('more')`);
    // As an idle server does every fifteen seconds: its log grows, and nothing is committed.
    await publisher.sql('CHECKPOINT');
    const check = async (): Promise<boolean> => {
      const { applied } = await readApplied(session, lineage, forever());
      return (
        applied !== null && comparePositions(applied, (await readHead(primary, forever())).head) !== 'before'
      );
    };
    await eventually(check, 'the subscriber at the head');
    expect(await readLag(session, lineage, forever())).toMatchObject({ receivedNotAppliedBytes: 0n });
  });

  test('is only as far as its slowest subscription', async () => {
    const { lineage } = await relateSites(candidate, primary, forever());
    await subscriber.sql('ALTER SUBSCRIPTION two DISABLE');
    const unknown = async (): Promise<boolean> =>
      (await readApplied(candidate, lineage, forever())).applied === null;
    await eventually(unknown, 'nothing told of a stopped subscription');
    const { head } = await readHead(primary, forever());
    await publisher.sql(`INSERT INTO t (v) VALUES ('beyond')`);
    await waitForApply({ publisher, subscriber, database: 'postgres', name: 'one' });
    const owner = await servers.open(subscriber);
    const { applied } = await readApplied(owner, lineage, forever());
    expect(applied === null ? 'unknown' : comparePositions(applied, head)).not.toBe('after');
    const facts = await readFacts([owner], forever());
    expect(facts.subscriptions).toMatchObject([
      { name: 'one', enabled: true, workerRunning: true, skip: '', tablesNotReady: [] },
      { name: 'two', enabled: false, workerRunning: false },
    ]);
    await subscriber.sql('ALTER SUBSCRIPTION two ENABLE');
  });

  test('has sequences that stand still while the data goes on', async () => {
    const facts = await readFacts([await servers.open(subscriber)], forever());
    expect(facts.unread).toEqual([]);
    expect(facts.sequences).toEqual([
      {
        name: 'public.back_id_seq',
        lastValue: 0n,
        increment: -1n,
        ownedBy: 'public.back.id',
        dataExtreme: -1n,
      },
      {
        name: 'public.t_id_seq',
        lastValue: 0n,
        increment: 1n,
        ownedBy: 'public.t.id',
        dataExtreme: 102n + 1n,
      },
    ]);
    const theirs = await readFacts([await servers.open(publisher)], forever());
    expect(theirs.sequences?.map(({ lastValue }) => lastValue)).toEqual([-1n, 103n]);
    const blind = await readFacts([candidate], forever());
    expect(blind.unread.map(({ fact }) => fact)).toContain('sequences.public.t_id_seq');
  });

  test('keeps a table out until its first copy is done', async () => {
    await publisher.sql(
      'CREATE TABLE slow (id int PRIMARY KEY); INSERT INTO slow VALUES (1); ALTER PUBLICATION one ADD TABLE slow',
    );
    await subscriber.sql('CREATE TABLE slow (id int PRIMARY KEY); INSERT INTO slow VALUES (1)');
    // The copy meets a row that is there already, so it never ends.
    await subscriber.sql('ALTER SUBSCRIPTION one REFRESH PUBLICATION');
    const session = await servers.open(subscriber);
    expect((await describeAll(session)).get('public.slow')?.obstacle?.code).toBe('TP-T-COPYING');
    const [fact] = (await readFacts([session], forever())).subscriptions ?? [];
    expect(fact?.tablesNotReady).toEqual(['public.slow']);
  });

  test('is none when the publisher has dropped the slot', async () => {
    await subscriber.sql('ALTER SUBSCRIPTION one DISABLE; ALTER SUBSCRIPTION two DISABLE');
    await eventually(() => dropSlots(publisher), 'no slot');
    const { relation } = await relateSites(candidate, primary, forever());
    expect(relation).toMatchObject({ code: 'TP-UNRELATED', message: expect.stringContaining('no slot one') });
  });
});
