import { describe, expect, it } from 'vitest';
import { lagText, type LagSample } from '../../src/report/lag-text.ts';

const NOTHING = { bytes: null, transactions: null, ms: null };

const SAMPLE: LagSample = {
  candidate: 'gasan',
  at: new Date('2026-03-01T03:04:05.678Z'),
  lag: {
    transport: { bytes: 2_048n, transactions: 1n, ms: 1_500 },
    apply: { bytes: null, transactions: 12n, ms: null },
    total: { bytes: null, transactions: 13n, ms: 1_500 },
  },
  state: 'late',
  notes: ['replay is paused'],
  witnessedUntil: new Date('2026-03-01T03:04:05.000Z'),
  objectiveMs: 1_000,
};

const text = (sample: LagSample): string => lagText([sample], { colour: false, width: 80 });

describe('a sample of lag', () => {
  it('reads like this', () => {
    expect(text(SAMPLE)).toBe(`! gasan: 1.5 s behind (objective 1.0 s)
transport  1.5 s, 1 transaction, 2.05 kB
apply      unknown time, 12 transactions, unknown bytes
witness    2026-03-01T03:04:05.000Z
sampled    2026-03-01T03:04:05.678Z
  · replay is paused
`);
  });

  it('says once that nothing is known', () => {
    const lag = { transport: NOTHING, apply: NOTHING, total: NOTHING };
    const unknown = text({ ...SAMPLE, lag, state: 'unknown', witnessedUntil: null, notes: [] });
    expect(unknown.split('\n').slice(0, 4)).toEqual([
      '? gasan: lag unknown (objective 1.0 s)',
      'transport  unknown',
      'apply      unknown',
      'witness    the primary was never seen',
    ]);
  });
});
