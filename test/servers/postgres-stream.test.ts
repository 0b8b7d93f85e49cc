import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Cluster } from '../../src/demo/cluster.ts';
import { Follower, isRowChange, prepareStream, short } from './harness/change-stream.ts';
import { ServerSet } from './harness/server-set.ts';

const servers = new ServerSet();

afterAll(() => servers.end());

const SCHEMA = `
  CREATE TABLE t (id int PRIMARY KEY, name text, note text);
  CREATE TABLE whole (id int PRIMARY KEY, note text); ALTER TABLE whole REPLICA IDENTITY FULL;
  CREATE TABLE coded (id int PRIMARY KEY, code text NOT NULL, note text);
  CREATE UNIQUE INDEX coded_code ON coded (code); ALTER TABLE coded REPLICA IDENTITY USING INDEX coded_code;
  CREATE TABLE silent (id int, note text);
  CREATE TABLE pairs (a int, b int, c text, PRIMARY KEY (b, a));
  CREATE TABLE keyless (id int, note text); ALTER TABLE keyless REPLICA IDENTITY FULL;
  CREATE TABLE wide (id int PRIMARY KEY, n int, big text);
  CREATE TABLE wide_whole (id int PRIMARY KEY, n int, big text);
  ALTER TABLE wide ALTER big SET STORAGE EXTERNAL; ALTER TABLE wide_whole ALTER big SET STORAGE EXTERNAL;
  ALTER TABLE wide_whole REPLICA IDENTITY FULL;
  CREATE TABLE parts (id int PRIMARY KEY, note text) PARTITION BY RANGE (id);
  CREATE TABLE parts_low PARTITION OF parts FOR VALUES FROM (0) TO (100);
  CREATE TABLE parts_high (note text, id int NOT NULL);
  ALTER TABLE parts ATTACH PARTITION parts_high FOR VALUES FROM (100) TO (200);
  CREATE TABLE changing (id int PRIMARY KEY, a int);
  CREATE TABLE made (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED, note text);`;

const PUBLISHED = 'TABLE t, whole, coded, silent, pairs, keyless, wide, wide_whole, parts, changing, made';

