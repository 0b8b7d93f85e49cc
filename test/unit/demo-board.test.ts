import { expect, test } from 'vitest';
import { wantsBoard } from '../../src/demo/board-act.ts';

test('the demo ends with the board on a terminal alone, unless it is told otherwise', () => {
  expect([wantsBoard(undefined, true), wantsBoard(undefined, false)]).toEqual([true, false]);
  expect([wantsBoard(false, true), wantsBoard(true, false)]).toEqual([false, true]);
});
