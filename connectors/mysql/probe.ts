import { TwinproofError } from '../../src/errors.ts';
import { BodySink } from '../../src/row/body-sink.ts';
import { fieldsOf } from '../../src/row/stream.ts';
import { integerOf, nativeLiteral } from './literals.ts';
import type { Interval, KeyProbe, KeyValues, Neighbours } from './quantiles.ts';
import {
  type Bound,
  type BoundColumn,
  columnList,
  fromCondition,
  fromTable,
  orderBy,
  type RowQuery,
  toCondition,
  whereOf,
} from './ranges.ts';
import type { MysqlTable } from './table.ts';

/** Statements that are asked together: long keys make long statements. */
const ASKED_AT_ONCE = 48;
/** Bytes of the keys that one question brings. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;

export interface ProbeSessions {
  /** Rows in the encoding of the wire. */
  read(query: RowQuery, sink: BodySink): Promise<void>;
  /** Rows as text. */
  ask(sql: string): Promise<readonly Readonly<Record<string, string | null>>[]>;
}

/**
 * Asks a table about its key: single rows by index, and the optimizer's estimates, for which it dives into the index.
 */
export function probeOf(
  sessions: ProbeSessions,
  table: MysqlTable,
  columns: readonly BoundColumn[],
): KeyProbe {
  const from = fromTable(table);
  const list = columnList(columns);
  const literals = (key: KeyValues): Bound =>
    key.map((value, at) => {
      const column = columns[at];
      if (column === undefined) throw new TwinproofError('TP-BUG', { message: 'a key of another table' });
      return nativeLiteral(column.type, value);
    });
  const fromOf = (key: KeyValues | null): string[] => fromCondition(columns, key && literals(key));
  const toOf = (key: KeyValues | null): string[] => toCondition(columns, key && literals(key));
  const row = (number: number, conditions: readonly string[], direction: '' | ' desc'): string =>
    `(select ${number} as n, ${list} from ${from}${whereOf(conditions)}${orderBy(columns, direction)} limit 1)`;
  const keysOf = async (selects: readonly string[]): Promise<ReadonlyMap<number, KeyValues>> =>
    numbered(await bodiesOf(sessions, selects.join(' union all '), columns.length + 1));
  const neighboursOf = async (asked: readonly Guess[]): Promise<(Neighbours | null)[]> => {
    const selects = asked.flatMap(({ interval, at }, number) => [
      row(2 * number, [...fromOf(interval.from), ...toCondition(columns, at)], ' desc'),
      row(2 * number + 1, [...fromCondition(columns, at), ...toOf(interval.to)], ''),
    ]);
    const keys = await keysOf(selects);
    return asked.map((_, number) => pairOf(keys.get(2 * number), keys.get(2 * number + 1)));
  };

  return {
    async ends() {
      const found = await keysOf([row(0, [], ''), row(1, [], ' desc')]);
      const [first, last] = [found.get(0), found.get(1)];
      return first === undefined || last === undefined ? null : { first, last };
    },
    async estimate(intervals) {
      const found: number[] = [];
      for (const some of chunksOf(intervals)) {
        const selects = some.map(
          (interval) => `(select 1 from ${from}${whereOf([...fromOf(interval.from), ...toOf(interval.to)])})`,
        );
        // Told to use one index, MySQL does not dive into it, except in a UNION (manual, "Range Optimization": index
        // dives are skipped for a query of one table).
        const plan = await sessions.ask(
          `explain format=traditional ${[...selects, '(select 1)'].join(' union all ')}`,
        );
        found.push(...estimatesOf(plan, some.length));
      }
      return found;
    },
    async neighbours(asked) {
      const found: (Neighbours | null)[] = [];
      for (const some of chunksOf(asked)) found.push(...(await guessed(some, neighboursOf)));
      return found;
    },
    async step(interval: Interval, rows: number) {
      const where = whereOf([...fromOf(interval.from), ...toOf(interval.to)]);
      const order = orderBy(columns, '');
      const sql = `select ${list} from ${from}${where}${order} limit 2 offset ${Math.max(0, rows - 1)}`;
      const [below, above] = (await bodiesOf(sessions, sql, columns.length)).map(valuesOf);
      return pairOf(below, above);
    },
  };
}

interface Guess {
  readonly interval: Interval;
  readonly at: Bound;
}

/** A guess that the server does not take for a value of the column is no cut; it may spoil no other one. */
async function guessed(
  asked: readonly Guess[],
  ask: (asked: readonly Guess[]) => Promise<(Neighbours | null)[]>,
): Promise<(Neighbours | null)[]> {
  try {
    return await ask(asked);
  } catch (error) {
    if (!(error instanceof TwinproofError) || error.code !== 'TP-QUERY' || error.retryable) throw error;
    if (asked.length <= 1) return asked.map(() => null);
    const found: (Neighbours | null)[] = [];
    for (const one of asked) found.push(...(await guessed([one], ask)));
    return found;
  }
}

/** Rows that differ in later key columns only lie on no two sides of a bound. */
function pairOf(below: KeyValues | undefined, above: KeyValues | undefined): Neighbours | null {
  if (below === undefined || above === undefined) return null;
  const same = below.every((value, at) => Buffer.compare(value, above[at] ?? new Uint8Array()) === 0);
  return same ? null : { below, above };
}

async function bodiesOf(sessions: ProbeSessions, sql: string, columns: number): Promise<Uint8Array[]> {
  const sink = new BodySink(ANSWER_BYTES_MAX);
  await sessions.read({ sql, operations: Array.from({ length: columns }, () => 'copy') }, sink);
  return sink.bodies;
}

function valuesOf(body: Uint8Array): KeyValues {
  return fieldsOf(body).map((value) => {
    if (value === null) throw new TwinproofError('TP-BUG', { message: 'a key without a value' });
    return value;
  });
}

function numbered(bodies: readonly Uint8Array[]): ReadonlyMap<number, KeyValues> {
  const found = new Map<number, KeyValues>();
  for (const body of bodies) {
    const [number, ...values] = valuesOf(body);
    if (number !== undefined)
      found.set(Number(integerOf({ kind: 'integer', unsigned: false }, number)), values);
  }
  return found;
}

/**
 * The `rows` of each SELECT of a UNION ALL (manual, "EXPLAIN Output Format"): `id` counts them from 1. A SELECT of
 * which the optimizer knows that it brings nothing has none.
 */
export function estimatesOf(
  plan: readonly Readonly<Record<string, string | null>>[],
  selects: number,
): number[] {
  const found = Array.from({ length: selects }, () => 0);
  for (const { id, rows } of plan) {
    const at = Number(id ?? 0) - 1;
    if (at >= 0 && at < selects) found[at] = Number(rows ?? 0);
  }
  return found;
}

function* chunksOf<Item>(items: readonly Item[]): Generator<readonly Item[]> {
  for (let at = 0; at < items.length; at += ASKED_AT_ONCE) yield items.slice(at, at + ASKED_AT_ONCE);
}
