import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseLsn, positionOf } from '../../connectors/postgres/lsn.ts';
import { compareAlong, rememberedBranches } from '../../connectors/postgres/replication-lineage.ts';
import type { ChangeEvent } from '../../src/connector/changes.ts';
import type { Position, PositionOrder } from '../../src/connector/position.ts';
import { heldBehind } from '../../src/ledger/held.ts';
import { boundaryOf, StateAt } from '../../src/ledger/state.ts';
import { WatchedLedger } from '../../src/service/watched-ledger.ts';
import {
  define,
  digestOf,
  identity,
  insert,
  ledgerOptions,
  removeFolder,
  table,
  temporaryFolder,
  update,
} from './ledger-fixture.ts';

const ACCOUNTS = table('accounts');
const TAGS = table('tags');

/** The second timeline left the first at 0/400. */
const BRANCHES = rememberedBranches({
  engine: 'postgres',
  systemId: '77',
  timeline: '2',
  details: { ancestors: '[["1","0/400"]]' },
});
const compare = (a: Position, b: Position): PositionOrder => compareAlong(BRANCHES, a, b);

function at(timeline: number, lsn: string): Position {
  return positionOf('77', String(timeline), parseLsn(`0/${lsn}`));
}

function commit(position: Position, ...changes: readonly ChangeEvent[]): ChangeEvent[] {
  const about = { id: position, committedAtUs: 1_000_000n };
  return [{ type: 'begin', ...about, origin: null }, ...changes, { type: 'commit', ...about, position }];
}

