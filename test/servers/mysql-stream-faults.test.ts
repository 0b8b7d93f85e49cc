import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { streamFindings } from '../../connectors/mysql/preflight-log.ts';
import { openSession } from '../../connectors/mysql/session.ts';
import { waitUntil } from '../../src/demo/cluster-wait.ts';
import { TwinproofError } from '../../src/errors.ts';
import type { Follower } from './harness/change-stream.ts';
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
import { failure, forever } from './harness/mysql-wire-reads.ts';

await describeMysql('the change stream of %s, where something is wrong,', (flavor) => {
  const mysql = flavor === 'mysql';
  let server: MysqlServer;
  let streams: StreamedDatabases;
  let lastMark = 0;

  beforeAll(async () => {
    server = await createMysqlServer({ flavor, settings: STREAMED });
    streams = new StreamedDatabases(server);
    await server.sql(
      `CREATE USER watcher IDENTIFIED BY 'pw'; GRANT ${mysql ? 'REPLICATION CLIENT' : 'BINLOG MONITOR'} ON *.* TO watcher;
       GRANT SELECT ON *.* TO watcher;`,
    );
  });
  afterEach(() => streams.close());
  afterAll(() => server?.destroy());

  const database = (schema: string): Promise<string> => streams.create(schema);
  const follow = (name: string, options: MysqlFollowOptions = {}): Promise<Follower> =>
    streams.follow(name, options);

  /** Everything up to a row of the table `mark`, without beginnings and ends. */
  async function until(follower: Follower, name: string): Promise<string[]> {
    const from = follower.events.length;
    lastMark += 1;
    await server.sql('INSERT INTO mark VALUES (?)', [lastMark], name);
    const isMark = (text: string): boolean => text.startsWith('insert mark');
    for (;;) {
      const kinds = new Set(['begin', 'commit', 'idle']);
      const got = follower.events
        .slice(from)
        .filter(({ type }) => !kinds.has(type))
        .map((event) => told(event).replaceAll(`${name}.`, ''));
      if (got.some(isMark)) return got.filter((text) => !/^(?:insert|definition) mark/.test(text));
      await follower.batch();
    }
  }

  test('names the right and the setting that are missing', async () => {
    const name = await database('CREATE TABLE t (id int PRIMARY KEY)');
    const error = await failure(follow(name, { user: 'watcher', password: 'pw', after: null }));
    expect(error.code).toBe('TP-STREAM-SETUP');
    expect(error.message).toContain('does not let this account read its log');
    expect(error.hint).toContain('GRANT REPLICATION SLAVE ON *.* TO `watcher`@`%`;');
    await server.set({ binlog_row_image: 'MINIMAL' });
    const refused = await failure(follow(name));
    await server.set({ binlog_row_image: 'FULL' });
    expect(refused.code).toBe('TP-STREAM-SETUP');
    expect(refused.message).toContain('binlog_row_image');
    expect(refused.hint).toContain('SET GLOBAL binlog_row_image = FULL');
  });

  test('names every setting that keeps rows out of the log', async () => {
    const wrong = [
      `binlog_format = 'MIXED'`,
      `binlog_row_image = 'NOBLOB'`,
      `binlog_row_metadata = 'MINIMAL'`,
      ...(mysql ? ['binlog_transaction_compression = ON', `binlog_row_value_options = 'PARTIAL_JSON'`] : []),
    ];
    // Not with set(), which would have them again after a restart.
    await server.sql(wrong.map((each) => `SET GLOBAL ${each};`).join(' '));
    const session = await openSession(targetOf(server, 'mysql'), forever(), {
      purpose: 'catalog',
      statementTimeoutMs: 60_000,
    });
    const findings = await streamFindings(session, forever());
    for (const { sql } of findings) await server.sql(sql ?? '');
    const after = await streamFindings(session, forever());
    await session.close();
    expect(findings.map(({ subject, severity }) => `${severity} ${subject}`)).toEqual(
      [
        'binlog_format',
        'binlog_row_image',
        'binlog_row_metadata',
        ...(mysql ? ['binlog_transaction_compression', 'binlog_row_value_options'] : []),
      ].map((name) => `block ${name}`),
    );
    expect(after).toEqual([]);
  });

  test('marks what an incomplete row leaves out, and never makes it up', async () => {
    const name = await database(
      'CREATE TABLE t (id int PRIMARY KEY, v int, w int DEFAULT 5); CREATE TABLE mark (id int PRIMARY KEY)',
    );
    const follower = await follow(name);
    await server.sql(
      `SET SESSION binlog_row_image = 'MINIMAL'; INSERT INTO t (id, v) VALUES (1, 2); UPDATE t SET v = 3; UPDATE t SET id = 4; DELETE FROM t;`,
      [],
      name,
    );
    expect(await until(follower, name)).toEqual([
      'definition t(id,v,w)',
      'insert t 1 [1|2|?]',
      'update t 1 [1|3|·]',
      'update t 1>4 [4|·|·]',
      'delete t 4',
    ]);
  });

  test('calls a gap what the log holds in a form that is not read', async () => {
    const name = await database(
      'CREATE TABLE t (id int PRIMARY KEY, v json); CREATE TABLE mark (id int PRIMARY KEY); INSERT INTO t VALUES (1, \'{"a": "12345678901234567890", "b": 1}\')',
    );
    const follower = await follow(name);
    await server.sql(`SET SESSION binlog_format = 'STATEMENT'; UPDATE t SET v = '{}' WHERE id = 7`, [], name);
    expect(await until(follower, name)).toEqual(['gap everything']);
    if (!mysql) return;
    await server.sql(
      `SET SESSION binlog_transaction_compression = ON; INSERT INTO t VALUES (2, '1')`,
      [],
      name,
    );
    expect(await until(follower, name)).toEqual(['gap everything']);
    await server.sql(
      `SET SESSION binlog_row_value_options = 'PARTIAL_JSON'; UPDATE t SET v = JSON_SET(v, '$.b', 2) WHERE id = 1`,
      [],
      name,
    );
    expect(await until(follower, name)).toEqual(['definition t(id,v)', 'gap t']);
  });

  test.each(!mysql ? [flavor] : [])('%s: reads compressed rows', async () => {
    const name = await database(
      'CREATE TABLE t (id int PRIMARY KEY, v varchar(2000)); CREATE TABLE mark (id int PRIMARY KEY)',
    );
    const follower = await follow(name);
    await server.set({ log_bin_compress: 'ON', log_bin_compress_min_len: '10' });
    await server.sql(
      `INSERT INTO t VALUES (1, repeat('x', 2000)); UPDATE t SET v = 'y'; ALTER TABLE t COMMENT '${'long '.repeat(40)}'`,
      [],
      name,
    );
    await server.set({ log_bin_compress: 'OFF', log_bin_compress_min_len: '256' });
    const x = 'x'.repeat(2000);
    expect(await until(follower, name)).toEqual([
      'definition t(id,v)',
      `insert t 1 [1|${x}]`,
      `update t 1 [1|${x}] [1|y]`,
      'gap t',
    ]);
  });

  test.each(!mysql ? [flavor] : [])(
    '%s: reads an ALTER that is logged when it begins and when it ends',
    async () => {
      const name = await database(
        'CREATE TABLE t (id int PRIMARY KEY, v int); CREATE TABLE mark (id int PRIMARY KEY); INSERT INTO t VALUES (1, 1)',
      );
      const follower = await follow(name);
      await server.sql(
        `SET SESSION binlog_alter_two_phase = ON; ALTER TABLE t ADD COLUMN w int DEFAULT 7, ALGORITHM = COPY; INSERT INTO t VALUES (2, 2, 2)`,
        [],
        name,
      );
      expect(await until(follower, name)).toEqual([
        'gap t',
        'gap t',
        'definition t(id,v,w)',
        'insert t 2 [2|2|2]',
      ]);
    },
  );

  test('reads files of the log with checksums and without', async () => {
    const name = await database(
      'CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE mark (id int PRIMARY KEY)',
    );
    const follower = await follow(name);
    const rows = [];
    for (const [id, kind] of ['NONE', 'CRC32', 'NONE'].entries()) {
      await server.set({ binlog_checksum: kind });
      await server.sql('INSERT INTO t VALUES (?)', [id], name);
      rows.push(...(await until(follower, name)));
    }
    const again = await follow(name);
    await server.sql('INSERT INTO t VALUES (3)', [], name);
    rows.push(...(await until(again, name)));
    await server.set({ binlog_checksum: 'CRC32' });
    const inserts = rows.filter((text) => text.startsWith('insert'));
    expect(inserts).toEqual(['insert t 0 [0]', 'insert t 1 [1]', 'insert t 2 [2]', 'insert t 3 [3]']);
  });

  test('has tables without keys as soon as the log does not name columns', async () => {
    const name = await database(
      'CREATE TABLE t (id int PRIMARY KEY, v int); CREATE TABLE mark (id int PRIMARY KEY)',
    );
    const follower = await follow(name);
    await server.set({ binlog_row_metadata: 'MINIMAL' });
    await server.sql('INSERT INTO t VALUES (1, 1)', [], name);
    await server.set({ binlog_row_metadata: 'FULL' });
    await server.sql('INSERT INTO t VALUES (2, 2)', [], name);
    expect(await until(follower, name)).toEqual([
      'definition t()',
      'insert t no key',
      'definition t(id,v)',
      'insert t 2 [2|2]',
    ]);
  });

  test('calls a gap what foreign keys change and the log does not show', async () => {
    const name = await database(
      `CREATE TABLE p (id int PRIMARY KEY, v int, UNIQUE (v));
       CREATE TABLE c (id int PRIMARY KEY, p int, FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE);
       CREATE TABLE g (id int PRIMARY KEY, c int, FOREIGN KEY (c) REFERENCES c (id) ON DELETE SET NULL);
       CREATE TABLE n (id int PRIMARY KEY, v int, FOREIGN KEY (v) REFERENCES p (v) ON UPDATE CASCADE);
       CREATE TABLE mark (id int PRIMARY KEY);
       INSERT INTO p VALUES (1, 1), (2, 2), (3, 3); INSERT INTO c VALUES (10, 1); INSERT INTO g VALUES (100, 10); INSERT INTO n VALUES (1, 2);`,
    );
    const follower = await follow(name);
    await server.sql('DELETE FROM p WHERE id = 1', [], name);
    const deleted = await until(follower, name);
    await server.sql('UPDATE p SET id = 5 WHERE id = 3; UPDATE p SET v = 7 WHERE id = 2', [], name);
    const updated = await until(follower, name);
    const rows = (texts: readonly string[]): string[] =>
      texts.filter((text) => !text.startsWith('definition')).toSorted();
    // Since 9.6 MySQL logs what follows.
    expect(rows(deleted)).toEqual(
      mysql
        ? ['delete c 10 [10|1]', 'delete p 1 [1|1]', 'update g 100 [100|10] [100|null]']
        : ['delete p 1 [1|1]', 'gap c,g'],
    );
    expect(rows(updated)).toEqual([
      mysql ? 'update n 1 [1|2] [1|7]' : 'gap n',
      'update p 2 [2|2] [2|7]',
      'update p 3>5 [3|3] [5|3]',
    ]);
  });

  test.each(mysql ? [flavor] : [])('%s: reads GTIDs with tags', async () => {
    const name = await database('CREATE TABLE t (id int PRIMARY KEY)');
    const follower = await follow(name);
    await server.sql(
      `SET gtid_next = 'AUTOMATIC:blue'; INSERT INTO t VALUES (1); SET gtid_next = 'AUTOMATIC'; INSERT INTO t VALUES (2)`,
      [],
      name,
    );
    const first = await follower.transaction();
    expect(first.commit.id).toMatch(/^[0-9a-f-]{36}:blue:1$/);
    expect(first.commit.committedAtUs).toBeGreaterThan(1_700_000_000_000_000n);
    const again = await follow(name, { after: first.commit.position });
    for (const each of [follower, again]) {
      const { commit, events } = await each.transaction();
      expect(events.map(told)).toContain(`insert ${name}.t 2 [2]`);
      expect(commit.position).toMatch(/:blue:1$/);
    }
  });

  test('outlives a restart of the server, and ends when it is told to', async () => {
    const name = await database('CREATE TABLE t (id int PRIMARY KEY)');
    const follower = await follow(name);
    await server.sql('INSERT INTO t VALUES (1)', [], name);
    await follower.transaction();
    const lost = failure(readOn(follower));
    await server.kill();
    const error = await lost;
    await server.start();
    expect([error.code, error.retryable]).toEqual(['TP-CONNECTION-LOST', true]);
    await server.sql('INSERT INTO t VALUES (2)', [], name);
    const abort = new AbortController();
    const again = await follow(name, { after: follower.newest, signal: abort.signal });
    expect(await nextChanges(again)).toEqual([`definition ${name}.t(id)`, `insert ${name}.t 2 [2]`]);
    const ended = failure(readOn(again));
    abort.abort(new TwinproofError('TP-INTERRUPTED'));
    expect((await ended).code).toBe('TP-INTERRUPTED');
  });

  test('does not go on where the log was deleted, or is of another history', async () => {
    const name = await database('CREATE TABLE t (id int PRIMARY KEY)');
    const follower = await follow(name);
    const start = follower.newest;
    await server.sql('INSERT INTO t VALUES (1)', [], name);
    const { commit } = await follower.transaction();
    await server.sql('FLUSH BINARY LOGS');
    // A file that a stream has open is not deleted.
    const oneIsLeft = async (): Promise<boolean> => {
      const logs = await server.sql('SHOW BINARY LOGS');
      await server.sql(`PURGE BINARY LOGS TO '${String(logs.at(-1)?.['Log_name'])}'`);
      return (await server.sql('SHOW BINARY LOGS')).length === 1;
    };
    await waitUntil(oneIsLeft, 60_000, () => 'old files of the log are still there');
    const purged = await failure(follow(name, { after: start }).then((stream) => stream.batch()));
    expect(purged.code).toBe('TP-GAP');
    await server.sql('INSERT INTO t VALUES (2)', [], name);
    const again = await follow(name, { after: commit.position });
    expect(await nextChanges(again)).toContain(`insert ${name}.t 2 [2]`);
    const last = again.newest;
    await server.sql(mysql ? 'RESET BINARY LOGS AND GTIDS' : 'RESET MASTER');
    await server.sql('INSERT INTO t VALUES (3)', [], name);
    const reset = await failure(follow(name, { after: last }).then((stream) => stream.batch()));
    expect(reset.code).toBe('TP-GAP');
  });

  const reset = (): Promise<unknown> => server.sql(mysql ? 'RESET BINARY LOGS AND GTIDS' : 'RESET MASTER');
  const insert = async (name: string, ids: readonly number[]): Promise<void> => {
    for (const id of ids) await server.sql('INSERT INTO t VALUES (?)', [id], name);
  };

  test.each(
    mysql
      ? [
          'RESET BINARY LOGS AND GTIDS',
          'SET @all = @@global.gtid_executed; RESET BINARY LOGS AND GTIDS; SET GLOBAL gtid_purged = @all',
        ]
      : ['RESET MASTER'],
  )(
    'ends where its log is begun anew under it, also in the first file, where the server says nothing: %s',
    async (anew) => {
      const name = await database('CREATE TABLE t (id int PRIMARY KEY)');
      await reset();
      const follower = await follow(name);
      const { stream } = follower;
      await insert(name, [1, 2, 3]);
      for (let n = 0; n < 3; n += 1) await follower.transaction();
      await stream.stands?.(forever());
      await server.sql(anew);
      await insert(name, [4]);
      const stands = await failure(stream.stands?.(forever()) ?? Promise.resolve());
      const untilItEnds = async (): Promise<never> => {
        for (;;) await follower.batch();
      };
      const ended = await failure(untilItEnds());
      expect([stands.code, ended.code]).toEqual(['TP-GAP', 'TP-GAP']);
      expect(follower.events.filter(({ type }) => type === 'insert')).toHaveLength(3);
    },
  );

  test('does not go on where the log was begun anew, though it has as many transactions again', async () => {
    const name = await database('CREATE TABLE t (id int PRIMARY KEY)');
    await reset();
    const follower = await follow(name);
    await insert(name, [1, 2, 3]);
    for (let n = 0; n < 3; n += 1) await follower.transaction();
    const [after, mark] = [follower.newest, follower.stream.mark?.()];
    await server.sql('FLUSH BINARY LOGS');
    const again = await follow(name, { after, mark });
    await insert(name, [4]);
    expect(await nextChanges(again)).toContain(`insert ${name}.t 4 [4]`);
    const newest = { after: again.newest, mark: again.stream.mark?.() };
    await streams.close();
    await reset();
    await insert(name, [5, 6, 7, 8, 9]);
    const error = await failure(follow(name, newest));
    expect([error.code, error.message]).toEqual(['TP-GAP', expect.stringContaining('set back')]);
    // What tells it is what the streams before left, and nothing else.
    await follow(name, { after: newest.after });
  });

  test('nor where it is another one with the end that was read, or has another transaction in place of the last', async () => {
    const name = await database('CREATE TABLE t (id int PRIMARY KEY)');
    const follower = await follow(name);
    await insert(name, [1]);
    const first = await follower.transaction();
    const mark = follower.stream.mark?.();
    await insert(name, [2, 3]);
    await follower.transaction();
    const { commit } = await follower.transaction();
    const after = follower.newest;
    const of = (held: typeof commit): Promise<Follower> => follow(name, { after, mark, held: () => [held] });
    await of(commit);
    const later = { ...commit, committedAtUs: commit.committedAtUs + 1n };
    const unknown = { ...commit, id: `${commit.id}0` };
    for (const held of [later, unknown]) expect((await failure(of(held))).message).toContain('set back');
    const parsed: { readonly last: { readonly at: number } } = JSON.parse(mark ?? '');
    const altered = [
      { ...parsed, last: { ...parsed.last, crc: 1 } },
      { ...parsed, last: { ...parsed.last, at: parsed.last.at + 1 } },
      { ...parsed, begun: 1 },
      { ...parsed, reached: 2_000_000_000 },
      { ...parsed, file: 'binlog.999999' },
      {},
    ].map((one) => JSON.stringify(one));
    for (const each of altered) {
      const error = await failure(follow(name, { after: first.commit.position, mark: each }));
      expect([error.code, error.message]).toEqual(['TP-GAP', expect.stringContaining('set back')]);
    }
  });

  test('tells a log that was begun anew while nothing was written, and goes on where its files were deleted', async () => {
    const name = await database('CREATE TABLE t (id int PRIMARY KEY)');
    const idle = await follow(name);
    while (idle.stream.mark?.() == null) await idle.batch();
    const [after, mark] = [idle.newest, idle.stream.mark?.()];
    await streams.close();
    await server.sql('FLUSH BINARY LOGS');
    const oneIsLeft = async (): Promise<boolean> => {
      const logs = await server.sql('SHOW BINARY LOGS');
      await server.sql(`PURGE BINARY LOGS TO '${String(logs.at(-1)?.['Log_name'])}'`);
      return (await server.sql('SHOW BINARY LOGS')).length === 1;
    };
    await waitUntil(oneIsLeft, 60_000, () => 'old files of the log are still there');
    const again = await follow(name, { after, mark });
    await insert(name, [1]);
    expect(await nextChanges(again)).toContain(`insert ${name}.t 1 [1]`);
    await streams.close();
    await reset();
    await insert(name, [2, 3]);
    const quiet = await follow(name);
    while (quiet.stream.mark?.() == null) await quiet.batch();
    const nothing = { after: quiet.newest, mark: quiet.stream.mark?.() };
    await streams.close();
    // Files are known by the second in which they were begun.
    const { begun }: { readonly begun: number } = JSON.parse(nothing.mark ?? '');
    const isLater = async (): Promise<boolean> => {
      const [row] = await server.sql(`SELECT UNIX_TIMESTAMP() > ${begun} AS later`);
      return String(row?.['later']) === '1';
    };
    await waitUntil(isLater, 60_000, () => 'the clock stands still');
    await reset();
    await insert(name, [4, 5, 6]);
    expect((await failure(follow(name, nothing))).message).toContain('set back');
  });
});

async function readOn(follower: Follower): Promise<never> {
  for (;;) await follower.batch();
}
