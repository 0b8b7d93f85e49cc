import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MemoryConnector } from '../../connectors/memory/connector.ts';
import type { TableSpec } from '../../connectors/memory/heap-table.ts';
import { createMemoryPair } from '../../connectors/memory/pair.ts';
import type { Moment, WorldOptions } from '../../connectors/memory/world.ts';
import type { Range, RowShape } from '../../src/connector/contract.ts';
import type { TableDescription } from '../../src/connector/table.ts';
import { frameFields } from '../../src/row/stream.ts';
import { CollectingSink } from '../contract/collecting-sink.ts';
import { multiset } from '../contract/reading.ts';
import { livePlan } from './world-arbitrary.ts';
import { ScheduledWorld, type WorldPlan } from './world-schedule.ts';
import { times } from './property-runs.ts';

const SIGNAL = new AbortController().signal;
const ITEMS: TableSpec = {
  name: 'public.items',
  columns: [
    { name: 'id', type: 'int8' },
    { name: 'note', type: 'text' },
  ],
  key: ['id'],
  rows: Array.from({ length: 40 }, (_, index) => [BigInt(index), `note ${index}`]),
};
const T = ITEMS.name;

function makePair(options: Partial<WorldOptions> = {}): ReturnType<typeof createMemoryPair> {
  return createMemoryPair({ kind: 'physical', tables: [ITEMS], seed: 3, batchRows: 5, ...options });
}

function shapeFor(table: TableDescription, kind: 'physical' | 'logical'): RowShape {
  const key = table.key ?? [];
  const rest = table.columns.map((column) => column.name).filter((name) => !key.includes(name));
  const identity = key.length > 0 ? 'key' : kind === 'physical' ? 'address' : 'value';
  return {
    table,
    identity,
    columns: [...key, ...rest].map((name) => ({ name, encoding: 'pg-binary' })),
    keyFields: identity === 'address' ? 1 : key.length,
    pair: kind,
  };
}

async function shapeOf(
  connector: MemoryConnector,
  kind: 'physical' | 'logical' = 'physical',
): Promise<RowShape> {
  const [table] = await connector.describeTables({ include: ['*'], exclude: [] }, SIGNAL);
  if (table === undefined) throw new Error('no table');
  return shapeFor(table, kind);
}

function whole(kind: Range['kind']): Range {
  return { table: T, kind, id: 'all', from: null, to: null, rowsEstimate: 0 };
}

async function read(connector: MemoryConnector, shape: RowShape, range: Range): Promise<CollectingSink> {
  const sink = new CollectingSink(100);
  await connector.readRange({ shape, range }, sink, SIGNAL);
  return sink;
}

function keyOf(id: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigInt64(0, id);
  return frameFields([bytes]);
}

describe('faults on demand', () => {
  it.each([
    ['retryable', 'TP-CONNECTION-LOST', true],
    ['permanent', 'TP-PERMISSION', false],
    ['corrupt', 'TP-CORRUPT', false],
  ] as const)('%s at the second call, and only there', async (error, code, retryable) => {
    const pair = makePair();
    pair.world.inject({ site: 'primary', operation: 'identify', nth: 2, error });
    await pair.primary.identify(SIGNAL);
    await expect(pair.primary.identify(SIGNAL)).rejects.toMatchObject({ code, retryable });
    await pair.primary.identify(SIGNAL);
    await pair.candidate.identify(SIGNAL);
  });

  it('a read may break off with a part of its rows delivered', async () => {
    const pair = makePair();
    const shape = await shapeOf(pair.primary);
    pair.world.inject({ site: 'primary', operation: 'batch', nth: 4, error: 'retryable' });
    const sink = new CollectingSink();
    const broken = pair.primary.readRange({ shape, range: whole('block') }, sink, SIGNAL);
    await expect(broken).rejects.toMatchObject({ code: 'TP-CONNECTION-LOST' });
    expect(sink.rows.length).toBeGreaterThanOrEqual(15);
    expect(sink.rows.length).toBeLessThan(20);
    expect((await read(pair.primary, shape, whole('block'))).rows).toHaveLength(40);
  });

  it('a corrupt index hides a row from reads by key, not from the heap', async () => {
    const pair = makePair();
    const shape = await shapeOf(pair.candidate);
    pair.world.corruptIndex('candidate', T, 7);
    expect((await read(pair.candidate, shape, whole('key'))).rows).toHaveLength(39);
    expect((await read(pair.candidate, shape, whole('block'))).rows).toHaveLength(40);
    expect(await pair.candidate.readRows(shape, [keyOf(7n)], 'index', SIGNAL)).toHaveLength(0);
    expect(await pair.candidate.readRows(shape, [keyOf(7n)], 'heap', SIGNAL)).toHaveLength(1);
    expect((await read(pair.primary, shape, whole('key'))).rows).toHaveLength(40);
  });

  it('a corrupt page fails every read of it', async () => {
    const pair = makePair();
    const shape = await shapeOf(pair.candidate);
    pair.world.corruptPage('candidate', T, 7);
    await expect(read(pair.candidate, shape, whole('block'))).rejects.toMatchObject({ code: 'TP-CORRUPT' });
    const point = pair.candidate.readRows(shape, [keyOf(7n)], 'heap', SIGNAL);
    await expect(point).rejects.toMatchObject({ code: 'TP-CORRUPT' });
    expect(await pair.candidate.readRows(shape, [keyOf(8n)], 'heap', SIGNAL)).toHaveLength(1);
  });

  it('a site that is down answers nothing, and a dropped column ends reads', async () => {
    const pair = makePair();
    const shape = await shapeOf(pair.primary);
    pair.world.candidate.reachable = false;
    await expect(pair.candidate.applied(SIGNAL)).rejects.toMatchObject({ code: 'TP-UNREACHABLE' });
    pair.world.alterPrimary({ kind: 'dropColumn', table: T, column: 'note' });
    const late = read(pair.primary, shape, whole('block'));
    await expect(late).rejects.toMatchObject({ code: 'TP-DEFINITION-CHANGED' });
  });
});

