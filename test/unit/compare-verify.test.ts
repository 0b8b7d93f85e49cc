import { describe, expect, it } from 'vitest';
import type { TableSpec } from '../../connectors/memory/heap-table.ts';
import { createMemoryPair, type MemoryPair } from '../../connectors/memory/pair.ts';
import type { WorldOptions } from '../../connectors/memory/world.ts';
import type { CheckpointData } from '../../src/compare/checkpoint.ts';
import { LocalRangeReader, type RangeReader } from '../../src/compare/range-reader.ts';
import type { Difference, TableResult, VerifyResult } from '../../src/compare/result.ts';
import { TwinproofError } from '../../src/errors.ts';
import { times } from './property-runs.ts';
import { verifyPair, WORLD_LIMITS } from './world-verify.ts';

const T = 'public.accounts';
const ROWS = 100;

function accounts(spec: Partial<TableSpec> = {}): TableSpec {
  return {
    name: T,
    columns: [
      { name: 'id', type: 'int8' },
      { name: 'owner', type: 'text' },
      { name: 'amount', type: 'int8' },
    ],
    key: ['id'],
    clustered: true,
    rows: Array.from({ length: ROWS }, (_, index) => [BigInt(index), `owner ${index}`, null]),
    ...spec,
  };
}

function makePair(kind: 'physical' | 'logical', options: Partial<WorldOptions> = {}): MemoryPair {
  return createMemoryPair({ kind, tables: [accounts()], seed: 5, ...options });
}

/** A write on the primary at every tick, to another row than the one of interest: the sites never stand still. */
function keepMoving({ world }: MemoryPair): void {
  let turn = 0;
  world.onTick = () => {
    turn++;
    const slot = world.rows('primary', T).at(-1)?.slot ?? -1;
    world.write((transaction) => void transaction.update(T, slot, { amount: BigInt(turn) }));
    if (turn % 3 === 0) world.applyAll();
  };
}

function only(result: VerifyResult): TableResult {
  const [table] = result.tables;
  if (table === undefined || result.tables.length > 1) throw new Error(`${result.tables.length} tables`);
  return table;
}

function codesOf({ reasons }: { readonly reasons: readonly { readonly code: string }[] }): string[] {
  return reasons.map(({ code }) => code);
}

/** Block ranges, key ranges and slices. */
const METHODS = [
  ['block', 'physical', accounts()],
  ['key', 'logical', accounts()],
  ['slice', 'logical', accounts({ clustered: false })],
  ['block', 'physical', accounts({ key: null })],
  ['slice', 'logical', accounts({ key: null })],
] as const;

