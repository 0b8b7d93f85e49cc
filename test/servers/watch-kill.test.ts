import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Cluster } from '../../src/demo/cluster.ts';
import { createStandby } from '../../src/demo/cluster-standby.ts';
import { prepareStream } from './harness/change-stream.ts';
import { expectRefusal, runCli, startCli } from './harness/cli.ts';
import { ServerSet } from './harness/server-set.ts';
import { WatchFolder } from './harness/watch.ts';
import { expectWhole, killWatch, SteadyLoad } from './harness/watch-kills.ts';

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
function statements(round: number): string {
  const last = round + (round % 100 === 10 ? 15_000 : 20);
  return `UPDATE account SET amount = amount + 1 WHERE id BETWEEN ${round} AND ${last};
    INSERT INTO account VALUES (${100_000 + round}, 'new', 1); DELETE FROM account WHERE id = ${round + 7}`;
}

describe('the command watch', () => {
  it(
    `loses and invents nothing when it is killed at any moment, ${KILLS} times under load`,
    async () => {
      const load = new SteadyLoad(await primary.connect(), statements);
      try {
        await killWatch(folder, KILLS);
      } finally {
        await load.stop();
      }
      await expectWhole(folder, 'gasan', ['public.account']);
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
