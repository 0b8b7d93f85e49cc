import { describe, expect, it } from 'vitest';
import type { FoundRow, RangeRead, RowShape, RowSink } from '../../src/connector/contract.ts';
import type { Bracket } from '../../src/connector/ledger-sites.ts';
import type { TableDescription } from '../../src/connector/table.ts';
import { TwinproofError } from '../../src/errors.ts';
import { checkKeys, checkRange, type CheckedKey } from '../../src/ledger/candidate-check-keys.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { frameMessage } from '../../src/row/stream.ts';
import {
  beginEmpty,
  body,
  comparePlaces,
  fill,
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

const OF = table('accounts');
const NEVER = new AbortController().signal;

const DESCRIPTION: TableDescription = {
  name: OF.leaf,
  schema: 'public',
  table: 'accounts',
  columns: [],
  key: ['id'],
  keyOrder: 'portable',
  clustered: true,
  rowsEstimate: 1,
  bytesEstimate: 1,
  fingerprint: 'f1',
  obstacle: null,
  handle: null,
};

const SHAPE: RowShape = {
  table: DESCRIPTION,
  identity: 'key',
  columns: [
    { name: 'id', encoding: 'pg-binary' },
    { name: 'value', encoding: 'pg-binary' },
  ],
  keyFields: 1,
  pair: 'physical',
};

const RANGE: RangeRead['range'] = {
  table: OF.leaf,
  kind: 'key',
  id: 'all',
  from: null,
  to: null,
  rowsEstimate: 1,
};

/** Rows in memory behind the part of the interface that the check asks. */
class Rows {
  readonly rows: Map<number, { value: string; writer: string }>;
  bracket: Bracket | null;
  reads = 0;
  keysMax = 100;
  /** The key of which there are two rows. */
  twice: number | null = null;

  constructor(rows: readonly (readonly [number, string, string])[], from: number, to: number) {
    this.rows = new Map(rows.map(([key, value, writer]) => [key, { value, writer }]));
    this.bracket = { atLeast: place(from), atMost: place(to) };
  }

  comparePositions = comparePlaces;

  writtenWhen(): null {
    return null;
  }

  readRowsBracketed(
    _shape: RowShape,
    keys: readonly Uint8Array[],
  ): Promise<{ rows: FoundRow[]; bracket: Bracket | null }> {
    this.reads++;
    if (keys.length > this.keysMax) return Promise.reject(new TwinproofError('TP-RANGE-TOO-LARGE'));
    const rows = keys.flatMap((key) => {
      const number = Number(Buffer.from(key).readBigInt64BE(4));
      const row = this.rows.get(number);
      if (row === undefined) return [];
      const found = { key, row: body(number, row.value), version: null, writers: [row.writer] };
      return number === this.twice ? [found, found] : [found];
    });
    return Promise.resolve({ rows, bracket: this.bracket });
  }

  readRangeBracketed(_read: RangeRead, sink: RowSink): Promise<Bracket | null> {
    for (const [key, { value }] of this.rows) {
      const message = frameMessage(body(key, value));
      for (let left = key === this.twice ? 2 : 1; left > 0; left -= 1) {
        sink.space().set(message);
        sink.take(message.length);
      }
    }
    return Promise.resolve(this.bracket);
  }
}

function shown(checked: readonly CheckedKey[]): string[] {
  return checked.map(({ identity: key, judgement }) => {
    const number = Number(Buffer.from(key).readBigInt64BE(4));
    if (judgement.kind === 'different') return `${number} ${judgement.difference}`;
    return judgement.kind === 'unknown' ? `${number} ${judgement.why}` : `${number} clean`;
  });
}

async function withRows(work: (ledger: Ledger) => Promise<void>): Promise<void> {
  const folder = temporaryFolder();
  const ledger = await openLedger(folder);
  try {
    await beginEmpty(ledger, OF, 1);
    ledger.take(transaction(2, [insert(OF, 1, 'a'), insert(OF, 2, 'b'), insert(OF, 3, 'c')]));
    ledger.take(transaction(3, [update(OF, 1, 'd')]));
    await ledger.flush();
    await work(ledger);
  } finally {
    await ledger.close();
    removeFolder(folder);
  }
}

const GOOD = [
  [1, 'd', 't3'],
  [2, 'b', 't2'],
  [3, 'c', 't2'],
] as const;
const ALL = [1, 2, 3, 4].map((key) => identity(key));
const ACCOUNTS = { root: OF.leaf, shape: SHAPE };

describe('keys of a candidate', () => {
  it('are answered in their order, in as many reads as the server can take', async () => {
    await withRows(async (ledger) => {
      const site = new Rows(
        [
          [1, 'd', 't3'],
          [2, 'x', 't2'],
          [4, 'e', 't2'],
        ],
        2,
        2,
      );
      site.keysMax = 2;
      const checked = await checkKeys(ledger, site, ACCOUNTS, ALL, NEVER);
      expect(shown(checked)).toEqual(['1 clean', '2 changed', '3 missing', '4 extra']);
      expect(site.reads).toBe(3);
    });
  });

  it('differ at the ledger’s end only after a rest in which the candidate stood still', async () => {
    await withRows(async (ledger) => {
      const site = new Rows([[1, 'd', 't3']], 3, 3);
      const ask = (sleep: () => Promise<void>): Promise<string[]> =>
        checkKeys(ledger, site, ACCOUNTS, ALL, NEVER, { ms: 200, sleep }).then(shown);
      expect(await checkKeys(ledger, site, ACCOUNTS, ALL, NEVER).then(shown)).toContain('2 beyond');
      expect(await ask(() => Promise.resolve())).toEqual(['1 clean', '2 missing', '3 missing', '4 clean']);
      const moves = (): Promise<void> => {
        site.bracket = { atLeast: place(3), atMost: place(4) };
        return Promise.resolve();
      };
      expect(await ask(moves)).toEqual(['1 clean', '2 beyond', '3 beyond', '4 clean']);
    });
  });

  it('differ at the ledger’s end on a subscriber that was told of later places, and has applied nothing behind that end', async () => {
    await withRows(async (ledger) => {
      const site = new Rows([[1, 'd', 't3']], 9, 3);
      const rest = { ms: 200, sleep: () => Promise.resolve() };
      const ask = (): Promise<string[]> => checkKeys(ledger, site, ACCOUNTS, ALL, NEVER, rest).then(shown);
      expect(await ask()).toEqual(['1 clean', '2 missing', '3 missing', '4 clean']);
      // What it applied last lies before the ledger's end: a commit of other tables came behind it.
      site.bracket = { atLeast: place(9), atMost: place(2) };
      expect(await ask()).toEqual(['1 clean', '2 missing', '3 missing', '4 clean']);
      site.bracket = { atLeast: place(9), atMost: place(9) };
      expect(await ask()).toEqual(['1 clean', '2 beyond', '3 beyond', '4 clean']);
    });
  });

  it('are extra where the candidate has two rows of one, be they the primary’s both', async () => {
    await withRows(async (ledger) => {
      const site = new Rows(GOOD, 2, 3);
      site.twice = 2;
      const ask = (keys: readonly Uint8Array[]): Promise<string[]> =>
        checkKeys(ledger, site, ACCOUNTS, keys, NEVER).then(shown);
      expect(await ask(ALL)).toEqual(['1 clean', '2 extra', '3 clean', '4 clean']);
      const range = await checkRange(ledger, site, ACCOUNTS, RANGE, { from: null, to: null }, NEVER);
      expect(shown(typeof range === 'string' ? [] : range.suspects)).toEqual(['2 extra']);
      // Here one row may be told for each time that it was asked for.
      expect(await ask([identity(2), identity(2)])).toEqual(['2 clean', '2 clean']);
    });
  });

  it('are unknown where the candidate does not say what a read contains', async () => {
    await withRows(async (ledger) => {
      const site = new Rows(GOOD, 3, 3);
      site.bracket = null;
      const checked = await checkKeys(ledger, site, ACCOUNTS, ALL, NEVER);
      expect(new Set(shown(checked).map((text) => text.slice(2)))).toEqual(new Set(['no position']));
    });
  });
});

describe('a range of a candidate', () => {
  it('is the primary’s but for the rows that are changed, extra or missing', async () => {
    await withRows(async (ledger) => {
      const check = async (
        rows: ConstructorParameters<typeof Rows>[0],
        whole: boolean,
      ): Promise<string[]> => {
        const bounds = whole ? { from: null, to: null } : null;
        const found = await checkRange(ledger, new Rows(rows, 2, 2), ACCOUNTS, RANGE, bounds, NEVER);
        return typeof found === 'string' ? [found] : shown(found.suspects);
      };
      expect(await check(GOOD, true)).toEqual([]);
      const bad = [
        [1, 'a', 't2'],
        [2, 'x', 't2'],
        [4, 'e', 't2'],
      ] as const;
      expect(await check(bad, true)).toEqual(['2 changed', '4 extra', '3 missing']);
      expect(await check(bad, false)).toEqual(['2 changed', '4 extra']);
    });
  });

  it('is proven as of the lowest commit that the read may end at', async () => {
    await withRows(async (ledger) => {
      const found = await checkRange(
        ledger,
        new Rows(GOOD, 2, 3),
        ACCOUNTS,
        RANGE,
        { from: null, to: null },
        NEVER,
      );
      expect(found).toMatchObject({ position: place(2), rows: 3, suspects: [], more: false });
    });
  });

  it('shows nothing where the ledger does not know all rows of the table', async () => {
    const folder = temporaryFolder();
    const ledger = await openLedger(folder);
    try {
      ledger.take([{ type: 'definition', table: OF }, ...transaction(2, [insert(OF, 1, 'd')])]);
      const bounds = { from: null, to: null };
      const ask = (at: number): ReturnType<typeof checkRange> =>
        checkRange(ledger, new Rows([], at, at), ACCOUNTS, RANGE, bounds, NEVER);
      expect(await ask(2)).toBe('not known');
      await fill(ledger, OF, 2, [{ key: 1, value: 'd' }]);
      ledger.take(transaction(3, []));
      expect(await ask(2)).toMatchObject({ suspects: [{ judgement: { kind: 'different' } }] });
      // While a range is read the log turns out to have a gap.
      const read = ask(4);
      ledger.recordGap('somebody advanced the slot', null);
      ledger.take(transaction(4, []));
      expect(await read).toBe('not known');
    } finally {
      await ledger.close();
      removeFolder(folder);
    }
  });
});
