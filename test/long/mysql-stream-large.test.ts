import { afterAll, beforeAll, expect, test } from 'vitest';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ChangeEvent } from '../../src/connector/changes.ts';
import { createMysqlServer, type MysqlServer } from '../servers/harness/mysql-server.ts';
import { openMysqlStream, STREAMED } from '../servers/harness/mysql-stream.ts';
import { describeMysql } from '../servers/harness/mysql-suite.ts';

const DATABASE = 'bank';
const ROWS = 1_000_000;
const MEBIBYTE = 1024 * 1024;

/** Numbers from 0 to 999,999. */
const NUMBERS = `(SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d + 100000 * g.d AS n FROM d a, d b, d c, d e, d f, d g) AS numbers`;

await describeMysql('the change stream of %s', (flavor) => {
  let server: MysqlServer;
  beforeAll(async () => {
    server = await createMysqlServer({
      flavor,
      settings: { ...STREAMED, max_allowed_packet: '64M', innodb_buffer_pool_size: '256M' },
    });
    await server.sql(`CREATE DATABASE ${DATABASE}`);
    await server.sql(
      `CREATE TABLE d (d int PRIMARY KEY); INSERT INTO d VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9);
       CREATE TABLE t (id int PRIMARY KEY, v varchar(80), w decimal(12, 2), x datetime(6));
       CREATE TABLE wide (id int PRIMARY KEY, v longblob);`,
      [],
      DATABASE,
    );
  }, 120_000);
  afterAll(() => server?.destroy());

  test('takes a transaction of a million rows in bounded memory, also while nobody asks for it', async () => {
    const stream = await openMysqlStream(server, DATABASE);
    const batches = stream.batches[Symbol.asyncIterator]();
    await batches.next();
    await server.sql(
      `INSERT INTO t SELECT n, CONCAT('a row of some length, number ', n), n / 7, '2026-01-02 03:04:05.678901' FROM ${NUMBERS}`,
      [],
      DATABASE,
    );
    const before = process.memoryUsage().rss;
    // The server sends what it can meanwhile.
    await sleep(3000);
    const waiting = process.memoryUsage().rss - before;
    const { rows, peak } = await drain(batches, before);
    await stream.close();
    expect(rows).toBe(ROWS);
    expect(waiting).toBeLessThan(100 * MEBIBYTE);
    expect(peak).toBeLessThan(250 * MEBIBYTE);
  }, 300_000);

  test('takes a row that is longer than a packet', async () => {
    const stream = await openMysqlStream(server, DATABASE);
    const batches = stream.batches[Symbol.asyncIterator]();
    await batches.next();
    await server.sql(`INSERT INTO wide VALUES (1, REPEAT('x', ${40 * MEBIBYTE}))`, [], DATABASE);
    const { lengths } = await drain(batches, 0);
    await stream.close();
    expect(lengths).toEqual([2 + 4 + 4 + 4 + 40 * MEBIBYTE]);
  }, 120_000);
});

/** Up to the next commit. */
async function drain(
  batches: AsyncIterator<readonly ChangeEvent[]>,
  before: number,
): Promise<{ rows: number; peak: number; lengths: number[] }> {
  let rows = 0;
  let peak = 0;
  const lengths: number[] = [];
  for (;;) {
    const { value, done } = await batches.next();
    if (done === true) throw new Error('the stream ended');
    for (const event of value) {
      if (event.type === 'insert') {
        rows += 1;
        if (lengths.length < 10) lengths.push(event.after?.length ?? 0);
      }
    }
    peak = Math.max(peak, process.memoryUsage().rss - before);
    if (value.some(({ type }) => type === 'commit')) return { rows, peak, lengths };
  }
}
