import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCommitsPending } from '../../connectors/mysql/commits.ts';
import { comparePositions } from '../../connectors/mysql/gtid.ts';
import { readIdentity } from '../../connectors/mysql/identity.ts';
import { readApplied, readHead, readLag } from '../../connectors/mysql/positions.ts';
import { relateSites, type SiteRelation } from '../../connectors/mysql/relation.ts';
import type { Session } from '../../connectors/mysql/session.ts';
import type { AppliedReading, Position, PositionOrder } from '../../src/connector/position.ts';
import { READER, VERIFIER } from './harness/mysql-accounts.ts';
import { catalogSessions } from './harness/mysql-catalog-session.ts';
import { MYSQL_FLAVORS } from './harness/mysql-installation.ts';
import { createMysqlPair, type MysqlPair } from './harness/mysql-pair.ts';
import { createMysqlServer } from './harness/mysql-server.ts';

const owned: { destroy(): Promise<void> }[] = [];
const { open, close } = catalogSessions();

afterAll(async () => {
  await close();
  for (const thing of owned) await thing.destroy();
});

function own<T extends { destroy(): Promise<void> }>(thing: T): T {
  owned.push(thing);
  return thing;
}

function signal(): AbortSignal {
  return AbortSignal.timeout(60_000);
}

const SCHEMA =
  'CREATE TABLE t (id INT PRIMARY KEY, v INT) ENGINE=InnoDB; INSERT INTO t VALUES (1, 1), (2, 2)';

/** Waits until a reading is as wanted. */
async function poll<T>(read: () => Promise<T>, wanted: (value: T) => boolean): Promise<void> {
  await expect.poll(async () => wanted(await read()), { timeout: 20_000, interval: 20 }).toBe(true);
}

