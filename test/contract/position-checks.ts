import { describe, expect, it } from 'vitest';
import type { Position } from '../../src/connector/position.ts';
import { signalFor, type ContractPair, type TableName } from './pair.ts';
import { failureOf } from './reading.ts';
import { keyedTable, keyOfRow } from './tables.ts';

const ORDERS = ['before', 'equal', 'after'] as const;
const MIRRORED = { before: 'after', after: 'before', equal: 'equal', incomparable: 'incomparable' } as const;

export function describePositions(pair: () => ContractPair): void {
  const head = async (): Promise<Position> => (await pair().primary.head(signalFor())).head;
  const commit = (table: TableName, key: number): Promise<void> =>
    pair().insert(table, [['commit', keyOfRow(key), null]]);

  describe('positions', () => {
    it('the head moves with every commit', async () => {
      const table = keyedTable('positions_head', 0);
      await pair().createTable(table);
      let last = await head();
      for (let key = 0; key < 3; key++) {
        await commit(table, key);
        const next = await head();
        expect(pair().primary.comparePositions(last, next)).toBe('before');
        last = next;
      }
    });

    it('the candidate reaches the head, and says so', async () => {
      const table = keyedTable('positions_applied', 0);
      await pair().createTable(table);
      await commit(table, 1);
      const target = await head();
      await pair().caughtUp();
      const reached = async (): Promise<string> => {
        const { applied } = await pair().candidate.applied(signalFor());
        return applied === null ? 'unknown' : pair().candidate.comparePositions(applied, target);
      };
      await expect.poll(reached, { timeout: 30_000, interval: 100 }).toMatch(/^(equal|after)$/);
      const lag = await pair().candidate.lag(signalFor());
      expect(lag.applied).not.toBeNull();
    });

    it('the order of positions is an order', async () => {
      const table = keyedTable('positions_order', 0);
      await pair().createTable(table);
      const sample = [await head()];
      for (let key = 0; key < 4; key++) {
        await commit(table, key);
        sample.push(await head());
      }
      const compare = pair().primary.comparePositions.bind(pair().primary);
      for (const [left, a] of sample.entries()) {
        for (const [right, b] of sample.entries()) {
          expect(compare(a, b)).toBe(ORDERS[Math.sign(left - right) + 1]);
          expect(compare(b, a)).toBe(MIRRORED[compare(a, b)]);
          // Both connectors order alike.
          expect(pair().candidate.comparePositions(a, b)).toBe(compare(a, b));
        }
      }
    });

    it('a position of another lineage compares with nothing', async () => {
      const { foreignPosition, primary } = pair();
      expect(primary.comparePositions(foreignPosition, await head())).toBe('incomparable');
      expect(primary.comparePositions(await head(), foreignPosition)).toBe('incomparable');
    });

    it('only the primary has a head', async () => {
      expect(await failureOf(pair().candidate.head(signalFor()))).toBeInstanceOf(Error);
    });

    it('is not quiet while a transaction that has written goes on', async () => {
      const table = keyedTable('positions_quiet', 1);
      await pair().createTable(table);
      const rollBack = await pair().beginInsert(table, ['open', keyOfRow(7), null]);
      try {
        expect((await pair().primary.head(signalFor())).quiet).not.toBe(true);
      } finally {
        await rollBack();
      }
      const quiet = async (): Promise<boolean> => (await pair().primary.head(signalFor())).quiet !== false;
      await expect.poll(quiet, { timeout: 30_000, interval: 100 }).toBe(true);
      expect(await pair().primary.commitsPending([], signalFor())).not.toBe('pending');
    });
  });
}
