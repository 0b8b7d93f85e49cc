import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { ReaderPool } from '../../connectors/mysql/pool.ts';
import { BodySink } from '../../src/row/body-sink.ts';
import { type Follower, isRowChange } from './harness/change-stream.ts';
import { createMysqlServer, type MysqlServer } from './harness/mysql-server.ts';
import {
  type MysqlFollowOptions,
  nextChanges,
  STREAMED,
  StreamedDatabases,
  targetOf,
  told,
} from './harness/mysql-stream.ts';
import { describeMysql } from './harness/mysql-suite.ts';
import { forever } from './harness/mysql-wire-reads.ts';

const hex = (bytes: Uint8Array | null): string => Buffer.from(bytes ?? []).toString('hex');

/** Statements of one transaction, the same for the same seed. */
function writes(tables: readonly string[], seed: number): string {
  let state = seed * 2_654_435_761 + 1;
  const next = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.trunc((state / 2 ** 32) * below);
  };
  const statements = Array.from({ length: 1 + next(4) }, (_, n) => {
    const table = tables[next(tables.length)] ?? '';
    const key = `'k${next(15)}'`;
    const value = `${next(100)}, NOW(6)`;
    switch (next(6)) {
      case 0:
        return `REPLACE INTO ${table} VALUES (${key}, ${value});`;
      case 1:
        return `INSERT INTO ${table} VALUES (${key}, ${value}) ON DUPLICATE KEY UPDATE v = v + 1;`;
      case 2:
        return `DELETE FROM ${table} WHERE k = ${key};`;
      case 3:
        return `UPDATE IGNORE ${table} SET k = 'k${next(15)}' WHERE k = ${key};`;
      case 4:
        return `SAVEPOINT s${n}; UPDATE ${table} SET v = -1; ROLLBACK TO s${n};`;
      default:
        return `INSERT IGNORE INTO ${table} SELECT CONCAT('k', v % 15), v, w FROM ${tables[next(tables.length)]};`;
    }
  });
  return `BEGIN; ${statements.join(' ')}`;
}