describe.each(MYSQL_FLAVORS)('a %s source and its replica', (flavor) => {
  let pair: MysqlPair;
  let source: Session;
  let replica: Session;

  beforeAll(async () => {
    pair = own(await createMysqlPair({ flavor, schema: SCHEMA }));
    source = await open(pair.source);
    replica = await open(pair.replica);
  });

  const relate = (): Promise<SiteRelation> => relateSites(replica, source, signal());
  const head = async (): Promise<Position> => (await readHead(source, signal())).head;
  const applied = async (): Promise<AppliedReading['applied']> =>
    (await readApplied(replica, (await relate()).lineage, signal())).applied;
  const order = async (to: Position): Promise<PositionOrder> => {
    const at = await applied();
    return at === null ? 'incomparable' : comparePositions(at, to);
  };

  it('say who they are, each the same every time', async () => {
    const [ours, theirs] = [await readIdentity(source, signal()), await readIdentity(replica, signal())];
    expect(ours).toMatchObject({
      engine: flavor,
      timeline: null,
      role: 'primary',
      writable: true,
      database: 'bank',
      databases: ['bank'],
    });
    expect(theirs).toMatchObject({ engine: flavor, role: 'subscriber', writable: false });
    expect(ours.systemId).not.toBe(theirs.systemId);
    expect(ours.instance).not.toBe(theirs.instance);
    const { serverTime, ...again } = await readIdentity(await open(pair.source), signal());
    expect({ ...again, serverTime: ours.serverTime }).toEqual(ours);
    expect(serverTime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    expect(Math.abs(Date.parse(serverTime) - Date.now())).toBeLessThan(5000);
  });

  it('are another instance after a restart, and the same server', async () => {
    const alone = own(await createMysqlServer({ flavor }));
    await alone.sql('CREATE DATABASE bank');
    const root = { user: 'root', password: '' };
    const before = await readIdentity(await open(alone, root), signal());
    await poll(
      async () => {
        await alone.restart();
        return readIdentity(await open(alone, root), signal());
      },
      (after) => after.systemId === before.systemId && after.instance !== before.instance,
    );
  });

  it('are related, also while replication is stopped', async () => {
    expect((await relate()).relation).toEqual({ kind: 'logical' });
    await pair.stopReplica();
    expect((await relate()).relation).toEqual({ kind: 'logical' });
    await pair.source.sql('INSERT INTO bank.t VALUES (100, 1)');
    expect((await relate()).relation).toEqual({ kind: 'logical' });
    await pair.startReplica();
    await pair.caughtUp();
    expect((await relate()).lineage?.errant).toBeNull();
  });

  it('are related while the source takes writes all the time', async () => {
    const writer = await pair.source.connect({ database: 'bank' });
    let writing = true;
    const done = (async () => {
      for (let id = 0; writing; id++)
        await writer.query('REPLACE INTO t VALUES (?, ?)', [10_000 + (id % 500), id]);
    })();
    try {
      for (let round = 0; round < 5; round++) {
        expect((await relate()).relation).toEqual({ kind: 'logical' });
        expect((await relate()).lineage?.errant).toBeNull();
        expect(await readCommitsPending(source, signal())).toBe('none');
      }
    } finally {
      writing = false;
      await done;
    }
    await pair.caughtUp();
  });

  it('are one server when they are reached by two names', async () => {
    const other = await open(pair.source, VERIFIER, 'localhost');
    expect((await relateSites(other, source, signal())).relation).toMatchObject({ code: 'TP-SAME-SERVER' });
    expect((await relateSites(source, source, signal())).relation).toMatchObject({ code: 'TP-SAME-SERVER' });
  });

  it('are refused the other way round', async () => {
    const { relation } = await relateSites(source, replica, signal());
    expect(relation).toMatchObject({ kind: 'none', code: 'TP-ROLES' });
  });

  it('are not related for a role that may not see replication', async () => {
    const reader = await open(pair.replica, READER);
    await expect(relateSites(reader, source, signal())).rejects.toMatchObject({ code: 'TP-PERMISSION' });
    expect((await readIdentity(reader, signal())).role).toBe('subscriber');
    expect(await readLag(reader, null, signal())).toMatchObject({ received: null });
  });

  it('move by every commit, and the replica reaches the head', async () => {
    for (let id = 200; id < 203; id++) {
      const before = await head();
      await pair.source.sql('INSERT INTO bank.t VALUES (?, 0)', [id]);
      expect(comparePositions(before, await head())).toBe('before');
    }
    const target = await head();
    await poll(
      () => order(target),
      (at) => at === 'equal' || at === 'after',
    );
    const { lineage } = await relate();
    const lag = await readLag(replica, lineage, signal());
    expect(lag.applied === null ? null : comparePositions(lag.applied, target)).toBe('equal');
    expect(lag.received === null ? null : comparePositions(lag.received, target)).toBe('equal');
    expect(lag.receivedNotAppliedBytes).toBe(0n);
  });

  it('tell what was received and not applied', async () => {
    await pair.stopReplica('sql');
    try {
      await pair.source.sql('INSERT INTO bank.t VALUES (300, 0)');
      const target = await head();
      expect(await order(target)).toBe('before');
      const { lineage } = await relate();
      await poll(
        () => readLag(replica, lineage, signal()),
        ({ received, receivedNotAppliedBytes: bytes }) =>
          received !== null && comparePositions(received, target) === 'equal' && bytes !== null && bytes > 0n,
      );
    } finally {
      await pair.startReplica();
      await pair.caughtUp();
    }
  });

  it('are not quiet while a transaction that has written is open or prepared', async () => {
    const quiet = async (): Promise<boolean | null> => (await readHead(source, signal())).quiet;
    expect(await quiet()).toBe(true);
    const reads = await pair.source.connect({ database: 'bank' });
    await reads.query('START TRANSACTION WITH CONSISTENT SNAPSHOT; SELECT * FROM t');
    expect(await quiet()).toBe(true);
    await reads.end();
    const writes = await pair.source.connect({ database: 'bank' });
    await writes.query('BEGIN; INSERT INTO t VALUES (400, 0)');
    expect(await quiet()).toBe(false);
    expect(await readCommitsPending(source, signal())).toBe('none');
    await writes.query('ROLLBACK');
    expect(await quiet()).toBe(true);
    await writes.query(`XA START 'x'; INSERT INTO t VALUES (401, 0); XA END 'x'; XA PREPARE 'x'`);
    await writes.end();
    // The connection is gone, the transaction is not.
    expect(await quiet()).toBe(false);
    await pair.source.sql(`XA ROLLBACK 'x'`);
    expect(await quiet()).toBe(true);
    const reader = await open(pair.source, READER);
    expect((await readHead(reader, signal())).quiet).toBeNull();
    await pair.caughtUp();
  });

  it('of somebody else are unrelated', async () => {
    const stranger = own(await createMysqlPair({ flavor, schema: SCHEMA }));
    const other = await open(stranger.source);
    expect((await relateSites(replica, other, signal())).relation).toMatchObject({ code: 'TP-UNRELATED' });
    const follower = await open(stranger.replica);
    expect((await relateSites(follower, source, signal())).relation).toMatchObject({ code: 'TP-UNRELATED' });
    expect((await relateSites(other, source, signal())).relation).toMatchObject({ code: 'TP-UNRELATED' });
  });

  it('are not related once replication was reset', async () => {
    const gone = own(await createMysqlPair({ flavor, schema: SCHEMA }));
    const [ours, theirs] = [await open(gone.replica), await open(gone.source)];
    expect((await relateSites(ours, theirs, signal())).relation).toEqual({ kind: 'logical' });
    const reset = flavor === 'mysql' ? 'RESET REPLICA ALL' : 'RESET SLAVE ALL';
    await gone.replica.sql(`${flavor === 'mysql' ? 'STOP REPLICA' : 'STOP SLAVE'}; ${reset}`);
    expect((await relateSites(ours, theirs, signal())).relation).toMatchObject({ code: 'TP-ROLES' });
  });
});
