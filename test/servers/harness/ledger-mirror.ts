import { expect } from 'vitest';
import { waitUntil } from '../../../src/demo/cluster-wait.ts';
import { type ShownMirror, showLedger } from '../../../src/ledger/show.ts';
import type { CheckedLedger } from '../../../src/report/ledger-text.ts';
import { runCli } from './cli.ts';
import type { WatchFolder } from './watch.ts';

const LIMIT_MS = 120_000;

/** How far a ledger is mirrored. */
export function mirrorOf(of: WatchFolder): Promise<ShownMirror | null> {
  return of.reading((ledger) => showLedger(ledger).mirror);
}

/** Waits until a ledger could be rebuilt that holds all of this one. */
export async function mirrored(of: WatchFolder): Promise<void> {
  let seen: ShownMirror | null = null;
  const done = async (): Promise<boolean> => {
    seen = await mirrorOf(of);
    const progress = seen?.progress ?? null;
    return progress?.whole === true && progress.bytesBehind === 0 && progress.tablesMissing === 0;
  };
  await waitUntil(done, LIMIT_MS, () => `it is not mirrored: ${JSON.stringify(seen, texts)}`);
}

const texts = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value);

/** What a ledger holds, as `ledger check` says. */
export async function checked(of: WatchFolder): Promise<CheckedLedger> {
  const { code, stdout } = await runCli(['ledger', 'check', '--config', of.config, '--format', 'json']);
  expect(code).toBe(0);
  const found: CheckedLedger = JSON.parse(stdout);
  return found;
}