describe.each(METHODS)('by %s on a %s pair', (method, kind, spec) => {
  const make = (): MemoryPair => createMemoryPair({ kind, tables: [spec], seed: 5 });

  it('counts every difference exactly, samples a few and hands out all', async () => {
    const pair = make();
    for (let row = 0; row < 30; row++) {
      pair.world.tamper({
        kind: 'update',
        table: T,
        row: row * 2,
        column: 'owner',
        value: 'x',
        version: 'new',
      });
    }
    pair.world.tamper({ kind: 'delete', table: T, row: 71 });
    pair.world.tamper({ kind: 'insert', table: T, values: [9999n, 'new', null] });
    const all: Difference[] = [];
    const result = await verifyPair(pair, { onDifference: async (each) => void all.push(each) });
    const table = only(result);
    expect(table).toMatchObject({ outcome: 'different', method });
    expect(codesOf(table)).toEqual(['TP-DIFFERENT']);
    // Rows without a key or an address are only present or absent.
    const byValue = spec.key === null && kind === 'logical';
    const { missing, extra, changed } = table.differences;
    const expected = byValue ? [31n, 31n, 0n] : [1n, 1n, 30n];
    // On a physical pair an insert may take the place that a delete has left.
    const inPlace = spec.key === null && kind === 'physical' ? [0n, 0n, 31n] : expected;
    expect([[missing, extra, changed]]).toEqual([missing === 0n ? inPlace : expected]);
    expect(table.samples).toHaveLength(WORLD_LIMITS.samplesMax);
    const counted = all.reduce((sum, { key }) => sum + BigInt(key['(rows)'] ?? 1), 0n);
    expect(counted).toBe(missing + extra + changed);
    const changes = all.filter((each) => each.kind === 'changed' && spec.key !== null);
    expect(changes.filter(({ columns }) => columns?.join() !== 'owner')).toEqual([]);
  });

  it('a change is found on moving sites too', async () => {
    const pair = make();
    keepMoving(pair);
    pair.world.tamper({ kind: 'update', table: T, row: 7, column: 'owner', value: 'x', version: 'new' });
    const result = await verifyPair(pair);
    // A table without a key, read by slices, is settled at a quiet time or not at all.
    const settled = method !== 'slice' || spec.key !== null;
    expect(result.outcome).toBeOneOf(settled ? ['different'] : ['different', 'unproven']);
  });

  it('retries what may pass, and what does not makes the table unproven', async () => {
    for (const [often, outcome, codes] of [
      [2, 'same', []],
      [40, 'unproven', ['TP-CONNECTION-LOST']],
    ] as const) {
      const pair = make();
      pair.world.inject({ site: 'candidate', operation: 'batch', nth: 3, error: 'retryable', times: often });
      const result = await verifyPair(pair);
      expect(result.outcome).toBe(outcome);
      expect([...new Set(codesOf(only(result)))]).toEqual(codes);
    }
  });

  it('a lost permission makes it unproven, with the reason', async () => {
    const pair = make();
    pair.world.inject({ site: 'primary', operation: 'readRange', nth: 1, error: 'permanent', times: 99 });
    const table = only(await verifyPair(pair));
    expect(table.outcome).toBe('unproven');
    expect(codesOf(table)).toContain('TP-PERMISSION');
  });

  it('a page of the candidate that cannot be read is a blocking reason', async () => {
    const pair = make();
    pair.world.corruptPage('candidate', T, 42);
    const table = only(await verifyPair(pair));
    expect(table.outcome).not.toBe('same');
    expect(table.reasons).toContainEqual(
      expect.objectContaining({ code: 'TP-UNREADABLE', severity: 'block' }),
    );
  });

  it('an interruption at any moment leaves a result that is not same, or none', async () => {
    const whole = make();
    await verifyPair(whole);
    const ticks = whole.world.now();
    const step = Math.max(1, Math.floor(ticks / times(12)));
    for (let at = 1; at < ticks; at += step) {
      const pair = make();
      pair.world.tamper({ kind: 'update', table: T, row: 3, column: 'owner', value: 'x', version: 'new' });
      const abort = new AbortController();
      const reason = new TwinproofError('TP-INTERRUPTED');
      pair.world.onTick = ({ tick }) => {
        if (tick === at) abort.abort(reason);
      };
      const ended = await verifyPair(pair, { signal: abort.signal }).then(
        ({ outcome }) => outcome,
        (error: unknown) => (error === reason ? 'refused' : error),
      );
      expect(ended).toBeOneOf(['refused', 'unproven', 'different']);
    }
  });

  it('an interrupted run of equal sites says so', async () => {
    const pair = make();
    const abort = new AbortController();
    pair.world.onTick = ({ operation }) => {
      if (operation === 'batch') abort.abort(new TwinproofError('TP-TIMEOUT'));
    };
    const result = await verifyPair(pair, { signal: abort.signal });
    expect(result.outcome).toBe('unproven');
    expect(codesOf(result)).toEqual(['TP-TIMEOUT']);
    expect(codesOf(only(result))).toEqual(['TP-TIMEOUT']);
  });
});

