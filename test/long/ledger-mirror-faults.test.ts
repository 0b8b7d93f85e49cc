import { cpSync } from 'node:fs';
import path from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ChangeEvent } from '../../src/connector/changes.ts';
import type { MirrorMessage } from '../../src/connector/mirror-log.ts';
import { contentOf, type LedgerContent } from '../../src/ledger/content.ts';
import { decodeMirrorRecord, encodeMirrorRecord, MIRRORED, ownerOf } from '../../src/ledger/mirror-record.ts';
import { type MirrorState, MirrorStates } from '../../src/ledger/mirror-state.ts';
import {
  beginEmpty,
  comparePlaces,
  define,
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
const TEN_MINUTES_MS = 600_000;

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

async function commit(number: number, changes: readonly ChangeEvent[]): Promise<void> {
  await source.watched.take(transaction(number, changes));
}

/** One transaction with a change of each of some rows. */
function commitAll(number: number, change: (key: number) => ChangeEvent): Promise<void> {
  return commit(
    number,
    Array.from({ length: 60 }, (_, key) => change(key)),
  );
}

/** What a ledger holds that is rebuilt beside what was rebuilt before. */
async function contentRebuilt(): Promise<LedgerContent | null> {
  removeFolder(path.join(folder, 'rebuilt'));
  await rebuild(folder, topic);
  return await rebuilt(folder, ({ core }) => contentOf(core));
}

async function expectSame(): Promise<void> {
  const content = await source.content();
  expect(content).not.toBeNull();
  expect(await contentRebuilt()).toEqual(content);
}

function state(): MirrorState | null {
  return new MirrorStates(source.ledger.core.store).read();
}

function said(): string[] {
  return source.lines.map(({ message }) => message);
}

function kindOf({ value }: { readonly value: Buffer }): number {
  return decodeMirrorRecord(value).kind;
}

describe('a mirror that is cut off anywhere', () => {
  it('gives a state that the ledger had, from the moment on in which it was whole', async () => {
    const known = new Map<number, LedgerContent | null>();
    const mirror = async (): Promise<void> => {
      await source.mirror();
      known.set(topic.records.length, await source.content());
    };
    await beginEmpty(source.ledger, accounts, 1);
    await commitAll(2, (key) => insert(accounts, key, 'v'));
    await mirror();
    for (let number = 3; number < 11; number += 2) {
      await commitAll(number, (key) => update(accounts, key, `v${number}`));
      await commit(number + 1, [remove(accounts, number), insert(accounts, 100 + number, 'w')]);
      await mirror();
    }
    // The window passes deletions, and a copy of the index that has them no more follows.
    Object.assign(source.ledger.options, { retention: { timeUs: 10n ** 15n, bytes: 8192 } });
    await source.watched.exclusive.run(() => source.ledger.prune());
    await beginEmpty(source.ledger, orders, 70);
    source.watched.witness.offer({ position: place(70), timeUs: 7n });
    source.watched.witness.advance(place(70), comparePlaces);
    await commit(71, [insert(orders, 1, 'x'), { type: 'truncate', tables: [orders] }]);
    await mirror();
    expect(state()?.copies).toBeGreaterThan(1);
    const all = topic.records;
    const whole = all.findIndex((record) => kindOf(record) === MIRRORED.copied) + 1;
    for (let cut = whole; cut <= all.length; cut++) {
      topic.records = all.slice(0, cut);
      topic.end = BigInt(cut);
      const found = await contentRebuilt();
      expect({ cut, found }).toEqual({ cut, found: known.get(cut) ?? found });
    }
  });

  it('goes on wherever what was sent broke off', async () => {
    await beginEmpty(source.ledger, accounts, 1);
    let number = 1;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 20, maxLength: 60 }),
        async (stored, keys) => {
          const coming = [...stored];
          topic.fate = () => coming.shift() ?? 'stored';
          for (const key of keys) await commit((number += 1), [update(accounts, key, `v${number}`)]);
          await source.mirror();
          await expectSame();
        },
      ),
      { numRuns: 6 },
    );
  });

  it('goes on behind the head of a file of which nothing else was stored', async () => {
    await beginEmpty(source.ledger, accounts, 1);
    await commitAll(2, (key) => insert(accounts, key, 'v'));
    await source.mirror();
    let broken = 0;
    topic.fate = (messages: readonly MirrorMessage[]) => {
      const head = messages.findIndex((message) => kindOf(message) === MIRRORED.file);
      if (head < 0 || broken++ > 0) return 'stored';
      return head + 1;
    };
    for (let number = 3; number < 8; number++) {
      await commitAll(number, (key) => update(accounts, key, `v${number}`));
    }
    await source.mirror();
    expect(broken).toBeGreaterThan(1);
    await expectSame();
  });

  it('goes on behind the beginning of a long note', async () => {
    await beginEmpty(source.ledger, accounts, 1);
    await source.mirror();
    const coming = ['stored', 'refused'] as const;
    let sent = 0;
    topic.fate = () => coming[sent++] ?? 'stored';
    // More than one record takes.
    const reason = Array.from({ length: 250_000 }, (_, at) => String(at).padStart(8, '.')).join('');
    source.watched.known.writeGap({ reason, atUs: 5n });
    await source.mirror(() => sent > 4);
    await source.mirror();
    await expectSame();
  });
});

