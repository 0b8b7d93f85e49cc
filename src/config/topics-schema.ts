import { z } from 'zod';
import { BINARY_MODES, DATE_KINDS, DECIMAL_MODES, TIME_MODES, type TopicSettings } from './topics.ts';

const mode = <const T extends readonly string[]>(modes: T) =>
  z
    .enum(modes, { error: `one of ${modes.join(', ')} is wanted` })
    .nullable()
    .default(null);

const type = z.string().min(1, { error: 'the type of the source’s column is wanted' }).max(512);

/** `topics:` of a primary whose URL is kafka://…; the tables are those of the system. */
export const topicsSchema: z.ZodType<Omit<TopicSettings, 'tables'>> = z
  .strictObject({
    decimals: mode(DECIMAL_MODES),
    times: mode(TIME_MODES),
    binary: mode(BINARY_MODES),
    dates: mode(DATE_KINDS),
    wholeBefore: z.boolean({ error: 'true or false is wanted' }).default(false),
    placeholder: z
      .string({ error: 'the text of unavailable.value.placeholder is wanted' })
      .min(1, { error: 'the text of unavailable.value.placeholder is wanted' })
      .nullable()
      .default(null),
    columns: z.record(z.string(), z.record(z.string(), type)).default({}),
  })
  .transform(({ columns, ...settings }) => ({
    ...settings,
    columns: new Map(
      Object.entries(columns).map(([table, types]) => [
        table,
        Object.entries(types).map(([name, declared]) => ({ name, type: declared })),
      ]),
    ),
  }));

/** `sink:` of a candidate that is written from topics. */
export const sinkSchema: z.ZodType<{ readonly group: string }> = z.strictObject({
  group: z
    .string()
    .min(1, { error: 'the consumer group of what writes this candidate is wanted' })
    .max(255, { error: 'the name is too long' }),
});
