import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ChangeEvent } from '../../src/connector/changes.ts';
import { Candidates } from '../../src/ledger/candidates.ts';
import { contentOf } from '../../src/ledger/content.ts';
import { encodeMirrorRecord, MIRRORED, ownerOf } from '../../src/ledger/mirror-record.ts';
import { MirrorStates } from '../../src/ledger/mirror-state.ts';
import { rebuiltFrom } from '../../src/ledger/rebuilt.ts';
import {
  beginEmpty,
  comparePlaces,
  fill,
  insert,
  place,
  remove,
  removeFolder,
  table,
  temporaryFolder,
  transaction,
  update,
} from '../unit/ledger-fixture.ts';
import { MemoryTopic, MirroredLedger, rebuild, rebuilt } from '../unit/mirror-fixture.ts';

const accounts = table('accounts');
const orders = table('orders');

let folder = '';
let topic = new MemoryTopic();
let source: MirroredLedger;

beforeEach(async () => {
  folder = temporaryFolder();
  topic = new MemoryTopic();
  source = await MirroredLedger.open(folder, topic);
});
afterEach(async () => {
  await source.close();
  removeFolder(folder);
});

/** Rebuilds beside what was rebuilt before, and compares the two. */
async function expectSame(): Promise<void> {
  removeFolder(path.join(folder, 'rebuilt'));
  await rebuild(folder, topic);
  const content = await source.content();
  expect(content).not.toBeNull();
  expect(await rebuilt(folder, ({ core }) => contentOf(core))).toEqual(content);
}

async function commit(number: number, changes: readonly ChangeEvent[]): Promise<void> {
  await source.watched.take(transaction(number, changes));
}

describe('a mirrored ledger', () => {
  it('is rebuilt to the same content: baselines, changes, deletions, truncations, gaps, and what is known', async () => {
    await beginEmpty(source.ledger, accounts, 1);
    await source.mirror();
    await fill(source.ledger, accounts, 1, []);
    await commit(2, [insert(accounts, 1, 'a'), insert(accounts, 2, 'b'), insert(accounts, 3, 'c')]);
    await beginEmpty(source.ledger, orders, 3);
    await commit(4, [insert(orders, 1, 'x'), remove(accounts, 2), update(accounts, 3, 'd', 1)]);
    await commit(5, [{ type: 'truncate', tables: [orders] }, insert(orders, 9, 'y')]);
    source.watched.known.writeGap({ reason: 'none', atUs: 5n });
    source.watched.witness.offer({ position: place(5), timeUs: 7n });
    source.watched.witness.advance(place(5), comparePlaces);
    await source.mirror();
    await expectSame();
    source.ledger.recordGap('a hole', ['public.orders']);
    source.ledger.advanceHead();
    await commit(6, [insert(accounts, 7, 'z')]);
    await source.mirror();
    await expectSame();
    const { store } = source.ledger.core;
    store.transaction(() => store.erase('known:gap'));
    const before = topic.end;
    await source.mirror(() => topic.end > before);
    await source.mirror();
    await expectSame();
  });

  it('comes to the same content whatever becomes of what is sent', async () => {
    await beginEmpty(source.ledger, accounts, 1);
    let number = 1;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('stored', 'refused', 'stored and lost', 'stored'), { maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 30 }),
        async (fates, keys) => {
          const coming = [...fates];
          topic.fate = () => coming.shift() ?? 'stored';
          for (const key of keys) await commit((number += 1), [update(accounts, key, `v${number}`)]);
          await source.mirror();
          await expectSame();
        },
      ),
      { numRuns: 4 },
    );
  });

  it('is rebuilt with the window that it has, and begins anew where the window has passed what was not sent', async () => {
    await beginEmpty(source.ledger, accounts, 1);
    const many = Array.from({ length: 60 }, (_, key) => insert(accounts, key, 'v'));
    await commit(2, many);
    await source.mirror();
    for (let number = 3; number < 9; number++) {
      await commit(
        number,
        [...many.keys()].map((key) => update(accounts, key, `v${number}`)),
      );
    }
    await commit(9, [remove(accounts, 5)]);
    await source.mirror();
    const [before] = source.ledger.core.journal.files.segments;
    const { options } = source.ledger;
    Object.assign(options, { retention: { timeUs: 10n ** 15n, bytes: 8192 } });
    await source.watched.exclusive.run(() => source.ledger.prune());
    expect(source.ledger.core.journal.start.at).toBeGreaterThan(before?.header.base ?? 0);
    await commit(10, [insert(accounts, 900, 'w')]);
    await source.mirror();
    await expectSame();
    for (let number = 11; number < 19; number++) {
      await commit(
        number,
        [...many.keys()].map((key) => update(accounts, key, `v${number}`)),
      );
    }
    await source.watched.exclusive.run(() => source.ledger.prune());
    await source.mirror();
    expect(source.lines.map(({ message }) => message)).toContainEqual(
      expect.stringContaining('the journal was pruned before it was mirrored'),
    );
    await expectSame();
  });

  it('has no proof of any candidate when it is rebuilt, and says where it came from', async () => {
    await beginEmpty(source.ledger, accounts, 1);
    const { candidates, ledger } = source.watched;
    const bound = candidates.bind('gasan', 'one');
    const relation = ledger.core.catalog.ofTable('accounts')?.number ?? 0;
    const boundary = ledger.head();
    candidates.prove(bound, { relation, from: null, to: null, boundary, position: '1', provenAtUs: 1n });
    await source.mirror();
    await expectSame();
    await rebuilt(folder, ({ core }) => {
      expect(new Candidates(core).list()).toEqual([]);
      expect(
        [...core.store.meta.getKeys()].map(String).filter((name) => /candid|proof|mirror/.test(name)),
      ).toEqual([]);
      expect(rebuiltFrom(core.store)?.from).toBe('memory');
    });
  });
});