describe('settling', () => {
  it.each(['physical', 'logical'] as const)(
    'a %s row that never rests is unproven, and no other',
    async (kind) => {
      const pair = makePair(kind);
      keepMoving(pair);
      const table = only(await verifyPair(pair));
      expect(table.outcome).toBe('unproven');
      expect(codesOf(table)).toEqual(['TP-HOT-ROWS']);
      expect(table.reasons[0]?.message).toContain(`key ${ROWS - 1}`);
    },
  );

  it.each(['physical', 'logical'] as const)('a %s row that comes to rest is the same', async (kind) => {
    const pair = makePair(kind);
    keepMoving(pair);
    const write = pair.world.onTick;
    pair.world.onTick = async (moment) => {
      if (moment.tick < 60) await write?.(moment);
      else pair.world.applyAll();
    };
    expect((await verifyPair(pair)).outcome).toBe('same');
  });

  it('a commit that the candidate shows and the primary does not is never a difference', async () => {
    for (const kind of ['physical', 'logical'] as const) {
      const pair = makePair(kind);
      const transaction = pair.world.begin();
      transaction.update(T, 5, { owner: 'pending' });
      transaction.commit('pending');
      pair.world.applyNext();
      const table = only(await verifyPair(pair));
      expect(table.outcome).toBe('unproven');
      expect(codesOf(table)).toEqual(['TP-COMMITS-PENDING']);
    }
  });

  it('nor is one when it cannot be known whether a commit waits', async () => {
    const pair = makePair('logical');
    pair.world.seesTransactions = false;
    pair.world.tamper({ kind: 'delete', table: T, row: 5 });
    const table = only(await verifyPair(pair));
    expect(codesOf(table)).toEqual(['TP-COMMITS-PENDING']);
    expect(table.outcome).toBe('unproven');
  });

  it('a candidate that never catches up leaves its rows unproven', async () => {
    for (const kind of ['physical', 'logical'] as const) {
      const pair = makePair(kind);
      pair.world.stalled = true;
      pair.world.write((transaction) => void transaction.update(T, 5, { owner: 'later' }));
      const table = only(await verifyPair(pair));
      expect(table.outcome).toBe('unproven');
      expect(codesOf(table)).toEqual(['TP-CATCH-UP']);
    }
  });

  /** The candidate applies one commit of `commits` each `everyMs`. */
  function applySlowly({ world }: MemoryPair, commits: number, everyMs: number): void {
    for (let slot = 0; slot < commits; slot++)
      world.write((transaction) => void transaction.update(T, slot, { owner: 'later' }));
    let dueMs = everyMs;
    world.onTick = () => {
      if (world.now() < dueMs) return;
      dueMs += everyMs;
      world.applyNext();
    };
  }

  it('a candidate that is slow and moves is waited for longer than one that stands still', async () => {
    const pair = makePair('logical');
    const everyMs = WORLD_LIMITS.catchUpMs * 0.75;
    applySlowly(pair, 3, everyMs);
    expect((await verifyPair(pair)).outcome).toBe('same');
    expect(pair.world.now()).toBeGreaterThan(3 * everyMs);
  });

  it('but not for ever, and once a run', async () => {
    const pair = makePair('logical');
    const { catchUpMs } = WORLD_LIMITS;
    applySlowly(pair, 40, catchUpMs * 0.75);
    const table = only(await verifyPair(pair));
    expect(table.outcome).toBe('unproven');
    expect(codesOf(table)).toContain('TP-CATCH-UP');
    expect(pair.world.now()).toBeLessThan(25 * catchUpMs);
  });

  it.each(['candidate', 'primary'] as const)(
    'a row that the index of the %s has lost is no loss',
    async (site) => {
      for (const moving of [false, true]) {
        const pair = makePair('logical');
        const slot = pair.world.rows(site, T).find(({ row }) => row.fields[0]?.at(-1) === 5)?.slot ?? -1;
        pair.world.corruptIndex(site, T, slot);
        if (moving) keepMoving(pair);
        const table = only(await verifyPair(pair));
        expect(table.outcome).toBe('different');
        expect(table.differences).toEqual({ missing: 0n, extra: 0n, changed: 0n });
        expect(table.reasons[0]).toMatchObject({ code: 'TP-INDEX-CORRUPT', severity: 'block' });
      }
    },
  );

  it.each(['physical', 'logical'] as const)(
    'a %s key that is there twice is one row too many',
    async (kind) => {
      const pair = makePair(kind);
      pair.world.tamper({ kind: 'duplicate', table: T, row: 5 });
      const table = only(await verifyPair(pair));
      expect(table.outcome).toBe('different');
      expect(table.differences).toEqual({ missing: 0n, extra: 1n, changed: 0n });
    },
  );

  it('a key that is there twice is found on moving sites', async () => {
    const pair = makePair('logical');
    pair.world.tamper({ kind: 'duplicate', table: T, row: 5 });
    keepMoving(pair);
    const table = only(await verifyPair(pair));
    expect(table.outcome).toBe('different');
    expect(table.differences).toEqual({ missing: 0n, extra: 1n, changed: 0n });
  });
});

describe('ranges that are too large', () => {
  /** Refuses ranges of more than so many rows, as a sink does. */
  function refusing(pair: MemoryPair, rowsMax: number): RangeReader {
    const reader = new LocalRangeReader(pair.primary, pair.candidate);
    return {
      read: async (shapes, range, signal) => {
        const reading = await reader.read(shapes, range, signal);
        if (reading.primary.rows > rowsMax) throw new TwinproofError('TP-RANGE-TOO-LARGE');
        return reading;
      },
      close: () => reader.close(),
    };
  }

  it.each(['physical', 'logical'] as const)(
    'are read in parts on a %s pair, to the same answer',
    async (kind) => {
      for (const tampered of [false, true]) {
        const pair = makePair(kind, { rowsPerBlock: 1 });
        if (tampered) pair.world.tamper({ kind: 'delete', table: T, row: 33 });
        const table = only(await verifyPair(pair, { reader: refusing(pair, 3) }));
        expect(table.outcome).toBe(tampered ? 'different' : 'same');
        expect(table.rows.primary).toBe(BigInt(ROWS));
        expect(table.differences.missing).toBe(tampered ? 1n : 0n);
      }
    },
  );

  it('are unproven when nothing is left to split', async () => {
    const pair = makePair('physical', { rowsPerBlock: 8 });
    const table = only(await verifyPair(pair, { reader: refusing(pair, 3) }));
    expect(table.outcome).toBe('unproven');
    expect(codesOf(table)).toContain('TP-READ-FAILED');
  });
});

