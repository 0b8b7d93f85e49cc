import { describe, expect, it } from 'vitest';
import type { RowShape } from '../../src/connector/contract.ts';
import { fieldsOf, frameFields } from '../../src/row/stream.ts';
import { integerBytes, shapesOf, signalFor, type ContractPair, type ContractTraits } from './pair.ts';
import { hexOf, multiset, readTable, SITES } from './reading.ts';
import { compositeTable, keyedTable, keylessTable, keyOfRow } from './tables.ts';

const ACCESS = ['index', 'heap'] as const;

/** The identity in a row body: its leading fields. */
function keyIn(shape: RowShape, body: Uint8Array): Uint8Array {
  return frameFields(fieldsOf(body).slice(0, shape.keyFields));
}

/** A bigint key as it stands in the stream of a shape. */
function integerKey(shape: RowShape, value: bigint): Uint8Array {
  return frameFields([integerBytes(shape, value)]);
}

export function describePointReads(pair: () => ContractPair, traits: ContractTraits): void {
  // What a pair does not have is not looked for.
  const addressed = traits.kind === 'physical' ? ['address'] : [];
  const versioned = traits.rowVersions ? ['version'] : [];
  describe('reads by identity', () => {
    const tables = [
      keyedTable('points_keyed', 300),
      compositeTable('points_composite', 200),
      keylessTable('points_keyless', 100),
    ];

    it.each(tables)('find exactly the rows of $table that were asked for', async (table) => {
      await pair().createTable(table);
      await pair().caughtUp();
      const shapes = await shapesOf(pair(), table);
      if (shapes.primary.identity === 'value') return;
      for (const site of SITES) {
        const rows = await readTable(pair(), site, shapes);
        const wanted = rows.filter((_, index) => index % 3 === 0);
        const keys = wanted.map((row) => keyIn(shapes[site], row));
        for (const access of ACCESS) {
          const found = await pair()[site].readRows(shapes[site], keys, access, signalFor());
          expect(multiset(found.map((each) => each.row))).toEqual(multiset(wanted));
          for (const each of found) expect(each.key).toEqual(keyIn(shapes[site], each.row));
        }
      }
    });

    it('know no rows for no keys, nor for keys that are not there', async () => {
      const table = keyedTable('points_absent', 20);
      await pair().createTable(table);
      await pair().caughtUp();
      const shapes = await shapesOf(pair(), table);
      const [row] = await readTable(pair(), 'primary', shapes);
      if (row === undefined) throw new Error('no row was read');
      await pair().remove(table, { id: keyOfRow(3) });
      await pair().caughtUp();
      const absent = [keyOfRow(3), 1n, -(2n ** 63n)].map((key) => integerKey(shapes.primary, key));
      for (const site of SITES) {
        for (const access of ACCESS) {
          const read = (keys: readonly Uint8Array[]) =>
            pair()[site].readRows(shapes[site], keys, access, signalFor());
          expect(await read([])).toEqual([]);
          expect(await read(absent)).toEqual([]);
          const found = await read([...absent, keyIn(shapes[site], row)]);
          expect(hexOf(found.map((each) => each.row))).toEqual(hexOf([row]));
        }
      }
    });

    it('take ten thousand keys at once', async () => {
      const table = keyedTable('points_many', 10_000);
      await pair().createTable(table);
      await pair().caughtUp();
      const { primary: shape } = await shapesOf(pair(), table);
      const keys = Array.from({ length: 10_000 }, (_, index) => integerKey(shape, keyOfRow(index + 50)));
      const found = await pair().primary.readRows(shape, keys, 'index', signalFor());
      expect(found).toHaveLength(9_950);
      const asked = new Set(hexOf(keys));
      expect(hexOf(found.map((each) => each.key)).every((key) => asked.has(key))).toBe(true);
      expect(new Set(hexOf(found.map((each) => each.key))).size).toBe(9_950);
    });

    it.each(versioned)('carry a %s that changes with every write, and only then', async () => {
      const table = keyedTable('points_versions', 3);
      await pair().createTable(table);
      const shapes = await shapesOf(pair(), table);
      const read = async (site: 'primary' | 'candidate', key: bigint): Promise<string | null> => {
        const keys = [integerKey(shapes[site], key)];
        const [found] = await pair()[site].readRows(shapes[site], keys, 'index', signalFor());
        if (found === undefined) throw new Error(`no row ${key}`);
        return found.version;
      };
      const first = await read('primary', keyOfRow(0));
      expect(first).not.toBeNull();
      expect(await read('primary', keyOfRow(0))).toBe(first);
      await pair().update(table, { id: keyOfRow(1) }, { note: 'other' });
      expect(await read('primary', keyOfRow(0))).toBe(first);
      await pair().update(table, { id: keyOfRow(0) }, { note: 'once' });
      const second = await read('primary', keyOfRow(0));
      await pair().update(table, { id: keyOfRow(0) }, { note: 'once' });
      const third = await read('primary', keyOfRow(0));
      expect(new Set([first, second, third]).size).toBe(3);
      await pair().caughtUp();
      const copied = await read('candidate', keyOfRow(0));
      expect(pair().kind === 'logical' || copied === third).toBe(true);
    });

    it('tell keys as a person reads them', async () => {
      const table = compositeTable('points_described', 30);
      await pair().createTable(table);
      await pair().caughtUp();
      const shapes = await shapesOf(pair(), table);
      const rows = await readTable(pair(), 'candidate', shapes);
      const keys = rows.map((row) => keyIn(shapes.candidate, row));
      const texts = await pair().candidate.describeKeys(shapes.candidate, keys, signalFor());
      const expected = table.rows.map(([, part, name]) => `${String(name)} ${String(part)}`);
      expect(texts.map((text) => `${text['이름']} ${text['part']}`).sort()).toEqual(expected.sort());
      expect(await pair().primary.describeKeys(shapes.primary, [], signalFor())).toEqual([]);
    });

    it.each(addressed)('name an %s too', async () => {
      const table = keylessTable('points_addresses', 5);
      await pair().createTable(table);
      const shapes = await shapesOf(pair(), table);
      const rows = await readTable(pair(), 'primary', shapes);
      const keys = rows.map((row) => keyIn(shapes.primary, row));
      const texts = await pair().primary.describeKeys(shapes.primary, keys, signalFor());
      expect(new Set(texts.map((text) => JSON.stringify(text))).size).toBe(5);
    });
  });
}
