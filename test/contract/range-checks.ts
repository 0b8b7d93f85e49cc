import { describe, expect, it } from 'vitest';
import type { Range } from '../../src/connector/contract.ts';
import {
  expectedBody,
  shapesOf,
  signalFor,
  type ContractPair,
  type ContractTable,
  type ContractTraits,
} from './pair.ts';
import {
  BYTES_MAX,
  hexOf,
  multiset,
  planFor,
  rangeKinds,
  readPlan,
  readRange,
  SITES,
  withoutAddress,
} from './reading.ts';
import { compositeTable, keyedTable, keylessTable, keyOfRow } from './tables.ts';

const TABLES: readonly ContractTable[] = [
  keyedTable('ranges_keyed', 700),
  compositeTable('ranges_composite', 300),
  keylessTable('ranges_keyless', 300),
  keyedTable('ranges_one', 1),
  keyedTable('ranges_none', 0),
];

export function describeRanges(pair: () => ContractPair, { kind: pairKind }: ContractTraits): void {
  describe('ranges', () => {
    it.each(TABLES)('cover every row of $table once, in the same bytes on both sites', async (table) => {
      await pair().createTable(table);
      await pair().caughtUp();
      const shapes = await shapesOf(pair(), table);
      const expected = table.rows.map((row) => expectedBody(shapes.primary, table, row));
      for (const kind of rangeKinds(pair(), shapes.primary)) {
        const plan = await planFor(pair(), shapes, kind, 64);
        const read = {
          primary: await readPlan(pair().primary, shapes.primary, plan.primary),
          candidate: await readPlan(pair().candidate, shapes.candidate, plan.candidate),
        };
        for (const site of SITES) {
          expect(read[site]).toHaveLength(table.rows.length);
          if (expected.includes(null)) continue;
          expect(multiset(withoutAddress(shapes[site], read[site]))).toEqual(multiset(expected));
        }
        // Slices are each site's own; other ranges bring equal rows in equal order.
        const inOrder = kind === 'slice' ? multiset : hexOf;
        expect(inOrder(read.candidate)).toEqual(inOrder(read.primary));
      }
    });

    // Only physical pairs have common addresses.
    const addressed = pairKind === 'physical' ? ['address'] : [];
    it.each(addressed)('reads rows by %s too, which tells them apart', async () => {
      const table = keyedTable('ranges_address', 50);
      await pair().createTable(table);
      await pair().caughtUp();
      const shapes = await shapesOf(pair(), table, 'address');
      const plan = await planFor(pair(), shapes, 'block', 20);
      const rows = await readPlan(pair().primary, shapes.primary, plan.primary);
      expect(new Set(hexOf(rows)).size).toBe(50);
      expect(hexOf(await readPlan(pair().candidate, shapes.candidate, plan.candidate))).toEqual(hexOf(rows));
    });

    it('cover rows that come after the plan was made', async () => {
      for (const rowCount of [0, 40]) {
        const table = keyedTable(`ranges_late_${rowCount}`, rowCount);
        await pair().createTable(table);
        const shapes = await shapesOf(pair(), table);
        for (const [turn, kind] of rangeKinds(pair(), shapes.primary).entries()) {
          const { primary } = await planFor(pair(), shapes, kind, 10);
          const before = await readPlan(pair().primary, shapes.primary, primary);
          const keys = [keyOfRow(-2 - turn), keyOfRow(1_000 + turn), BigInt(3 + turn)];
          await pair().insert(
            table,
            keys.map((key) => ['late', key, null]),
          );
          const after = await readPlan(pair().primary, shapes.primary, primary);
          expect(after).toHaveLength(before.length + keys.length);
        }
      }
    });

    it('hold about as many rows as allowed', async () => {
      const table = keyedTable('ranges_bounded', 5_000);
      await pair().createTable(table);
      await pair().caughtUp();
      const shapes = await shapesOf(pair(), table);
      for (const kind of rangeKinds(pair(), shapes.primary)) {
        const { primary } = await planFor(pair(), shapes, kind, 500);
        expect(new Set(primary.map((range) => range.id)).size).toBe(primary.length);
        expect(primary.length).toBeLessThan(100);
        for (const range of primary) {
          expect(range).toMatchObject({ kind, table: shapes.primary.table.name });
          const rows = await readRange(pair().primary, shapes.primary, range);
          expect(rows.length).toBeLessThanOrEqual(1_000);
        }
      }
    });

    it('fewer bytes allowed make more ranges', async () => {
      const table = keyedTable('ranges_bytes', 2_000);
      await pair().createTable(table);
      const { primary: shape } = await shapesOf(pair(), table);
      const [kind = 'slice'] = rangeKinds(pair(), shape);
      const count = async (bytesMax: number): Promise<number> => {
        const options = { kind, rowsMax: 1_000_000, bytesMax };
        return (await pair().primary.planRanges(shape, options, signalFor())).length;
      };
      expect(await count(20_000)).toBeGreaterThan(await count(BYTES_MAX));
    });

    it('the same plan comes out twice under the same names', async () => {
      const table = keyedTable('ranges_named', 500);
      await pair().createTable(table);
      const shapes = await shapesOf(pair(), table);
      for (const kind of rangeKinds(pair(), shapes.primary)) {
        const first = await planFor(pair(), shapes, kind, 50);
        const second = await planFor(pair(), shapes, kind, 50);
        expect(second.primary.map((range) => range.id)).toEqual(first.primary.map((range) => range.id));
      }
    });

    it('split into parts with the same rows, until nothing is left to split', async () => {
      const table = keyedTable('ranges_split', 600);
      await pair().createTable(table);
      await pair().caughtUp();
      const shapes = await shapesOf(pair(), table);
      for (const kind of rangeKinds(pair(), shapes.primary)) {
        const whole = await planFor(pair(), shapes, kind, 1_000_000);
        let open: readonly Range[] = whole.primary;
        const final: Range[] = [];
        for (let round = 0; open.length > 0; round++) {
          expect(round).toBeLessThan(60);
          const next: Range[] = [];
          for (const range of open) {
            const parts = await pair().primary.splitRange(shapes.primary, range, signalFor());
            if (parts.length === 0 || round >= 3) final.push(range);
            else next.push(...parts);
          }
          open = next;
        }
        expect(new Set(final.map((range) => range.id)).size).toBe(final.length);
        const rows = await readPlan(pair().primary, shapes.primary, final);
        const together = await readPlan(pair().primary, shapes.primary, whole.primary);
        expect(multiset(rows)).toEqual(multiset(together));
      }
    });
  });
}
