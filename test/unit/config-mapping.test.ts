import { describe, expect, it } from 'vitest';
import { chooseSites } from '../../src/commands/sites.ts';
import { parseConfig } from '../../src/config/load.ts';
import { isEmptyMapping, type Mapping, NOTHING_SAID } from '../../src/config/mapping.ts';
import { TwinproofError } from '../../src/errors.ts';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const SYSTEM = (mapping: string, own = '') => `systems:
  shop:
    primary: { url: "postgres://v@p/shop" }
    candidates:
      - { name: far, url: "mysql://v@c/shop"${own} }
      - { name: near, url: "mysql://v@n/shop" }
    policy: { applyWithin: 3s }
    mapping: ${mapping}
`;

function mappingIn(mapping: string): Mapping | undefined {
  return parseConfig(SYSTEM(mapping), 'twinproof.yaml', {}).systems[0]?.mapping;
}

function failureOf(work: () => unknown): TwinproofError {
  try {
    work();
  } catch (error) {
    if (error instanceof TwinproofError) return error;
    throw error;
  }
  throw new Error('it did not throw');
}

describe('the mapping of names', () => {
  it('is read with names, meanings and time zones, and nothing where nothing is said', () => {
    const mapping = mappingIn(`{
      tables: { "public.orders": "shop.purchases" },
      columns: { "public.orders": { active: { as: boolean }, at: { zone: Asia/Seoul }, note: { name: remark, as: text }, pad: { trim: true }, sum: { scale: 2 } } } }`);
    expect(mapping).toEqual({
      tables: new Map([['public.orders', 'shop.purchases']]),
      columns: new Map([
        [
          'public.orders',
          new Map([
            ['active', { ...NOTHING_SAID, as: 'boolean' }],
            ['at', { ...NOTHING_SAID, zone: 'Asia/Seoul' }],
            ['note', { ...NOTHING_SAID, name: 'remark', as: 'text' }],
            ['pad', { ...NOTHING_SAID, trim: true }],
            ['sum', { ...NOTHING_SAID, scale: 2 }],
          ]),
        ],
      ]),
    });
    const empty = mappingIn('{}');
    expect(empty === undefined ? null : isEmptyMapping(empty)).toBe(true);
  });

  it.each<[string, string, string]>([
    [
      'a table without a schema',
      '{ tables: { orders: shop.orders } }',
      'mapping.tables.orders: the primary’s table',
    ],
    [
      'a candidate’s table without one',
      '{ tables: { a.b: orders } }',
      'mapping.tables."a.b": schema.table is wanted',
    ],
    [
      'two tables that are one',
      '{ tables: { a.b: x.y, a.c: x.y } }',
      'mapping.tables."a.c": another table is mapped',
    ],
    [
      'two columns that are one',
      '{ columns: { a.b: { c: { name: x }, d: { name: x } } } }',
      'mapping.columns."a.b".d: another column is mapped',
    ],
    [
      'a column of which nothing is said',
      '{ columns: { a.b: { c: {} } } }',
      'name, as, zone, trim or scale is wanted',
    ],
    [
      'a form that there is not',
      '{ columns: { a.b: { c: { as: money } } } }',
      '.c.as: one of boolean, integer',
    ],
    ['an unknown key', '{ columns: { a.b: { c: { zoned: UTC } } } }', 'c.zoned: is not a known key'],
    [
      'an unknown zone',
      '{ columns: { a.b: { c: { zone: Mars/Olympus } } } }',
      'a time zone by its IANA name',
    ],
    ['an offset', '{ columns: { a.b: { c: { zone: "+09:00" } } } }', 'a time zone by its IANA name'],
    ['a columns’ table without a schema', '{ columns: { b: { c: { as: text } } } }', 'the primary’s table'],
    ['no mapping at all', '[a]', 'systems.shop.mapping: a block of keys is wanted'],
  ])('refuses %s, with the line', (_, mapping, message) => {
    const { code, message: said } = failureOf(() => mappingIn(mapping));
    expect(code).toBe('TP-CONFIG');
    expect(said).toContain(message);
    expect(said).toMatch(/^twinproof\.yaml:8:\d+: systems\.shop\.mapping/);
  });
});

describe('the mapping of a pair', () => {
  const choose = async (content: string, primary: string | null, candidate: string): Promise<Mapping> => {
    const folder = mkdtempSync(path.join(tmpdir(), 'twinproof-mapping-'));
    const config = path.join(folder, 'twinproof.yaml');
    writeFileSync(config, content);
    const io = { environment: {}, stderr: () => undefined };
    const options = { primary, candidate, config, system: null, tables: [], exclude: [] };
    try {
      return (await chooseSites(options, io)).mapping;
    } finally {
      rmSync(folder, { recursive: true });
    }
  };
  const SYSTEM_WIDE = '{ tables: { a.b: s.t } }';
  const OWN = ', mapping: { tables: { a.b: own.t } }';

  it('is the candidate’s own before its system’s', async () => {
    const content = SYSTEM(SYSTEM_WIDE, OWN);
    expect((await choose(content, null, 'far')).tables.get('a.b')).toBe('own.t');
    expect((await choose(content, null, 'near')).tables.get('a.b')).toBe('s.t');
  });

  it('is refused where the sites stand in other roles than it was written for', async () => {
    const content = SYSTEM(SYSTEM_WIDE, OWN);
    for (const [primary, candidate] of [
      ['shop/far', 'shop/primary'],
      ['shop/far', 'shop/near'],
    ] as const) {
      await expect(choose(content, primary, candidate)).rejects.toMatchObject({ code: 'TP-USAGE' });
    }
    expect(isEmptyMapping(await choose(SYSTEM('{}'), 'shop/far', 'shop/primary'))).toBe(true);
  });

  it('waits as the policy says', () => {
    const [system] = parseConfig(SYSTEM('{}'), 'twinproof.yaml', {}).systems;
    expect(system?.policy.applyWithin).toBe(3000);
  });
});
