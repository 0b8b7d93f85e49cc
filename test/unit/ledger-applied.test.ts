import { cpSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Ledger } from '../../src/ledger/ledger.ts';
import {
  beginEmpty,
  define,
  insert,
  openLedger,
  place,
  removeFolder,
  table,
  temporaryFolder,
  transaction,
} from './ledger-fixture.ts';

const TABLE = table('accounts');
let folder = '';
let ledger: Ledger;
let nowMs = Date.parse('2026-01-01T00:00:00Z');

beforeEach(async () => {
  folder = temporaryFolder();
  ledger = await openLedger(folder, { now: () => new Date(nowMs) });
  await beginEmpty(ledger, TABLE, 1);
});

afterEach(async () => {
  await ledger.close();
  removeFolder(folder);
});

/** Bytes of journal that whoever opens the ledger has to take into memory. */
function bytesBehind(): number {
  return ledger.core.journal.end.at - (ledger.core.store.applied()?.at ?? 0);
}

async function write(number: number): Promise<void> {
  ledger.take(transaction(number, [insert(TABLE, number, 'x')]));
  await ledger.flush();
}

test('changes wait for the index, but not for long', async () => {
  await write(2);
  nowMs += 9_000;
  await write(3);
  expect(bytesBehind()).toBeGreaterThan(0);
  nowMs += 1_000;
  await write(4);
  expect(bytesBehind()).toBe(0);
  nowMs -= 3_600_000;
  await write(5);
  expect(bytesBehind()).toBe(0);
});

test('who opens a ledger whose process was killed leaves no more to be replayed than was written since', async () => {
  await write(2);
  await write(3);
  expect(bytesBehind()).toBeGreaterThan(0);
  const killed = temporaryFolder();
  cpSync(folder, killed, { recursive: true, filter: (from) => !from.endsWith('.lock') });
  const next = await openLedger(killed, { now: () => new Date(nowMs) });
  try {
    expect(next.core.journal.end.at).toBe(ledger.core.journal.end.at);
    expect(next.core.store.applied()?.at).toBe(next.core.journal.end.at);
    expect(next.core.journal.durable).toBe(next.core.journal.end.at);
    expect(next.core.pending.size).toBe(0);
    expect(next.core.catalog.ofTable(TABLE.id)?.rows).toBe(2);
  } finally {
    await next.close();
    removeFolder(killed);
  }
});

test('when the stream ends the index has every transaction, and nothing of the one that did not end', async () => {
  await write(2);
  const open = transaction(3, [insert(TABLE, 7, 'x'), insert(TABLE, 8, 'x')]).slice(0, 2);
  ledger.take(open);
  await ledger.flush();
  await ledger.abandon();
  expect(bytesBehind()).toBe(0);
  expect(ledger.core.pending.size).toBe(0);
  expect(ledger.position).toBe(place(2));
  expect(ledger.core.catalog.ofTable(TABLE.id)?.rows).toBe(1);
});

test('wide rows reach the index before they fill the memory', async () => {
  await ledger.close();
  ledger = await openLedger(folder, { pendingBytesMax: 1_000_000 });
  const wide = Buffer.alloc(600).toString('latin1');
  // A key of ten thousand bytes stands in its entry.
  const rows = Array.from({ length: 110 }, (_, row) => {
    const key = Buffer.alloc(4 + 10_000);
    key.writeUInt32BE(10_000);
    key.writeUInt32BE(row, 9000);
    return { ...insert(TABLE, row, wide), key };
  });
  ledger.take([define(TABLE), ...transaction(2, rows)]);
  await ledger.flush();
  expect(ledger.core.pending.bytes).toBe(0);
});
