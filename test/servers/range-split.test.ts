import { afterAll, describe, expect, it } from 'vitest';
import type { TableResult } from '../../src/compare/result.ts';
import { LocalRangeReader } from '../../src/compare/range-reader.ts';
import type { ShapePair } from '../../src/compare/site-pair.ts';
import { shapesOf, signalFor } from '../contract/pair.ts';
import { ServerPair } from './harness/server-pair.ts';

const ROWS = 400_000;
const TABLE = 'CREATE TABLE t (id bigint PRIMARY KEY, v int)';
const FILL = `INSERT INTO t SELECT i, i % 7 FROM generate_series(1, ${ROWS}) i`;
/** One row, says the catalog; the table is as large as it is. */
const STALE = `ALTER TABLE t SET (autovacuum_enabled = off);
  UPDATE pg_class SET reltuples = 1, relpages = 1000000 WHERE oid = 't'::regclass`;
/** Nothing keeps a plan from being one range. */
const ONE_RANGE = { rangeRowsMax: 1_000_000_000, rangeBytesMax: 1_000_000_000_000 };
/** What the rows and keys of one range may come to on both sites, and the areas they are read into. */
const BYTES_MAX = 100_000_000;

const pairs: ServerPair[] = [];

afterAll(async () => {
  for (const pair of pairs) await pair.end();
});

async function prepare(kind: 'physical' | 'logical'): Promise<ServerPair> {
  const schema = kind === 'physical' ? `${TABLE}; ${FILL}` : TABLE;
  const pair = await ServerPair[kind]({ schema });
  pairs.push(pair);
  await pair.write(kind === 'physical' ? STALE : `${FILL}; ${STALE}`);
  return pair;
}

/** The result of the table, and the most memory outside the heap while it was compared. */
async function compare(pair: ServerPair): Promise<{ table: TableResult | undefined; bytes: number }> {
  const before = process.memoryUsage().arrayBuffers;
  let bytes = 0;
  const timer = setInterval(() => {
    bytes = Math.max(bytes, process.memoryUsage().arrayBuffers - before);
  }, 20);
  try {
    const { tables } = await pair.verifier.run(['public.t'], { limits: ONE_RANGE });
    return { table: tables[0], bytes };
  } finally {
    clearInterval(timer);
  }
}

describe.each(['physical', 'logical'] as const)('a %s range of far more rows than expected', (kind) => {
  it('is refused by its reader, and split by the connector until it is read', async () => {
    const pair = await prepare(kind);
    const { primary, candidate } = pair.verifier;
    await candidate.relateTo(primary, signalFor());
    const name = { schema: 'public', table: 't' };
    const shapes: ShapePair = await shapesOf(
      {
        kind,
        primary,
        candidate,
      },
      name,
    );
    const options = {
      kind: kind === 'physical' ? 'block' : 'key',
      rowsMax: ONE_RANGE.rangeRowsMax,
      bytesMax: ONE_RANGE.rangeBytesMax,
    } as const;
    const [range, ...others] = await primary.planRanges(shapes.primary, options, signalFor());
    expect(others).toEqual([]);
    if (range === undefined) throw new Error('no range was planned');
    const reader = new LocalRangeReader(primary, candidate);
    await expect(reader.read(shapes, range, signalFor())).rejects.toMatchObject({
      code: 'TP-RANGE-TOO-LARGE',
    });
    const parts = await primary.splitRange(shapes.primary, range, signalFor());
    expect(parts.length).toBeGreaterThan(1);
    let rows = 0n;
    for (const part of parts) rows += (await reader.read(shapes, part, signalFor())).primary.rows;
    expect(rows).toBe(BigInt(ROWS));
  });

  it('is compared to the last row, within bounded memory', async () => {
    const pair = pairs.at(-1) ?? (await prepare(kind));
    const { table, bytes } = await compare(pair);
    expect(table).toMatchObject({
      outcome: 'same',
      rows: { primary: BigInt(ROWS), candidate: BigInt(ROWS) },
    });
    expect(bytes).toBeLessThan(BYTES_MAX);
  });
});

it('a difference within such a range is found', async () => {
  const pair = pairs.at(-1) ?? (await prepare('logical'));
  await pair.tamper('UPDATE t SET v = v + 1 WHERE id = 333333; DELETE FROM t WHERE id = 7');
  const { table } = await compare(pair);
  expect(table).toMatchObject({ outcome: 'different', differences: { missing: 1n, extra: 0n, changed: 1n } });
});
