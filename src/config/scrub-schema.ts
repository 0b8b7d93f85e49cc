import { z } from 'zod';
import { DAYS, isZone, type ScrubConfig, type ScrubWindow, timeOfDay } from './scrub.ts';

const TIME_HINT = 'a time of day such as 09:30 is wanted';

/** `words`: text for people, not empty. */
export function scrubSchema(words: z.ZodType<string>) {
  const time = words.transform((text, issues): number => {
    const minutes = timeOfDay(text);
    if (minutes !== null) return minutes;
    issues.addIssue({ code: 'custom', message: TIME_HINT });
    return z.NEVER;
  });
  const window: z.ZodType<ScrubWindow> = z.strictObject({
    days: z
      .array(z.enum(DAYS, { error: `one of ${DAYS.join(', ')} is wanted` }))
      .min(1, { error: 'at least one day is wanted' })
      .default([...DAYS]),
    from: time.refine((minutes) => minutes < 1440, { error: TIME_HINT }),
    to: time,
    // In a window nothing may be read at all; outside of every one that would be a watch that never proves anything.
    rowsPerSecond: z.int().nonnegative().nullable(),
  });
  const scrub: z.ZodType<ScrubConfig> = z.strictObject({
    rowsPerSecond: z.int().positive().nullable().default(null),
    zone: words
      .refine(isZone, { error: 'a time zone such as Asia/Seoul is wanted' })
      .nullable()
      .default(null),
    windows: z
      .array(window.refine(({ from, to }) => from !== to, { error: 'it ends when it begins', path: ['to'] }))
      .default([]),
  });
  return scrub;
}