describe('what is rebuilt', () => {
  const records = async (): Promise<void> => {
    await beginEmpty(source.ledger, accounts, 1);
    await commit(2, [insert(accounts, 1, 'a')]);
    await source.mirror();
    await commit(3, [insert(accounts, 2, 'b')]);
    await source.mirror();
  };
  const expectRefused = async (reason: string): Promise<void> => {
    await expect(rebuild(folder, topic)).rejects.toMatchObject({
      code: 'TP-LEDGER-REBUILD',
      message: expect.stringContaining(reason),
    });
    expect(readdirSync(folder).sort()).toEqual(['source']);
  };

  it('is nothing where records are missing, damaged, or the beginning is cut off', async () => {
    await expectRefused('there is nothing in it');
    await records();
    const all = topic.records;
    for (const missing of [2, all.length - 2]) {
      topic.records = all.filter((_, index) => index !== missing);
      await expectRefused('are missing');
    }
    topic.records = all.slice(1);
    await expectRefused('its beginning is missing');
    topic.records = all.map((record, index) =>
      index === 3 ? { ...record, value: Buffer.from(record.value).fill(1, 100) } : record,
    );
    await expectRefused('are missing');
    topic.records = all.slice(0, 2);
    await expectRefused('not copied whole');
  });

  it('is an earlier state where the end is missing, and the epoch before where the newest is not whole', async () => {
    await records();
    const all = topic.records;
    topic.records = all.slice(0, -3);
    await rebuild(folder, topic);
    expect(await rebuilt(folder, ({ position }) => position)).toBe('2');
    removeFolder(path.join(folder, 'rebuilt'));
    topic.records = all;
    const body = Buffer.from(
      JSON.stringify({ ledger: 'l', system: 'bank', source: 's', digest: 'xxh64', reason: 'r', atUs: '5' }),
    );
    const writer = { owner: ownerOf('bank', 's'), epoch: 'f'.repeat(32) };
    topic.put(encodeMirrorRecord(writer, 0, MIRRORED.begin, body));
    expect(await rebuild(folder, topic)).toMatchObject({ unfinishedAtUs: 5n });
    expect(await rebuilt(folder, ({ position }) => position)).toBe('3');
  });

  it('never replaces anything, and takes away what a killed rebuild left', async () => {
    await records();
    await rebuild(folder, topic);
    await expect(rebuild(folder, topic)).rejects.toMatchObject({ code: 'TP-USAGE' });
    expect(existsSync(path.join(folder, 'rebuilt.rebuilding'))).toBe(false);
    await expect(rebuild(path.join(folder, 'x'), topic, 'other')).rejects.toMatchObject({
      code: 'TP-LEDGER-REBUILD',
      message: expect.stringContaining('system bank'),
    });
  });
});

