import { describe, expect, it } from 'vitest';
import { createMemoryPair, type MemoryPair } from '../../connectors/memory/pair.ts';
import { bitmapOf, groupBuckets, mismatchedBuckets, rowsOf } from '../../src/compare/buckets.ts';
import { reason } from '../../src/compare/reasons.ts';
import type { TableResult } from '../../src/compare/result.ts';
import { NOTHING_SAID } from '../../src/config/mapping.ts';
import { Naming } from '../../src/compare/naming.ts';
import { planScope, type TablePlan } from '../../src/compare/scope.ts';
import { StillWindow } from '../../src/compare/still.ts';
import { overallOutcome, Tally } from '../../src/compare/tally.ts';
import { Throttle } from '../../src/compare/throttle.ts';
import type { ColumnDescription, PairKind, TableDescription } from '../../src/connector/table.ts';
import { WORLD_LIMITS, worldTiming } from './world-verify.ts';

function column(name: string, more: Partial<ColumnDescription> = {}): ColumnDescription {
  const encodings = { physical: 'pg-binary', logical: 'pg-binary', 'cross-engine': 'portable' } as const;
  const portable = { natural: ['integer', 'decimal'], onRequest: [], inZone: [] } as const;
  return { name, type: 'integer', baseType: 'integer', encodings, portable, ...more };
}

function table(more: Partial<TableDescription> = {}): TableDescription {
  return {
    name: 'public.t',
    schema: 'public',
    table: 't',
    columns: [column('a'), column('id'), column('b')],
    key: ['id'],
    keyOrder: 'portable',
    clustered: true,
    rowsEstimate: 10,
    bytesEstimate: 100,
    fingerprint: 'f',
    obstacle: null,
    handle: null,
    ...more,
  };
}

function planOf(pair: PairKind, primary: TableDescription, candidate = primary): TablePlan | TableResult {
  const naming = new Naming(pair, [primary], [candidate]);
  const { plans, settled } = planScope(naming, [primary], [candidate]);
  const [found, ...others] = [...plans, ...settled];
  if (found === undefined || others.length > 0) throw new Error('one table makes one plan');
  return found;
}

function codesOf(planned: TablePlan | TableResult): string[] {
  return ('outcome' in planned ? planned.reasons : planned.notes).map(({ code }) => code);
}

