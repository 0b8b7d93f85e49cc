import { expect, it } from 'vitest';
import { dateOf } from '../../src/commands/certify-evidence.ts';

it('the time of a clock that was never read is none, and no day of 1970', () => {
  expect(dateOf(0n)).toBeNull();
  expect(dateOf(null)).toBeNull();
  expect(dateOf(1_700_000_000_000_999n)).toEqual(new Date(1_700_000_000_000));
});