describe('the topic of a mirror', () => {
  it('is refused while another ledger of the system writes to it, and taken over when that is silent', async () => {
    await beginEmpty(source.ledger, accounts, 1);
    await source.mirror();
    const other = await MirroredLedger.open(path.join(folder, 'other'), topic);
    try {
      await beginEmpty(other.ledger, accounts, 1);
      topic.nowMs += 1000;
      await other.mirror(() => other.lines.length > 0);
      expect(other.lines[0]).toMatchObject({ code: 'TP-LEDGER-MIRROR', level: 'warn' });
      expect(new MirrorStates(other.ledger.core.store).trouble()?.message).toContain(
        'another ledger of this',
      );
      await other.mirror();
      expect(other.lines.map(({ message }) => message)).toContainEqual(
        expect.stringContaining('from its beginning'),
      );
      // The first one finds out before it sends anything that would count.
      await commit(2, [insert(accounts, 1, 'a')]);
      source.lines.length = 0;
      await source.mirror(() => source.lines.length > 0);
      expect(source.lines[0]).toMatchObject({ code: 'TP-LEDGER-MIRROR' });
    } finally {
      await other.close();
    }
  });

  it('is left alone as soon as somebody else has written to it, and begun anew when that one is silent', async () => {
    await beginEmpty(source.ledger, accounts, 1);
    await source.mirror();
    await commit(2, [insert(accounts, 1, 'a')]);
    const { system, source: of } = source.ledger.identity;
    const other = { owner: ownerOf(system, of), epoch: 'd'.repeat(32) };
    let said = false;
    topic.fate = () => {
      if (!said) topic.put(encodeMirrorRecord(other, 5, MIRRORED.note, Buffer.of()));
      said = true;
      return 'stored';
    };
    await source.mirror(() => source.lines.length > 2);
    expect(source.lines.slice(1).map(({ message }) => message)).toEqual([
      'the ledger is not mirrored: somebody else writes to the topic of the mirror',
      'the ledger is not mirrored: another ledger of this system writes to the topic',
    ]);
    await source.mirror();
    expect(source.lines.at(-2)?.message).toContain('another ledger wrote to the topic');
    await expectSame();
  });

  it('is refused where another system’s ledger stands in it', async () => {
    topic.put(
      encodeMirrorRecord({ owner: ownerOf('x', 'y'), epoch: 'e'.repeat(32) }, 0, MIRRORED.begin, Buffer.of()),
    );
    await source.mirror(() => source.lines.length > 0);
    expect(source.lines[0]?.message).toContain('another system');
  });

  it('is written anew when its beginning is gone, it was made anew, or its time is over', async () => {
    await beginEmpty(source.ledger, accounts, 1);
    await source.mirror();
    topic.records = topic.records.slice(2);
    await source.mirror(() => source.lines.length > 1);
    await source.mirror();
    await expectSame();
    topic.records = [];
    topic.end = 0n;
    await source.mirror(() => source.lines.length > 2);
    await source.mirror();
    await expectSame();
    await source.mirror(() => source.lines.length > 3, { renewMs: 30_000 });
    await source.mirror();
    await expectSame();
    const reasons = source.lines.map(({ message }) => message.split(': ').at(-1));
    expect(reasons).toEqual([
      'the topic was empty',
      'the topic has lost where the mirror began',
      'the topic lost what was written last, or was made anew',
      'its time was over',
    ]);
  });
});
