import * as fc from 'fast-check';
import type { ChangeEvent, StreamedTable } from '../../src/connector/changes.ts';
import { insert, remove, update } from './ledger-fixture.ts';

export const KEYS = 12;
export type Rows = ReadonlyMap<number, string>;

export type Step =
  | { readonly kind: 'put' | 'move'; readonly key: number; readonly to: number; readonly value: string }
  | { readonly kind: 'delete'; readonly key: number }
  | { readonly kind: 'truncate' };
const key = fc.nat({ max: KEYS - 1 });
export const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('put' as const),
      key,
      to: key,
      value: fc.string({ maxLength: 30 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('move' as const),
      key,
      to: key,
      value: fc.string({ maxLength: 30 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('delete' as const), key }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'truncate' as const }) },
);
/** The table as an in-memory map: what the ledger must agree with. */
export class Model {
  rows = new Map<number, string>();
  /** After each transaction. */
  readonly states = new Map<number, Rows>();

  events(steps: readonly Step[], of: StreamedTable): ChangeEvent[] {
    const events: ChangeEvent[] = [];
    for (const one of steps) events.push(...this.#step(one, of));
    return events;
  }

  #step(one: Step, of: StreamedTable): ChangeEvent[] {
    if (one.kind === 'truncate') {
      this.rows.clear();
      return [{ type: 'truncate', tables: [of] }];
    }
    const had = this.rows.has(one.key);
    if (one.kind === 'delete') {
      this.rows.delete(one.key);
      return had ? [remove(of, one.key)] : [];
    }
    if (one.kind === 'move') {
      if (!had || this.rows.has(one.to)) return [];
      this.rows.delete(one.key);
      this.rows.set(one.to, one.value);
      return [update(of, one.to, one.value, one.key)];
    }
    this.rows.set(one.key, one.value);
    return [had ? update(of, one.key, one.value) : insert(of, one.key, one.value)];
  }
}
