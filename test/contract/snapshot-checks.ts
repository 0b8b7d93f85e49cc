import { describe, expect, it } from 'vitest';
import { CollectingSink } from './collecting-sink.ts';
import { shapesOf, signalFor, type ContractPair, type ContractTable, type Shapes } from './pair.ts';
import { hexOf, multiset, planFor, rangeKinds, readPlan, SITES } from './reading.ts';
import { keyedTable, keyOfRow } from './tables.ts';
import type { Range } from '../../src/connector/contract.ts';

export function describeSnapshots(pair: () => ContractPair): void {
  /** A table and the one range that holds it. */
  const prepare = async (table: ContractTable): Promise<{ shapes: Shapes; range: Range }> => {
    await pair().createTable(table);
    await pair().caughtUp();
    const shapes = await shapesOf(pair(), table);
    const [kind = 'slice'] = rangeKinds(pair(), shapes.primary);
    const { primary } = await planFor(pair(), shapes, kind, 1_000_000);
    const [range] = primary;
    if (range === undefined || primary.length > 1) throw new Error(`${primary.length} ranges for one`);
    return { shapes, range };
  };

  describe('reads of a range', () => {
    it('bring rows intact into spaces of any size', async () => {
      const wide = keyedTable('read_wide', 60);
      const long = 'long '.repeat(30_000);
      const rows = [...wide.rows, [long, keyOfRow(900), new Uint8Array(70_000).fill(0x44)]];
      const { shapes, range } = await prepare({ ...wide, rows });
      const usual = await readPlan(pair().primary, shapes.primary, [range]);
      for (const spaceBytes of [64, 1_000]) {
        for (const site of SITES) {
          const read = await readPlan(pair()[site], shapes[site], [range], spaceBytes);
          expect(multiset(read)).toEqual(multiset(usual));
        }
      }
      expect(usual).toHaveLength(rows.length);
    });

    it.each(SITES)('on the %s call onSnapshot once, before any row', async (site) => {
      for (const rowCount of [0, 300]) {
        const { shapes, range } = await prepare(keyedTable(`read_call_${site}_${rowCount}`, rowCount));
        const sink = new CollectingSink(256);
        const rowsAtCall: number[] = [];
        const onSnapshot = (): void => {
          rowsAtCall.push(sink.rows.length);
        };
        await pair()[site].readRange({ shape: shapes[site], range, onSnapshot }, sink, signalFor());
        expect(rowsAtCall).toEqual([0]);
        expect(sink.rows).toHaveLength(rowCount);
      }
    });

    it('do not see what is written after onSnapshot', async () => {
      const table = keyedTable('read_frozen', 2_000);
      const { shapes, range } = await prepare(table);
      const before = await readPlan(pair().primary, shapes.primary, [range]);
      const sink = new CollectingSink(512);
      const writing: Promise<void>[] = [];
      const onSnapshot = (): void => {
        writing.push(
          pair().insert(table, [['new', keyOfRow(5_000), null]]),
          pair().update(table, { id: keyOfRow(1_990) }, { note: 'changed' }),
          pair().remove(table, { id: keyOfRow(1_995) }),
        );
      };
      await pair().primary.readRange({ shape: shapes.primary, range, onSnapshot }, sink, signalFor());
      await Promise.all(writing);
      expect(hexOf(sink.rows)).toEqual(hexOf(before));
      const after = await readPlan(pair().primary, shapes.primary, [range]);
      expect(multiset(after)).not.toEqual(multiset(before));
    });

    it('the candidate shows what the primary has written once it has caught up', async () => {
      const table = keyedTable('read_followed', 100);
      const { shapes, range } = await prepare(table);
      await pair().insert(table, [['new', keyOfRow(5_000), null]]);
      await pair().update(table, { id: keyOfRow(3) }, { note: 'changed', raw: null });
      await pair().update(table, { id: keyOfRow(4) }, { id: keyOfRow(6_000) });
      await pair().remove(table, { id: keyOfRow(5) });
      await pair().caughtUp();
      const primary = await readPlan(pair().primary, shapes.primary, [range]);
      const candidate = await readPlan(pair().candidate, shapes.candidate, [range]);
      expect(primary).toHaveLength(100);
      expect(multiset(candidate)).toEqual(multiset(primary));
    });

    it('run side by side on one connector', async () => {
      const { shapes, range } = await prepare(keyedTable('read_parallel', 400));
      const alone = await readPlan(pair().primary, shapes.primary, [range]);
      const together = await Promise.all(
        Array.from({ length: 8 }, (_, index) =>
          readPlan(pair().primary, shapes.primary, [range], 100 + 77 * index),
        ),
      );
      for (const rows of together) expect(hexOf(rows)).toEqual(hexOf(alone));
    });
  });
}
