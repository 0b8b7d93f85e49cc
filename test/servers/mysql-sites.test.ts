import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCommitsPending } from '../../connectors/mysql/commits.ts';
import { comparePositions } from '../../connectors/mysql/gtid.ts';
import { type MysqlIdentity, readIdentity } from '../../connectors/mysql/identity.ts';
import { readFollowed } from '../../connectors/mysql/ledger-candidate.ts';
import { readFollowedSource } from '../../connectors/mysql/ledger-primary.ts';
import { readHead, readLag } from '../../connectors/mysql/positions.ts';
import { relateSites } from '../../connectors/mysql/relation.ts';
import type { Session } from '../../connectors/mysql/session.ts';
import { READER, VERIFIER } from './harness/mysql-accounts.ts';
import { MYSQL_FLAVORS } from './harness/mysql-installation.ts';
import { createMysqlServer } from './harness/mysql-server.ts';
import { type MysqlSites, orderOf, signal, SiteTests, until } from './harness/mysql-sites.ts';

const tests = new SiteTests();

afterAll(() => tests.close());

/** Every installation of one script has the same; MariaDB's GTIDs are alike then too. */
const IDS = { sourceSettings: { server_id: '1' }, replicaSettings: { server_id: '2' } } as const;

describe.each(MYSQL_FLAVORS)('a %s source and its replica', (flavor) => {
  let sites: MysqlSites;

  beforeAll(async () => {
    sites = await tests.pair({ flavor, ...IDS });
  });

  it('say who they are, each the same every time', async () => {
    const [ours, theirs] = [
      await readIdentity(sites.source, signal()),
      await readIdentity(sites.replica, signal()),
    ];
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
    const { serverTime, ...again } = await readIdentity(await tests.open(sites.pair.source), signal());
    expect({ ...again, serverTime: ours.serverTime }).toEqual(ours);
    expect(serverTime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    expect(Math.abs(Date.parse(serverTime) - Date.now())).toBeLessThan(5000);
  });

  it('are another instance after a restart, and the same server', async () => {
    const alone = tests.own(await createMysqlServer({ flavor }));
    await alone.sql('CREATE DATABASE bank');
    const root = { user: 'root', password: '' };
    const before = await readIdentity(await tests.open(alone, root), signal());
    // Start times are told in whole seconds.
    let after: MysqlIdentity = before;
    await until(false, async () => {
      await alone.restart();
      after = await readIdentity(await tests.open(alone, root), signal());
      return after.instance === before.instance;
    });
    expect(after.systemId).toBe(before.systemId);
  });

  it('are related, also while replication is stopped', async () => {
    expect((await sites.relate()).relation).toEqual({ kind: 'logical' });
    await sites.pair.stopReplica();
    expect((await sites.relate()).relation).toEqual({ kind: 'logical' });
    await sites.pair.source.sql('INSERT INTO bank.t VALUES (100, 1)');
    expect((await sites.relate()).relation).toEqual({ kind: 'logical' });
    await sites.pair.startReplica();
    await sites.pair.caughtUp();
    expect((await sites.relate()).lineage?.errant).toBeNull();
  });

  it('are related while the source takes writes all the time', async () => {
    const writer = await sites.pair.source.connect({ database: 'bank' });
    const stop = new AbortController();
    const done = (async () => {
      for (let id = 0; !stop.signal.aborted; id++)
        await writer.query('REPLACE INTO t VALUES (?, ?)', [10_000 + (id % 500), id]);
    })();
    try {
      for (let round = 0; round < 5; round++) {
        expect((await sites.relate()).relation).toEqual({ kind: 'logical' });
        expect((await sites.relate()).lineage?.errant).toBeNull();
        expect(await readCommitsPending(sites.source, signal())).toBe('none');
      }
    } finally {
      stop.abort();
      await done;
    }
    await sites.pair.caughtUp();
  });

  it('are one server when they are reached by two names', async () => {
    const other = await tests.open(sites.pair.source, VERIFIER, 'localhost');
    expect((await relateSites(other, sites.source, signal())).relation).toMatchObject({
      code: 'TP-SAME-SERVER',
    });
    expect((await relateSites(sites.source, sites.source, signal())).relation).toMatchObject({
      code: 'TP-SAME-SERVER',
    });
  });

  it('are refused the other way round', async () => {
    const { relation } = await relateSites(sites.source, sites.replica, signal());
    expect(relation).toMatchObject({ kind: 'none', code: 'TP-ROLES' });
  });

  it('are refused where another database is named of the replica than of the source', async () => {
    await sites.pair.write('CREATE DATABASE archive; CREATE TABLE archive.other (id INT PRIMARY KEY)');
    const root = { user: 'root', password: '' };
    const elsewhere = await tests.open(sites.pair.replica, root, '127.0.0.1', 'archive');
    const { relation } = await relateSites(elsewhere, sites.source, signal());
    expect(relation).toMatchObject({
      kind: 'none',
      code: 'TP-NAMES',
      message: expect.stringContaining('database archive was named there, but bank of the primary'),
    });
    const source = await readFollowedSource(sites.source, signal());
    await expect(readFollowed(elsewhere, source, signal())).rejects.toMatchObject({ code: 'TP-NAMES' });
    await expect(readFollowed(sites.replica, source, signal())).resolves.toMatchObject({ single: true });
    await sites.pair.write('DROP DATABASE archive');
  });

  it('are not related for a role that may not see replication', async () => {
    const reader = await tests.open(sites.pair.replica, READER);
    await expect(relateSites(reader, sites.source, signal())).rejects.toMatchObject({
      code: 'TP-PERMISSION',
    });
    expect((await readIdentity(reader, signal())).role).toBe('subscriber');
    expect(await readLag(reader, null, signal())).toMatchObject({ received: null });
  });

  it('move by every commit, and the replica reaches the head', async () => {
    for (let id = 200; id < 203; id++) {
      const before = await sites.head();
      await sites.pair.source.sql('INSERT INTO bank.t VALUES (?, 0)', [id]);
      expect(comparePositions(before, await sites.head())).toBe('before');
    }
    const target = await sites.head();
    await until('equal', () => sites.order(target));
    const { lineage } = await sites.relate();
    const lag = await readLag(sites.replica, lineage, signal());
    expect(orderOf(lag.applied, target)).toBe('equal');
    expect(orderOf(lag.received, target)).toBe('equal');
    expect(lag.receivedNotAppliedBytes).toBe(0n);
  });

  it('tell what was received and not applied', async () => {
    await sites.pair.stopReplica('sql');
    try {
      await sites.pair.source.sql('INSERT INTO bank.t VALUES (300, 0)');
      const target = await sites.head();
      expect(await sites.order(target)).toBe('before');
      const { lineage } = await sites.relate();
      await until({ received: 'equal', waiting: true }, async () => {
        const lag = await readLag(sites.replica, lineage, signal());
        const waiting = (lag.receivedNotAppliedBytes ?? 0n) > 0n;
        return { received: orderOf(lag.received, target), waiting };
      });
    } finally {
      await sites.pair.startReplica();
      await sites.pair.caughtUp();
    }
  });

  it('are not quiet while a transaction that has written is open or prepared', async () => {
    const quiet = async (): Promise<boolean | null> => (await readHead(sites.source, signal())).quiet;
    expect(await quiet()).toBe(true);
    const reads = await sites.pair.source.connect({ database: 'bank' });
    await reads.query('START TRANSACTION WITH CONSISTENT SNAPSHOT; SELECT * FROM t');
    expect(await quiet()).toBe(true);
    await reads.end();
    const writes = await sites.pair.source.connect({ database: 'bank' });
    await writes.query('BEGIN; INSERT INTO t VALUES (400, 0)');
    expect(await quiet()).toBe(false);
    expect(await readCommitsPending(sites.source, signal())).toBe('none');
    await writes.query('ROLLBACK');
    expect(await quiet()).toBe(true);
    await writes.query(`XA START 'x'; INSERT INTO t VALUES (401, 0); XA END 'x'; XA PREPARE 'x'`);
    await writes.end();
    // The connection is gone, the transaction is not.
    expect(await quiet()).toBe(false);
    await sites.pair.source.sql(`XA ROLLBACK 'x'`);
    expect(await quiet()).toBe(true);
    const reader = await tests.open(sites.pair.source, READER);
    expect((await readHead(reader, signal())).quiet).toBeNull();
    await sites.pair.caughtUp();
  });

  it('of somebody else are unrelated, and replication that was reset relates nobody', async () => {
    const { pair, source, replica, relate } = await tests.pair({ flavor, ...IDS });
    const related = async (candidate: Session, primary: Session): Promise<unknown> =>
      (await relateSites(candidate, primary, signal())).relation;
    expect(await related(sites.replica, source)).toMatchObject({ code: 'TP-UNRELATED' });
    expect(await related(replica, sites.source)).toMatchObject({ code: 'TP-UNRELATED' });
    expect(await related(source, sites.source)).toMatchObject({ code: 'TP-UNRELATED' });
    await pair.stopReplica();
    expect(await related(replica, sites.source)).toMatchObject({ code: 'TP-UNRELATED' });
    expect((await relate()).relation).toEqual({ kind: 'logical' });
    const word = flavor === 'mysql' ? 'REPLICA' : 'SLAVE';
    await pair.replica.sql(`STOP ${word}; RESET ${word} ALL`);
    expect((await relate()).relation).toMatchObject({ code: 'TP-ROLES' });
  });
});
