import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { durationOf, parseDuration } from '../../src/config/duration.ts';
import { parseSize, sizeOf } from '../../src/config/size.ts';

describe('durations', () => {
  it.each([
    ['250ms', 250],
    ['30s', 30_000],
    ['5m', 300_000],
    ['24h', 86_400_000],
    ['7d', 604_800_000],
    ['0s', 0],
  ])('%s is %d ms', (text, milliseconds) => {
    expect(durationOf(text)).toBe(milliseconds);
  });

  it.each([
    '',
    '30',
    '-1s',
    '1.5h',
    '1h30m',
    ' 30s',
    '30 s',
    '30S',
    '30s\n',
    's',
    '1e3s',
    '9999999d',
    '٣s',
    '1M',
  ])('rejects %j', (text) => {
    expect(durationOf(text)).toBeNull();
    expect(() => parseDuration(text, '--timeout')).toThrow(/^--timeout: .* is not a duration$/);
  });

  it('is the count times the unit', () => {
    fc.assert(
      fc.property(fc.nat(3_000), (count) => {
        expect(durationOf(`${count}d`)).toBe((durationOf(`${count}h`) ?? Number.NaN) * 24);
      }),
    );
  });
});

describe('sizes', () => {
  it.each([
    ['1B', 1],
    ['64KiB', 65_536],
    ['64kB', 64_000],
    ['64KB', 64_000],
    ['16MB', 16_000_000],
    ['20GiB', 21_474_836_480],
    ['1TiB', 1_099_511_627_776],
  ])('%s is %d bytes', (text, bytes) => {
    expect(sizeOf(text)).toBe(bytes);
  });

  it.each(['', '20', '20G', '20gib', '1.5GiB', '-1MB', '20 GiB', '1kiB', '1iB', '999999999TiB'])(
    'rejects %j',
    (text) => {
      expect(sizeOf(text)).toBeNull();
      expect(() => parseSize(text, '--size')).toThrow(/^--size: .* is not a size$/);
    },
  );
});