describe('planning a scope', () => {
  it('names tables that one site lacks', () => {
    const sites = [[table({ name: 'p.only' })], [table({ name: 'c.only' })]] as const;
    const { plans, settled } = planScope(new Naming('logical', ...sites), ...sites);
    expect(plans).toEqual([]);
    expect(settled.map(({ table: name, outcome, reasons }) => [name, outcome, reasons[0]?.code])).toEqual([
      ['p.only', 'different', 'TP-TABLE-MISSING'],
      ['c.only', 'different', 'TP-TABLE-EXTRA'],
    ]);
  });

  it('an obstacle on either site leaves the table unproven', () => {
    const hindered = table({ obstacle: { code: 'TP-X', message: 'no', hint: 'do' } });
    for (const [primary, candidate, site] of [
      [hindered, table(), 'primary'],
      [table(), hindered, 'candidate'],
    ] as const) {
      expect(planOf('physical', primary, candidate)).toMatchObject({
        outcome: 'unproven',
        reasons: [{ code: 'TP-X', message: `no (on the ${site})` }],
      });
    }
  });

  it.each<[string, ColumnDescription[], string, string[]]>([
    ['the same columns in another order', [column('b'), column('a'), column('id')], 'key', []],
    ['a column that the candidate lacks', [column('a'), column('id')], 'different', ['TP-COLUMN-MISSING']],
    [
      'a column of another type',
      [column('a'), column('id'), column('b', { type: 'bigint', baseType: 'bigint' })],
      'unproven',
      ['TP-COLUMN-TYPE'],
    ],
    [
      'a column with another modifier',
      [column('a'), column('id'), column('b', { type: 'integer(5)' })],
      'key',
      [],
    ],
    [
      'a column that only the candidate has',
      [column('a'), column('id'), column('b'), column('c')],
      'key',
      ['TP-COLUMN-EXTRA'],
    ],
  ])('%s', (_, columns, expected, codes) => {
    const planned = planOf('logical', table(), table({ columns }));
    expect('outcome' in planned ? planned.outcome : planned.method).toBe(expected);
    expect(codesOf(planned)).toEqual(codes);
  });

  it('a column without a canonical form leaves the table unproven, on that kind of pair only', () => {
    const encodings = { physical: 'pg-binary', logical: null, 'cross-engine': null } as const;
    const odd = table({ columns: [column('id'), column('x', { encodings })] });
    expect(codesOf(planOf('logical', odd))).toEqual(['TP-NO-ENCODING']);
    expect(planOf('physical', odd)).toMatchObject({ method: 'block', encoding: 'pg-binary' });
  });

  it.each<[PairKind, Partial<TableDescription>, Partial<TableDescription>, string, string, number]>([
    ['physical', {}, {}, 'block', 'key', 1],
    ['physical', { key: null }, { key: null }, 'block', 'address', 1],
    ['logical', {}, {}, 'key', 'key', 1],
    ['logical', {}, { clustered: false }, 'slice', 'key', 1],
    ['logical', { keyOrder: 'local' }, {}, 'slice', 'key', 1],
    ['logical', { key: ['id', 'b'] }, { key: ['b', 'id'] }, 'key', 'key', 2],
    ['logical', { key: null }, { key: null }, 'slice', 'value', 0],
    ['logical', { key: ['id'] }, { key: ['b'] }, 'slice', 'value', 0],
    ['logical', { key: ['id'] }, { key: null }, 'slice', 'value', 0],
    ['cross-engine', {}, {}, 'slice', 'key', 1],
  ])(
    'on a %s pair %j and %j are read by %s, told apart by %s',
    (pair, ours, theirs, method, identity, keyFields) => {
      const planned = planOf(pair, table(ours), table(theirs));
      expect(planned).toMatchObject({ method, shapes: { primary: { identity, keyFields, pair } } });
      const shapes = 'outcome' in planned ? null : planned.shapes;
      expect(shapes?.candidate.columns).toEqual(shapes?.primary.columns);
      const keyed = identity === 'key' ? (ours.key ?? ['id']) : [];
      expect(shapes?.primary.columns.slice(0, keyed.length).map(({ name }) => name)).toEqual(keyed);
      const differs = identity === 'value' && (ours.key ?? theirs.key ?? null) !== null;
      expect(codesOf(planned)).toEqual(differs ? ['TP-KEY-DIFFERS'] : []);
    },
  );

  it('the encoding of a table names all of its columns', () => {
    const text = { physical: 'pg-text', logical: 'pg-text', 'cross-engine': null } as const;
    const mixed = table({ columns: [column('id'), column('x', { encodings: text })] });
    expect(planOf('physical', mixed)).toMatchObject({ encoding: 'pg-binary+pg-text' });
    expect(planOf('physical', table({ columns: [], key: null }))).toMatchObject({ encoding: 'none' });
  });
});

describe('names of two engines', () => {
  const named = (name: string, more: Partial<TableDescription> = {}): TableDescription => {
    const [schema = '', ...rest] = name.split('.');
    return table({ name, schema, table: rest.join('.'), ...more });
  };
  const HOMES = { primary: 'public', candidate: 'shop' };
  const pairs = (
    primary: readonly TableDescription[],
    candidate: readonly TableDescription[],
    tables: readonly (readonly [string, string])[] = [],
  ): string[] => {
    const mapping = { tables: new Map(tables), columns: new Map() };
    const naming = new Naming('cross-engine', primary, candidate, mapping, HOMES);
    const { plans, settled } = planScope(naming, primary, candidate);
    return [
      ...plans.map(({ name, shapes }) => `${name} = ${shapes.candidate.table.name}`),
      ...settled.map(({ table: name, reasons }) => `${name} ${reasons[0]?.code ?? ''}`),
    ];
  };

  it('correspond by the same name, else by the home schemas', () => {
    const sites = [
      [named('public.a'), named('shop.b'), named('other.c')],
      [named('shop.a'), named('shop.b'), named('shop.c')],
    ] as const;
    expect(pairs(...sites)).toEqual([
      'public.a = shop.a',
      'shop.b = shop.b',
      'other.c TP-TABLE-MISSING',
      'public.c TP-TABLE-EXTRA',
    ]);
  });

  it('correspond by the mapping before all, and what is mapped away is not found under its own name', () => {
    const sites = [
      [named('public.a'), named('public.b')],
      [named('shop.a'), named('shop.b')],
    ] as const;
    const crossed = [
      ['public.a', 'shop.b'],
      ['public.b', 'shop.a'],
    ] as const;
    expect(pairs(...sites, crossed)).toEqual(['public.a = shop.b', 'public.b = shop.a']);
    expect(pairs(...sites, [['public.a', 'shop.gone']])).toEqual([
      'public.b = shop.b',
      'public.a TP-TABLE-MISSING',
      'shop.a TP-TABLE-EXTRA',
    ]);
  });

  it('never make two tables of the candidate one', () => {
    const primary = [named('public.a')];
    const candidate = [named('public.a'), named('public.b'), named('shop.a')];
    expect(pairs(primary, candidate, [['public.a', 'public.b']])).toEqual([
      'public.a = public.b',
      'public.a (of the candidate) TP-TABLE-EXTRA',
      'shop.a TP-TABLE-EXTRA',
    ]);
    expect(pairs(primary, candidate)).toEqual([
      'public.a = public.a',
      'public.b TP-TABLE-EXTRA',
      'shop.a TP-TABLE-EXTRA',
    ]);
  });

  it('of columns and keys are each site’s own, in one order', () => {
    const primary = named('public.a', { key: ['id', 'b'] });
    const candidate = named('shop.a', {
      columns: [column('beta'), column('a'), column('nr'), column('id')],
      key: ['beta', 'nr'],
    });
    const columns = new Map([
      ['id', { ...NOTHING_SAID, name: 'nr' }],
      ['b', { ...NOTHING_SAID, name: 'beta', as: 'decimal' as const }],
    ]);
    const mapping = { tables: new Map<string, string>(), columns: new Map([['public.a', columns]]) };
    const naming = new Naming('cross-engine', [primary], [candidate], mapping, HOMES);
    const [plan] = planScope(naming, [primary], [candidate]).plans;
    expect(plan?.shapes.primary).toMatchObject({ identity: 'key', keyFields: 2 });
    const read = (site: 'primary' | 'candidate'): string[] | undefined =>
      plan?.shapes[site].columns.map(({ name, encoding, form }) => `${name} ${encoding} ${form}`);
    expect(read('primary')).toEqual(['id portable integer', 'b portable decimal', 'a portable integer']);
    expect(read('candidate')).toEqual(['nr portable integer', 'beta portable decimal', 'a portable integer']);
    expect(plan?.notes.map(({ message }) => message)).toEqual([
      'only the candidate has "id"',
      'by the mapping of the configuration "b" is compared as decimal',
    ]);
  });
});

