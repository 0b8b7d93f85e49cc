import { describe, expect, it } from 'vitest';
import { compareLoss } from '../../src/demo/loss-comparison.ts';

const rows = ['public.account 1', 'public.transfer 9'];
const none = (): boolean => false;

describe('the reported loss beside what the writer knows', () => {
  it('agrees where the same rows are named, in whichever order', () => {
    const lost = [{ id: '7', rows: rows.toReversed() }];
    const { agreed, rowsAgreed, wrong } = compareLoss([{ id: '7', rows }], lost, none);
    expect({ agreed, rowsAgreed, wrong }).toEqual({ agreed: 1, rowsAgreed: 2, wrong: [] });
  });

  it('does not agree when a row is missing or another is named', () => {
    for (const named of [['public.account 1'], ['public.account 1', 'public.transfer 8']]) {
      expect(compareLoss([{ id: '7', rows }], [{ id: '7', rows: named }], none).wrong).toHaveLength(1);
    }
  });

  it('does not let a transaction be called lost that the candidate has', () => {
    expect(compareLoss([{ id: '7', rows }], [{ id: '7', rows }], () => true).wrong).toHaveLength(1);
  });

  it('tells what nobody witnessed from what was never confirmed', () => {
    const { unwitnessed, unconfirmed } = compareLoss([{ id: '7', rows }], [{ id: '8', rows }], none);
    expect([unwitnessed[0]?.id, unconfirmed[0]?.id]).toEqual(['7', '8']);
  });

  it('says nothing of what the candidate has and nobody calls lost', () => {
    expect(compareLoss([{ id: '7', rows }], [], () => true)).toMatchObject({ agreed: 0, unwitnessed: [] });
  });
});