describe.each([14, 18] as const)('PostgreSQL %i: changes of rows', (version) => {
  let cluster: Cluster;
  let follower: Follower;

  beforeAll(async () => {
    cluster = await servers.cluster(version);
    await cluster.sql(SCHEMA);
    await prepareStream(cluster, PUBLISHED);
    await cluster.configure({ max_prepared_transactions: '5' });
    await cluster.restart();
    follower = await Follower.open(cluster);
  });

  afterAll(() => follower.stream.close());

  /** What one transaction of these statements becomes. */
  async function changesOf(sql: string): Promise<readonly string[]> {
    await cluster.sql(sql);
    return follower.changes();
  }

  test('a transaction comes whole, with its time and id, between begin and commit', async () => {
    const before = Date.now() * 1000;
    const [row] = await cluster.sql(
      `INSERT INTO t VALUES (1, 'a', null) RETURNING xmin::text AS xid, pg_current_wal_lsn()::text AS lsn`,
    );
    const { commit, events } = await follower.transaction();
    expect(events.map(({ type }) => type)).toEqual(['definition', 'insert']);
    expect(Math.abs(Number(commit.committedAtUs) - before)).toBeLessThan(10e6);
    expect(commit.id).toBe(row?.['xid']);
  });

  test('an insert has key and row, an update the row after it, a delete the key', async () => {
    expect(
      await changesOf(`INSERT INTO t VALUES (2, 'a', null); UPDATE t SET name = 'b' WHERE id = 2;
        DELETE FROM t WHERE id = 2`),
    ).toEqual(['insert public.t 2 [2|a|null]', 'update public.t 2 [2|b|null]', 'delete public.t 2']);
  });

  test('an update of the key says both keys', async () => {
    expect(await changesOf(`UPDATE t SET id = 5 WHERE id = 1`)).toEqual(['update public.t 1>5 [5|a|null]']);
    expect(await changesOf(`UPDATE t SET id = id, name = 'c'`)).toEqual(['update public.t 5 [5|c|null]']);
  });

  test('with replica identity full the row before is given too', async () => {
    expect(
      await changesOf(`INSERT INTO whole VALUES (1, 'x'); UPDATE whole SET id = 2, note = null;
        DELETE FROM whole`),
    ).toEqual([
      'insert public.whole 1 [1|x]',
      'update public.whole 1>2 before[1|x] [2|null]',
      'delete public.whole 2 before[2|null]',
    ]);
  });

  test('where the replica identity is another index than the primary key, that index is the key', async () => {
    expect(
      await changesOf(`INSERT INTO coded VALUES (1, 'k', 'x'); UPDATE coded SET id = 9;
        UPDATE coded SET code = 'l'; DELETE FROM coded`),
    ).toEqual([
      'insert public.coded k [k|1|x]',
      'update public.coded k [k|9|x]',
      'update public.coded k>l [l|9|x]',
      'delete public.coded l',
    ]);
  });

  test('a key of several columns stands in the order of its index', async () => {
    expect(await changesOf(`INSERT INTO pairs VALUES (1, 2, 'x'); DELETE FROM pairs`)).toEqual([
      'insert public.pairs 2,1 [2|1|x]',
      'delete public.pairs 2,1',
    ]);
  });

  test('a table without any identity still takes inserts, and says that it has no key', async () => {
    expect(await changesOf(`INSERT INTO silent VALUES (1, 'x')`)).toEqual([
      'insert public.silent no key [1|x]',
    ]);
    await expect(cluster.sql(`UPDATE silent SET note = 'y'`)).rejects.toThrow(/replica identity/);
    expect(await changesOf(`TRUNCATE silent`)).toEqual(['truncate public.silent']);
  });

  test('a table without a key and with replica identity full has whole rows', async () => {
    expect(await changesOf(`INSERT INTO keyless VALUES (1, 'x'); DELETE FROM keyless`)).toEqual([
      'insert public.keyless no key [1|x]',
      'delete public.keyless no key before[1|x]',
    ]);
  });

  test('what was rolled back to a savepoint or whole is not there', async () => {
    await cluster.sql(`BEGIN; INSERT INTO t VALUES (70, 'no', null); ROLLBACK`);
    expect(
      await changesOf(`BEGIN; INSERT INTO t VALUES (71, 'yes', null); SAVEPOINT s;
        INSERT INTO t VALUES (72, 'no', null); ROLLBACK TO s; INSERT INTO t VALUES (73, 'yes', null); COMMIT`),
    ).toEqual(['insert public.t 71 [71|yes|null]', 'insert public.t 73 [73|yes|null]']);
  });

  test('a prepared transaction comes when it is committed, in the order of the commits', async () => {
    await cluster.sql(`BEGIN; INSERT INTO t VALUES (80, 'p', null); PREPARE TRANSACTION 'p'`);
    await cluster.sql(`BEGIN; INSERT INTO t VALUES (81, 'q', null); PREPARE TRANSACTION 'q'`);
    expect(await changesOf(`INSERT INTO t VALUES (82, 'r', null)`)).toEqual([
      'insert public.t 82 [82|r|null]',
    ]);
    expect(await changesOf(`COMMIT PREPARED 'p'`)).toEqual(['insert public.t 80 [80|p|null]']);
    await cluster.sql(`ROLLBACK PREPARED 'q'`);
  });

  test('COPY, upserts and MERGE-like statements are plain changes', async () => {
    expect(
      await changesOf(`INSERT INTO t VALUES (90, 'a', null), (91, 'b', null);
        INSERT INTO t VALUES (91, 'c', null), (92, 'd', null) ON CONFLICT (id) DO UPDATE SET name = excluded.name`),
    ).toEqual([
      'insert public.t 90 [90|a|null]',
      'insert public.t 91 [91|b|null]',
      'update public.t 91 [91|c|null]',
      'insert public.t 92 [92|d|null]',
    ]);
    const copied = await changesOf(`COPY t FROM PROGRAM 'printf "100\\tx\\t\\\\N\\n101\\ty\\t\\\\N\\n"'`);
    expect(copied).toEqual(['insert public.t 100 [100|x|null]', 'insert public.t 101 [101|y|null]']);
  });

  test('a truncation names every table that it empties', async () => {
    expect(await changesOf(`TRUNCATE t, whole`)).toEqual(['truncate public.t,public.whole']);
  });

  test('rows of partitions come by partition, under the root, in the root’s order of columns', async () => {
    expect(
      await changesOf(
        `INSERT INTO parts VALUES (1, 'x'), (101, 'y'); UPDATE parts SET id = 102 WHERE id = 1`,
      ),
    ).toEqual([
      'insert public.parts_low 1 [1|x]',
      'insert public.parts_high 101 [101|y]',
      'delete public.parts_low 1',
      'insert public.parts_high 102 [102|x]',
    ]);
    const roots = follower.events
      .filter(isRowChange)
      .slice(-4)
      .map(({ table }) => table.root);
    expect(new Set(roots)).toEqual(new Set(['public.parts']));
    expect((await changesOf(`TRUNCATE parts`))[0]).toContain('public.parts_high');
  });

  test('a value out of line that did not change is marked, and is never NULL', async () => {
    await cluster.sql(`INSERT INTO wide VALUES (1, 1, repeat('x', 5000)); INSERT INTO wide_whole
      VALUES (1, 1, repeat('y', 5000))`);
    await follower.transaction();
    expect(await changesOf(`UPDATE wide SET n = 2`)).toEqual(['update public.wide 1 [1|2|·]']);
    expect(await changesOf(`UPDATE wide SET big = null`)).toEqual(['update public.wide 1 [1|2|null]']);
    // With the whole row before it, the value is known.
    const y = 'y'.repeat(5000);
    expect(await changesOf(`UPDATE wide_whole SET n = 2`)).toEqual([
      `update public.wide_whole 1 before[1|1|${y}] [1|2|${y}]`,
    ]);
  });

  test('a column that is computed is said to be absent', async () => {
    expect(await changesOf(`INSERT INTO made VALUES (1, default, 'x')`)).toEqual([
      'insert public.made 1 [1|x]',
    ]);
    const change = follower.events.findLast((event) => isRowChange(event));
    expect(change !== undefined && isRowChange(change) ? change.table.absent : null).toEqual(['twice']);
  });

  test('a definition that changes in mid-stream is told before the first row that has it', async () => {
    await cluster.sql(`INSERT INTO changing VALUES (1, 10)`);
    await cluster.sql(`ALTER TABLE changing ADD COLUMN b text DEFAULT 'd'`);
    await cluster.sql(`INSERT INTO changing VALUES (2, 20, 'x')`);
    await cluster.sql(`ALTER TABLE changing ALTER COLUMN a TYPE text USING 'v' || a`);
    await cluster.sql(`UPDATE changing SET b = 'y' WHERE id = 1`);
    await cluster.sql(`ALTER TABLE changing DROP COLUMN b`);
    await cluster.sql(`UPDATE changing SET a = 'z' WHERE id = 1`);
    // `a` was a number when the first rows were written: of which form those bytes are is not known afterwards.
    expect([
      await follower.changes(),
      await follower.changes(),
      await follower.changes(),
      await follower.changes(),
    ]).toEqual([
      [expect.stringMatching(/^insert public.changing 1 \[1\|(10|\?)]$/)],
      [expect.stringMatching(/^insert public.changing 2 \[2\|(20|\?)\|(x|\?)]$/)],
      [expect.stringMatching(/^update public.changing 1 \[1\|v10\|(y|\?)]$/)],
      ['update public.changing 1 [1|z]'],
    ]);
    const definitions = follower.events.flatMap((event) =>
      event.type === 'definition' && event.table.leaf === 'public.changing'
        ? [event.table.columns.map(({ name }) => name).join()]
        : [],
    );
    expect(definitions).toEqual(['id,a', 'id,a,b', 'id,a,b', 'id,a']);
  });

  test('messages come as they were written, with and without a transaction', async () => {
    await cluster.sql(
      `SELECT pg_logical_emit_message(true, 'in', 'one'), pg_logical_emit_message(false, 'out', 'two')`,
    );
    const { events } = await follower.transaction();
    expect(events).toMatchObject([{ type: 'message', transactional: true, prefix: 'in' }]);
    const outside = follower.events.find((event) => event.type === 'message' && !event.transactional);
    expect(outside).toMatchObject({ prefix: 'out', content: new Uint8Array(Buffer.from('two')) });
  });

  test('a transaction that replication brought says where it came from', async () => {
    await cluster.sql(`SELECT pg_replication_origin_create('far')`);
    await cluster.sql(`SELECT pg_replication_origin_session_setup('far');
      BEGIN; SELECT pg_replication_origin_xact_setup('0/AABBCC', '2026-01-01'); INSERT INTO t VALUES (200, 'o', null);
      COMMIT`);
    await follower.transaction();
    expect(follower.events.findLast(({ type }) => type === 'begin')).toMatchObject({
      origin: { name: 'far', position: '0/AABBCC' },
    });
  });

  test('an unchanged definition is told once, however often the server repeats it', async () => {
    await changesOf(`INSERT INTO t VALUES (300, 'x', null)`);
    await cluster.sql(`ANALYZE t`);
    const told = follower.events.filter(({ type }) => type === 'definition').length;
    expect(await changesOf(`INSERT INTO t VALUES (301, 'x', null)`)).toEqual([
      'insert public.t 301 [301|x|null]',
    ]);
    expect(follower.events.filter(({ type }) => type === 'definition')).toHaveLength(told);
  });

  test('no event but those of the test above was seen', () => {
    const kinds = new Set(follower.events.map((event) => short(event).split(' ')[0]));
    expect(kinds).toEqual(
      new Set(['begin', 'commit', 'definition', 'delete', 'idle', 'insert', 'message', 'truncate', 'update']),
    );
  });
});
