import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkLedger } from '../../src/ledger/check.ts';
import { diskFailure } from '../../src/ledger/core.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { showLedger } from '../../src/ledger/show.ts';
import { LEDGER_VERSION, Store } from '../../src/ledger/store.ts';
import { Witness } from '../../src/ledger/witness.ts';
import { Unread } from '../../src/ledger/unread.ts';
import { StateAt } from '../../src/ledger/state.ts';
import { type RowChange, type StreamedTable, UNCHANGED_LENGTH } from '../../src/connector/changes.ts';
import { STATE } from '../../src/ledger/entry.ts';
import {
  beginEmpty,
  body,
  comparePlaces,
  digestOf,
  identity,
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

const OF = table('accounts');
let folder = '';
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => removeFolder(folder));

async function written(): Promise<Ledger> {
  const ledger = await openLedger(folder);
  await beginEmpty(ledger, OF, 1);
  ledger.take(transaction(2, [insert(OF, 1, 'one'), insert(OF, 2, 'two')]));
  ledger.take(transaction(3, [update(OF, 1, 'uno')]));
  await ledger.flush();
  return ledger;
}

/** A row of which the log left the second value out. */
function withoutValue(key: number): Uint8Array {
  const row = Buffer.from(body(key, 'xx'));
  const cut = row.subarray(0, row.length - 2);
  cut.writeInt32BE(UNCHANGED_LENGTH, cut.length - 4);
  return cut;
}