describe('what is known of a table', () => {
  const planned = planOf('logical', table());
  if ('outcome' in planned) throw new Error('the table can be compared');
  const why = reason('TP-READ-FAILED', 'public.t', 'x');

  it('is same until something speaks against it, and a difference outweighs what is unproven', () => {
    const tally = new Tally(planned, 2);
    expect(tally.outcome).toBe('same');
    tally.unproven(why);
    expect(tally.outcome).toBe('unproven');
    tally.count('missing', 3);
    expect(tally.outcome).toBe('different');
    expect(tally.result()).toMatchObject({ differences: { missing: 3n, extra: 0n, changed: 0n } });
    expect(tally.result().reasons.map(({ severity }) => severity)).toEqual(['block', 'warn']);
  });

  it('a broken index is as bad as a difference', () => {
    const tally = new Tally(planned, 2);
    tally.broken(reason('TP-INDEX-CORRUPT', 'public.t', 'x'));
    expect(tally.outcome).toBe('different');
    expect(tally.result().differences).toEqual({ missing: 0n, extra: 0n, changed: 0n });
  });

  it('keeps a few samples and reasons, and counts all', () => {
    const tally = new Tally(planned, 2);
    for (let row = 0; row < 9; row++) {
      tally.unproven(why);
      tally.count('extra', 1);
      tally.sample({ table: 't', kind: 'extra', key: { id: String(row) } });
    }
    expect(tally.result()).toMatchObject({ samples: [{ key: { id: '0' } }, { key: { id: '1' } }] });
    expect(tally.result().reasons.filter(({ code }) => code === 'TP-READ-FAILED')).toHaveLength(5);
    expect(tally.differences).toBe(9n);
    expect(tally.samplesWanted).toBe(0);
  });

  it.each([
    [[], 'unproven'],
    [['same'], 'same'],
    [['same', 'unproven'], 'unproven'],
    [['unproven', 'different', 'same'], 'different'],
  ] as const)('of tables %j the run is %s', (outcomes, expected) => {
    expect(overallOutcome(outcomes)).toBe(expected);
  });
});

