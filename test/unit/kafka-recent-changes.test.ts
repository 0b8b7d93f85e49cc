import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type RecentChange, RecentChanges } from '../../connectors/kafka/recent-changes.ts';
import { times } from './property-runs.ts';

const change = (committed: number, own: number, row: string, operation = 'update'): RecentChange => ({
  place: [BigInt(committed), BigInt(own)],
  transaction: 't',
  operation,
  row: Buffer.from(row),
});

describe('changes that a connector sends once more', () => {
  it('are known, however many were sent and from wherever it begins again', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 3 }), fc.string()), { minLength: 1, maxLength: 60 }),
        fc.nat(),
        (steps, from) => {
          const recent = new RecentChanges();
          let place = 0;
          const sent = steps.map(([step, row], index) => change((place += step), place, `${row}${index}`));
          for (const one of sent) expect(recent.look('p:0', one)).toBe('new');
          for (const one of sent.slice(from % sent.length)) expect(recent.look('p:0', one)).toBe('repeated');
          // Of another partition nothing was seen.
          for (const one of sent) expect(recent.look('p:1', one)).toBe('new');
        },
      ),
      { numRuns: times(30) },
    );
  });

  it('are known though the connector tells the commit before them otherwise', () => {
    const recent = new RecentChanges();
    recent.look('p:0', change(100, 210, 'a'));
    recent.look('p:0', change(300, 310, 'b'));
    expect(recent.look('p:0', change(90, 210, 'a'))).toBe('repeated');
    expect(recent.look('p:0', change(90, 210, 'other'))).toBe('back');
  });

  it('are told from others by key, operation and long rows', () => {
    const recent = new RecentChanges();
    const long = 'x'.repeat(100);
    recent.look('p:0', change(1, 1, long));
    expect(recent.look('p:0', change(1, 1, long))).toBe('repeated');
    expect(recent.look('p:0', change(1, 1, `${long}y`))).toBe('new');
    expect(recent.look('p:0', change(1, 1, long, 'delete'))).toBe('new');
  });

  it('are forgotten in the order in which they came, and never all at once', () => {
    const recent = new RecentChanges(2000);
    for (let at = 1; at <= 5000; at += 1) recent.look('p:0', change(at, at, 'r'));
    expect(recent.look('p:0', change(3001, 3001, 'r'))).toBe('repeated');
    expect(recent.look('p:0', change(3000, 3000, 'r'))).toBe('back');
  });
});
