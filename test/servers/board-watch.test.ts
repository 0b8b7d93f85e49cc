import { generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseEnvelope } from '../../src/certificate/envelope-parse.ts';
import { runBoard } from '../../src/commands/board.ts';
import { runMetrics } from '../../src/commands/metrics.ts';
import { runWatch } from '../../src/commands/watch.ts';
import type { Cluster } from '../../src/demo/cluster.ts';
import { createStandby } from '../../src/demo/cluster-standby.ts';
import { statePath } from '../../src/state/file.ts';
import { stateSchema, type SystemState } from '../../src/state/schema.ts';
import { prepareStream } from './harness/change-stream.ts';
import { expectCalm, expectShown, missingChromium, TestBrowser } from './harness/chromium.ts';
import { until } from './harness/cli.ts';
import { Command } from './harness/command.ts';
import { ServerSet } from './harness/server-set.ts';
import { WatchFolder } from './harness/watch.ts';

const WAIT_MS = 90_000;
const servers = new ServerSet();
const commands: Command[] = [];
let primary: Cluster;
let standby: Cluster;
let folder: WatchFolder;
const missing = await missingChromium();

beforeAll(async () => {
  primary = await servers.cluster();
  await primary.sql(`CREATE TABLE account (id int PRIMARY KEY, amount int);
    INSERT INTO account SELECT i, i FROM generate_series(1, 2000) i`);
  await prepareStream(primary, 'TABLE account');
  standby = servers.add(await createStandby(primary));
  const { privateKey } = generateKeyPairSync('ed25519');
  folder = new WatchFolder({
    primary,
    candidates: { gasan: standby },
    // Wide: however slow the machine, a paused replay is what speaks against the standby, and not its lag.
    policy: '{ rpo: 10m, maxTail: 30s }',
    more: 'state: { every: 1s }\nsigning: { key: ./key.pem }\n',
    facts: 'schedules: [{ run: certify, at: "*/5 * * * * *", zone: UTC }]',
  });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
  writeFileSync(path.join(folder.path, 'key.pem'), pem, { mode: 0o600 });
});

afterAll(async () => {
  for (const command of commands) await command.stop();
  await servers.end();
  folder.remove();
});

function published(): SystemState | null {
  try {
    const file = statePath(path.join(folder.path, 'ledger-state'), 'bank');
    return stateSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return null;
  }
}

function verdict(): string | null {
  return published()?.candidates[0]?.verdict?.verdict ?? null;
}

/** How long the verdict of the candidate holds; NaN: there is none. */
function validSeconds(): number {
  const { expiresAt, decidedAt } = published()?.candidates[0]?.verdict ?? {};
  return (Date.parse(expiresAt ?? '') - Date.parse(decidedAt ?? '')) / 1000;
}

function started(command: Command): Command {
  commands.push(command);
  return command;
}

function watching(): Command {
  const options = {
    config: folder.config,
    systems: [],
    once: false,
    timeoutMs: null,
    statementTimeoutMs: 60_000,
    quiet: true,
    format: 'text',
  } as const;
  return started(new Command((io) => runWatch(options, io)));
}

/** By another process than before, which has seen more of the primary, and has a candidate that is up to it. */
function isWatchedAgain(before: SystemState | null): boolean {
  const now = published();
  const [candidate] = now?.candidates ?? [];
  return (
    now?.publisher.startedAt !== before?.publisher.startedAt &&
    now?.primary.position !== before?.primary.position &&
    candidate?.lag?.total.ms === 0 &&
    candidate.verdict?.integrity === 'same'
  );
}

async function metrics(): Promise<string> {
  const command = new Command((io) =>
    runMetrics({ config: folder.config, out: null, format: 'prometheus' }, io),
  );
  await command.ended;
  return command.stdout;
}

