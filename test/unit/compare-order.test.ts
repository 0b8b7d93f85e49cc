import { describe, expect, it } from 'vitest';
import type { TableSpec } from '../../connectors/memory/heap-table.ts';
import { createMemoryPair, type MemoryPair } from '../../connectors/memory/pair.ts';
import { type RangeReading, LocalRangeReader } from '../../src/compare/range-reader.ts';
import type { Connector } from '../../src/connector/contract.ts';
import type { TableResult } from '../../src/compare/result.ts';
import { shapesOf, signalFor } from '../contract/pair.ts';
import { verifyPair, WORLD_LIMITS } from './world-verify.ts';

/**
 * The order of reading and the rows that move past a reader: the schedules of the master property seldom meet these
 * moments, so they are made here one by one.
 */
const T = 'public.items';
const ROWS = 40;

function items(spec: Partial<TableSpec> = {}): TableSpec {
  return {
    name: T,
    columns: [
      { name: 'id', type: 'int8' },
      { name: 'note', type: 'text' },
    ],
    key: ['id'],
    clustered: true,
    rows: Array.from({ length: ROWS }, (_, index) => [BigInt(index), `note ${index}`]),
    ...spec,
  };
}

/** A commit on row 7 that the candidate's replication drops, once one of the two sites has fixed its snapshot. */
function dropBetweenSnapshots({ world }: MemoryPair): void {
  let done = false;
  world.onTick = () => {
    const snapshots = world.site('primary').snapshotsOf(T) + world.site('candidate').snapshotsOf(T);
    if (done || snapshots !== 1) return;
    done = true;
    world.dropCommit(world.head + 1);
    world.write((transaction) => void transaction.update(T, 7, { note: 'dropped' }));
    world.applyAll();
  };
}

async function readOnce(pair: MemoryPair, primary: Connector, candidate: Connector): Promise<RangeReading> {
  const shapes = await shapesOf(
    { kind: 'physical', primary: pair.primary, candidate: pair.candidate },
    { schema: 'public', table: 'items' },
  );
  const range = { table: T, kind: 'block', id: 'all', from: null, to: null, rowsEstimate: ROWS } as const;
  return new LocalRangeReader(primary, candidate).read(shapes, range, signalFor());
}

describe('the order in which a range is read', () => {
  it('shows a commit that the candidate dropped between the two snapshots', async () => {
    const pair = createMemoryPair({ kind: 'physical', tables: [items()], seed: 1 });
    dropBetweenSnapshots(pair);
    const { suspects } = await readOnce(pair, pair.primary, pair.candidate);
    expect(suspects.map(({ kind }) => kind)).toEqual(['changed']);
  });

  it('would hide it the other way round, which is what this test is about', async () => {
    const pair = createMemoryPair({ kind: 'physical', tables: [items()], seed: 1 });
    dropBetweenSnapshots(pair);
    const { suspects } = await readOnce(pair, pair.candidate, pair.primary);
    expect(suspects).toEqual([]);
  });
});

describe('a row that moves past the reader on a logical pair', () => {
  /** Read in four pieces of 128 slots; row 3 is gone, so that its place is free. */
  const large = items({
    rows: Array.from({ length: 500 }, (_, index) => [BigInt(index), `note ${index}`]),
    clustered: false,
  });

  /**
   * While the primary is read, its last row, in a part that is still to come, is written anew in a part that was read
   * already. No read of the primary shows it, so where the candidate lacks it, the first look is that all is equal.
   */
  async function verifyWhileMoving(
    lacking: boolean,
  ): Promise<{ readonly table: TableResult; readonly moved: boolean }> {
    const pair = createMemoryPair({ kind: 'logical', tables: [large], seed: 4 });
    const { world } = pair;
    world.write((transaction) => void transaction.delete(T, 3));
    world.applyAll();
    if (lacking) world.tamper({ kind: 'delete', table: T, row: rowOf(pair, 'candidate', 499n) });
    let moved = false;
    let wrote = 0;
    world.onTick = () => {
      // The sites never stand still, so nothing is proven by a still window.
      world.write((transaction) => void transaction.update(T, 100, { note: `hot ${++wrote}` }));
      if (!moved && world.site('primary').snapshotsOf(T) === 2) moved = moveLastRow(pair);
      world.applyAll();
    };
    const result = await verifyPair(pair, { limits: { ...WORLD_LIMITS, jobs: 1 } });
    const [table] = result.tables;
    if (table === undefined) throw new Error('no table');
    return { table, moved };
  }

  /** Updates the row until its new version stands among the first ones. */
  function moveLastRow({ world }: MemoryPair): boolean {
    const slots: (number | null)[] = [499];
    for (let attempt = 0; attempt < 200; attempt++) {
      const slot = slots.at(-1) ?? null;
      if (slot === null || slot < 128) return slot !== null;
      world.write((transaction) => {
        slots.push(transaction.update(T, slot, { note: `moved ${attempt}` }));
      });
    }
    return false;
  }

  it('is looked up afterwards, and found where the candidate lacks it', async () => {
    const { table, moved } = await verifyWhileMoving(true);
    expect([moved, table.method, table.outcome]).toEqual([true, 'slice', 'different']);
    expect(table.differences).toEqual({ missing: 1n, extra: 0n, changed: 0n });
    expect(table.samples.map(({ key }) => key)).toEqual([{ id: '499' }]);
  });

  it('is no difference where the candidate has it', async () => {
    const { table, moved } = await verifyWhileMoving(false);
    // Row 100 is written to at every tick: it may be left unproven, but nothing is called different.
    expect(moved).toBe(true);
    expect(table.outcome).not.toBe('different');
  });
});

describe('a row that goes back and forth between two values, where rows carry no versions', () => {
  it.each(Array.from({ length: 20 }, (_, seed) => seed))(
    'is never called different (schedule %i)',
    async (seed) => {
      const pair = createMemoryPair({ kind: 'logical', tables: [items()], seed, rowVersions: false });
      const { world } = pair;
      let note = 'to';
      world.onTick = () => {
        if (world.random.chance(0.5)) {
          note = note === 'to' ? 'fro' : 'to';
          for (const id of [7n, 8n, 9n]) {
            const slot = world.rows('primary', T)[rowOf(pair, 'primary', id)]?.slot ?? -1;
            world.write((transaction) => void transaction.update(T, slot, { note }));
          }
        }
        if (world.random.chance(0.5)) world.applyAll();
      };
      const { outcome } = await verifyPair(pair);
      expect(outcome).not.toBe('different');
    },
  );
});

/** Where the row stands in a site's physical order, as tampering counts. */
function rowOf({ world }: MemoryPair, site: 'primary' | 'candidate', id: bigint): number {
  const wanted = Buffer.alloc(8);
  wanted.writeBigInt64BE(id);
  return world.rows(site, T).findIndex(({ row }) => Buffer.from(row.fields[0] ?? []).equals(wanted));
}
