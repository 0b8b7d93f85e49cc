import { readFileSync } from 'node:fs';
import { z } from 'zod';

const packageSchema = z.object({ name: z.literal('twinproof'), version: z.string() });

/** The version in package.json, which lies one folder higher when the program runs compiled. */
export function toolVersion(): string {
  for (const path of ['../../package.json', '../../../package.json']) {
    try {
      const parsed = packageSchema.safeParse(
        JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')),
      );
      if (parsed.success) return parsed.data.version;
    } catch {
      // Not there: the next one.
    }
  }
  return 'unknown';
}
