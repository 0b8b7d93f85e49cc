import * as fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { Candidates, type Candidate, type CleanKey, type DirtyBatch } from '../../src/ledger/candidates.ts';
import { unprovenRanges, withProof, type ProvenRange } from '../../src/ledger/coverage.ts';
import { storedKey } from '../../src/ledger/key.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { boundaryAt, boundaryOf, type Boundary } from '../../src/ledger/state.ts';
import {
  beginEmpty,
  comparePlaces,
  define,
  identity,
  insert,
  openLedger,
  place,
  removeFolder,
  table,
  temporaryFolder,
  transaction,
  update,
} from './ledger-fixture.ts';
import { times } from './property-runs.ts';

const KEYS = 8;
const OF = table('accounts');

type Act =
  | { readonly kind: 'write'; readonly keys: readonly number[] }
  | {
      readonly kind: 'drain';
      readonly equal: readonly boolean[];
      readonly late: boolean;
      readonly stale: boolean;
    }
  | { readonly kind: 'clean'; readonly key: number }
  | { readonly kind: 'prune' | 'restart' | 'flush' };

const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      keys: fc.array(fc.nat({ max: KEYS - 1 }), { minLength: 1, maxLength: 3 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('drain' as const),
      equal: fc.array(fc.boolean(), { minLength: KEYS, maxLength: KEYS }),
      late: fc.boolean(),
      stale: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('clean' as const), key: fc.nat({ max: KEYS - 1 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom('prune' as const, 'restart' as const, 'flush' as const) }),
  },
);

const OPTIONS = { pendingMax: 4, segmentBytes: 200, retention: { timeUs: 1_000_000n, bytes: 2 ** 40 } };

class Run {
  ledger: Ledger;
  readonly folder: string;
  readonly written = new Set<number>();
  /** Of each key the boundary behind its last change, and the last one as of which it was shown to be equal. */
  readonly changed = new Map<number, number>();
  readonly proven = new Map<number, number>();
  #number = 1;

  constructor(ledger: Ledger, folder: string) {
    this.ledger = ledger;
    this.folder = folder;
  }

  get candidates(): Candidates {
    return new Candidates(this.ledger.core);
  }

  get candidate(): Candidate {
    return this.candidates.bind('gasan', 'timeline 1');
  }

  write(keys: readonly number[]): void {
    const distinct = [...new Set(keys)];
    const number = ++this.#number;
    const changes = distinct.map((key) =>
      this.written.has(key) ? update(OF, key, `${number}`) : insert(OF, key, `${number}`),
    );
    this.ledger.take(transaction(number, changes));
    for (const key of distinct) {
      this.written.add(key);
      this.changed.set(key, this.ledger.head());
    }
  }

  async drain(equal: readonly boolean[], late: boolean, stale = false): Promise<void> {
    await this.ledger.flush();
    const candidate = this.candidate;
    const batch = this.candidates.next(candidate, 2);
    if (batch === null) return;
    if (late) this.write([0, 1]);
    const clean = this.#equalOf(batch, equal, stale);
    this.candidates.settle(batch, clean);
    for (const { stored, boundary } of clean)
      this.proven.set(keyOf(stored), Math.max(boundary, this.proven.get(keyOf(stored)) ?? 0));
  }

  #equalOf(batch: DirtyBatch, equal: readonly boolean[], stale: boolean): CleanKey[] {
    const boundary = stale ? boundaryAt(batch.candidate.cursor) : this.ledger.head();
    return batch.keys
      .map(({ stored }) => ({ stored, boundary }))
      .filter(({ stored }) => equal[keyOf(stored)] === true);
  }

  clean(key: number): void {
    const { candidate } = this;
    const relation = this.ledger.core.catalog.ofTable(OF.id);
    const { stored } = storedKey(relation?.number ?? 0, identity(key), [false]);
    const boundary = this.ledger.head();
    this.candidates.clean(candidate, [{ stored, boundary }]);
    this.proven.set(key, boundary);
  }

  async restart(): Promise<void> {
    await this.ledger.flush();
    await this.ledger.close();
    this.ledger = await openLedger(this.folder, OPTIONS);
    this.ledger.take([define(OF)]);
  }
}

function expectDirty(run: Run): void {
  const listed = [...run.candidates.dirty(run.candidate)].map(({ stored }) => keyOf(stored));
  expect(new Set(listed).size).toBe(listed.length);
  const changed = [...run.changed].filter(([key, boundary]) => boundary > (run.proven.get(key) ?? 0));
  for (const [key] of changed) expect(listed, `key ${key} must be dirty`).toContain(key);
  for (const key of listed) expect(run.changed.has(key)).toBe(true);
}

