import { Writable } from 'node:stream';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Progress } from '../../src/compare/result.ts';
import { barLine, fractionOf, logLine, timeLeftOf } from '../../src/report/progress-line.ts';
import { showProgress } from '../../src/report/progress.ts';
import { widthOf } from '../../src/report/text-width.ts';
import { anyText } from './any-text.ts';
import { times } from './property-runs.ts';

const HALF: Progress = {
  table: 'public.orders',
  tablesDone: 1,
  tablesTotal: 3,
  rowsDone: 5_000_000n,
  rowsEstimate: 10_000_000n,
  rowsPerSecond: 250_000,
  suspects: 0,
  differences: 0n,
  paused: null,
};

describe('how far a run is', () => {
  it.each([
    [{}, 0.5],
    [{ rowsEstimate: 0n }, null],
    [{ rowsDone: 20_000_000n }, 0.99],
    [{ tablesDone: 3 }, 1],
    [{ tablesDone: 0, tablesTotal: 0 }, 0.5],
  ])('is told from rows and tables (%#)', (change, expected) => {
    expect(fractionOf({ ...HALF, ...change })).toBe(expected);
  });

  it.each([
    [{}, 20_000],
    [{ rowsPerSecond: 0 }, null],
    [{ paused: 'too much lag' }, null],
    [{ rowsPerSecond: 5e-324 }, null],
    [{ rowsDone: 20_000_000n }, null],
    [{ rowsEstimate: 0n }, null],
  ])('lasts as long as the rate says (%#)', (change, expected) => {
    expect(timeLeftOf({ ...HALF, ...change })).toBe(expected);
  });
});

describe('the line of the bar', () => {
  it.each([
    [24, '50%  250k/s'],
    [40, '50%  250k/s  20.0 s left  5.00M rows'],
    [60, '[██████░░░░░░]  50%  250k/s  20.0 s left  5.00M rows'],
    [80, '[██████░░░░░░]  50%  250k/s  20.0 s left  5.00M rows  1/3 tables  public.orders'],
    [110, '[███████████░░░░░░░░░░░]  50%  250k/s  20.0 s left  5.00M rows  1/3 tables  public.orders'],
  ])('in %d columns begins with what counts most', (width, expected) => {
    expect(barLine(HALF, width, true)).toBe(expected);
  });

  it('puts a pause and differences before rates', () => {
    const line = barLine({ ...HALF, paused: 'the candidate lags behind', differences: 12n }, 80, false);
    expect(line).toContain('50%  paused: the candid...gs behind  12 differ');
    expect(line).toContain('12 differ');
    expect(barLine({ ...HALF, rowsEstimate: 0n }, 60, false)).toContain('?%');
  });

  it('is one line, narrower than the terminal, whatever the numbers and names', () => {
    const progress = fc.record({
      table: fc.option(anyText()),
      tablesDone: fc.nat(),
      tablesTotal: fc.nat(),
      rowsDone: fc.bigInt({ min: 0n, max: 2n ** 63n }),
      rowsEstimate: fc.bigInt({ min: 0n, max: 2n ** 63n }),
      rowsPerSecond: fc.double({ min: 0, max: 1e9, noNaN: true }),
      suspects: fc.nat(),
      differences: fc.bigInt({ min: 0n, max: 2n ** 63n }),
      paused: fc.option(anyText()),
    });
    fc.assert(
      fc.property(progress, fc.integer({ min: 8, max: 200 }), fc.boolean(), (state, width, unicode) => {
        const line = barLine(state, width, unicode);
        expect(widthOf(line)).toBeLessThan(width);
        // oxlint-disable-next-line no-control-regex -- what a terminal acts on is what is looked for
        expect(line + logLine(state, unicode)).not.toMatch(/[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/);
        expect(line).not.toMatch(/NaN|Infinity|undefined/);
      }),
      { numRuns: times(30) },
    );
  });
});

/** To the first column, and the line wiped. */
const CLEARED = '\u001b[1G\u001b[2K';

class Screen extends Writable {
  readonly columns = 40;
  readonly isTTY: boolean;
  text = '';

  constructor(isTTY: boolean) {
    super();
    this.isTTY = isTTY;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

describe('the display', () => {
  let time = 0;
  beforeEach(() => {
    time = 0;
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });
  const optionsFor = (stream: Screen, quiet = false) => ({
    stream,
    quiet,
    unicode: true,
    intervalMs: 10_000,
    now: () => time,
  });

  it('prints a line every ten seconds where there is no terminal', () => {
    const screen = new Screen(false);
    const display = showProgress(optionsFor(screen));
    for (time = 0; time <= 25_000; time += 250) display.update(HALF);
    expect(screen.text.split('\n')).toEqual([
      '50%, 5.00M of about 10.0M rows, 1 of 3 tables, 250k rows/s, 20.0 s left, reading public.orders',
      '50%, 5.00M of about 10.0M rows, 1 of 3 tables, 250k rows/s, 20.0 s left, reading public.orders',
      '',
    ]);
    display.update({ ...HALF, tablesDone: 3, table: null });
    display.stop();
    expect(screen.text.split('\n')[2]).toMatch(/^100%/);
  });

  it('prints a pause at once, and its end', () => {
    const screen = new Screen(false);
    const display = showProgress(optionsFor(screen));
    display.update({ ...HALF, paused: 'too much lag' });
    display.update({ ...HALF, paused: 'too much lag' });
    display.update(HALF);
    expect(screen.text.trimEnd().split('\n')).toEqual([
      expect.stringMatching(/paused: too much lag$/),
      expect.not.stringContaining('paused'),
    ]);
  });

  it('stays silent in a short run, and when quiet but for log lines', () => {
    const screen = new Screen(false);
    const short = showProgress(optionsFor(screen));
    short.update(HALF);
    short.stop();
    const quiet = showProgress(optionsFor(screen, true));
    time = 60_000;
    quiet.update({ ...HALF, paused: 'x' });
    quiet.stop();
    expect(screen.text).toBe('');
    quiet.log('warning');
    expect(screen.text).toBe('warning\n');
  });

  it('draws a bar on a terminal, keeps log lines whole and leaves nothing behind', () => {
    const screen = new Screen(true);
    const display = showProgress(optionsFor(screen));
    display.stop();
    expect(screen.text).toBe('');
    display.update(HALF);
    expect(screen.text).toContain('50%');
    display.log('a warning');
    expect(screen.text.endsWith(`${CLEARED}a warning\n`)).toBe(true);
    screen.text = '';
    vi.advanceTimersByTime(300);
    expect(screen.text).toContain('50%');
    display.update({ ...HALF, tablesDone: 3 });
    display.stop();
    display.stop();
    expect(screen.text).toContain('100%');
    expect(screen.text.endsWith(CLEARED)).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
    // Neither the cursor's place is restored nor wrapping touched.
    for (const sequence of ['\u001b7', '\u001b8', '\u001b[?7']) expect(screen.text).not.toContain(sequence);
  });
});
