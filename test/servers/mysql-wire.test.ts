import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectTarget } from '../../connectors/mysql/address.ts';
import { ReaderPool } from '../../connectors/mysql/pool.ts';
import type { MysqlParameter, RawRead, WireOperation } from '../../connectors/mysql/wire-row.ts';
import { parseUrl } from '../../src/config/url.ts';
import { KernelSink } from '../../src/digest/kernel-sink.ts';
import { BodySink } from '../../src/row/body-sink.ts';
import { frameMessage, frameRow } from '../../src/row/stream.ts';
import { createMysqlServer, type MysqlServer } from './harness/mysql-server.ts';
import { describeMysql } from './harness/mysql-suite.ts';
import { failure, forever, hexRows, watched } from './harness/mysql-wire-reads.ts';
import { ascii, wireTypes } from './harness/mysql-wire-types.ts';

await describeMysql('rows of %s', (flavor) => {
  const types = wireTypes(flavor);
  let server: MysqlServer;
  let pool: ReaderPool;
  const poolOf = (to: MysqlServer, size = 2): ReaderPool =>
    new ReaderPool(connectTarget(parseUrl(to.url('root', 'd'), 'secret').address, {}), size, 0);

  beforeAll(async () => {
    server = await createMysqlServer({ flavor, settings: { max_allowed_packet: '134217728' } });
    await server.sql(
      `create database d; use d; set sql_mode = '';
       create table ten (n int primary key); insert into ten values (0),(1),(2),(3),(4),(5),(6),(7),(8),(9);
       create table many (id bigint primary key, v varchar(200) not null) engine = InnoDB;
       insert into many select a.n + 10*b.n + 100*c.n + 1000*e.n + 10000*f.n, repeat('x', 100)
         from ten a, ten b, ten c, ten e, ten f`,
    );
    const columns = types.map(([type], index) => `c${index} ${type}`);
    await server.sql(`create table d.types (id int primary key, ${columns.join(', ')})`);
    await server.sql(
      `set sql_mode = ''; insert into d.types values (1, ${types.map(([, literal]) => literal).join(', ')})`,
    );
    pool = poolOf(server);
  });

  afterAll(async () => {
    await pool.close();
    await server.destroy();
  });

  test('hold the exact bytes of every type, copied and in portable form', async () => {
    const names = types.map((_, index) => `c${index}`).join(', ');
    const read = (operations: readonly WireOperation[]): Promise<(string | null)[][]> =>
      hexRows(pool, `select ${names} from types where id = 1`, operations);
    const [copied] = await read(types.map(() => 'copy'));
    const [portable] = await read(types.map(([, , , form]) => form));
    types.forEach(([type, literal, expected, form, expectedForm], index) => {
      expect({ type, literal, bytes: copied?.[index] }).toEqual({ type, literal, bytes: expected });
      expect({ type, literal, form, bytes: portable?.[index] }).toEqual({
        type,
        literal,
        form,
        bytes: expectedForm,
      });
    });
  });

  test('are found by parameters that are what the column is', async () => {
    await server.sql(
      `create table d.keys_of (u bigint unsigned, s bigint, f float, g double, b varbinary(9), t varchar(9),
         d decimal(65,30), dt date, ts datetime(6), ti time(6));
       insert into d.keys_of values (18446744073709551615, -9007199254740993, 0.1, 0.1, x'00ff', 'é',
         0.000000000000000000000000000001, '2024-02-29', '2024-02-29 01:02:03.000004', '-100:00:00.000001')`,
    );
    const hex = (text: string): Uint8Array => Buffer.from(text, 'hex');
    const parameters: MysqlParameter[] = [
      { kind: 'unsigned', value: 2n ** 64n - 1n },
      { kind: 'signed', value: -9_007_199_254_740_993n },
      { kind: 'float', value: hex('cdcccc3d') },
      { kind: 'double', value: hex('9a9999999999b93f') },
      { kind: 'bytes', value: hex('00ff') },
      { kind: 'text', value: 'é' },
      { kind: 'decimal', value: '0.000000000000000000000000000001' },
      { kind: 'date', value: hex('e807021d') },
      { kind: 'datetime', value: hex('e807021d01020304000000') },
      { kind: 'time', value: hex('010400000004000001000000') },
    ];
    const names = ['u', 's', 'f', 'g', 'b', 't', 'd', 'dt', 'ts', 'ti'];
    const sql = `select 1 from keys_of where ${names.map((name) => `${name} = ?`).join(' and ')}`;
    expect(await hexRows(pool, sql, ['integer'], parameters)).toHaveLength(1);
    const near: MysqlParameter = { kind: 'signed', value: -9_007_199_254_740_992n };
    const others = parameters.map((parameter, index) => (index === 1 ? near : parameter));
    expect(await hexRows(pool, sql, ['integer'], others)).toHaveLength(0);
    const nothing = names.map((): MysqlParameter => ({ kind: 'null' }));
    expect(await hexRows(pool, sql, ['integer'], nothing)).toHaveLength(0);
    const list = Array.from({ length: 5_000 }, (_, index): MysqlParameter => ({
      kind: 'signed',
      value: BigInt(index * 2),
    }));
    const inList = `select id from many where id in (${list.map(() => '?').join(',')})`;
    expect(await hexRows(pool, inList, ['copy'], list)).toHaveLength(5_000);
    // A command of more than one packet.
    const large: MysqlParameter = { kind: 'bytes', value: new Uint8Array(17_000_000) };
    expect(await hexRows(pool, 'select length(?)', ['decimal'], [large])).toEqual([[ascii('17000000')]]);
  });

  test('are those of the moment that onSnapshot tells, which is before the first of them', async () => {
    const told: string[] = [];
    let change: Promise<unknown> = Promise.resolve();
    const sink = new BodySink(Infinity);
    const read: RawRead = {
      sql: 'select id, v from many order by id',
      parameters: [],
      operations: ['copy', 'copy'],
      onSnapshot: () => {
        told.push('snapshot');
        change = server.sql(
          "delete from d.many where id > 99000; insert into d.many values (999999, 'late')",
        );
      },
    };
    await pool.read(
      read,
      watched(sink, () => told.push('rows')),
      forever(),
    );
    await change;
    expect(told.indexOf('snapshot')).toBe(0);
    expect(told.filter((what) => what === 'snapshot')).toHaveLength(1);
    expect(sink.bodies).toHaveLength(100_000);
    const after = new BodySink(Infinity);
    await pool.read({ ...read, onSnapshot: undefined }, after, forever());
    expect(after.bodies).toHaveLength(99_002);
    let empty = 0;
    const nothing = { ...read, sql: 'select id, v from many where id < 0', onSnapshot: () => empty++ };
    await pool.read(nothing, new BodySink(10), forever());
    expect(empty).toBe(1);
  });

  test('of 60 MB pass in pieces, and have the digest that they would have whole', async () => {
    await server.sql(
      `create table d.wide (id int primary key, a longblob, b longblob, c int);
       insert into d.wide values (1, 'x', 'y', 1), (2, repeat('a', 20000000), repeat('b', 40000000), 2), (3, 'z', null, 3)`,
    );
    const sink = new KernelSink(0);
    sink.begin('records', 1);
    let largest = 0;
    const measured = watched(sink, (length) => {
      largest = Math.max(largest, length);
    });
    await pool.read(
      { sql: 'select id, a, b, c from wide order by id', parameters: [], operations: Array(4).fill('copy') },
      measured,
      forever(),
    );
    const int = (value: number): Buffer => Buffer.from([value, 0, 0, 0]);
    const whole = new KernelSink(0);
    whole.begin('records', 1);
    for (const fields of [
      [int(1), Buffer.from('x'), Buffer.from('y'), int(1)],
      [int(2), Buffer.alloc(20_000_000, 'a'), Buffer.alloc(40_000_000, 'b'), int(2)],
      [int(3), Buffer.from('z'), null, int(3)],
    ]) {
      const message = frameMessage(frameRow(fields));
      for (let at = 0; at < message.length;) {
        const space = whole.space();
        const size = Math.min(space.length, message.length - at);
        space.set(message.subarray(at, at + size));
        whole.take(size);
        at += size;
      }
    }
    expect(sink.digest()).toEqual(whole.digest());
    expect(Buffer.from(sink.records().keys)).toEqual(Buffer.from(whole.records().keys));
    expect(largest).toBeLessThanOrEqual(131_077);
  });

  test('that a function cannot give are an error that says so, never a NULL', async () => {
    const other = await createMysqlServer({ flavor, settings: { max_allowed_packet: '1048576' } });
    const small = poolOf(other);
    try {
      await other.sql(
        'create database d; create table d.t (id int primary key, v longtext character set latin1)',
      );
      await other.sql("insert into d.t values (1, repeat(_latin1 x'e9', 600000))");
      const error = await failure(hexRows(small, 'select concat(v, v) from t', ['text']));
      expect(error).toMatchObject({ code: 'TP-QUERY', retryable: false });
      expect(error.hint).toContain('max_allowed_packet');
      const bad = await failure(hexRows(small, "select convert(x'61ff' using utf8mb4)", ['text']));
      expect(bad.code).toBe('TP-QUERY');
      expect(await hexRows(small, 'select length(v) from t', ['integer'])).toHaveLength(1);
    } finally {
      await small.close();
      await other.destroy();
    }
  });

  test('longer than max_allowed_packet come all the same, or fail by its name', async () => {
    const other = await createMysqlServer({ flavor, settings: { max_allowed_packet: '67108864' } });
    const small = poolOf(other);
    try {
      await other.sql('create database d; create table d.t (id int primary key, v longblob)');
      await other.sql(
        "insert into d.t values (1, repeat('x', 5000000)); set global max_allowed_packet = 1048576",
      );
      const [row] = await hexRows(small, 'select id, v from t', ['copy', 'copy']);
      expect(row?.[1]).toHaveLength(10_000_000);
    } finally {
      await small.close();
      await other.destroy();
    }
  });

  test('of a table that changes are told by what it is now', async () => {
    await server.sql('create table d.ddl (id int primary key, v int); insert into d.ddl values (1, 2)');
    const sql = 'select * from ddl';
    expect(await hexRows(pool, sql, ['copy', 'copy'])).toEqual([['01000000', '02000000']]);
    await server.sql('alter table d.ddl modify v bigint');
    expect(await hexRows(pool, sql, ['copy', 'copy'])).toEqual([['01000000', '0200000000000000']]);
    await server.sql('alter table d.ddl modify v varchar(9)');
    expect(await failure(hexRows(pool, sql, ['copy', 'integer']))).toMatchObject({
      code: 'TP-DEFINITION-CHANGED',
      retryable: true,
    });
    await server.sql('alter table d.ddl add w int');
    expect((await failure(hexRows(pool, sql, ['copy', 'copy']))).code).toBe('TP-DEFINITION-CHANGED');
    expect(await hexRows(pool, sql, ['copy', 'text', 'copy'])).toEqual([['01000000', '32', null]]);
    await server.sql('drop table d.ddl');
    expect((await failure(hexRows(pool, sql, ['copy', 'text', 'copy']))).code).toBe('TP-DEFINITION-CHANGED');
    expect(await hexRows(pool, 'select 1', ['integer'])).toHaveLength(1);
  });
});