describe('virtual time', () => {
  it('lets the world write and apply between the batches of a read that does not see it', async () => {
    const moments: Moment[] = [];
    const pair = makePair({
      onTick: (moment) => {
        moments.push(moment);
        if (moment.operation !== 'batch') return;
        pair.world.write((transaction) =>
          transaction.delete(T, pair.world.rows('primary', T)[0]?.slot ?? -1),
        );
        pair.world.step();
      },
    });
    const shape = await shapeOf(pair.primary);
    expect((await read(pair.primary, shape, whole('block'))).rows).toHaveLength(40);
    expect(moments.filter((moment) => moment.operation === 'batch')).toHaveLength(8);
    expect(moments.at(-1)).toMatchObject({ site: 'primary', table: T, tick: moments.length });
    expect((await read(pair.candidate, shape, whole('block'))).rows).toHaveLength(32);
  });

  it('an abort is heard while the server says nothing at all', async () => {
    const pair = makePair();
    const shape = await shapeOf(pair.primary);
    pair.world.onTick = () => new Promise<void>(() => {});
    const abort = new AbortController();
    const reading = pair.primary.readRange(
      { shape, range: whole('block') },
      new CollectingSink(),
      abort.signal,
    );
    abort.abort();
    await expect(reading).rejects.toThrow('aborted');
    expect(pair.world.primary.openReads).toBe(0);
  });

  it('sleep moves the clock and lets the world go on', async () => {
    let ticks = 0;
    const pair = makePair({
      onTick: () => {
        ticks += 1;
      },
    });
    await pair.world.sleep(1_000);
    expect(pair.world.now()).toBe(1_001);
    expect(ticks).toBe(1);
  });

  it('the same plan runs the same way twice', async () => {
    await fc.assert(
      fc.asyncProperty(livePlan, async (plan) => {
        expect(await story(plan)).toEqual(await story(plan));
      }),
      { numRuns: times(8) },
    );
  });
});

/** Reads all tables of both sites while the plan goes on; everything that happened, as text. */
async function story(plan: WorldPlan): Promise<readonly string[]> {
  const run = new ScheduledWorld(plan);
  const lines: string[] = [];
  const readSite = async (connector: MemoryConnector): Promise<void> => {
    const tables = await connector.describeTables({ include: ['*'], exclude: [] }, SIGNAL);
    for (const table of tables) {
      const shape = shapeFor(table, plan.kind);
      const options = { kind: 'slice', rowsMax: 10, bytesMax: 10_000 } as const;
      for (const range of await connector.planRanges(shape, options, SIGNAL)) {
        const { rows } = await read(connector, shape, range);
        lines.push(`${table.name} ${range.id} ${multiset(rows).join()}`);
      }
    }
  };
  const sites = [run.pair.primary, run.pair.candidate].map(async (connector, index) => {
    try {
      await readSite(connector);
    } catch (error) {
      lines.push(`${index} ${String(error)}`);
    }
  });
  await Promise.all(sites);
  lines.push(`${run.world.now()} ${run.world.head} ${run.world.reported}`);
  return lines;
}

describe('a logical pair', () => {
  it('stores equal rows in another order, and rejects a table that the other site described', async () => {
    const pair = makePair({ kind: 'logical' });
    const own = {
      primary: await shapeOf(pair.primary, 'logical'),
      candidate: await shapeOf(pair.candidate, 'logical'),
    };
    const primary = (await read(pair.primary, own.primary, whole('slice'))).rows;
    const candidate = (await read(pair.candidate, own.candidate, whole('slice'))).rows;
    expect(multiset(candidate)).toEqual(multiset(primary));
    expect(candidate).not.toEqual(primary);
    await expect(read(pair.candidate, own.primary, whole('slice'))).rejects.toMatchObject({ code: 'TP-BUG' });
  });

  it('hands foreign messages to the sink, which hands them back', async () => {
    const pair = makePair({ kind: 'logical' });
    const { rows, otherTags } = await read(
      pair.primary,
      await shapeOf(pair.primary, 'logical'),
      whole('key'),
    );
    expect(rows).toHaveLength(40);
    expect(otherTags.length).toBeGreaterThan(1);
    const deaf = new CollectingSink();
    const take = deaf.take.bind(deaf);
    deaf.take = (length) => {
      take(length);
      return null;
    };
    const shape = await shapeOf(pair.primary, 'logical');
    const reading = pair.primary.readRange({ shape, range: whole('key') }, deaf, SIGNAL);
    await expect(reading).rejects.toMatchObject({ code: 'TP-BUG' });
  });
});