describe('definitions', () => {
  it('a column added on both sites meanwhile is compared in a second run', async () => {
    const pair = makePair('physical');
    pair.world.onTick = ({ tick }) => {
      if (tick !== 20) return;
      pair.world.alterPrimary({
        kind: 'addColumn',
        table: T,
        column: { name: 'c', type: 'text' },
        value: 'v',
      });
      pair.world.applyAll();
    };
    expect((await verifyPair(pair)).outcome).toBe('same');
  });

  it('one that keeps changing is unproven', async () => {
    const pair = makePair('physical');
    pair.world.onTick = ({ tick, operation }) => {
      if (operation !== 'batch') return;
      const column = { name: `c${tick}`, type: 'text' } as const;
      pair.world.alterPrimary({ kind: 'addColumn', table: T, column, value: null });
      pair.world.applyAll();
    };
    const table = only(await verifyPair(pair));
    expect(table.outcome).toBe('unproven');
    expect(codesOf(table)).toContain('TP-DEFINITION-CHANGED');
  });

  it('a column dropped on the candidate meanwhile is never the same', async () => {
    const pair = makePair('logical');
    pair.world.onTick = ({ tick }) => {
      if (tick === 20) pair.world.alterCandidate({ kind: 'dropColumn', table: T, column: 'amount' });
    };
    expect((await verifyPair(pair)).outcome).not.toBe('same');
  });
});

describe('a run that takes over', () => {
  async function runWith(pair: MemoryPair, data: CheckpointData): Promise<VerifyResult> {
    return verifyPair(pair, { checkpoint: { load: async () => data, save: async () => undefined } });
  }

  it('reads only what was not proven, and says since when', async () => {
    const data: CheckpointData = { tables: {} };
    const pair = makePair('physical');
    const first = await runWith(pair, data);
    expect(first.resumed).toBeNull();
    const second = await runWith(pair, data);
    expect(second.outcome).toBe('same');
    expect(second.bytesRead).toBeLessThan(first.bytesRead);
    // The last range is open, and is read again.
    expect(second.bytesRead).toBeGreaterThan(0n);
    expect(only(second).rows).toEqual({ primary: BigInt(ROWS), candidate: BigInt(ROWS) });
    expect(second.resumed?.ranges).toBeGreaterThan(3);
    expect(second.resumed?.provenSince.getTime()).toBeLessThanOrEqual(first.finishedAt.getTime());
  });

  it('takes nothing over that differed', async () => {
    const data: CheckpointData = { tables: {} };
    const pair = makePair('physical');
    pair.world.tamper({ kind: 'delete', table: T, row: 33 });
    expect((await runWith(pair, data)).outcome).toBe('different');
    expect((await runWith(pair, data)).outcome).toBe('different');
  });

  it('takes nothing over from another definition', async () => {
    const data: CheckpointData = { tables: {} };
    const pair = makePair('physical');
    await runWith(pair, data);
    pair.world.alterPrimary({ kind: 'addColumn', table: T, column: { name: 'c', type: 'text' }, value: 'v' });
    pair.world.applyAll();
    expect((await runWith(pair, data)).resumed).toBeNull();
  });
});

describe('the scope', () => {
  const rest = accounts({ name: 'public.rest', rows: [] });

  it('an empty one is unproven', async () => {
    const result = await verifyPair(makePair('logical'), {
      selection: { include: ['no.such'], exclude: [] },
    });
    expect(result.outcome).toBe('unproven');
    expect(codesOf(result)).toContain('TP-EMPTY-SCOPE');
  });

  it('what is excluded is listed, by whose decision', async () => {
    const pair = makePair('logical', { tables: [accounts(), rest] });
    const result = await verifyPair(pair, { selection: { include: ['*.*'], exclude: ['public.rest'] } });
    expect(result.outcome).toBe('same');
    expect(result.coverage).toEqual({
      tables: 1,
      compared: 1,
      excluded: [{ table: 'public.rest', reason: expect.stringContaining('public.rest') }],
    });
  });

  it('a table that one site lacks is a difference', async () => {
    for (const [site, code] of [
      ['candidate', 'TP-TABLE-MISSING'],
      ['primary', 'TP-TABLE-EXTRA'],
    ] as const) {
      const pair = makePair('logical', { tables: [accounts(), rest] });
      pair.world.site(site).tables.delete('public.rest');
      const result = await verifyPair(pair);
      expect(result.outcome).toBe('different');
      expect(result.tables.map(codesOf)).toEqual([[], [code]]);
    }
  });
});
