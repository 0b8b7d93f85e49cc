import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ChangeEvent } from '../../src/connector/changes.ts';
import { Baseline } from '../../src/ledger/baseline.ts';
import { checkLedger } from '../../src/ledger/check.ts';
import { STATE } from '../../src/ledger/entry.ts';
import { StateAt } from '../../src/ledger/state.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import {
  body,
  comparePlaces,
  define,
  digestOf,
  fill,
  identity,
  insert,
  openLedger,
  place,
  remove,
  removeFolder,
  table,
  temporaryFolder,
  transaction,
  update,
} from './ledger-fixture.ts';
import { times } from './property-runs.ts';

const KEYS = 6;
const OF = table('accounts');

interface Write {
  readonly number: number;
  readonly key: number;
  readonly value: string | null;
}

/**
 * A primary of which the log and the snapshots disagree: a commit is in the log at once, and visible some time later, as
 * one that waits for a synchronous standby. Its rows stay locked until then.
 */
class Primary {
  readonly log: ChangeEvent[][] = [];
  readonly hidden = new Map<number, Write[]>();
  readonly visible = new Map<number, string>();
  readonly truth = new Map<number, string>();
  #number = 1;

  get head(): number {
    return this.#number;
  }

  commit(keys: readonly number[], shown: boolean): void {
    const locked = new Set([...this.hidden.values()].flat().map(({ key }) => key));
    const number = ++this.#number;
    const changes: ChangeEvent[] = [];
    const writes: Write[] = [];
    for (const key of new Set(keys)) {
      if (locked.has(key)) continue;
      const had = this.truth.has(key);
      const value = had && (number + key) % 3 === 0 ? null : `v${number}`;
      writes.push({ number, key, value });
      if (value === null) changes.push(remove(OF, key));
      else changes.push(had ? update(OF, key, value) : insert(OF, key, value));
      if (value === null) this.truth.delete(key);
      else this.truth.set(key, value);
    }
    this.log.push(transaction(number, changes));
    this.hidden.set(number, writes);
    if (shown) this.show(number);
  }

  show(number: number): void {
    for (const { key, value } of this.hidden.get(number) ?? []) {
      if (value === null) this.visible.delete(key);
      else this.visible.set(key, value);
    }
    this.hidden.delete(number);
  }

  snapshot(): { rows: Map<number, string>; sees: (id: string) => boolean; until: number } {
    const invisible = new Set([...this.hidden.keys()].map((number) => `t${number}`));
    const last = this.#number;
    const sees = (id: string): boolean => Number(id.slice(1)) <= last && !invisible.has(id);
    return { rows: new Map(this.visible), sees, until: last };
  }
}

type Snapshot = ReturnType<Primary['snapshot']>;
type Act =
  | { readonly kind: 'commit'; readonly keys: readonly number[]; readonly shown: boolean }
  | { readonly kind: 'show' | 'deliver' | 'settle' | 'restart' }
  | { readonly kind: 'read' | 'store'; readonly piece: number; readonly which: number };

const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('commit' as const),
      keys: fc.array(fc.nat({ max: KEYS - 1 }), { minLength: 1, maxLength: 3 }),
      shown: fc.boolean(),
    }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('deliver' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constantFrom('show' as const, 'settle' as const, 'restart' as const) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom('read' as const, 'store' as const),
      piece: fc.nat({ max: 1 }),
      which: fc.nat({ max: 5 }),
    }),
  },
);

class Run {
  ledger: Ledger;
  readonly folder: string;
  readonly primary = new Primary();
  /** Every read of each piece: an older one may be stored later. */
  readonly reads: Snapshot[][] = [[], []];
  readonly stored = new Set<number>();
  #delivered = 0;

  constructor(ledger: Ledger, folder: string) {
    this.ledger = ledger;
    this.folder = folder;
  }

  async act(one: Act): Promise<void> {
    if (one.kind === 'commit') this.primary.commit(one.keys, one.shown);
    else if (one.kind === 'show')
      this.primary.show(Math.min(...this.primary.hidden.keys(), this.primary.head));
    else if (one.kind === 'deliver') this.deliver();
    else if (one.kind === 'settle') await this.ledger.settle();
    else if (one.kind === 'restart') await this.restart();
    else if (one.kind === 'read') this.reads[one.piece]?.push(this.primary.snapshot());
    else if ('piece' in one) await this.store(one.piece, one.which);
    new Baseline(this.ledger.core, () => this.ledger.settle()).advance(comparePlaces);
  }

