import { describe, expect, it } from 'vitest';
import { describeTable, signalFor, type ContractPair } from './pair.ts';
import { SITES } from './reading.ts';
import { compositeTable, keyedTable, keylessTable } from './tables.ts';

export function describeTableChecks(pair: () => ContractPair): void {
  const names = async (include: string[], exclude: string[]): Promise<string[]> => {
    const found = await pair().primary.describeTables({ include, exclude }, signalFor());
    return found.map((table) => table.name).sort();
  };

  describe('descriptions of tables', () => {
    it.each(SITES)('the %s finds columns, key and encodings', async (site) => {
      const table = compositeTable(`describe_${site} "ü"`, 4);
      await pair().createTable(table);
      await pair().caughtUp();
      const found = await describeTable(pair()[site], table);
      expect(found).toMatchObject({
        name: `${table.schema}.${table.table}`,
        schema: table.schema,
        table: table.table,
        key: table.key,
        obstacle: null,
      });
      expect(found.columns.map((column) => column.name)).toEqual(table.columns.map((column) => column.name));
      for (const column of found.columns) {
        expect(column.encodings[pair().kind]).not.toBeNull();
        // What may stand behind it differs: a length, a character set.
        expect(column.type.startsWith(column.baseType.split(' ')[0] ?? '')).toBe(true);
      }
    });

    it('both sites agree on types and encodings', async () => {
      const table = keyedTable('describe_both', 4);
      await pair().createTable(table);
      await pair().caughtUp();
      const primary = await describeTable(pair().primary, table);
      const candidate = await describeTable(pair().candidate, table);
      expect(candidate.columns).toEqual(primary.columns);
      expect(candidate.keyOrder).toBe(primary.keyOrder);
    });

    it('a table without a key has none', async () => {
      const table = keylessTable('describe_keyless', 4);
      await pair().createTable(table);
      expect((await describeTable(pair().primary, table)).key).toBeNull();
    });

    it('selects by pattern, and exclusion wins', async () => {
      for (const name of ['pick_one', 'pick_two', 'pick_three'])
        await pair().createTable(keyedTable(name, 1));
      expect(await names(['public.pick_t*'], [])).toEqual(['public.pick_three', 'public.pick_two']);
      expect(await names(['*'], ['public.pick_t??'])).toContain('public.pick_three');
      expect(await names(['public.pick_*'], ['*.pick_t*'])).toEqual(['public.pick_one']);
      expect(await names([], [])).toEqual([]);
      expect(await names(['public.PICK_ONE'], [])).toEqual([]);
    });

    it('the fingerprint stays while the definition does, and changes with it', async () => {
      const table = keyedTable('describe_altered', 4);
      await pair().createTable(table);
      const before = await describeTable(pair().primary, table);
      await pair().insert(table, [['later', 7n, null]]);
      expect((await describeTable(pair().primary, table)).fingerprint).toBe(before.fingerprint);
      await pair().addColumn(table, 'added', 'text');
      const after = await describeTable(pair().primary, table);
      expect(after.fingerprint).not.toBe(before.fingerprint);
      expect(after.columns.at(-1)?.name).toBe('added');
    });
  });
}
