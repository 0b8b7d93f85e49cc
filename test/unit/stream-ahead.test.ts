import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { BatchAhead } from '../../connectors/mysql/stream-ahead.ts';
import { positionOfList } from '../../connectors/mysql/gtid.ts';
import type { ChangeEvent } from '../../src/connector/changes.ts';
import { EventBatch } from '../../src/row/event-batch.ts';

const POSITION = positionOfList(new Map());
/** Two of them fill a batch. */
const LARGE = new Uint8Array(1024 * 1024);

function message(content: Uint8Array): ChangeEvent {
  return { type: 'message', transactional: false, prefix: '', content, position: POSITION };
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await nextTurn();
}

test('what came before a stream failed is handed out, then the failure', async () => {
  const batch = new EventBatch();
  let left = 3;
  const ahead = new BatchAhead(batch, {
    gather: () => {
      batch.push(message(new Uint8Array(1)));
      return null;
    },
    more: async () => {
      left -= 1;
      if (left === 0) throw new Error('the server is gone');
      await nextTurn();
    },
  });
  void ahead.run();
  await turns();
  await ahead.ready();
  expect(ahead.take()).toHaveLength(3);
  await expect(ahead.ready()).rejects.toThrow('the server is gone');
});

test('one batch is gathered while nobody asks, and the next one once whoever took it waits for the disk', async () => {
  const batch = new EventBatch();
  let gathered = 0;
  const ahead = new BatchAhead(batch, {
    gather: () => {
      for (; !batch.full; gathered += 1) batch.push(message(LARGE));
      return null;
    },
    more: () => Promise.reject(new Error('there is always more')),
  });
  void ahead.run();
  await turns();
  expect(gathered).toBe(2);
  await ahead.ready();
  expect(ahead.take()).toHaveLength(2);
  // Storing begins in the same turn.
  await Promise.resolve();
  expect(gathered).toBe(2);
  await turns();
  expect(gathered).toBe(4);
});

test('an event that waits for the catalog is waited for', async () => {
  const batch = new EventBatch();
  const steps = ['waits', 'pushes', 'ends'];
  const ahead = new BatchAhead(batch, {
    gather: () => {
      const step = steps.shift();
      if (step === 'waits') return nextTurn();
      if (step === 'pushes') batch.push(message(LARGE));
      return null;
    },
    more: () => (steps.length === 0 ? Promise.reject(new Error('over')) : Promise.resolve()),
  });
  void ahead.run();
  await ahead.ready();
  expect(ahead.take()).toHaveLength(1);
  await expect(ahead.ready()).rejects.toThrow('over');
});