await describeMysql('the change stream of %s', (flavor) => {
  let server: MysqlServer;
  let streams: StreamedDatabases;

  beforeAll(async () => {
    server = await createMysqlServer({ flavor, settings: STREAMED });
    streams = new StreamedDatabases(server);
  });
  afterEach(() => streams.close());
  afterAll(() => server?.destroy());

  const database = (schema: string): Promise<string> => streams.create(schema);
  const follow = (name: string, options: MysqlFollowOptions = {}): Promise<Follower> =>
    streams.follow(name, options);

  const bare = (changes: readonly string[], name: string): string[] =>
    changes.map((change) => change.replaceAll(`${name}.`, ''));

  test('gives transactions whole, in the order of their commits, with rows before and after', async () => {
    const name = await database(
      'CREATE TABLE t (id int PRIMARY KEY, v varchar(9)); CREATE TABLE u (a int, b int, PRIMARY KEY (b, a))',
    );
    const follower = await follow(name);
    await server.sql(
      `INSERT INTO t VALUES (1, 'a'), (2, NULL);
       BEGIN; INSERT INTO u VALUES (1, 2); UPDATE t SET v = 'b' WHERE id = 1; UPDATE t SET id = 3 WHERE id = 2; COMMIT;
       BEGIN; INSERT INTO t VALUES (9, 'no'); ROLLBACK;
       BEGIN; INSERT INTO t VALUES (4, 'x'); SAVEPOINT s; INSERT INTO t VALUES (5, 'y'); ROLLBACK TO s; DELETE FROM t WHERE id = 1; COMMIT;
       REPLACE INTO t VALUES (4, 'z'); INSERT INTO t VALUES (4, 'q') ON DUPLICATE KEY UPDATE v = 'w';`,
      [],
      name,
    );
    const got = [];
    for (let n = 0; n < 5; n += 1) got.push(bare(await nextChanges(follower), name));
    expect(got).toEqual([
      ['definition t(id,v)', 'insert t 1 [1|a]', 'insert t 2 [2|null]'],
      ['definition u(b,a)', 'insert u 2,1 [2|1]', 'update t 1 [1|a] [1|b]', 'update t 2>3 [2|null] [3|null]'],
      ['insert t 4 [4|x]', 'delete t 1 [1|b]'],
      ['update t 4 [4|x] [4|z]'],
      ['update t 4 [4|z] [4|w]'],
    ]);
  });

  test('says when and under which GTID a transaction was committed', async () => {
    const name = await database('CREATE TABLE t (id int PRIMARY KEY)');
    const follower = await follow(name);
    const [before] = await server.sql('SELECT UNIX_TIMESTAMP(NOW(6)) AS t');
    await server.sql('INSERT INTO t VALUES (1)', [], name);
    const [after] = await server.sql(
      `SELECT UNIX_TIMESTAMP(NOW(6)) AS t, ${flavor === 'mysql' ? '@@gtid_executed' : '@@gtid_binlog_pos'} AS gtids`,
    );
    const { commit } = await follower.transaction();
    const us = (text: unknown): bigint => BigInt(String(text).replace('.', ''));
    // Of MariaDB it is the second in which the statement began.
    const begin = flavor === 'mysql' ? us(before?.['t']) : (us(before?.['t']) / 1_000_000n) * 1_000_000n;
    expect(commit.committedAtUs).toBeGreaterThanOrEqual(begin);
    expect(commit.committedAtUs).toBeLessThanOrEqual(us(after?.['t']));
    expect(commit.committedAtUs % 1_000_000n === 0n).toBe(flavor === 'mariadb');
    const gtids = String(after?.['gtids']).replaceAll('\n', '');
    expect(commit.position).toBe(`${flavor}:${gtids}`);
    expect(gtids.endsWith(commit.id.slice(commit.id.search(/[:-]\d+$/) + 1))).toBe(true);
  });

  test('goes on exactly behind any position that it gave', async () => {
    const name = await database('CREATE TABLE t (id int PRIMARY KEY)');
    const first = await follow(name);
    await server.sql(
      'INSERT INTO t VALUES (1); INSERT INTO t VALUES (2); FLUSH BINARY LOGS; INSERT INTO t VALUES (3)',
      [],
      name,
    );
    const start = first.newest;
    const seen = [start];
    for (let n = 0; n < 3; n += 1) seen.push((await first.transaction()).commit.position);
    for (const [index, after] of seen.entries()) {
      const again = await follow(name, { after });
      await server.sql('INSERT INTO t VALUES (?)', [100 + index], name);
      const expected = [1, 2, 3].slice(index).concat(seen.slice(0, index + 1).map((_, n) => 100 + n));
      const keys = [];
      for (let n = 0; n < expected.length; n += 1) {
        for (const event of (await again.transaction()).events) {
          if (event.type === 'insert') keys.push(Number(told(event).split(' ')[2]));
        }
      }
      expect(keys).toEqual(expected);
    }
  });

  test('passes on through other databases and idle time, and tells where it stands', async () => {
    const name = await database('CREATE TABLE t (id int PRIMARY KEY)');
    const other = await database('CREATE TABLE t (id int PRIMARY KEY)');
    const follower = await follow(name);
    const start = follower.newest;
    await server.sql('INSERT INTO t VALUES (1)', [], other);
    while (follower.newest === start) await follower.batch();
    await server.sql('INSERT INTO t VALUES (2)', [], name);
    expect(await nextChanges(follower)).toEqual([`definition ${name}.t(id)`, `insert ${name}.t 2 [2]`]);
    expect(follower.events.filter(({ type }) => type === 'begin')).toHaveLength(1);
    // A server that has nothing to say says so.
    expect(await follower.batch()).toEqual([{ type: 'idle', position: follower.newest }]);
  });

  test('tells by its mark what it handed out, whatever has come meanwhile', async () => {
    const name = await database('CREATE TABLE t (id int PRIMARY KEY)');
    const [follower, other] = [await follow(name), await follow(name)];
    await server.sql('INSERT INTO t VALUES (1)', [], name);
    await nextChanges(follower);
    const mark = follower.stream.mark?.() ?? '';
    expect(mark).toContain(`"position":"${follower.position}"`);
    await server.sql('INSERT INTO t VALUES (2)', [], name);
    // What another stream had, two signs of life ago, has come to this one too.
    for (let n = 0; n < 2; n += 1) await nextChanges(other);
    for (let n = 0; n < 2; n += 1) await other.batch();
    expect(follower.stream.mark?.()).toBe(mark);
    await nextChanges(follower);
    expect(follower.stream.mark?.()).toContain(`"position":"${follower.position}"`);
  });

  test('tells of a table that is emptied, and begins anew with one that is redefined', async () => {
    const name = await database(
      'CREATE TABLE t (id int PRIMARY KEY, v int); CREATE TABLE old (id int PRIMARY KEY)',
    );
    const follower = await follow(name);
    const batch = async (sql: string): Promise<string[]> => {
      const from = follower.events.length;
      const start = follower.newest;
      await server.sql(sql, [], name);
      while (follower.newest === start) await follower.batch();
      const [gtid] = await server.sql(
        flavor === 'mysql' ? 'SELECT @@gtid_executed AS g' : 'SELECT @@gtid_binlog_pos AS g',
      );
      const end = `${flavor}:${String(gtid?.['g']).replaceAll('\n', '')}`;
      while (follower.newest !== end) await follower.batch();
      const kinds = new Set(['begin', 'commit', 'idle']);
      return bare(
        follower.events
          .slice(from)
          .filter(({ type }) => !kinds.has(type))
          .map(told),
        name,
      );
    };
    expect(await batch('INSERT INTO t VALUES (1, 1); TRUNCATE TABLE t')).toEqual([
      'definition t(id,v)',
      'insert t 1 [1|1]',
      'truncate t',
    ]);
    const wrapped = flavor === 'mariadb' ? 'SET STATEMENT lock_wait_timeout = 9 FOR ' : '';
    expect(await batch(`${wrapped}ALTER TABLE t COMMENT 'x'`)).toEqual(['gap t']);
    expect(await batch(`TRUNCATE ${name}.old`)).toEqual(['definition old(id)', 'truncate old']);
    expect(await batch('ALTER TABLE t ADD COLUMN w int DEFAULT 7; INSERT INTO t VALUES (2, 2, 2)')).toEqual([
      'gap t',
      'definition t(id,v,w)',
      'insert t 2 [2|2|2]',
    ]);
    expect(await batch('RENAME TABLE t TO gone, old TO t; INSERT INTO t VALUES (3)')).toEqual([
      'gap t,gone,old,t',
      'definition t(id)',
      'insert t 3 [3]',
    ]);
    expect(await batch('DROP TABLE gone; CREATE TABLE k (a int, b int NOT NULL UNIQUE)')).toEqual([
      'gap gone',
    ]);
    expect(await batch('CREATE TABLE IF NOT EXISTS t (z int); ALTER TABLE t AUTO_INCREMENT = 9')).toEqual([]);
    expect(await batch('INSERT INTO k VALUES (1, 2)')).toEqual(['definition k(b,a)', 'insert k 2 [2|1]']);
    expect(await batch('ALTER TABLE k ADD PRIMARY KEY (a); INSERT INTO k VALUES (3, 4)')).toEqual([
      'gap k',
      'definition k(a,b)',
      'insert k 3 [3|4]',
    ]);
    expect(
      await batch('CREATE TABLE copy (PRIMARY KEY (id)) AS SELECT * FROM t; CREATE VIEW v AS SELECT 1'),
    ).toEqual(['definition copy(id)', 'insert copy 3 [3]']);
  });

  test('gives XA transactions where they are committed, and none that is not', async () => {
    const name = await database('CREATE TABLE t (id int PRIMARY KEY)');
    const follower = await follow(name);
    const one = await server.connect({ user: 'root', database: name });
    const xa = async (xid: string, id: number): Promise<void> => {
      for (const sql of [`XA START ${xid}`, `INSERT INTO t VALUES (${id})`, `XA END ${xid}`])
        await one.query(sql);
    };
    await xa(`'a','b',3`, 1);
    await one.query(`XA PREPARE 'a','b',3`);
    const between = await follow(name);
    await server.sql('INSERT INTO t VALUES (2)', [], name);
    await one.query(`XA COMMIT 'a','b',3`);
    await xa(`'c'`, 3);
    await one.query(`XA PREPARE 'c'`);
    await one.query(`XA ROLLBACK 'c'`);
    await xa(`'d'`, 4);
    await one.query(`XA COMMIT 'd' ONE PHASE`);
    const rows = [];
    for (let n = 0; n < 3; n += 1)
      rows.push(...(await nextChanges(follower)).filter((text) => text.startsWith('insert')));
    expect(bare(rows, name)).toEqual(['insert t 2 [2]', 'insert t 1 [1]', 'insert t 4 [4]']);
    // A stream that began behind the rows knows that it lacks them.
    expect(bare(await nextChanges(between), name)).toContain('insert t 2 [2]');
    while (!between.events.some(({ type }) => type === 'gap')) await between.batch();
    expect(between.events.filter(({ type }) => type === 'gap').map(told)).toEqual(['gap everything']);
    await server.sql(
      `CREATE TABLE c (id int PRIMARY KEY, p int, FOREIGN KEY (p) REFERENCES t (id) ON DELETE CASCADE);
       INSERT INTO c VALUES (10, 1)`,
      [],
      name,
    );
    while ((await nextChanges(follower)).every((text) => !text.startsWith('insert')));
    for (const sql of [`XA START 'e'`, 'DELETE FROM t WHERE id = 1', `XA END 'e'`, `XA PREPARE 'e'`]) {
      await one.query(sql);
    }
    await server.sql('INSERT INTO t VALUES (5)', [], name);
    const from = follower.events.length;
    while ((await nextChanges(follower)).every((text) => !text.startsWith('insert')));
    await one.query(`XA COMMIT 'e'`);
    await one.end();
    const { events } = await follower.transaction();
    // What a foreign key changes counts from the commit on too.
    const order = bare(follower.events.slice(from).map(told), name).filter((text) =>
      /^(?:gap|insert)/.test(text),
    );
    expect(order).toEqual(flavor === 'mysql' ? ['insert t 5 [5]'] : ['insert t 5 [5]', 'gap c']);
    const logged = events.map(told).filter((text) => !text.startsWith('definition'));
    expect(bare(logged, name).toSorted()).toEqual(
      flavor === 'mysql' ? ['delete c 10 [10|1]', 'delete t 1 [1]'] : ['delete t 1 [1]', 'gap c'],
    );
  });

  test('leaves behind the rows that the tables have, whatever many writers did at once', async () => {
    const tables = ['t', 'u'];
    const name = await database(
      tables
        .map((table) => `CREATE TABLE ${table} (k varchar(9) PRIMARY KEY, v int, w datetime(6));`)
        .join(' '),
    );
    const follower = await follow(name);
    const writers = Array.from({ length: 4 }, async (_, writer) => {
      const session = await server.connect({ user: 'root', database: name });
      for (let n = 0; n < 40; n += 1) {
        // A deadlock, or a key that is there already, leaves the transaction in any state; so does what follows.
        await session.query(writes(tables, writer * 1000 + n)).catch(() => undefined);
        await session.query(n % 5 === 0 ? 'ROLLBACK' : 'COMMIT');
      }
      await session.end();
    });
    await Promise.all(writers);
    await server.sql(`INSERT INTO t VALUES ('end', 0, NULL)`, [], name);
    const rows = new Map<string, string>();
    const wrong: string[] = [];
    for (let ended = false; !ended;) {
      for (const event of (await follower.transaction()).events) {
        if (event.type === 'gap') wrong.push(event.reason);
        if (!isRowChange(event)) continue;
        const key = `${event.table.leaf} ${hex(event.key)}`;
        const oldKey = event.oldKey === null ? key : `${event.table.leaf} ${hex(event.oldKey)}`;
        const had = rows.get(oldKey) ?? '';
        if (had !== hex(event.before)) wrong.push(told(event));
        rows.delete(oldKey);
        if (event.after !== null) rows.set(key, hex(event.after));
        ended ||= told(event).startsWith(`insert ${name}.t end`);
      }
    }
    expect(wrong).toEqual([]);
    const pool = new ReaderPool(targetOf(server, name), 1, 60_000);
    const read: string[] = [];
    for (const table of tables) {
      const sink = new BodySink(Infinity);
      const query = {
        sql: `SELECT k, v, w FROM ${table}`,
        parameters: [],
        operations: ['copy', 'copy', 'copy'] as const,
      };
      await pool.read(query, sink, forever());
      read.push(...sink.bodies.map(hex));
    }
    await pool.close();
    expect([...rows.values()].toSorted()).toEqual(read.toSorted());
    expect(read.length).toBeGreaterThan(5);
  });
});