function keyOf(stored: Buffer): number {
  return stored.readUInt8(stored.length - 1);
}

async function withLedger(test: (run: Run) => Promise<void>): Promise<void> {
  const folder = temporaryFolder();
  const run = new Run(await openLedger(folder, OPTIONS), folder);
  try {
    await beginEmpty(run.ledger, OF, 1);
    await test(run);
  } finally {
    await run.ledger.close();
    removeFolder(folder);
  }
}

describe('the dirty keys of a candidate', () => {
  it('hold every key that changed after it was last proven, through draining, pruning and restarts', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 40 }), (acts) =>
        withLedger(async (run) => {
          expect(run.candidate.name).toBe('gasan');
          for (const one of acts) {
            if (one.kind === 'write') run.write(one.keys);
            else if (one.kind === 'drain') await run.drain(one.equal, one.late, one.stale);
            else if (one.kind === 'clean') run.clean(one.key);
            else if (one.kind === 'restart') await run.restart();
            else await (one.kind === 'prune' ? run.ledger.prune() : run.ledger.flush());
            expectDirty(run);
          }
          for (let round = 0; round < 40; round++) await run.drain(Array<boolean>(KEYS).fill(true), false);
          for (const key of run.changed.keys()) run.clean(key);
          expect([...run.candidates.dirty(run.candidate)]).toEqual([]);
        }),
      ),
      { numRuns: times(10) },
    );
  }, 120_000);

  it('are written down before the journal forgets who changed them', async () => {
    await withLedger(async (run) => {
      const { candidate } = run;
      for (let number = 0; number < 40; number++) run.write([number % KEYS]);
      await run.ledger.flush();
      await run.ledger.prune();
      expect(run.ledger.core.journal.start.at).toBeGreaterThan(candidate.cursor);
      expect(run.candidate.cursor).toBeGreaterThanOrEqual(run.ledger.core.journal.start.at);
      expectDirty(run);
    });
  });

  it('stay dirty when the journal was pruned while a batch of them was read, and changed again since', async () => {
    await withLedger(async (run) => {
      const { candidate, candidates } = run;
      run.write([1, 2]);
      await run.ledger.flush();
      const batch = candidates.next(candidate, 2);
      const boundary = run.ledger.head();
      for (let number = 0; number < 40; number++) run.write([1, 3]);
      await run.ledger.flush();
      await run.ledger.prune();
      // No further than was forgotten: a cursor says what the candidate has applied.
      expect(run.candidate.cursor).toBe(run.ledger.core.journal.start.at);
      const clean = (batch?.keys ?? []).map(({ stored }) => ({ stored, boundary }));
      expect(clean).toHaveLength(2);
      if (batch !== null) candidates.settle(batch, clean);
      const dirty = [...candidates.dirty(run.candidate)].map(({ stored }) => keyOf(stored));
      expect(new Set(dirty)).toEqual(new Set([1, 3]));
    });
  });

  it('are void with all proofs when the candidate is another incarnation', async () => {
    await withLedger(async (run) => {
      const { candidate } = run;
      const relation = run.ledger.core.catalog.ofTable(OF.id)?.number ?? 0;
      run.write([1, 2]);
      await run.drain([], false);
      const proof = { relation, from: null, to: null, position: '2', provenAtUs: 1n };
      run.candidates.prove(run.candidate, { ...proof, boundary: run.ledger.head() });
      expect(unprovenRanges(run.candidates.proofs(run.candidate, relation))).toEqual([]);
      expect(run.candidates.dirtyCounts(run.candidate).listed).toBe(0);
      const clone = run.candidates.bind('gasan', 'timeline 2');
      expect(unprovenRanges(run.candidates.proofs(clone, relation))).toEqual([{ from: null, to: null }]);
      expect(() => run.candidates.prove(clone, { ...proof, boundary: before(candidate.since) })).toThrow(
        /before the candidate/,
      );
    });
  });
});