describe('watch and board', () => {
  it('publish how a system stands: safe, not safe as soon as the standby is paused, unknown once the watch is gone', async () => {
    const watch = watching();
    await until(
      () => published()?.candidates[0]?.verdict?.integrity === 'same',
      'the standby is proven',
      WAIT_MS,
    );
    const state = published();
    expect(state).toMatchObject({
      system: 'bank',
      pair: 'physical',
      problem: null,
      primary: { state: 'alive' },
      candidates: [{ name: 'gasan', silence: null, rows: { unprovenTables: 0, differences: 0 } }],
    });
    // What would be lost if the primary were: an assumption, and bounded.
    expect(state?.candidates[0]?.outlook).toMatchObject({ mode: 'failover', loss: { kind: 'bounded' } });
    await until(() => published()?.candidates[0]?.lag?.total.ms === 0, 'the lag is known', WAIT_MS);
    await until(() => (published()?.certificates.length ?? 0) > 0, 'a certificate is kept', WAIT_MS);
    expect(published()?.runs).toMatchObject([{ name: 'certify', message: null }]);
    const [certificate] = published()?.certificates ?? [];
    expect(certificate).toMatchObject({ file: expect.stringMatching(/^2.*Z\.json$/), candidate: null });
    const board = started(new Command((io) => runBoard({ config: folder.config, port: 0 }, io)));
    await until(() => /board at \S+/.test(board.stderr), 'the board listens', WAIT_MS);
    const url = /board at (\S+)/.exec(board.stderr)?.[1] ?? '';
    expect(await metrics()).toContain('twinproof_recovery_point_known{system="bank",candidate="gasan"} 1');
    const browser = missing === null ? await TestBrowser.open() : null;
    try {
      const page = await browser?.page();
      await page?.goto(url);
      if (page !== undefined) {
        await expectShown(page, '.row[data-system="bank"]', 'every row proven');
        await expectShown(page, '.row[data-system="bank"][data-verdict=SAFE]', 'Safe');
      }
      await until(() => verdict() === 'SAFE', 'it is safe', WAIT_MS);
      // Of ten minutes that the policy gives a certificate: on the board it lapses unless it is confirmed again.
      expect(validSeconds()).toBeLessThan(120);
      const handed = await fetch(`${url}/systems/bank/certificates/${certificate?.file ?? ''}`);
      expect(parseEnvelope(await handed.text()).signatures).toHaveLength(1);
      await standby.sql('SELECT pg_wal_replay_pause()');
      await primary.sql('UPDATE account SET amount = amount + 1 WHERE id = 7');
      await until(
        () => published()?.candidates[0]?.lag?.total.transactions === '1',
        'the lag shows',
        WAIT_MS,
      );
      // A finding that blocks, as for `certify`: more than not knowing.
      await until(() => verdict() === 'NOT_SAFE', 'it is not safe', WAIT_MS);
      const weightiest = published()?.candidates[0]?.verdict?.reasons[0];
      expect(weightiest).toMatchObject({ code: 'TP-R-REPLAY-PAUSED', effect: 'not-safe' });
      if (page !== undefined)
        await expectShown(page, '.row[data-system="bank"][data-verdict=NOT_SAFE]', 'replay is paused');
      await watch.stop();
      if (page !== undefined)
        await expectShown(page, '.row[data-system="bank"][data-verdict=UNKNOWN]', 'has stopped publishing');
      if (browser !== null) expectCalm(browser, new URL(url).host);
    } finally {
      await browser?.close();
    }
    await until(
      async () => (await metrics()).includes('twinproof_state_fresh{system="bank"} 0'),
      'it is stale',
      WAIT_MS,
    );
    expect(await metrics()).not.toContain('twinproof_recovery_point_timestamp_seconds{');
    // Begun again on the ledger that it left: the same process writes to it and reads it.
    await standby.sql('SELECT pg_wal_replay_resume()');
    const again = watching();
    await primary.sql('UPDATE account SET amount = amount + 1 WHERE id = 8');
    await until(() => isWatchedAgain(state), 'it is watched again', WAIT_MS);
    await again.stop();
    expect(again.stderr).not.toMatch(/ error |TP-LEDGER/);
  }, 400_000);
});
