import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { relationPath, replaceInRelation } from './harness/heap.ts';
import type { HeapTarget } from '../../src/demo/heap-edit.ts';
import { ServerPair } from './harness/server-pair.ts';
import { differing, type Found, foundIn, SAME } from './harness/verify.ts';

async function replaceOne(target: HeapTarget, path: string, from: Buffer, to: Buffer): Promise<void> {
  const places = await replaceInRelation(target, path, from, to);
  if (places !== 1) throw new Error(`${path}: ${places} places instead of one`);
}

describe('ranges by a key whose columns are called like ours', () => {
  let pair: ServerPair;
  beforeAll(async () => {
    pair = await ServerPair.logical({
      schema: `CREATE TABLE t (n int, c text COLLATE "C", sample int, PRIMARY KEY (n, c));`,
    });
    await pair.write(`INSERT INTO t SELECT g / 3, 'key ' || g, g FROM generate_series(1, 2000) g; ANALYZE t`);
    await pair.tamper('ANALYZE t');
  });
  afterAll(() => pair?.end());

  test('are planned, split and read', async () => {
    const limits = { rangeRowsMax: 100 };
    const { tables } = await pair.verifier.run(['t'], { limits });
    expect(tables.map(({ outcome, method, rows }) => [outcome, method, rows.primary])).toEqual([
      ['same', 'key', 2000n],
    ]);
    await pair.tamper(`UPDATE t SET sample = 0 WHERE c = 'key 1000'; DELETE FROM t WHERE c = 'key 1500'`);
    for (const restless of [false, true]) {
      expect(await pair.verifier.find('t', { limits, restless })).toEqual(
        differing({ changed: 1, missing: 1 }, [
          'changed n=333, c=key 1000: sample',
          'missing n=500, c=key 1500',
        ]),
      );
    }
  });
});

describe('a standby whose table and index tell different stories', () => {
  let pair: ServerPair;
  let still: ReadonlyMap<string, Found>;
  let settled: ReadonlyMap<string, Found>;
  beforeAll(async () => {
    pair = await ServerPair.physical({
      schema: `CREATE TABLE twice (id int PRIMARY KEY, v text); INSERT INTO twice SELECT g, 'x' FROM generate_series(1, 50) g;
        CREATE TABLE ghost (id int PRIMARY KEY, v text); INSERT INTO ghost SELECT g, 'x' FROM generate_series(1, 50) g;
        CREATE TABLE sound (id int PRIMARY KEY, v text); INSERT INTO sound SELECT g, 'x' FROM generate_series(1, 50) g;`,
    });
    // Dead versions of rows: one that was updated, one that was deleted and whose index entry is gone.
    const [row] = await pair.primary
      .sql(`DELETE FROM ghost WHERE id = 8; UPDATE twice SET v = 'x' WHERE id = 7;
      SELECT pg_current_xact_id()::text AS xid`);
    await pair.write('SELECT 1');
    const paths = await Promise.all(
      ['ghost', 'twice'].map((name) => relationPath(pair.primary, 'postgres', name)),
    );
    const index = await relationPath(pair.primary, 'postgres', 'ghost_pkey');
    await pair.edit(async (target) => {
      for (const [n, path] of paths.entries()) {
        const deleted = Buffer.alloc(8);
        deleted.writeUInt32LE(Number(row?.['xid']));
        deleted.writeUInt32LE(n, 4);
        await replaceOne(target, path, deleted, Buffer.alloc(8));
      }
      // The index entry of the ghost: its address, its size, its key.
      const entry = (key: number): Buffer => Buffer.from([0, 0, 0, 0, 8, 0, 16, 0, key, 0, 0, 0]);
      await replaceOne(target, index, entry(8), entry(9));
    });
    still = foundIn(await pair.verifier.run(['*']));
    settled = foundIn(await pair.verifier.run(['*'], { restless: true }));
  });
  afterAll(() => pair?.end());

  test('is different when a row stands there twice', () => {
    expect(still.get('twice')).toEqual(differing({ extra: 1 }, ['extra id=7']));
    expect(settled.get('twice')).toEqual({ ...SAME, outcome: 'different', reasons: ['TP-INDEX-CORRUPT'] });
  });

  test('is different when a deleted row is back in the table and not in the index', () => {
    expect(still.get('ghost')).toEqual(differing({ extra: 1 }, ['extra id=8']));
    expect(settled.get('ghost')).toEqual({ ...SAME, outcome: 'different', reasons: ['TP-INDEX-CORRUPT'] });
  });

  test('is the same in every other table', () => {
    expect(still.get('sound')).toEqual(SAME);
    expect(settled.get('sound')).toEqual(SAME);
  });
});
