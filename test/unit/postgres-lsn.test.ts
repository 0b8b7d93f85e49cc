import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bytesBetween,
  comparePositions,
  formatLsn,
  isPosition,
  normaliseLsn,
  parseLsn,
  parsePosition,
  positionOf,
} from '../../connectors/postgres/lsn.ts';
import { TwinproofError } from '../../src/errors.ts';

const lsn = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
/** Every shape that initdb and configure allow, within reason. */
const shape = fc
  .record({ segment: fc.integer({ min: 20, max: 30 }), page: fc.integer({ min: 12, max: 15 }) })
  .map(({ segment, page }) => ({ segmentBytes: 1n << BigInt(segment), pageBytes: 1n << BigInt(page) }));
const usual = { segmentBytes: 16n << 20n, pageBytes: 8192n };

describe('log positions', () => {
  it('are read back as they are written', () => {
    fc.assert(
      fc.property(lsn, (value) => {
        expect(parseLsn(formatLsn(value))).toBe(value);
      }),
    );
    expect(formatLsn(0x16b3748n)).toBe('0/16B3748');
    expect(parseLsn('16/B374D848')).toBe(0x16b374d848n);
  });

  it('refuse what no server writes', () => {
    for (const text of ['', '0', '0/', '/0', '0/123456789', 'x/0', '0/0/0']) {
      expect(() => parseLsn(text)).toThrow(TwinproofError);
    }
  });

  it('behind a page header are the page’s start', () => {
    // Seen after pg_switch_wal(): the primary inserts at 0/4000028, the standby has replayed 0/4000000.
    expect(normaliseLsn(0x4000028n, usual)).toBe(0x4000000n);
    expect(normaliseLsn(0x4002018n, usual)).toBe(0x4002000n);
    // In the first page of a segment the long header stands; 24 bytes into it is no place between records.
    expect(normaliseLsn(0x4000018n, usual)).toBe(0x4000018n);
    expect(normaliseLsn(0x4002028n, usual)).toBe(0x4002028n);
  });

  it('normalise once, by a header at most, and in order', () => {
    fc.assert(
      fc.property(lsn, lsn, shape, (a, b, wal) => {
        const once = normaliseLsn(a, wal);
        expect(normaliseLsn(once, wal)).toBe(once);
        expect([0n, 24n, 40n]).toContain(a - once);
        // Only places within the header itself, where no record ends or begins, may change sides.
        const inHeader = a % wal.pageBytes > 0n && a % wal.pageBytes < 40n;
        expect(a < b && !inHeader && once > normaliseLsn(b, wal)).toBe(false);
      }),
    );
  });
});

describe('positions', () => {
  const position = fc
    .record({ systemId: fc.constantFrom('7310', '7311'), timeline: fc.constantFrom('1', '2'), lsn })
    .map((parts) => ({ parts, text: positionOf(parts.systemId, parts.timeline, parts.lsn) }));

  it('hold system, timeline and place', () => {
    fc.assert(
      fc.property(position, ({ text, parts }) => {
        expect(parsePosition(text)).toEqual(parts);
        expect(isPosition(text)).toBe(true);
      }),
    );
    expect(positionOf('7310', '1', 0x16b3748n)).toBe('7310/1/0/16B3748');
    expect(isPosition('7310/1/0/16b3748 ')).toBe(false);
    expect(isPosition('0/16B3748')).toBe(false);
  });

  it('are ordered within a timeline only', () => {
    fc.assert(
      fc.property(position, position, (a, b) => {
        const sameLine = a.parts.systemId === b.parts.systemId && a.parts.timeline === b.parts.timeline;
        const byPlace =
          a.parts.lsn === b.parts.lsn ? 'equal' : a.parts.lsn < b.parts.lsn ? 'before' : 'after';
        expect(comparePositions(a.text, b.text)).toBe(sameLine ? byPlace : 'incomparable');
      }),
    );
  });

  it('measure the bytes between them, never below zero', () => {
    fc.assert(
      fc.property(position, position, (a, b) => {
        const bytes = bytesBetween(a.text, b.text);
        const comparable = comparePositions(a.text, b.text) !== 'incomparable';
        expect(bytes).toBe(comparable ? (b.parts.lsn > a.parts.lsn ? b.parts.lsn - a.parts.lsn : 0n) : null);
      }),
    );
  });
});
