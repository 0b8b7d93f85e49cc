import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectTarget } from '../../connectors/mysql/address.ts';
import { ReaderPool } from '../../connectors/mysql/pool.ts';
import { parseUrl } from '../../src/config/url.ts';
import { waitUntil } from '../../src/demo/cluster-wait.ts';
import { KernelSink } from '../../src/digest/kernel-sink.ts';
import { TwinproofError } from '../../src/errors.ts';
import { BodySink } from '../../src/row/body-sink.ts';
import { createMysqlServer, type MysqlServer } from './harness/mysql-server.ts';
import { describeMysql } from './harness/mysql-suite.ts';
import { failure, forever, hexRows } from './harness/mysql-wire-reads.ts';
import { ascii } from './harness/mysql-wire-types.ts';

await describeMysql('a read of %s that goes wrong', (flavor) => {
  let server: MysqlServer;
  let pool: ReaderPool;
  const slow = 'select id, sleep(0.0005) as s from many order by id';
  const running = async (): Promise<string[]> => {
    const rows = await server.sql(
      "select id from information_schema.processlist where info like 'select id, sleep%'",
    );
    return rows.map(({ id, ID }) => String(id ?? ID));
  };
  const readSlowly = (signal: AbortSignal): Promise<void> =>
    pool.read({ sql: slow, parameters: [], operations: ['copy', 'copy'] }, new KernelSinkOf(), signal);

  /** A sink that only sums. */
  class KernelSinkOf extends KernelSink {
    constructor() {
      super(0);
      this.begin('sums', 1);
    }
  }

  beforeAll(async () => {
    server = await createMysqlServer({ flavor });
    await server.sql(
      `create database d; use d; create table ten (n int primary key);
       insert into ten values (0),(1),(2),(3),(4),(5),(6),(7),(8),(9);
       create table many (id bigint primary key, v varchar(200) not null) engine = InnoDB;
       insert into many select a.n + 10*b.n + 100*c.n + 1000*e.n + 10000*f.n, repeat('x', 100)
         from ten a, ten b, ten c, ten e, ten f`,
    );
    const target = connectTarget(parseUrl(server.url('root', 'd'), 'secret').address, {});
    pool = new ReaderPool(target, 2, 0);
  });

  afterAll(async () => {
    await pool.close();
    await server.destroy();
  });

  const expectUsable = async (): Promise<void> => {
    expect(await hexRows(pool, 'select count(*) from many', ['decimal'])).toEqual([[ascii('100000')]]);
  };

  test('is an error when the statement is killed amid its rows, and the connection stays', async () => {
    const read = readSlowly(forever());
    read.catch(() => undefined);
    await waitUntil(
      async () => (await running()).length === 1,
      10_000,
      () => 'the read to run',
    );
    const [before] = await running();
    await server.sql(`kill query ${before}`);
    expect(await failure(read)).toMatchObject({ code: 'TP-QUERY', retryable: true });
    const id = await hexRows(pool, 'select connection_id()', ['decimal']);
    expect(id).toEqual([[ascii(String(before))]]);
    await expectUsable();
  });

  test('is a lost connection when that is killed, and another one is opened', async () => {
    const read = readSlowly(forever());
    read.catch(() => undefined);
    await waitUntil(
      async () => (await running()).length === 1,
      10_000,
      () => 'the read to run',
    );
    await server.sql(`kill ${(await running())[0]}`);
    expect(await failure(read)).toMatchObject({ code: 'TP-CONNECTION-LOST', retryable: true });
    await expectUsable();
  });

  test('ends with the reason when it is aborted, on the server too', async () => {
    const controller = new AbortController();
    const read = readSlowly(controller.signal);
    read.catch(() => undefined);
    await waitUntil(
      async () => (await running()).length === 1,
      10_000,
      () => 'the read to run',
    );
    controller.abort(new TwinproofError('TP-TIMEOUT'));
    expect((await failure(read)).code).toBe('TP-TIMEOUT');
    await waitUntil(
      async () => (await running()).length === 0,
      10_000,
      () => 'the statement to end',
    );
    await expectUsable();
  });

  test('throws what the sink throws', async () => {
    const read = { sql: 'select id, v from many', parameters: [], operations: ['copy', 'copy'] } as const;
    const error = await failure(pool.read(read, new BodySink(100_000), forever()));
    expect(error.code).toBe('TP-RANGE-TOO-LARGE');
    await expectUsable();
  });

  test('ends when the pool is closed', async () => {
    const target = connectTarget(parseUrl(server.url('root', 'd'), 'secret').address, {});
    const other = new ReaderPool(target, 1, 0);
    const sink = new KernelSinkOf();
    const read = other.read({ sql: slow, parameters: [], operations: ['copy', 'copy'] }, sink, forever());
    read.catch(() => undefined);
    await waitUntil(
      async () => (await running()).length === 1,
      10_000,
      () => 'the read to run',
    );
    await other.close();
    expect((await failure(read)).code).toBe('TP-CONNECTION-LOST');
    expect(
      (await failure(other.read({ sql: slow, parameters: [], operations: [] }, sink, forever()))).code,
    ).toBe('TP-BUG');
    await waitUntil(
      async () => (await running()).length === 0,
      10_000,
      () => 'the statement to end',
    );
  });

  test('is a lost connection when the server dies, and works again when it is back', async () => {
    const read = readSlowly(forever());
    read.catch(() => undefined);
    await waitUntil(
      async () => (await running()).length === 1,
      10_000,
      () => 'the read to run',
    );
    await server.kill();
    expect(await failure(read)).toMatchObject({ code: 'TP-CONNECTION-LOST', retryable: true });
    expect((await failure(expectUsable())).code).toMatch(/^TP-(?:UNREACHABLE|CONNECTION-LOST)$/);
    await server.start();
    await expectUsable();
  });
});
