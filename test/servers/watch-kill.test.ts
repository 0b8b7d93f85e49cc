import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Cluster } from '../../src/demo/cluster.ts';
import { createStandby } from '../../src/demo/cluster-standby.ts';
import { EXIT } from '../../src/error-codes.ts';
import { prepareStream } from './harness/change-stream.ts';
import { expectRefusal, runCli, startCli, until } from './harness/cli.ts';
import { ServerSet } from './harness/server-set.ts';
import { ledgerRows, problemsOf, provenOf, WatchFolder } from './harness/watch.ts';

/** The script for the whole number sets it; each costs about a second and a half. */
const KILLS = Number(process.env['TWINPROOF_WATCH_KILLS'] ?? '4');
const servers = new ServerSet();
let primary: Cluster;
let folder: WatchFolder;

beforeAll(async () => {
  primary = await servers.cluster();
  await primary.sql(`CREATE TABLE account (id bigint PRIMARY KEY, owner text, amount numeric(12,2));
    INSERT INTO account SELECT i, 'owner ' || i, i / 7.0 FROM generate_series(1, 20000) i`);
  await prepareStream(primary, 'TABLE account');
  const standby = servers.add(await createStandby(primary));
  folder = new WatchFolder({ primary, candidates: { gasan: standby } });
});

afterAll(async () => {
  folder.remove();
  await servers.end();
});

function watch(...more: readonly string[]): string[] {
  return ['watch', '--config', folder.config, ...more];
}

/** Small transactions, and now and then a large one. */
class Load {
  readonly #stopped: Promise<void>;
  #running = true;

  constructor(client: Awaited<ReturnType<Cluster['connect']>>) {
    this.#stopped = this.#run(client);
  }

  async stop(): Promise<void> {
    this.#running = false;
    await this.#stopped;
  }

  async #run(client: Awaited<ReturnType<Cluster['connect']>>): Promise<void> {
    let round = 0;
    while (this.#running) {
      const last = round + (round % 100 === 10 ? 15_000 : 20);
      await client.query(`UPDATE account SET amount = amount + 1 WHERE id BETWEEN ${round} AND ${last};
        INSERT INTO account VALUES (${100_000 + round}, 'new', 1); DELETE FROM account WHERE id = ${round + 7}`);
      await sleep(60);
      round++;
    }
    await client.end();
  }
}

describe('the command watch', () => {
  it(
    `loses and invents nothing when it is killed at any moment, ${KILLS} times under load`,
    async () => {
      const load = new Load(await primary.connect());
      try {
        for (let kill = 0; kill < KILLS; kill++) {
          const run = startCli(watch());
          // While it begins, or once it follows.
          if (kill % 2 === 1)
            await until(() => run.stderr().includes('following the log'), 'it follows', 40_000);
          await sleep(400 + ((kill * 733) % 2500));
          run.child.kill('SIGKILL');
          await run.ended;
        }
      } finally {
        await load.stop();
      }
      // On a slow machine one run is not enough: each goes on where the last one stood.
      let last = await runCli(watch('--once', '--timeout', '30s'));
      for (let more = 0; more < 8 && last.code === EXIT.unknown; more++)
        last = await runCli(watch('--once', '--timeout', '30s'));
      if (last.code !== 0) throw new Error(`it ended with ${last.code}: ${last.stderr}`);
      expect(last.stdout).toBe('');
      const rows = await ledgerRows(folder, 'public.account');
      expect(rows.ledger).toEqual(rows.primary);
      expect(await problemsOf(folder)).toEqual([]);
      expect(await provenOf(folder, 'gasan')).toEqual({ unproven: [], dirty: 0, differences: [] });
    },
    300_000 + KILLS * 10_000,
  );

  it('ends cleanly at SIGTERM, and tells as lines of JSON', async () => {
    const run = startCli(watch('--format', 'json'));
    while (!run.stderr().includes('following the log')) await sleep(20);
    run.child.kill('SIGTERM');
    const { code, stderr } = await run.ended;
    expect(code).toBe(0);
    const lines = stderr.trimEnd().split('\n');
    for (const line of lines) expect(JSON.parse(line)).toMatchObject({ system: 'bank' });
    expect(lines.some((line) => line.includes('"event":"stream"'))).toBe(true);
  });

  it('says which system it does not know, and that a configuration names no ledger', async () => {
    expectRefusal(await runCli(watch('--system', 'bnak')), 64, 'TP-USAGE');
  });
});