  deliver(): void {
    const next = this.primary.log[this.#delivered];
    if (next === undefined) return;
    this.#delivered++;
    this.ledger.take(next);
  }

  async restart(): Promise<void> {
    await this.ledger.flush();
    await this.ledger.close();
    this.ledger = await openLedger(this.folder);
    this.ledger.take([define(OF)]);
  }

  async store(piece: number, which: number): Promise<void> {
    const reads = this.reads[piece] ?? [];
    const read = reads[which % Math.max(reads.length, 1)];
    const relation = this.ledger.core.catalog.ofTable(OF.id);
    if (read === undefined || relation === null || relation.completeFrom !== null) return;
    const digester = this.ledger.digester();
    const rows = [...read.rows]
      .filter(([key]) => key % 2 === piece)
      .map(([key, value]) => ({ identity: identity(key), row: digester.row(body(key, value), null) }));
    await new Baseline(this.ledger.core, () => this.ledger.settle()).store(
      { relation: relation.number, piece: String(piece), visible: read.sees, until: place(read.until) },
      rows,
    );
    this.stored.add(piece);
  }
}

function expectTruth(run: Run): void {
  const relation = run.ledger.core.catalog.ofTable(OF.id);
  if (relation === null) throw new Error('the table is gone');
  expect(relation.cause).toBe('new');
  const state = new StateAt(run.ledger.core, relation, run.ledger.head());
  expect(state.complete).toBe(true);
  for (let key = 0; key < KEYS; key++) {
    const row = state.row(identity(key));
    const value = run.primary.truth.get(key);
    const found = row.state === STATE.present ? Buffer.from(row.digest).toString('hex') : row.state;
    expect(found).toBe(value === undefined ? STATE.absent : digestOf(key, value));
  }
}

describe('a baseline that is read while the primary is written to', () => {
  it('ends in the primary’s rows, in whichever order commits become visible, are read, stored and streamed', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 40 }), async (acts) => {
        const folder = temporaryFolder();
        const run = new Run(await openLedger(folder, { pendingMax: 4 }), folder);
        try {
          run.ledger.take([define(OF), { type: 'idle', position: place(1) }]);
          const relation = run.ledger.core.catalog.ofTable(OF.id);
          new Baseline(run.ledger.core, () => run.ledger.settle()).begin(relation?.number ?? 0, ['0', '1']);
          for (const one of acts) await run.act(one);
          for (const number of run.primary.hidden.keys()) run.primary.show(number);
          for (const piece of [0, 1]) {
            if (run.reads[piece]?.length === 0) run.reads[piece]?.push(run.primary.snapshot());
            if (!run.stored.has(piece)) await run.store(piece, 0);
          }
          for (let left = 0; left <= run.primary.log.length; left++) run.deliver();
          new Baseline(run.ledger.core, () => run.ledger.settle()).advance(comparePlaces);
          expectTruth(run);
          for (let more = 0; more < 4; more++) run.primary.commit([more, more + 1], true);
          for (let left = 0; left < 4; left++) run.deliver();
          expectTruth(run);
          await run.ledger.settle();
          expect(checkLedger(run.ledger.core).problems).toEqual([]);
        } finally {
          await run.ledger.close();
          removeFolder(folder);
        }
      }),
      { numRuns: times(12) },
    );
  }, 120_000);

  it('keeps a change that was streamed and that the read did not see, though it lies before the read in the log', async () => {
    const folder = temporaryFolder();
    const run = new Run(await openLedger(folder), folder);
    try {
      run.ledger.take([define(OF), { type: 'idle', position: place(1) }]);
      const relation = run.ledger.core.catalog.ofTable(OF.id);
      new Baseline(run.ledger.core, () => run.ledger.settle()).begin(relation?.number ?? 0, ['0', '1']);
      run.primary.commit([0, 1], true);
      run.deliver();
      run.primary.commit([0, 1], false);
      run.deliver();
      await run.act({ kind: 'read', piece: 0, which: 0 });
      await run.act({ kind: 'read', piece: 1, which: 0 });
      await run.act({ kind: 'store', piece: 0, which: 0 });
      await run.act({ kind: 'store', piece: 1, which: 0 });
      expectTruth(run);
    } finally {
      await run.ledger.close();
      removeFolder(folder);
    }
  });

  it('makes nothing known before the stream has passed the read', async () => {
    const folder = temporaryFolder();
    const ledger = await openLedger(folder);
    try {
      ledger.take([define(OF), { type: 'idle', position: place(5) }]);
      const relation = ledger.core.catalog.ofTable(OF.id);
      if (relation === null) throw new Error('the table is not defined');
      const baseline = new Baseline(ledger.core, () => ledger.settle());
      baseline.begin(relation.number, ['all']);
      await baseline.store(
        { relation: relation.number, piece: 'all', visible: () => true, until: place(9) },
        [],
      );
      expect(baseline.advance(comparePlaces)).toEqual([]);
      expect(new StateAt(ledger.core, relation, ledger.head()).row(identity(1)).state).toBe(STATE.unknown);
      ledger.take([{ type: 'idle', position: place(9) }]);
      expect(baseline.advance(comparePlaces)).toEqual([relation]);
      expect(new StateAt(ledger.core, relation, ledger.head()).row(identity(1)).state).toBe(STATE.absent);
    } finally {
      await ledger.close();
      removeFolder(folder);
    }
  });
});

describe('a table that is emptied', () => {
  it('is known from then on if every row of it was known before, and else is read', async () => {
    const folder = temporaryFolder();
    const empty: ChangeEvent = { type: 'truncate', tables: [OF] };
    let ledger = await openLedger(folder);
    const stateOf = (key: number) => {
      const relation = ledger.core.catalog.ofTable(OF.id);
      if (relation === null) throw new Error('the table is not defined');
      return new StateAt(ledger.core, relation, ledger.head()).row(identity(key)).state;
    };
    try {
      ledger.take([define(OF), { type: 'idle', position: place(1) }]);
      ledger.take(transaction(2, [insert(OF, 1, 'one'), empty, insert(OF, 2, 'two')]));
      expect([stateOf(1), stateOf(2)]).toEqual([STATE.unknown, STATE.unknown]);
      await fill(ledger, OF, 2, [{ key: 2, value: 'two' }]);
      expect([stateOf(1), stateOf(2)]).toEqual([STATE.absent, STATE.present]);
      ledger.take(transaction(3, [empty, insert(OF, 3, 'three'), empty, insert(OF, 4, 'four')]));
      expect([2, 3, 4].map(stateOf)).toEqual([STATE.absent, STATE.absent, STATE.present]);
      await ledger.flush();
      await ledger.close();
      ledger = await openLedger(folder);
      expect([2, 3, 4].map(stateOf)).toEqual([STATE.absent, STATE.absent, STATE.present]);
    } finally {
      await ledger.close();
      removeFolder(folder);
    }
  });
});
