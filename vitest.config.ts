import { statfsSync } from 'node:fs';
import { defineConfig } from 'vitest/config';

/** Long, and much the same on either flavor: `npm test` takes MariaDB, `npm run test:long` MySQL. */
const EACH_FLAVOR = ['cross-engine', 'mysql-caught', 'mysql-types', 'mysql-watch'].map(
  (name) => `test/servers/${name}.test.ts`,
);

const MEMORY = '/dev/shm';
/** A run takes 3 MB of it. */
const MEMORY_BYTES_MIN = 2 ** 25;

/** Ledgers of unit tests are small and many, and wait at every commit for the disk: they are kept in memory. */
function temporaryFolder(): Record<string, string> {
  try {
    const { bavail, bsize } = statfsSync(MEMORY);
    return bavail * bsize > MEMORY_BYTES_MIN ? { TMPDIR: MEMORY } : {};
  } catch {
    return {};
  }
}

/**
 * Three projects. `unit` needs no server and stays below twenty seconds. `servers` and `long` start real database
 * servers and wait for them: alone, one of their files takes two thirds of a processor, so three run at a time.
 */
export default defineConfig({
  test: {
    // All projects, and the next run, take what one has translated: the text of a file is part of its name there.
    experimental: { fsModuleCache: true },
    projects: [
      // One process for many files: loading the modules anew for each took half of the time.
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          env: temporaryFolder(),
          isolate: false,
          // A thread hears of modules at two thirds of what it costs a process.
          pool: 'threads',
          // Room for a machine that does other things beside.
          testTimeout: 60_000,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'servers',
          include: ['test/servers/**/*.test.ts'],
          env: { TWINPROOF_FLAVOR: 'mariadb' },
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      // `npm run test:long`, not part of `npm test`: whole demos, what is large, trouble on every engine, and the
      // tests of what tests stand on.
      {
        test: {
          name: 'long',
          include: ['test/long/**/*.test.ts', ...EACH_FLAVOR],
          env: { TWINPROOF_FLAVOR: 'mysql' },
          maxWorkers: 3,
          sequence: { groupOrder: 2 },
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