await describeMysql('rows of %s over TLS and a unix socket', (flavor) => {
  test('are those of a plain connection', async () => {
    const server = await createMysqlServer({ flavor, tls: true });
    try {
      await server.sql(
        `create database d; use d; create table ten (n int primary key);
         insert into ten values (0),(1),(2),(3),(4),(5),(6),(7),(8),(9);
         create table t (id bigint primary key, v longblob);
         insert into t select a.n + 10*b.n + 100*c.n + 1000*e.n, repeat('x', a.n * 50) from ten a, ten b, ten c, ten e;
         insert into t values (-1, repeat('y', 3000000))`,
      );
      const plain = server.url('root', 'd');
      const socket = encodeURIComponent(server.socket);
      const secure = `${plain}?sslmode=verify-full&sslrootcert=${encodeURIComponent(server.authority)}`;
      const digests = [];
      for (const url of [plain, secure, `mysql://root@${socket}/d`]) {
        const pool = new ReaderPool(connectTarget(parseUrl(url, 'secret').address, {}), 1, 0);
        const sink = new KernelSink(0);
        sink.begin('sums', 1);
        await pool.read(
          { sql: 'select id, v from t', parameters: [], operations: ['copy', 'copy'] },
          sink,
          forever(),
        );
        digests.push(sink.digest());
        await pool.close();
      }
      expect(digests[0]?.rows).toBe(10_001n);
      expect(digests[1]).toEqual(digests[0]);
      expect(digests[2]).toEqual(digests[0]);
    } finally {
      await server.destroy();
    }
  });
});
