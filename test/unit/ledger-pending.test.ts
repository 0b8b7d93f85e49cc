import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { count } from '../../src/ledger/core.ts';
import { encodeEntry, entryState, STATE, type RowState } from '../../src/ledger/entry.ts';
import { KeyScratch, storedKey } from '../../src/ledger/key.ts';
import { NOT_READ, PendingEntries } from '../../src/ledger/pending.ts';
import { newRelation } from '../../src/ledger/relation.ts';
import { Tally } from '../../src/ledger/tally.ts';
import { frameFields } from '../../src/row/stream.ts';
import { times } from './property-runs.ts';

const RUNS = { numRuns: times(60) };

/** Few bytes from a small alphabet, so that keys share beginnings and some are the beginning of others. */
const key = fc
  .tuple(fc.integer({ min: 1, max: 3 }), fc.array(fc.constantFrom(0, 1, 128, 255), { maxLength: 12 }))
  .map(([relation, fields]) => Buffer.from([0, 0, 0, relation, ...fields]));
const entry = fc.uint8Array({ minLength: 7, maxLength: 300 }).map((bytes) => Buffer.from(bytes));

describe('entries that wait for the index', () => {
  test('are those that a map would hold, and come in the order of their keys', () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.tuple(key, entry), { maxLength: 60 }), { maxLength: 3 }), (rounds) => {
        const pending = new PendingEntries();
        for (const writes of rounds) {
          const model = new Map<string, Buffer>();
          for (const [stored, value] of writes) {
            pending.set(stored, value);
            model.set(stored.toString('hex'), value);
          }
          expect(pending.size).toBe(model.size);
          for (const [name, value] of model) expect(pending.get(Buffer.from(name, 'hex'))).toEqual(value);
          const names = [...pending.sorted()].map((number) => pending.passingKey(number).toString('hex'));
          expect(names).toEqual([...model.keys()].sort());
          for (const number of pending.sorted()) {
            expect(pending.passingEntry(number)).toEqual(model.get(pending.key(number).toString('hex')));
            expect(pending.indexState(number)).toBe(NOT_READ);
          }
          pending.clear();
          for (const [stored] of writes) expect(pending.get(stored)).toBeUndefined();
        }
      }),
      RUNS,
    );
  });

  test('are kept apart by the thousand', () => {
    const pending = new PendingEntries();
    const keyOf = (number: number): Buffer => {
      const bytes = Buffer.alloc(12);
      bytes.writeUInt32BE(1, 0);
      bytes.writeUInt32BE(number * 7919, 8);
      return bytes;
    };
    for (let number = 0; number < 20_000; number++) pending.set(keyOf(number), Buffer.alloc(23, number));
    const numbers = Array.from({ length: 20_000 }, (_, number) => number);
    expect(numbers.filter((number) => pending.get(keyOf(number))?.[0] !== number % 256)).toEqual([]);
    expect([...pending.sorted()].join()).toBe(numbers.join());
  });

  test('remember what the index held when they came, until that changes', () => {
    const pending = new PendingEntries();
    const stored = Buffer.from([0, 0, 0, 1, 9]);
    const digest = Buffer.alloc(16, 5);
    const indexed = encodeEntry({ state: STATE.present, digest }, 77, null, null);
    const number = pending.add(stored, indexed);
    pending.replace(number, Buffer.alloc(7), 7);
    expect(pending.indexState(number)).toBe(STATE.present);
    const at = pending.indexDigestAt(number);
    expect(pending.memory.subarray(at, at + 16)).toEqual(digest);
    pending.indexChanges(Buffer.from([0, 0, 0, 1, 8]));
    expect(pending.indexState(number)).toBe(STATE.present);
    pending.indexChanges(stored);
    expect(pending.indexState(number)).toBe(NOT_READ);
  });
});

test('a key made in passing is the key made to be kept', () => {
  const scratch = new KeyScratch();
  const field = fc.uint8Array({ maxLength: 700 });
  fc.assert(
    fc.property(fc.array(fc.tuple(field, fc.boolean()), { minLength: 1, maxLength: 3 }), (fields) => {
      const identity = frameFields(fields.map(([bytes]) => bytes));
      const signed = fields.map(([, isSigned]) => isSigned);
      const kept = storedKey(70_000, identity, signed);
      scratch.set(70_000, identity, signed);
      expect(scratch.stored).toEqual(kept.stored);
      expect(scratch.long).toEqual(kept.long);
      expect(scratch.fields).toEqual(kept.long ?? kept.stored.subarray(4));
    }),
    RUNS,
  );
});

test('rows and sums are the same by halves as by whole lanes', () => {
  const state: fc.Arbitrary<RowState> = fc.oneof(
    fc.constant({ state: STATE.absent }),
    fc.constant({ state: STATE.unknown }),
    fc
      .uint8Array({ minLength: 16, maxLength: 16 })
      .map((digest) => ({ state: STATE.present, digest: Buffer.from(digest) })),
  );
  const sign = fc.constantFrom<1 | -1>(1, -1);
  fc.assert(
    fc.property(fc.array(fc.array(fc.tuple(state, sign))), (groups) => {
      const bare = {
        leaf: 't',
        root: null,
        columns: [],
        absent: [],
        keyFields: 1,
        signed: [],
        fingerprint: null,
      };
      const definition = { ...bare, number: 1, table: 't', cause: 'new' as const };
      const byHalves = newRelation(definition, 1, null);
      const byLanes = newRelation(definition, 1, null);
      const tally = new Tally();
      for (const group of groups) {
        for (const [row, one] of group) {
          const bytes = encodeEntry(row, 1, null, null);
          expect(entryState(bytes)).toBe(row.state);
          tally.entry(bytes, one);
          count(byLanes, bytes, one);
        }
        tally.settle(byHalves);
        expect(byHalves).toEqual(byLanes);
      }
    }),
    RUNS,
  );
});
