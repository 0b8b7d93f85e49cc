import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { EXIT } from '../../../src/error-codes.ts';
import { type CliRun, runCli, startCli, until } from './cli.ts';
import type { WritingClient } from './kill-account.ts';
import { ledgerRowsOf, problemsOf, provenOf, type WatchFolder } from './watch.ts';

const PAUSE_MS = 60;

/** One connection that writes until it is stopped. */
export class SteadyLoad {
  readonly #stopped: Promise<void>;
  #running = true;

  constructor(
    client: WritingClient & { readonly end: () => Promise<unknown> },
    statements: (round: number) => string,
  ) {
    this.#stopped = this.#run(client, statements);
  }

  async stop(): Promise<void> {
    this.#running = false;
    await this.#stopped;
  }

  async #run(
    client: WritingClient & { readonly end: () => Promise<unknown> },
    statements: (round: number) => string,
  ): Promise<void> {
    let round = 0;
    while (this.#running) {
      await client.query(statements(round));
      await sleep(PAUSE_MS);
      round++;
    }
    await client.end();
  }
}

function watch(folder: WatchFolder, ...more: readonly string[]): string[] {
  return ['watch', '--config', folder.config, ...more];
}

/** Starts `watch` so often, and kills it: while it begins, or once it follows. */
export async function killWatch(folder: WatchFolder, kills: number): Promise<void> {
  for (let kill = 0; kill < kills; kill++) {
    const run = startCli(watch(folder));
    try {
      if (kill % 2 === 1) await follows(run);
      await sleep(400 + ((kill * 733) % 2500));
    } finally {
      run.child.kill('SIGKILL');
      await run.ended;
    }
  }
}

async function follows({ stderr, ended }: CliRun): Promise<void> {
  const over = ended.then(({ code }) => {
    throw new Error(`it ended with ${code}: ${stderr()}`);
  });
  const told = until(() => stderr().includes('following the log'), 'it follows', 120_000);
  const failed = told.catch((error: unknown) => {
    throw new Error(`it said no more than: ${stderr()}`, { cause: error });
  });
  await Promise.race([failed, over]);
  over.catch(() => undefined);
}

/** That `watch` comes to its end on what is left, and that nothing was lost or invented. Nobody writes meanwhile. */
export async function expectWhole(
  folder: WatchFolder,
  candidate: string,
  tables: readonly string[],
): Promise<void> {
  // On a slow machine one run is not enough, or is ended by force: each goes on where the last one stood.
  let last = await runCli(watch(folder, '--once', '--timeout', '30s'));
  for (let more = 0; more < 30 && (last.code === EXIT.unknown || last.code === null); more++)
    last = await runCli(watch(folder, '--once', '--timeout', '30s'));
  if (last.code !== 0) throw new Error(`it ended with ${last.code}: ${last.stderr}`);
  expect(last.stdout).toBe('');
  const rows = await ledgerRowsOf(folder, tables);
  for (const table of tables) expect(rows.get(table)?.ledger).toEqual(rows.get(table)?.primary);
  expect(await problemsOf(folder)).toEqual([]);
  expect(await provenOf(folder, candidate)).toEqual({ unproven: [], dirty: 0, differences: [] });
}
