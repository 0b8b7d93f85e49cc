import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseEnvelope } from '../../src/certificate/envelope-parse.ts';
import { runBoard } from '../../src/commands/board.ts';
import { runMetrics } from '../../src/commands/metrics.ts';
import { runWatch } from '../../src/commands/watch.ts';
import type { Cluster } from '../../src/demo/cluster.ts';
import { createStandby } from '../../src/demo/cluster-standby.ts';
import type { SystemState } from '../../src/state/schema.ts';
import { prepareStream } from './harness/change-stream.ts';
import { expectCalm, expectShown, missingChromium, TestBrowser } from './harness/chromium.ts';
import { until } from './harness/cli.ts';
import { Command } from './harness/command.ts';
import { publishedState } from './harness/published.ts';
import { ServerSet } from './harness/server-set.ts';
import { WatchFolder } from './harness/watch.ts';
import { WATCHER } from './harness/watcher.ts';

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
    facts: 'schedules: [{ run: certify, at: "*/5 * * * * *", zone: UTC }, { run: readiness, every: 2s }]',
  });
  await primary.sql(`SELECT pg_create_logical_replication_slot('twinproof_mail', 'pgoutput')`);
  const site = (cluster: Cluster, more: string): string =>
    `{ url: "${cluster.url('postgres', WATCHER)}", allowUnboundedWal: true, ${more} }`;
  writeFileSync(
    path.join(folder.path, 'mail.yaml'),
    `systems: { mail: { primary: ${site(primary, 'slot: twinproof_mail')}, candidates: [${site(standby, 'name: gasan')}] } }\n`,
  );
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
  writeFileSync(path.join(folder.path, 'key.pem'), pem, { mode: 0o600 });
});

afterAll(async () => {
  for (const command of commands) await command.stop();
  await servers.end();
  folder.remove();
});

function published(): SystemState | null {
  return publishedState(folder);
}

function verdict(): string | null {
  return published()?.candidates[0]?.verdict?.verdict ?? null;
}

/** How long a verdict of the candidate holds; NaN: there is none. */
function validSeconds(of: 'verdict' | 'outlook'): number {
  const { expiresAt, decidedAt } = published()?.candidates[0]?.[of] ?? {};
  return (Date.parse(expiresAt ?? '') - Date.parse(decidedAt ?? '')) / 1000;
}

function started(command: Command): Command {
  commands.push(command);
  return command;
}

/** The configuration is the whole folder: two files, each with a system. */
function watching(system: string): Command {
  const options = {
    config: folder.path,
    systems: [system],
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
    runMetrics({ config: folder.path, out: null, format: 'prometheus' }, io),
  );
  await command.ended;
  return command.stdout;
}

describe('watch and board', () => {
  it('show what two processes publish that share one fleet, each of its own systems', async () => {
    const bank = watching('bank');
    // Two that begin in the same millisecond are told apart by nothing here: both are of this process.
    await until(() => published() !== null, 'the first one is published', WAIT_MS);
    const mail = watching('mail');
    const fresh = /^twinproof_state_fresh\{system="(\w+)"\} (\d)$/gm;
    const shown = async (): Promise<string> =>
      [...(await metrics()).matchAll(fresh)].map(([, system, value]) => `${system} ${value}`).join(', ');
    await until(async () => (await shown()) === 'bank 1, mail 1', 'both are published', WAIT_MS);
    await mail.stop();
    await until(async () => (await shown()) === 'bank 1, mail 0', 'one of them is stale', WAIT_MS);
    const { publisher } = publishedState(folder, 'mail') ?? {};
    expect(publisher?.startedAt).not.toBe(published()?.publisher.startedAt);
    expect(mail.stderr).not.toMatch(/ bank/);
    await bank.stop();
  }, 400_000);

  it('publish how a system stands: safe, not safe as soon as the standby is paused, unknown once the watch is gone', async () => {
    const watch = watching('bank');
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
    await until(() => published()?.candidates[0]?.checked != null, 'readiness is looked at', WAIT_MS);
    expect(published()?.runs).toMatchObject([
      { name: 'certify', message: null },
      { name: 'readiness', at: 'every 2s', message: null },
    ]);
    const checked = published()?.candidates[0]?.checked;
    expect(checked).toMatchObject({ failover: { word: 'ready' }, switchover: { blocking: 0 } });
    // It has a time of its own, which goes on with each run.
    await until(
      () => (published()?.candidates[0]?.checked?.at ?? '') > (checked?.at ?? ''),
      'readiness is looked at again',
      WAIT_MS,
    );
    const [certificate] = published()?.certificates ?? [];
    expect(certificate).toMatchObject({ file: expect.stringMatching(/^2.*Z\.json$/), candidate: null });
    const board = started(new Command((io) => runBoard({ config: folder.path, port: 0 }, io)));
    await until(() => /board at \S+/.test(board.stderr), 'the board listens', WAIT_MS);
    const url = /board at (\S+)/.exec(board.stderr)?.[1] ?? '';
    // On a machine that is busy the standby may not answer in time for a moment.
    const known = 'twinproof_recovery_point_known{system="bank",candidate="gasan"} 1';
    const outlook = /^twinproof_outlook\{system="bank",candidate="gasan",verdict="\w+"\} 1$/m;
    const isTold = (text: string): boolean => text.includes(known) && outlook.test(text);
    await until(async () => isTold(await metrics()), 'recovery point and outlook are known', WAIT_MS);
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
      expect(validSeconds('verdict')).toBeLessThan(120);
      await until(() => validSeconds('outlook') < 120, 'what is assumed lapses likewise', WAIT_MS);
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
    const again = watching('bank');
    await primary.sql('UPDATE account SET amount = amount + 1 WHERE id = 8');
    await until(() => isWatchedAgain(state), 'it is watched again', WAIT_MS);
    await again.stop();
    expect(again.stderr).not.toMatch(/ error |TP-LEDGER/);
  }, 400_000);
});