describe('a ledger whose primary was replaced', () => {
  let folder: string;
  let watched: WatchedLedger;

  const open = (segmentBytes: number): Promise<WatchedLedger> =>
    WatchedLedger.open(ledgerOptions(folder, { comparePositions: compare, segmentBytes }), {
      comparePositions: compare,
    });

  beforeEach(async () => {
    folder = temporaryFolder();
    watched = await open(32 * 1024 * 1024);
  });

  afterEach(async () => {
    await watched.close();
    removeFolder(folder);
  });

  /** Name of the commit behind which a position stands. */
  function placed(position: Position, known: ReadonlyMap<number, string>): string {
    const answer = boundaryOf(watched.ledger.core, position, compare);
    return answer.kind === 'found' ? (known.get(answer.boundary) ?? `place ${answer.boundary}`) : answer.kind;
  }

  /** What the old primary had committed beyond the fork, a gap, and what came in its place from before the fork on. */
  async function withLostEnd(): Promise<Map<number, string>> {
    const known = new Map<number, string>();
    const take = async (...positions: readonly Position[]): Promise<void> => {
      for (const position of positions) {
        await watched.take([define(ACCOUNTS), ...commit(position, update(ACCOUNTS, 1, position))]);
        known.set(watched.ledger.head(), position);
      }
    };
    await take(at(1, '100'), at(1, '200'), at(1, '390'), at(1, '480'), at(1, '500'));
    await watched.between(() => watched.ledger.recordGap('the end is lost', null));
    await take(at(2, '350'), at(2, '600'), at(2, '700'));
    return known;
  }

  it.each([32 * 1024 * 1024, 400])(
    'finds positions in what is left of both histories (%i)',
    async (bytes) => {
      await watched.close();
      watched = await open(bytes);
      const known = await withLostEnd();
      expect(watched.ledger.core.journal.files.segments.length > 1).toBe(bytes < 1000);
      const found = [at(2, '6FF'), at(2, '600'), at(2, '450'), at(2, '800'), at(1, '210'), at(1, '100')].map(
        (position) => placed(position, known),
      );
      expect(found).toEqual([at(2, '600'), at(2, '600'), at(2, '350'), 'ahead', at(1, '200'), at(1, '100')]);
    },
  );

  it('finds nothing for what stands on the end that is lost, or before everything', async () => {
    const known = await withLostEnd();
    expect([at(1, '480'), at(1, '4F0'), at(3, '600'), at(1, '50')].map((one) => placed(one, known))).toEqual([
      'incomparable',
      'incomparable',
      'incomparable',
      'pruned',
    ]);
  });

  it('keeps what it knows of tables whose rows were all known', async () => {
    await watched.take([define(ACCOUNTS), ...commit(at(1, '100'))]);
    await read('accounts', at(1, '100'), 'all');
    watched.baseline.advance(compare);
    await watched.take(commit(at(1, '200'), insert(ACCOUNTS, 2, 'two')));
    const before = watched.ledger.core.catalog.ofTable('accounts');
    await watched.succeed('another server', false);
    await watched.take(commit(at(2, '480'), insert(ACCOUNTS, 3, 'three')));
    const relation = watched.ledger.core.catalog.ofTable('accounts');
    expect(relation?.number).toBe(before?.number);
    if (relation === null) throw new Error('it is gone');
    const row = new StateAt(watched.ledger.core, relation, watched.ledger.head()).row(identity(2));
    expect(row).toMatchObject({ digest: Buffer.from(digestOf(2, 'two'), 'hex') });
  });

  it('begins tables anew that were being read: the old one may have shown what the new one never had', async () => {
    await watched.take([define(ACCOUNTS), define(TAGS), ...commit(at(1, '100'))]);
    await read('tags', at(1, '480'), 'one', 'two');
    const before = watched.ledger.core.catalog.ofTable('tags')?.number ?? 0;
    await watched.succeed('another server', false);
    const now = watched.ledger.core.catalog.ofTable('tags');
    expect(now).toMatchObject({ cause: 'gap', completeFrom: null });
    expect(now?.number).toBeGreaterThan(before);
    expect(watched.ledger.core.catalog.ofTable('accounts')?.cause).toBe('new');
  });

  it('keeps nothing where places of both logs cannot be told apart', async () => {
    await watched.take([define(ACCOUNTS), ...commit(at(1, '100'))]);
    await watched.succeed('another server', true);
    expect(watched.ledger.core.catalog.ofTable('accounts')?.cause).toBe('gap');
  });

  it('holds against a server that was set back what it has told since, and nothing of before', async () => {
    const take = async (...lsns: readonly string[]): Promise<void> => {
      for (const lsn of lsns)
        await watched.take([define(ACCOUNTS), ...commit(at(1, lsn), update(ACCOUNTS, 1, lsn))]);
    };
    const held = (lsn: string): string[] =>
      [...(heldBehind(watched.ledger.core, at(1, lsn), compare) ?? [])].map(({ id }) => id);
    await take('100', '200', '500');
    expect(held('150')).toEqual([at(1, '200'), at(1, '500')]);
    expect(heldBehind(watched.ledger.core, at(1, '50'), compare)).toBeNull();
    await watched.between(() => watched.ledger.recordGap('it was set back', null));
    await take('150', '180', '300');
    expect([held('150'), held('250')]).toEqual([[at(1, '180'), at(1, '300')], [at(1, '300')]]);
  });

  it('forgets what the clock of the old one said, for good', async () => {
    await watched.take([define(ACCOUNTS), ...commit(at(1, '100'))]);
    watched.witness.offer({ position: at(1, '100'), timeUs: 5_000_000n });
    watched.witness.advance(at(1, '100'), compare);
    expect([watched.witness.read()?.timeUs, watched.ledger.core.committed.newestUs]).toEqual([
      5_000_000n,
      1_000_000n,
    ]);
    await watched.succeed('another server', false);
    await watched.close();
    watched = await open(32 * 1024 * 1024);
    expect([watched.witness.read(), watched.ledger.core.committed.newestUs]).toEqual([null, null]);
    expect(watched.ledger.position).toBe(at(1, '100'));
  });

  /** Some of the pieces of a baseline, as of a place of the primary's log. */
  async function read(
    name: string,
    until: Position,
    piece: string,
    ...others: readonly string[]
  ): Promise<void> {
    const relation = watched.ledger.core.catalog.ofTable(name)?.number ?? 0;
    watched.baseline.begin(relation, [piece, ...others]);
    await watched.settled(() => watched.baseline.store({ relation, piece, visible: () => true, until }, []));
  }
});
