import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ChangeEvent, SnapshotEvent } from '../../src/connector/changes.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { definitionOf } from '../../src/ledger/relation.ts';
import { shapeOf } from '../../src/ledger/shape.ts';
import { boundaryOf, StateAt } from '../../src/ledger/state.ts';
import {
  comparePlaces,
  define,
  insert,
  ledgerOptions,
  openLedger,
  place,
  removeFolder,
  table,
  temporaryFolder,
  transaction,
  update,
} from './ledger-fixture.ts';

const ACCOUNTS = table('accounts');
const part = (which: SnapshotEvent['part']): ChangeEvent => ({
  type: 'snapshot',
  table: ACCOUNTS,
  part: which,
});
const read = (key: number) => update(ACCOUNTS, key, `row ${key}`);

describe('a snapshot that the log brings', () => {
  let folder: string;
  let ledger: Ledger;

  beforeEach(async () => {
    folder = temporaryFolder();
    ledger = await openLedger(folder);
  });

  afterEach(async () => {
    await ledger.close();
    removeFolder(folder);
  });

  function keysOf(of: Ledger): number | null {
    const relation = of.core.catalog.ofTable(ACCOUNTS.id);
    if (relation === null) return null;
    const state = new StateAt(of.core, relation, of.head());
    return state.complete ? [...state.range(null, null)].length : null;
  }

  async function take(...events: readonly ChangeEvent[]): Promise<void> {
    ledger.take(events);
    ledger.advanceHead();
    await ledger.flush();
  }

  it('makes a table known from its end on, and forgets what came before it', async () => {
    await take(define(ACCOUNTS), ...transaction(1, [insert(ACCOUNTS, 9, 'before')]), part('begins'));
    await take(...transaction(2, [read(1), read(2)]));
    expect(keysOf(ledger)).toBeNull();
    await take(...transaction(3, [read(3)]), part('ends'));
    expect(keysOf(ledger)).toBe(3);
    await take(...transaction(4, [insert(ACCOUNTS, 4, 'after')]));
    expect(keysOf(ledger)).toBe(4);
  });

  it('is known to whoever opens the ledger, before the index has it and after', async () => {
    await take(define(ACCOUNTS), part('begins'), ...transaction(2, [read(1)]), part('ends'));
    const reader = await Ledger.read(ledgerOptions(folder));
    expect(keysOf(reader)).toBe(1);
    await reader.close();
    await ledger.close();
    ledger = await openLedger(folder);
    expect(keysOf(ledger)).toBe(1);
  });

  it('ends nothing where a gap, or another definition, came in between', async () => {
    await take(define(ACCOUNTS), part('begins'), ...transaction(2, [read(1)]));
    await take({ type: 'gap', reason: 'a record cannot be read', tables: [ACCOUNTS.leaf] }, part('ends'));
    expect(keysOf(ledger)).toBeNull();
    await take(part('begins'), define({ ...ACCOUNTS, fingerprint: 'f2' }), part('ends'));
    expect(keysOf(ledger)).toBeNull();
  });

  it('ends nothing where two of its rows have one key: what was taken for a key is none', async () => {
    const once = (key: number) => ({ ...read(key), once: true });
    await take(define(ACCOUNTS), part('begins'), ...transaction(2, [once(1), once(2)]), part('ends'));
    expect(keysOf(ledger)).toBe(2);
    await take(part('begins'), ...transaction(3, [once(1), once(2), once(1)]), part('ends'));
    expect(keysOf(ledger)).toBeNull();
  });

  it('leaves a candidate that stands at its end where it stood, when the log goes on', async () => {
    await take(define(ACCOUNTS), part('begins'), ...transaction(2, [read(1)]), part('ends'));
    const head = ledger.head();
    await take(...transaction(3, [insert(ACCOUNTS, 4, 'after')]));
    expect(boundaryOf(ledger.core, place(2), comparePlaces)).toEqual({ kind: 'found', boundary: head });
  });
});

describe('columns of a log that has portable forms', () => {
  const streamed = table('t', {
    columns: [
      { name: 'id', type: 'int64', encoding: 'portable', form: 'integer' },
      { name: 'at', type: 'io.debezium.time.MicroTimestamp', encoding: 'portable', form: 'datetime' },
    ],
  });
  const there = (form: 'datetime' | 'instant') => ({
    name: 'public.t',
    schema: 'public',
    table: 't',
    columns: [
      columnOf('id', 'bigint', 'integer'),
      columnOf('at', form === 'instant' ? 'timestamp with time zone' : 'timestamp without time zone', form),
    ],
    key: ['id'],
    keyOrder: 'portable' as const,
    clustered: false,
    rowsEstimate: 0,
    bytesEstimate: 0,
    fingerprint: '',
    obstacle: null,
    handle: null,
  });

  function columnOf(name: string, type: string, form: 'integer' | 'datetime' | 'instant') {
    return {
      name,
      type,
      baseType: type,
      encodings: { physical: 'pg-binary', logical: 'pg-binary', 'cross-engine': 'portable' },
      portable: { natural: [form], onRequest: [], inZone: [] },
    } as const;
  }

  const described = definitionOf(streamed, 1, 'new', [false]);

  it('are read on the candidate in these, whatever its types are called', () => {
    const { shape } = shapeOf(described, there('datetime'), 'cross-engine', 'candidate');
    expect(shape?.columns).toEqual([
      { name: 'id', encoding: 'portable', form: 'integer' },
      { name: 'at', encoding: 'portable', form: 'datetime' },
    ]);
  });

  it('are refused by name where the candidate has no such form', () => {
    const { problem } = shapeOf(described, there('instant'), 'cross-engine', 'candidate');
    expect(problem).toMatch(/column "at" is timestamp with time zone there, and datetime/);
  });
});
