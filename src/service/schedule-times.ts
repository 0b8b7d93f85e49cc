import { Cron } from 'croner';
import { BEFORE_EXPIRY, everyOf, type ScheduleConfig } from '../config/fleet.ts';

/** Moments that come again and again. */
export interface Times {
  /** The first one behind `at`; null: there is none. */
  after(at: Date): Date | null;
}

/**
 * When a schedule is due. Before the certificate expires means at every half of its life: where one run fails, the next
 * is still in time.
 */
export function timesOf(
  { at, zone }: Pick<ScheduleConfig, 'at' | 'zone'>,
  certificateValidForMs: number,
): Times {
  const everyMs = at === BEFORE_EXPIRY ? Math.max(1000, Math.floor(certificateValidForMs / 2)) : everyOf(at);
  // Counted from 1970, so that they are the same after a restart.
  if (everyMs !== null) {
    return { after: (from) => new Date((Math.floor(from.getTime() / everyMs) + 1) * everyMs) };
  }
  const cron = new Cron(at, { paused: true, ...(zone === null ? {} : { timezone: zone }) });
  return { after: (from) => cron.nextRun(from) };
}

/** The longest time between two of the next so many moments, in milliseconds; null: there are not two. */
export function longestGap(times: Times, from: Date, looks: number): number | null {
  let longest: number | null = null;
  for (let at = times.after(from), look = 0; at !== null && look < looks; look++) {
    const next = times.after(at);
    if (next !== null) longest = Math.max(longest ?? 0, next.getTime() - at.getTime());
    at = next;
  }
  return longest;
}