describe('a ledger that was put back from a copy of its folder', () => {
  const reopened = async (): Promise<MirroredLedger> => {
    const opened = await MirroredLedger.open(folder, topic);
    await opened.watched.take([define(accounts)]);
    return opened;
  };

  it.each([
    ['and has gone another way since', [insert(accounts, 7, 'other')]],
    ['and has not come as far yet', []],
  ])('%s is mirrored anew, as it is', async (_, changes) => {
    await beginEmpty(source.ledger, accounts, 1);
    await commit(2, [insert(accounts, 1, 'a')]);
    await source.mirror();
    await source.close();
    const [live, saved] = [path.join(folder, 'source'), path.join(folder, 'saved')];
    cpSync(live, saved, { recursive: true });
    source = await reopened();
    for (let number = 3; number < 9; number++) await commit(number, [insert(accounts, number, 'b')]);
    await source.mirror();
    await source.close();
    removeFolder(live);
    cpSync(saved, live, { recursive: true });
    source = await reopened();
    if (changes.length > 0) await commit(3, changes);
    await source.mirror(() => said().some((message) => message.includes('from its beginning')));
    await source.mirror();
    expect(said()).toContainEqual(expect.stringContaining('the ledger was set back'));
    await expectSame();
  });

  it('has the newest commit time of now: that of another server’s clock does not come back', async () => {
    await beginEmpty(source.ledger, accounts, 1);
    const future = 9_000_000_000n;
    const ahead = { id: 't2', committedAtUs: future } as const;
    await source.mirror();
    await source.watched.take([
      { type: 'begin', ...ahead, origin: null },
      insert(accounts, 1, 'a'),
      { type: 'commit', ...ahead, position: place(2) },
    ]);
    await source.mirror();
    expect(source.ledger.core.committed.newestUs).toBe(future);
    await source.watched.settled(() => source.ledger.core.forgetTimes());
    await commit(3, [insert(accounts, 2, 'b')]);
    await source.mirror();
    await expectSame();
    await rebuilt(folder, ({ core }) => expect(core.committed.newestUs).toBe(3_000_000n));
  });
});

describe('the topic of a mirror', () => {
  it('is not taken for another ledger’s where the answer to the beginning was lost', async () => {
    await beginEmpty(source.ledger, accounts, 1);
    let appended = 0;
    topic.fate = () => (appended++ === 0 ? 'stored and lost' : 'stored');
    await source.mirror();
    expect(said().join('\n')).not.toContain('another ledger');
    expect(topic.nowMs).toBeLessThan(TEN_MINUTES_MS);
    await expectSame();
  });

  it('is taken back from a ledger that wrote for so long that what was ours is gone, and is silent now', async () => {
    await beginEmpty(source.ledger, accounts, 1);
    await source.mirror();
    const { system, source: of } = source.ledger.identity;
    const other = { owner: ownerOf(system, of), epoch: 'd'.repeat(32) };
    for (let number = 0; number < 5; number++) {
      topic.put(encodeMirrorRecord(other, number, MIRRORED.note, Buffer.of()));
    }
    topic.records = topic.records.slice(-2);
    topic.nowMs += TEN_MINUTES_MS;
    await commit(2, [insert(accounts, 1, 'a')]);
    await source.mirror();
    expect(said().at(-1)).toContain('the topic has lost where the mirror began');
    expect(source.lines.at(-1)?.hint).toContain('retention.ms');
    await expectSame();
  });

  it('is used again when a stranger wrote to it by mistake, and what the stranger wrote is told at a rebuild', async () => {
    await beginEmpty(source.ledger, accounts, 1);
    await source.mirror();
    topic.put(Buffer.from('hello'));
    const { strange } = await rebuild(folder, topic);
    expect(strange).toContain('none of a ledger');
    await commit(2, [insert(accounts, 1, 'a')]);
    await source.mirror(() => source.lines.length > 1);
    expect(said().at(-1)).toContain('somebody else writes to the topic');
    await source.mirror();
    await expectSame();
  });

  it('is not read by a program that does not know what is written to it now', async () => {
    await beginEmpty(source.ledger, accounts, 1);
    await source.mirror();
    const newer = Buffer.from(topic.records.at(-1)?.value ?? []);
    newer[8] = 99;
    topic.put(newer);
    await expect(rebuild(folder, topic)).rejects.toMatchObject({ code: 'TP-LEDGER-VERSION' });
  });

  it('is told to hold what it holds while it is written anew, and nothing when it was emptied', async () => {
    await beginEmpty(source.ledger, accounts, 1);
    await source.mirror();
    const reached: (bigint | null)[] = [];
    const epochs = new Set<string>();
    const watching = (): boolean => {
      reached.push(state()?.reachedAtUs ?? null);
      epochs.add(state()?.epoch ?? '');
      return epochs.size > 2;
    };
    await source.mirror(watching, { renewMs: 30_000 });
    expect(reached).not.toContain(null);
    topic.records = [];
    topic.end = 0n;
    topic.fate = ([first]) =>
      first !== undefined && kindOf(first) === MIRRORED.begin ? 'stored' : 'refused';
    await source.mirror(() => said().some((message) => message.includes('made anew')));
    expect(state()?.reachedAtUs).toBeNull();
    topic.fate = () => 'stored';
    await source.mirror();
    expect(state()?.reachedAtUs).not.toBeNull();
  });

  it('does not end the watch, whatever goes wrong with it', async () => {
    await beginEmpty(source.ledger, accounts, 1);
    let opened = 0;
    const open = (): Promise<ReturnType<MemoryTopic['open']>> =>
      opened++ === 0 ? Promise.reject(new Error('no reason')) : Promise.resolve(topic.open());
    await source.mirror(undefined, { open });
    expect(source.lines[0]).toMatchObject({ code: 'TP-BUG', level: 'warn' });
    await expectSame();
  });
});
