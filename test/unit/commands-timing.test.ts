import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { keepLooking } from '../../src/commands/board-looks.ts';
import { REAL_TIMING, steadyTiming } from '../../src/commands/timing.ts';

const HOUR_MS = 3_600_000;

afterEach(() => void vi.restoreAllMocks());

function setClock(byMs: number): void {
  const now = Date.now.bind(Date);
  vi.spyOn(Date, 'now').mockImplementation(() => now() + byMs);
}

it.each([HOUR_MS, -HOUR_MS])(
  'a run measures time that passes, also when the clock is set by %d ms',
  (byMs) => {
    const begun = REAL_TIMING.now();
    const run = steadyTiming();
    setClock(byMs);
    expect(Math.abs(REAL_TIMING.now() - begun - byMs)).toBeLessThan(60_000);
    expect(Math.abs(run.now() - begun)).toBeLessThan(60_000);
    expect(Number.isInteger(run.now())).toBe(true);
  },
);

it('the board goes on looking at the states when the clock is set back', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'twinproof-looks-'));
  const stop = new AbortController();
  const look = vi.fn<() => Promise<void>>(() => Promise.resolve(setClock(-HOUR_MS)));
  const looking = keepLooking({ look, hear: () => Promise.resolve() }, folder, () => undefined, stop.signal);
  try {
    await vi.waitFor(() => expect(look.mock.calls.length).toBeGreaterThan(1), { timeout: 30_000 });
  } finally {
    stop.abort();
    await looking;
    rmSync(folder, { recursive: true });
  }
});
