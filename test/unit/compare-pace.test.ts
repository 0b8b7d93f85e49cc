import { expect, test } from 'vitest';
import { Pace } from '../../src/compare/pace.ts';

/** Whether `pending` ends without anything else happening. */
async function ends(pending: Promise<void>): Promise<boolean> {
  const soon = new Promise<boolean>((resolve) => setImmediate(() => resolve(false)));
  return Promise.race([pending.then(() => true), soon]);
}

test('a site that is ahead waits for the other, which does not', async () => {
  const pace = new Pace();
  expect(await ends(pace.keep('primary', 0.01))).toBe(true);
  const ahead = pace.keep('primary', 0.5);
  expect(await ends(ahead)).toBe(false);
  expect(await ends(pace.keep('candidate', 0.3))).toBe(true);
  expect(await ends(ahead)).toBe(false);
  expect(await ends(pace.keep('candidate', 0.49))).toBe(true);
  expect(await ends(ahead)).toBe(true);
});

test('nobody waits for a site that ended, however far it came', async () => {
  const pace = new Pace();
  const first = pace.keep('candidate', 0.5);
  const second = pace.keep('candidate', 0.9);
  expect(await ends(first)).toBe(false);
  pace.end('primary');
  expect(await ends(first)).toBe(true);
  expect(await ends(second)).toBe(true);
});