describe('a key that was suspected at the end of a ledger whose primary is at rest', () => {
  it('stays dirty for a read as of then, and not for one as of a head that was moved on since', async () => {
    await withLedger(async (run) => {
      run.write([1, 2]);
      await run.drain([], false);
      await run.drain([true], false);
      const behind = boundaryAt(run.candidate.since);
      for (const key of [1, 2]) run.clean(key);
      const relation = run.ledger.core.catalog.ofTable(OF.id)?.number ?? 0;
      const { stored } = storedKey(relation, identity(1), [false]);
      const suspectedAt = run.ledger.head();
      run.candidates.suspect(run.candidate, [stored]);
      const cleanAsOf = (boundary: Boundary): number => {
        run.candidates.clean(run.candidate, [{ stored, boundary }]);
        return run.candidates.dirtyCounts(run.candidate).listed;
      };
      expect(cleanAsOf(suspectedAt)).toBe(1);
      const { position } = run.ledger;
      run.ledger.moveHead();
      await run.restart();
      expect(run.ledger.position).toBe(position);
      expect(cleanAsOf(behind)).toBe(1);
      expect(cleanAsOf(suspectedAt)).toBe(1);
      const standsAt = boundaryOf(run.ledger.core, position ?? place(0), comparePlaces);
      expect(standsAt).toEqual({ kind: 'found', boundary: run.ledger.head() });
      run.write([3]);
      // Where it stands it has stood since: a candidate must not seem to go back when a commit comes.
      expect(boundaryOf(run.ledger.core, position ?? place(0), comparePlaces)).toEqual(standsAt);
      expect(standsAt.kind === 'found' ? cleanAsOf(standsAt.boundary) : null).toBe(0);
    });
  });
});

describe('a process that ends while a candidate is bound anew', () => {
  it('leaves no proof without the keys that were dirty', async () => {
    await withLedger(async (run) => {
      const relation = run.ledger.core.catalog.ofTable(OF.id)?.number ?? 0;
      run.write([1, 2]);
      await run.drain([], false);
      const proof = { relation, from: null, to: null, position: '2', provenAtUs: 1n };
      const { stored } = storedKey(relation, identity(1), [false]);
      run.candidates.prove(run.candidate, { ...proof, boundary: run.ledger.head() }, [stored]);
      const { dirty } = run.ledger.core.store;
      const cut = vi.spyOn(dirty, 'getKeys').mockImplementation(() => {
        throw new Error('the end');
      });
      expect(() => run.candidates.bind('gasan', '')).toThrow('the end');
      cut.mockRestore();
      const found = run.candidates.byName('gasan');
      expect(found?.incarnation).toBe('');
      expect(found !== null && run.candidates.hasProofs(found)).toBe(false);
    });
  });
});

describe('a candidate that is bound where it stands behind the journal’s end', () => {
  it('can be proven as of there, and what the journal changed since is dirty', async () => {
    await withLedger(async (run) => {
      run.write([1, 2]);
      await run.ledger.flush();
      const standsAt = run.ledger.head();
      run.write([2, 3]);
      await run.ledger.flush();
      const candidate = run.candidates.bind('seoul', 'timeline 1', standsAt);
      const relation = run.ledger.core.catalog.ofTable(OF.id)?.number ?? 0;
      const proof = { relation, from: null, to: null, position: '2', provenAtUs: 1n };
      run.candidates.prove(candidate, { ...proof, boundary: standsAt });
      expect(unprovenRanges(run.candidates.proofs(candidate, relation))).toEqual([]);
      const dirty = [...run.candidates.dirty(candidate)].map(({ stored }) => keyOf(stored));
      expect(new Set(dirty)).toEqual(new Set([2, 3]));
      expect(dirty).toHaveLength(2);
    });
  });
});

function before(at: number): Boundary {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a boundary that nothing gives
  return at as Boundary;
}

describe('what is proven of a relation', () => {
  it('is of each key what was proven last, and the rest is open', () => {
    const edge = fc.option(fc.nat({ max: 9 }), { nil: null });
    fc.assert(
      fc.property(fc.array(fc.tuple(edge, edge)), (proofs) => {
        let ranges: ProvenRange[] = [];
        const model = new Map<number, number>();
        for (const [index, [from, to]] of proofs.entries()) {
          const text = (one: number | null): string | null => (one === null ? null : String(one));
          ranges = withProof(ranges, {
            from: text(from),
            to: text(to),
            boundary: index,
            position: '',
            provenAtUs: '0',
          });
          for (let key = 0; key < 10; key++)
            if (key >= (from ?? 0) && key < (to ?? 10)) model.set(key, index);
        }
        const open = unprovenRanges(ranges);
        for (let key = 0; key < 10; key++) {
          const holds = (one: { from: string | null; to: string | null }): boolean =>
            (one.from === null || String(key) >= one.from) && (one.to === null || String(key) < one.to);
          expect(ranges.filter(holds).map(({ boundary }) => boundary)).toEqual(
            model.has(key) ? [model.get(key)] : [],
          );
          expect(open.some(holds)).toBe(!model.has(key));
        }
      }),
    );
  });
});
