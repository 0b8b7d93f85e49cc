import { describe, expect, it } from 'vitest';
import type { KnownSynchrony, LedgerEvidence } from '../../src/verdict/evidence.ts';
import { UNKNOWN_LOSS } from '../../src/verdict/loss.ts';
import { replicationNotes } from '../../src/verdict/replication.ts';

const WAITING: KnownSynchrony = {
  state: 'waiting',
  awaited: 1,
  receivers: 2,
  hidden: true,
  unconfirmed: '0',
  askedAt: new Date('2026-01-01T00:10:00Z'),
};
const NOTHING: LedgerEvidence = { loss: UNKNOWN_LOSS, appliedCommitAt: null, gaps: [], doubts: [] };

function messages(changed: Partial<LedgerEvidence>, mode: 'failover' | 'switchover' = 'failover'): unknown[] {
  return replicationNotes(mode, { ...NOTHING, ...changed }).map(({ code, effect, message }) => [
    code,
    effect,
    message,
  ]);
}

describe('what is said of how a candidate was fed', () => {
  it('is nothing where nothing is known, and weighs nothing where something is', () => {
    expect(messages({})).toEqual([]);
    expect(messages({ there: 0n, synchrony: null })).toEqual([]);
    expect(messages({ there: 3n })).toEqual([
      [
        'TP-V-OUT-OF-ORDER',
        'none',
        'it has 3 transactions behind one that it lacks: it stands as the primary never stood',
      ],
    ]);
  });

  it('is whether commits waited, when that was asked, and never that they went on waiting', () => {
    const said = (changed: Partial<KnownSynchrony>): unknown =>
      messages({ synchrony: { ...WAITING, ...changed } });
    const asked = '(when it was asked last, at 2026-01-01T00:10:00.000Z)';
    const text = 'its commits waited until 1 of 2 servers had received them, and';
    expect(said({})).toEqual([['TP-V-SEMISYNC', 'none', `${text} nobody saw them before ${asked}`]]);
    expect(said({ hidden: false, unconfirmed: '7' })).toEqual([
      [
        'TP-V-SEMISYNC',
        'none',
        `${text} others could see them before ${asked}; 7 since its start were not confirmed`,
      ],
    ]);
    expect(said({ state: 'fallen back' })).toEqual([
      ['TP-V-SEMISYNC', 'none', `its commits should have waited for another server and did not ${asked}`],
    ]);
    expect(said({ state: 'off' })).toEqual([
      ['TP-V-SEMISYNC', 'none', `its commits waited for no other server ${asked}`],
    ]);
    expect(messages({ synchrony: WAITING }, 'switchover')).toEqual([]);
  });
});
