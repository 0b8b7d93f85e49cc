import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Cluster } from '../../src/demo/cluster.ts';
import { createStandby, waitForReplay } from '../../src/demo/cluster-standby.ts';
import { Known } from '../../src/ledger/known.ts';
import { Witness } from '../../src/ledger/witness.ts';
import type { VerdictJson } from '../../src/verdict/json.ts';
import { prepareStream } from './harness/change-stream.ts';
import { type CliResult, runCli, until } from './harness/cli.ts';
import { ServerSet } from './harness/server-set.ts';
import { provenOf, RunningWatch, Ticker, WatchFolder } from './harness/watch.ts';

const POLICY = '{ rpo: 1h, maxTail: 1h }';

const servers = new ServerSet();
let primary: Cluster;
let standby: Cluster;
let folder: WatchFolder;
let ticker: Ticker | null = null;
let watch: RunningWatch | null = null;

/** A pair that the tests of one group may ruin. */
async function makePair(): Promise<void> {
  primary = await servers.cluster();
  await primary.sql(`CREATE TABLE account (id bigint PRIMARY KEY, owner text, amount numeric(12,2));
    CREATE TABLE tag (name text PRIMARY KEY, note text);
    INSERT INTO account SELECT i, 'owner ' || i, i / 7.0 FROM generate_series(1, 5000) i;
    INSERT INTO tag SELECT 'tag ' || i, repeat('x', i % 50) FROM generate_series(1, 100) i`);
  await prepareStream(primary, 'TABLE account, tag');
  standby = servers.add(await createStandby(primary));
  folder = new WatchFolder({ primary, candidates: { gasan: standby }, policy: POLICY });
}

async function startWatch(): Promise<void> {
  ticker = new Ticker(primary);
  watch = new RunningWatch(folder);
  await until(isProven, 'the standby is proven', 60_000);
  await ticker.stop();
}

async function isProven(): Promise<boolean> {
  try {
    const { unproven, dirty } = await provenOf(folder, 'gasan');
    const known = await folder.reading((ledger) => new Known(ledger.core.store).definitions());
    return known?.tables.length === 2 && unproven.length === 0 && dirty === 0;
  } catch {
    // There is no ledger yet.
    return false;
  }
}

async function stopWatch(): Promise<void> {
  await ticker?.stop();
  await watch?.stop().catch(() => undefined);
  watch = null;
}

/** The standby gets nothing more, and does not say so. */
async function cutOff(): Promise<void> {
  await standby.sql(`ALTER SYSTEM SET primary_conninfo = ''`);
  await standby.reload();
  const cut = async (): Promise<boolean> =>
    (await standby.sql('SELECT count(*)::int AS n FROM pg_stat_wal_receiver'))[0]?.['n'] === 0;
  await until(cut, 'no receiver');
}

/** Until the ledger has seen everything that the primary has committed by now. */
async function ledgerCaughtUp(): Promise<void> {
  const [row] = await primary.sql(
    `SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8::text AS us`,
  );
  const wanted = BigInt(String(row?.['us']));
  const passed = async (): Promise<boolean> => {
    await primary.sql(`SELECT pg_logical_emit_message(true, 'tick', '')`);
    return await folder.reading((ledger) => (new Witness(ledger.core).read()?.timeUs ?? 0n) > wanted);
  };
  await until(passed, 'the ledger has caught up', 30_000);
}

type CandidateVerdict = VerdictJson & { readonly candidate: string; readonly position: string | null };

async function certify(
  ...args: readonly string[]
): Promise<{ code: number | null; verdict: CandidateVerdict }> {
  const result: CliResult = await runCli(['certify', '--config', folder.config, '--format', 'json', ...args]);
  if (result.stdout === '') throw new Error(result.stderr);
  const verdict: CandidateVerdict = JSON.parse(result.stdout);
  return { code: result.code, verdict };
}

function failover(): readonly string[] {
  return ['--fenced-at', new Date().toISOString(), '--fenced-by', 'power cut in a test'];
}

function weighty({ reasons }: VerdictJson): string[] {
  return reasons
    .filter(({ effect }) => effect !== 'none')
    .map(({ code, subject, message }) => `${code} ${subject}: ${message}`);
}

beforeAll(async () => {
  await makePair();
}, 120_000);
afterEach(stopWatch);
afterAll(async () => {
  await stopWatch();
  await servers.end();
  folder.remove();
});

describe('certify by a ledger', () => {
  it('is SAFE for a switchover while primary, ledger and standby stand at one place, and counts a loss exactly afterwards', async () => {
    await startWatch();
    await waitForReplay(standby);
    const planned = await certify();
    expect(weighty(planned.verdict)).toEqual([]);
    expect(planned).toMatchObject({
      code: 0,
      verdict: { verdict: 'SAFE', mode: 'switchover', integrity: 'same' },
    });

    await cutOff();
    await primary.sql(
      `BEGIN; INSERT INTO account VALUES (9001, 'lost', 1); UPDATE tag SET note = 'lost' WHERE name = 'tag 5'; COMMIT`,
    );
    await primary.sql(`DELETE FROM account WHERE id = 17`);
    await primary.sql(`BEGIN; DELETE FROM account; ROLLBACK`);
    await primary.sql(`UPDATE account SET amount = 0 WHERE id IN (18, 19)`);
    await ledgerCaughtUp();
    await primary.kill();
    const losses = path.join(folder.path, 'lost.jsonl');
    const lost = await certify(...failover(), '--losses', losses);
    expect(weighty(lost.verdict)).toEqual([expect.stringMatching(/^TP-V-LOSS-WITHIN-RPO/)]);
    expect(lost).toMatchObject({
      code: 1,
      verdict: {
        verdict: 'SAFE_WITH_LOSS',
        mode: 'failover',
        integrity: 'same',
        loss: { kind: 'bounded', transactions: '3', changes: '5', keys: '5', tail: { bytes: '0', ms: 0 } },
      },
    });
    const lines = readFileSync(losses, 'utf8').trimEnd().split('\n');
    expect(lines.map((line): unknown => JSON.parse(line))).toMatchObject([
      { table: 'public.account', kind: 'insert', key: { id: '9001' } },
      { table: 'public.tag', kind: 'update', key: { name: 'tag 5' } },
      { table: 'public.account', kind: 'delete', key: { id: '17' } },
      { table: 'public.account', kind: 'update', key: { id: '18' } },
      { table: 'public.account', kind: 'update', key: { id: '19' } },
    ]);
    const unfenced = await certify('--primary-lost');
    expect(unfenced).toMatchObject({
      code: 3,
      verdict: { verdict: 'UNKNOWN', integrity: 'same', loss: { kind: 'unbounded', transactions: '3' } },
    });
  }, 180_000);
});
