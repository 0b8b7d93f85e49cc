import { describe, expect, it } from 'vitest';
import { BEFORE_EXPIRY, type ScheduleConfig } from '../../src/config/fleet.ts';
import { Schedule, type ScheduleRecord } from '../../src/service/schedule.ts';

const START = Date.parse('2026-03-01T00:00:00Z');
const MINUTE = 60_000;

/** Time that passes only while somebody sleeps or a run takes it. */
class Clock {
  nowMs = START;
  readonly stop = new AbortController();
  readonly endMs: number;

  constructor(minutes: number) {
    this.endMs = START + minutes * MINUTE;
  }

  readonly now = (): number => this.nowMs;

  pass(ms: number): void {
    this.nowMs += ms;
    if (this.nowMs >= this.endMs) this.stop.abort();
  }

  readonly sleep = (ms: number): Promise<void> => {
    this.pass(ms);
    return Promise.resolve();
  };
}

const every = (name: string, at: string): ScheduleConfig => ({ name, run: 'certify', at, zone: 'UTC' });

/** Runs schedules for some minutes, in which each run takes as long as is said. */
async function played(
  minutes: number,
  takesMs: number,
  schedules: readonly ScheduleConfig[],
  before: readonly ScheduleRecord[] = [],
): Promise<{ begun: string[]; overlaps: number; records: readonly ScheduleRecord[]; told: string[] }> {
  const clock = new Clock(minutes);
  const begun: string[] = [];
  const told: string[] = [];
  let [under, overlaps] = [0, 0];
  const schedule = new Schedule({
    schedules,
    before,
    certificateValidForMs: 10 * MINUTE,
    tell: ({ outcome, missed }) => void told.push(`${outcome ?? 'missed'} ${missed}`),
    timing: clock,
    run: async ({ name }) => {
      under += 1;
      if (under > 1) overlaps += 1;
      begun.push(`${name} ${new Date(clock.nowMs).toISOString().slice(11, 19)}`);
      await clock.sleep(takesMs);
      under -= 1;
      return { outcome: 'ok', message: null };
    },
  });
  await schedule.run(clock.stop.signal);
  return { begun, overlaps, records: schedule.records, told };
}

describe('what is to be done at certain times', () => {
  it('is begun when it is due', async () => {
    const { begun, records } = await played(31, 1000, [every('certify', '*/10 * * * *')]);
    expect(begun).toEqual(['certify 00:10:00', 'certify 00:20:00', 'certify 00:30:00']);
    expect(records[0]).toMatchObject({
      outcome: 'ok',
      missed: 0,
      dueAt: '2026-03-01T00:30:00.000Z',
      nextAt: '2026-03-01T00:40:00.000Z',
    });
  });

  it('never overlaps, and what was missed meanwhile is counted and not made up for', async () => {
    const { begun, overlaps, records, told } = await played(41, 15 * MINUTE, [
      every('certify', '*/10 * * * *'),
    ]);
    expect([begun, overlaps]).toEqual([['certify 00:10:00', 'certify 00:30:00'], 0]);
    expect(records[0]?.missed).toBe(2);
    expect(told).toEqual(['ok 1', 'missed 1']);
  });

  it('waits for another one of the same system', async () => {
    const { begun, overlaps } = await played(12, 90_000, [
      every('a', '10 * * * *'),
      every('b', '10 * * * *'),
    ]);
    expect([begun, overlaps]).toEqual([['a 00:10:00', 'b 00:11:30'], 0]);
  });

  it('counts what nobody was there for', async () => {
    const known = { dueAt: null, startedAt: null, endedAt: null, outcome: null, message: null, missed: 1 };
    const before = { ...every('certify', '*/10 * * * *'), ...known, nextAt: '2026-02-28T23:30:00.000Z' };
    const { records, told } = await played(1, 0, [every('certify', '*/10 * * * *')], [before]);
    // 23:30, 23:40, 23:50 and 00:00.
    expect(records[0]?.missed).toBe(5);
    expect(told).toEqual(['missed 5']);
  });

  it('goes by the clock of its zone', async () => {
    const { begun } = await played(25 * 60, 0, [{ ...every('certify', '0 3 * * *'), zone: 'Asia/Seoul' }]);
    expect(begun).toEqual(['certify 18:00:00']);
  });

  it('is told once, until it ends otherwise', async () => {
    const { told } = await played(41, 1000, [every('certify', '*/10 * * * *')]);
    expect(told).toEqual(['ok 0']);
  });

  it('comes again after a duration, whatever it is, and not together with another', async () => {
    const { begun, overlaps, records } = await played(40, 2 * MINUTE, [
      { name: 'readiness', run: 'readiness', at: 'every 15m', zone: null },
      every('certify', '15 * * * *'),
    ]);
    expect([begun, overlaps]).toEqual([['readiness 00:15:00', 'certify 00:17:00', 'readiness 00:30:00'], 0]);
    expect(records[0]).toMatchObject({ run: 'readiness', missed: 0, nextAt: '2026-03-01T00:45:00.000Z' });
  });

  it('renews a certificate at every half of its life', async () => {
    const { begun, records } = await played(11, 1000, [every('certify', BEFORE_EXPIRY)]);
    expect(begun).toEqual(['certify 00:05:00', 'certify 00:10:00']);
    expect(records[0]?.nextAt).toBe('2026-03-01T00:15:00.000Z');
  });
});