describe('a ledger', () => {
  it('that cannot be kept where the configuration wants it is refused with the path', async () => {
    const file = path.join(folder, 'file');
    writeFileSync(file, '');
    await expect(openLedger(path.join(file, 'bank'))).rejects.toMatchObject({
      code: 'TP-LEDGER',
      message: expect.stringContaining(file),
    });
  });

  it.runIf(process.platform === 'linux')(
    'is refused at once where a file system takes no folder',
    async () => {
      await expect(openLedger('/proc/nowhere/bank')).rejects.toMatchObject({
        code: 'TP-LEDGER',
        message: expect.stringContaining('the ledger cannot be kept in /proc/nowhere/bank'),
      });
    },
  );

  it('is written by one process at a time, and says by which', async () => {
    const ledger = await written();
    await expect(openLedger(folder)).rejects.toMatchObject({
      code: 'TP-LEDGER-LOCKED',
      message: expect.stringContaining(`process ${process.pid} on ${hostname()}`),
    });
    const reader = await Ledger.read(ledgerOptions(folder));
    expect(reader.position).toBe('3');
    await reader.close();
    await ledger.close();
    await (await openLedger(folder)).close();
  });

  it('tells its reader the same while its writer goes on', async () => {
    const ledger = await written();
    await ledger.settle();
    const reader = await Ledger.read(ledgerOptions(folder));
    ledger.take(transaction(4, [update(OF, 1, 'eins')]));
    await ledger.settle();
    const relation = reader.core.catalog.ofTable(OF.id);
    if (relation === null) throw new Error('the table is gone');
    await new Promise(setImmediate);
    const row = new StateAt(reader.core, relation, reader.head()).row(identity(1));
    expect(row.state === STATE.present ? Buffer.from(row.digest).toString('hex') : row).toBe(
      digestOf(1, 'uno'),
    );
    await reader.close();
    await ledger.close();
  });

  it('is taken over from a process that is gone, not from one of another host', async () => {
    await (await written()).close();
    const lock = path.join(folder, 'owner.lock');
    const owner = {
      pid: 2 ** 22 + 1,
      host: hostname(),
      started: '1',
      boot: null,
      since: '2026-01-01T00:00:00Z',
    };
    writeFileSync(lock, JSON.stringify(owner));
    await (await openLedger(folder)).close();
    writeFileSync(lock, JSON.stringify({ ...owner, host: 'elsewhere' }));
    await expect(openLedger(folder)).rejects.toMatchObject({ code: 'TP-LEDGER-LOCKED' });
  });

  it('stops writing when its lock was taken from it', async () => {
    const ledger = await written();
    writeFileSync(path.join(folder, 'other'), '');
    removeFolder(path.join(folder, 'owner.lock'));
    await expect(ledger.flush()).rejects.toMatchObject({ code: 'TP-LEDGER-LOCKED' });
    await ledger.close();
  });

  it('of another system or another digest is refused', async () => {
    await (await written()).close();
    for (const change of [{ system: 'shop' }, { source: '7/other' }, { digest: 'sha256' as const }]) {
      await expect(openLedger(folder, change)).rejects.toMatchObject({ code: 'TP-LEDGER-SYSTEM' });
    }
  });

  it('of a newer version is refused', async () => {
    await (await written()).close();
    const store = new Store(folder, true);
    const identityNow = store.identity();
    store.transaction(() => store.write('identity', { ...identityNow, version: LEDGER_VERSION + 1 }));
    await store.close();
    await expect(openLedger(folder)).rejects.toMatchObject({ code: 'TP-LEDGER-VERSION' });
  });

  it('that is not there cannot be read', async () => {
    await expect(Ledger.read(ledgerOptions(folder))).rejects.toMatchObject({ code: 'TP-LEDGER' });
  });

  it('is opened to write also while this process reads it', async () => {
    await (await written()).close();
    const reader = await Ledger.read(ledgerOptions(folder));
    const opening = Ledger.open(ledgerOptions(folder));
    await reader.close();
    const writer = await opening;
    const beside = await Ledger.read(ledgerOptions(folder));
    writer.take([{ type: 'idle', position: place(9) }]);
    await writer.settle();
    await beside.close();
    await writer.close();
    const again = await Ledger.read(ledgerOptions(folder));
    expect(again.position).toBe(place(9));
    await again.close();
  });

  it.each([
    ['is no file of LMDB', (file: string, size: number) => writeFileSync(file, Buffer.alloc(size, 7))],
    ['is cut off', (file: string) => truncateSync(file, 2 * 4096)],
    ['is cut off within its first page', (file: string) => truncateSync(file, 100)],
    ['is empty', (file: string) => truncateSync(file, 0)],
  ])('of which the index %s is damaged, and ends nobody', async (_, damage) => {
    await (await written()).close();
    const file = path.join(folder, 'index.lmdb');
    damage(file, statSync(file).size);
    await expect(Ledger.open(ledgerOptions(folder))).rejects.toMatchObject({ code: 'TP-LEDGER-CORRUPT' });
    await expect(Ledger.read(ledgerOptions(folder))).rejects.toMatchObject({ code: 'TP-LEDGER-CORRUPT' });
  });

  it('of which a byte of the journal was altered does not pass its check', async () => {
    const ledger = await written();
    await ledger.settle();
    expect(checkLedger(ledger.core)).toMatchObject({ problems: [], changes: 3, rows: 2 });
    await ledger.close();
    const name = path.join(folder, 'journal', readdirSync(path.join(folder, 'journal'))[0] ?? '');
    const bytes = readFileSync(name);
    const at = bytes.indexOf('t2') - 20;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    writeFileSync(name, bytes);
    const reader = await Ledger.read(ledgerOptions(folder));
    expect(checkLedger(reader.core).problems.join('\n')).toMatch(/does not follow|does not hold/);
    await reader.close();
  });

  it('of which a row of the index was altered or lost does not pass its check', async () => {
    const ledger = await written();
    await ledger.settle();
    const { index } = ledger.core.store;
    const [first, second] = [...index.getRange({})];
    if (first === undefined || second === undefined) throw new Error('there are two rows');
    const altered = Buffer.from(first.value);
    altered[10] = (altered[10] ?? 0) ^ 1;
    index.putSync(first.key, altered);
    expect(checkLedger(ledger.core).problems.join('\n')).toMatch(/not those that were counted/);
    index.putSync(first.key, first.value);
    expect(checkLedger(ledger.core).problems).toEqual([]);
    index.removeSync(second.key);
    expect(checkLedger(ledger.core).problems.join('\n')).toMatch(/is not in the index/);
    await ledger.close();
  });

  it('shows a person what it holds', async () => {
    const ledger = await written();
    const witness = new Witness(ledger.core);
    witness.offer({ position: place(3), timeUs: 30n });
    witness.offer({ position: place(4), timeUs: 40n });
    witness.advance(place(3), comparePlaces);
    expect(showLedger(ledger)).toMatchObject({
      system: 'bank',
      position: '3',
      newestCommitUs: 3_000_000n,
      witness: { position: '3', timeUs: 30n },
      tables: [{ table: 'public.accounts', rows: 2, unread: 0, state: 'complete' }],
      gaps: [],
      candidates: [],
    });
    await ledger.close();
  });

  it('does not guess a value that the log left out: the row is unknown until it is read', async () => {
    const ledger = await written();
    ledger.take(transaction(4, [{ ...update(OF, 2, ''), after: withoutValue(2) }]));
    await ledger.flush();
    await ledger.settle();
    const relation = ledger.core.catalog.ofTable(OF.id);
    if (relation === null) throw new Error('the table is gone');
    const row = (): number => new StateAt(ledger.core, relation, ledger.head()).row(identity(2)).state;
    expect(row()).toBe(STATE.unknown);
    const unread = new Unread(ledger.core);
    expect(unread.next(10).map((key) => Buffer.from(key.identity))).toEqual([Buffer.from(identity(2))]);
    const read = { identity: identity(2), row: ledger.digester().row(body(2, 'two'), null) };
    unread.offer(relation.number, read, place(5));
    expect(unread.advance(comparePlaces)).toBe(0);
    ledger.take([{ type: 'idle', position: place(5) }]);
    expect(unread.advance(comparePlaces)).toBe(1);
    const found = new StateAt(ledger.core, relation, ledger.head()).row(identity(2));
    expect(found.state === STATE.present ? Buffer.from(found.digest).toString('hex') : found).toBe(
      digestOf(2, 'two'),
    );
    expect(unread.any).toBe(false);
    await ledger.close();
  });

  it('asks for no row of a generation that has ended, and for some of every table that has unknown ones', async () => {
    const ledger = await written();
    const other = table('other');
    const cut = (of: StreamedTable, key: number): RowChange => ({
      ...update(of, key, ''),
      after: withoutValue(key),
    });
    await beginEmpty(ledger, other, 4);
    ledger.take(transaction(5, [insert(other, 7, 'seven'), insert(other, 8, 'eight')]));
    ledger.take(transaction(6, [cut(OF, 2), cut(other, 7), cut(other, 8)]));
    await ledger.settle();
    const unread = new Unread(ledger.core);
    const tables = (): (string | undefined)[] =>
      unread.next(2).map(({ relation }) => ledger.core.catalog.byNumber(relation)?.table);
    expect(new Set(tables())).toEqual(new Set([OF.id, 'other']));
    ledger.recordGap('a change came without its key', [OF.leaf]);
    await ledger.settle();
    expect(tables()).toEqual(['other', 'other']);
    ledger.recordGap('somebody advanced the slot', null);
    await ledger.settle();
    expect([unread.any, tables()]).toEqual([false, []]);
    await ledger.close();
  });

  it('voids a table of which a change contradicts what it held, and one whose definition changed', async () => {
    const ledger = await written();
    ledger.take(transaction(4, [update(OF, 2, 'zwei'), insert(OF, 1, 'again'), update(OF, 2, 'drei')]));
    await ledger.settle();
    expect(checkLedger(ledger.core).problems).toEqual([]);
    expect(ledger.core.catalog.ofTable(OF.id)).toMatchObject({ cause: 'contradiction', completeFrom: null });
    expect(ledger.definitions.compare(new Map([[OF.id, 'f1']]))).toEqual([]);
    expect(ledger.definitions.compare(new Map([[OF.id, 'f2']]))).toHaveLength(1);
    expect(ledger.core.catalog.ofTable(OF.id)).toMatchObject({ cause: 'definition', fingerprint: 'f2' });
    await ledger.close();
  });
});

describe('an error of the disk', () => {
  it('keeps the words of the system, since LMDB calls a disk that is full an error of input or output', () => {
    const short = Object.assign(new Error('Input/output error'), { code: 5 });
    expect(diskFailure(short)).toMatchObject({
      code: 'TP-LEDGER-WRITE',
      message: 'the ledger could not be written: Input/output error',
      hint: expect.stringContaining('whether the disk is full'),
    });
    const full = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    expect(diskFailure(full)).toMatchObject({ code: 'TP-LEDGER-FULL' });
    expect(diskFailure(new Error('something else'))).toBeNull();
  });
});
