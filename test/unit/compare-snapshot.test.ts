import { describe, expect, it } from 'vitest';
import type { TableSpec } from '../../connectors/memory/heap-table.ts';
import { createMemoryPair, type MemoryPair } from '../../connectors/memory/pair.ts';
import type { Range } from '../../src/connector/contract.ts';
import { differingAtOnce } from '../../src/compare/snapshot-table.ts';
import type { SitePair } from '../../src/compare/site-pair.ts';
import { Throttle } from '../../src/compare/throttle.ts';
import { SinkPool } from '../../src/digest/sink-pool.ts';
import { keyFieldsOf } from '../../src/row/stream.ts';
import { shapesOf, signalFor } from '../contract/pair.ts';
import { WORLD_LIMITS, worldTiming } from './world-verify.ts';

/** A table too large for its keys to be settled one by one is read once more, each site as a whole. */
const T = 'public.items';
const ROWS = 2000;

const TABLE: TableSpec = {
  name: T,
  columns: [
    { name: 'id', type: 'int8' },
    { name: 'note', type: 'text' },
  ],
  key: ['id'],
  clustered: false,
  rows: Array.from({ length: ROWS }, (_, index) => [BigInt(index), `note ${index}`]),
};

function pairOf(): MemoryPair {
  return createMemoryPair({ kind: 'logical', tables: [TABLE], seed: 4, rowVersions: false });
}

/** The ids that differ, in order. */
async function differing(memory: MemoryPair, rowsEstimate = ROWS): Promise<number[]> {
  const { primary, candidate } = memory;
  const pair: SitePair = {
    primary,
    candidate,
    kind: 'logical',
    applyWithinMs: null,
    limits: WORLD_LIMITS,
    timing: worldTiming(memory),
    learnt: { isTooSlow: false },
  };
  const shapes = await shapesOf(
    { kind: 'logical', primary, candidate },
    { schema: 'public', table: 'items' },
  );
  const keys = await differingAtOnce({
    pair,
    plan: { shapes, rowsEstimate },
    sinks: new SinkPool(),
    slots: (work) => work(),
    throttle: new Throttle({ rowsPerSecondMax: null, lagMaxMs: null }, pair, () => undefined),
    onRows: () => undefined,
    signal: signalFor(),
  });
  const ids = keys.map((key) => Number(Buffer.from(keyFieldsOf(key)[0] ?? []).readBigInt64BE()));
  return ids.toSorted((a, b) => a - b);
}

describe('a table read as a whole', () => {
  it('has no differing rows where both sites are equal', async () => {
    expect(await differing(pairOf())).toEqual([]);
  });

  it('names each row that is missing, extra or changed once', async () => {
    const memory = pairOf();
    const { world } = memory;
    world.write((transaction) => {
      transaction.update(T, 7, { note: 'changed' });
      transaction.delete(T, 11);
    });
    expect(await differing(memory)).toEqual([7, 11]);
  });

  it('shows a row that moves about while the primary is read, where the candidate never had it', async () => {
    const memory = pairOf();
    const { world } = memory;
    world.dropCommit(world.head + 1);
    world.write((transaction) => void transaction.update(T, 1999, { note: 'lost' }));
    let slot: number | null = 1999;
    world.onTick = () => {
      if (world.site('primary').snapshotsOf(T) === 0) return;
      world.write((transaction) => {
        slot = transaction.update(T, slot ?? 1999, { note: 'lost' });
      });
    };
    expect(await differing(memory)).toEqual([1999]);
  });

  it('shows a commit that the candidate drops between the two reads', async () => {
    const memory = pairOf();
    const { world } = memory;
    let done = false;
    world.onTick = () => {
      if (done || world.site('candidate').snapshotsOf(T) === 0) return;
      done = true;
      world.dropCommit(world.head + 1);
      world.write((transaction) => void transaction.update(T, 7, { note: 'dropped' }));
      world.applyAll();
    };
    expect(await differing(memory)).toEqual([7]);
  });

  it('is too large where its rows do not fit, by the estimate or in fact, or the primary reads it in parts', async () => {
    const tooLarge = { code: 'TP-RANGE-TOO-LARGE' };
    await expect(differing(pairOf(), 1e9)).rejects.toMatchObject(tooLarge);
    const grown = pairOf();
    grown.world.write((transaction) => {
      for (let id = ROWS; id < 20_000; id++) transaction.insert(T, [BigInt(id), 'more']);
    });
    grown.world.applyAll();
    await expect(differing(grown)).rejects.toMatchObject(tooLarge);
    const parted = pairOf();
    const plan = parted.primary.planRanges.bind(parted.primary);
    parted.primary.planRanges = async (...asked): Promise<readonly Range[]> => {
      const ranges = await plan(...asked);
      return [...ranges, ...ranges];
    };
    await expect(differing(parted)).rejects.toMatchObject(tooLarge);
  });
});