describe('buckets', () => {
  const words = (...rows: number[]): BigUint64Array =>
    BigUint64Array.from(rows.flatMap((count) => [BigInt(count), BigInt(count * 7), BigInt(count * 11)]));

  it('mismatch by count or by either sum', () => {
    const ours = words(1, 2, 3, 4, 5);
    const theirs = words(1, 2, 3, 4, 5);
    theirs[3] = 9n;
    theirs[7] = 9n;
    theirs[14] = 9n;
    expect(mismatchedBuckets(ours, theirs)).toEqual([1, 2, 4]);
    expect(mismatchedBuckets(ours, ours)).toEqual([]);
    expect(rowsOf(ours)).toBe(15n);
  });

  it('are cut into groups that fit, a bucket that fits nowhere alone', () => {
    const ours = words(10, 10, 10, 500, 10, 10);
    const theirs = words(9, 20, 10, 10, 10, 10);
    const all = [0, 1, 2, 3, 4, 5];
    const groups = groupBuckets(all, ours, theirs, 45);
    expect(groups).toEqual([[0, 1, 2], [3], [4, 5]]);
    expect(groupBuckets(all, ours, theirs, 1)).toEqual(all.map((bucket) => [bucket]));
    expect(groupBuckets([], ours, theirs, 45)).toEqual([]);
  });

  it('are one bit each in a sieve', () => {
    expect([...bitmapOf([0, 9, 15], 16)]).toEqual([1, 130]);
  });
});

describe('a stretch in which nothing moves', () => {
  const forever = new AbortController().signal;
  const make = (): { pair: MemoryPair; still: StillWindow; write: () => void } => {
    const pair = createMemoryPair({
      kind: 'logical',
      seed: 3,
      tables: [{ name: 'public.t', columns: [{ name: 'id', type: 'int8' }], key: ['id'] }],
    });
    let next = 0n;
    const write = (): void =>
      pair.world.write((transaction) => void transaction.insert('public.t', [next++]));
    const { primary, candidate } = pair;
    const sites = {
      primary,
      candidate,
      kind: 'logical',
      applyWithinMs: null,
      limits: WORLD_LIMITS,
      timing: worldTiming(pair),
    } as const;
    return { pair, still: new StillWindow(sites), write };
  };

  it('opens where the candidate stands at a quiet head, and holds until something is written', async () => {
    const { still, write, pair } = make();
    await still.open(forever);
    const window = still.current;
    expect(window).not.toBeNull();
    expect(await still.holds(window, forever)).toBe(true);
    write();
    pair.world.applyAll();
    expect(await still.holds(window, forever)).toBe(false);
    // The next one is open by then; reads that began in the first do not lie in it.
    expect(still.current).not.toBeNull();
    expect(await still.holds(window, forever)).toBe(false);
    expect(await still.holds(still.current, forever)).toBe(true);
  });

  it('does not open while the candidate lags, a transaction goes on, or none can be seen', async () => {
    const lagging = make();
    lagging.write();
    const writing = make();
    writing.pair.world.begin().insert('public.t', [7n]);
    const blind = make();
    blind.pair.world.seesTransactions = false;
    for (const { still } of [lagging, writing, blind]) {
      await still.open(forever);
      expect(still.current).toBeNull();
      expect(await still.holds(null, forever)).toBe(false);
    }
  });
});

describe('holding readers back', () => {
  it('by rate', async () => {
    const pair = createMemoryPair({ kind: 'logical', seed: 3, tables: [] });
    const sites = {
      ...pair,
      kind: 'logical',
      applyWithinMs: null,
      limits: WORLD_LIMITS,
      timing: worldTiming(pair),
      learnt: { isTooSlow: false },
    } as const;
    const throttle = new Throttle({ rowsPerSecondMax: 100, lagMaxMs: null }, sites, () => undefined);
    await throttle.admit(new AbortController().signal);
    expect(pair.world.now()).toBe(0);
    throttle.spent(250n);
    await throttle.admit(new AbortController().signal);
    expect(pair.world.now()).toBeGreaterThanOrEqual(2500);
  });

  it('by lag, until the candidate has caught up', async () => {
    const spec = { name: 'public.t', columns: [{ name: 'id', type: 'int8' }], key: ['id'] } as const;
    const pair = createMemoryPair({ kind: 'logical', seed: 3, tables: [spec] });
    pair.world.write((transaction) => void transaction.insert('public.t', [1n]));
    const sites = {
      ...pair,
      kind: 'logical',
      applyWithinMs: null,
      limits: WORLD_LIMITS,
      timing: worldTiming(pair),
      learnt: { isTooSlow: false },
    } as const;
    const throttle = new Throttle({ rowsPerSecondMax: null, lagMaxMs: 1000 }, sites, () => undefined);
    const paused: (string | null)[] = [];
    pair.world.onTick = ({ operation }) => {
      if (operation === 'sleep') paused.push(throttle.paused);
      if (pair.world.now() > 5000) pair.world.applyAll();
    };
    for (let range = 0; range < 30; range++) {
      await throttle.admit(new AbortController().signal);
      await pair.world.sleep(100);
    }
    expect(paused).toContain('the candidate is 2 s behind');
    expect(pair.world.now()).toBeGreaterThan(5000);
    expect(throttle.paused).toBeNull();
  });
});
