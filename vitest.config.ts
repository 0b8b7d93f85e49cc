import { defineConfig } from 'vitest/config';

/**
 * Two projects. `unit` needs no server and stays below twenty seconds. `servers` starts real database servers,
 * so its files run one at a time: two cores do not carry more, and a starved server looks like a broken one.
 */
export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts'] } },
      {
        test: {
          name: 'servers',
          include: ['test/servers/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
