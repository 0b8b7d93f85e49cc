import { describe, expect, it } from 'vitest';
import { DAYS, type ScrubConfig, ScrubRates, timeOfDay, UNBOUNDED_SCRUB } from '../../src/config/scrub.ts';
import { Pace } from '../../src/service/pace.ts';

const HOUR = 3_600_000;
/** A Monday, when it is nine hours later in Seoul. */
const MONDAY = Date.parse('2026-03-02T00:00:00Z');

const scrub = (more: Partial<ScrubConfig> = {}): ScrubConfig => ({
  rowsPerSecond: 1000,
  zone: 'UTC',
  windows: [],
  ...more,
});
const window = (from: string, to: string, rowsPerSecond: number | null, days = [...DAYS]) => ({
  from: timeOfDay(from) ?? NaN,
  to: timeOfDay(to) ?? NaN,
  days,
  rowsPerSecond,
});

describe('the rate at which rows are read', () => {
  const at = (config: ScrubConfig, time: string): number | null =>
    new ScrubRates(config).at(Date.parse(time));

  it('is the one of the window that holds, from its beginning to just before its end', () => {
    const config = scrub({ windows: [window('09:00', '18:30', 10)] });
    expect(at(config, '2026-03-02T08:59:59Z')).toBe(1000);
    expect(at(config, '2026-03-02T09:00:00Z')).toBe(10);
    expect(at(config, '2026-03-02T18:29:59Z')).toBe(10);
    expect(at(config, '2026-03-02T18:30:00Z')).toBe(1000);
  });

  it('goes by the clock and the days of its zone', () => {
    const config = scrub({ zone: 'Asia/Seoul', windows: [window('09:00', '10:00', 10, ['tue'])] });
    expect(at(config, '2026-03-03T00:30:00Z')).toBe(10);
    expect(at(config, '2026-03-02T00:30:00Z')).toBe(1000);
    expect(at(config, '2026-03-03T09:30:00Z')).toBe(1000);
    // Clocks in Berlin went forward over 02:30 on that day: what begins at 03:00 begins then.
    const berlin = scrub({ zone: 'Europe/Berlin', windows: [window('03:00', '04:00', 10)] });
    expect(at(berlin, '2026-03-29T00:59:00Z')).toBe(1000);
    expect(at(berlin, '2026-03-29T01:00:00Z')).toBe(10);
  });

  it('takes a window over midnight as one of the day on which it begins', () => {
    const config = scrub({ windows: [window('22:00', '06:00', 10, ['sun'])] });
    expect(at(config, '2026-03-01T22:00:00Z')).toBe(10);
    expect(at(config, '2026-03-02T05:59:00Z')).toBe(10);
    expect(at(config, '2026-03-02T06:00:00Z')).toBe(1000);
    expect(at(config, '2026-03-01T05:59:00Z')).toBe(1000);
    expect(at(config, '2026-03-02T22:00:00Z')).toBe(1000);
  });

  it('is that of the first window that holds, which may be none or unbounded', () => {
    const windows = [
      window('12:00', '13:00', 0),
      window('00:00', '24:00', null, ['sat']),
      window('00:00', '24:00', 5),
    ];
    expect(at(scrub({ windows }), '2026-03-07T12:30:00Z')).toBe(0);
    expect(at(scrub({ windows }), '2026-03-07T23:59:59Z')).toBeNull();
    expect(at(scrub({ windows }), '2026-03-08T00:00:00Z')).toBe(5);
  });

  it.each(['24:01', '9', '09:60', '9:5', '-1:00', '09:00:00', ''])('knows no time of day %j', (text) => {
    expect(timeOfDay(text)).toBeNull();
  });
});

describe('the rows of the worst stretch', () => {
  const least = (config: ScrubConfig, hours: number): number =>
    new ScrubRates(config).leastRows(hours * HOUR, MONDAY);

  it('are what the rate lets pass', () => {
    expect(least(scrub(), 1)).toBe(3_600_000);
    expect(least(UNBOUNDED_SCRUB, 1)).toBe(Infinity);
  });

  it('are those of the slowest hours, also where they go over the end of the week', () => {
    expect(least(scrub({ windows: [window('09:00', '18:00', 10)] }), 9)).toBe(9 * 36_000);
    expect(least(scrub({ windows: [window('09:00', '18:00', 10)] }), 10)).toBe(9 * 36_000 + 3_600_000);
    expect(least(scrub({ windows: [window('20:00', '04:00', 0, ['sun'])] }), 8)).toBe(0);
    expect(least(scrub({ windows: [window('20:00', '04:00', 0, ['sun'])] }), 8.1)).toBeCloseTo(360_000, 0);
  });

  it('are bounded by nothing only where every stretch has hours that are not', () => {
    const weekend = scrub({ windows: [window('00:00', '24:00', null, ['sat', 'sun'])] });
    expect(least(weekend, 24)).toBe(24 * 3_600_000);
    expect(least(weekend, 24 * 6)).toBe(Infinity);
    expect(least(scrub({ windows: [window('00:00', '12:00', 0)] }), 24 * 15)).toBe(15 * 12 * 3_600_000);
  });
});

describe('a pace', () => {
  const timing = { now: () => now, sleep: (ms: number) => Promise.resolve(void (now += ms)) };
  let now = 0;

  it('lets as many rows pass as the rate allows, and saves up no more than a second of idle time', () => {
    now = 0;
    const pace = new Pace(scrub(), timing);
    pace.spent(500);
    expect(pace.waitMs).toBe(500);
    now = HOUR;
    expect(pace.waitMs).toBe(0);
    pace.spent(5000);
    expect(pace.waitMs).toBe(4000);
  });

  it('waits no longer because the clock was set back, and saves up nothing because it was set forward', () => {
    now = HOUR;
    const pace = new Pace(scrub(), timing);
    pace.spent(500);
    now = 100;
    expect(pace.waitMs).toBe(500);
    now = 2 * HOUR;
    expect(pace.waitMs).toBe(0);
    pace.spent(2000);
    expect(pace.waitMs).toBe(1000);
  });

  it('does not hold back without a rate', () => {
    const pace = new Pace(UNBOUNDED_SCRUB, timing);
    pace.spent(1e9);
    expect(pace.waitMs).toBe(0);
  });

  it('waits for the end of hours in which nothing is read, and goes on at the rate of what follows', async () => {
    now = MONDAY;
    const pace = new Pace(scrub({ windows: [window('00:00', '01:00', 0)] }), timing);
    await pace.admit(new AbortController().signal);
    expect(now - MONDAY).toBe(HOUR);
    pace.spent(3000);
    await pace.admit(new AbortController().signal);
    // A second of idle time is saved up, as ever.
    expect(now - MONDAY).toBe(HOUR + 2000);
  });

  it('pays what it has read in slow hours at the rate of the hours that follow', () => {
    now = MONDAY + HOUR - 1000;
    const pace = new Pace(scrub({ windows: [window('00:00', '01:00', 1)] }), timing);
    pace.spent(8192);
    expect(pace.waitMs).toBe(30_000);
    now += 1000;
    expect(pace.waitMs).toBeLessThanOrEqual(8191);
    now += 8192;
    expect(pace.waitMs).toBe(0);
  });
});
