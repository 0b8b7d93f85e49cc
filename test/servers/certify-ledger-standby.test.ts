import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runLag } from '../../src/commands/lag.ts';
import type { Cluster } from '../../src/demo/cluster.ts';
import { createStandby, waitForReplay } from '../../src/demo/cluster-standby.ts';
import type { ReadinessJson } from '../../src/report/readiness-json.ts';
import { prepareStream } from './harness/change-stream.ts';
import {
  certify,
  fenced,
  ledgerCaughtUp,
  provenWatch,
  setReceiving,
  weighty,
} from './harness/certify-ledger.ts';
import { runCli, until } from './harness/cli.ts';
import { builtProgram } from './harness/cli-build.ts';
import { Command } from './harness/command.ts';
import { ServerSet } from './harness/server-set.ts';
import { type RunningWatch, WatchFolder } from './harness/watch.ts';

const GASAN = ['--candidate', 'gasan'];
const servers = new ServerSet();
let primary: Cluster;
let standby: Cluster;
let other: Cluster;
let folder: WatchFolder;
let watch: RunningWatch;

beforeAll(async () => {
  builtProgram();
  primary = await servers.cluster();
  await primary.sql(`CREATE TABLE account (id bigint PRIMARY KEY, owner text, amount numeric(12,2));
    CREATE TABLE tag (name text PRIMARY KEY, note text);
    INSERT INTO account SELECT i, 'owner ' || i, i / 7.0 FROM generate_series(1, 5000) i;
    INSERT INTO tag SELECT 'tag ' || i, repeat('x', i % 50) FROM generate_series(1, 100) i`);
  await prepareStream(primary, 'TABLE account, tag');
  standby = servers.add(await createStandby(primary));
  other = servers.add(await createStandby(primary));
  folder = new WatchFolder({
    primary,
    candidates: { gasan: standby, busan: other },
    policy: '{ rpo: 1h, maxTail: 1h }',
  });
  watch = await provenWatch(folder, ['gasan', 'busan'], 2);
}, 300_000);

afterAll(async () => {
  await watch.stop().catch(() => undefined);
  await servers.end();
  folder.remove();
});

/** The tests follow one another: what happens to the two servers is one story. */
describe('certify by a ledger', () => {
  it('is SAFE for a switchover while primary, ledger and standby stand at one place', async () => {
    await waitForReplay(standby);
    const { code, verdict } = await certify(folder, ...GASAN);
    expect(weighty(verdict)).toEqual([]);
    expect({ code, verdict }).toMatchObject({
      code: 0,
      verdict: { verdict: 'SAFE', mode: 'switchover', integrity: 'same', candidate: 'gasan' },
    });
  }, 120_000);

  it('tells lag of nothing as 0 only while changes are brought, and counts what was not received', async () => {
    const lag = async (): Promise<unknown> => {
      const { code, stdout } = await runCli(['lag', '--config', folder.config, '--format', 'json', ...GASAN]);
      return { code, ...Object(JSON.parse(stdout)) };
    };
    // On a machine that is busy the witness may be too old for a moment.
    let known: unknown;
    await until(async () => Object((known = await lag()))['state'] === 'ok', 'lag is known', 100_000);
    expect(known).toMatchObject({
      total: { transactions: '0', ms: 0 },
      apply: { transactions: '0', ms: 0 },
    });
    await setReceiving(standby, null);
    expect(await lag()).toMatchObject({ code: 3, state: 'unknown', total: { transactions: null, ms: null } });
    await primary.sql(`UPDATE tag SET note = 'late' WHERE name = 'tag 9'`);
    await ledgerCaughtUp(folder, primary);
    // However little it is: nothing brings it more.
    expect(await lag()).toMatchObject({
      code: 1,
      state: 'late',
      transport: { transactions: '1' },
      apply: { transactions: '0', ms: 0 },
    });
  }, 120_000);

  it('tells lag again and again until it is told to stop, and ends as the last sample says', async () => {
    const options = {
      config: folder.config,
      system: null,
      candidate: 'gasan',
      intervalMs: 200,
      statementTimeoutMs: 10_000,
      format: 'json',
    } as const;
    const run = new Command((io) => runLag(options, io));
    await until(() => run.stdout.split('\n').length > 3, 'three samples', 100_000);
    await run.stop();
    expect(await run.ended).toBe(1);
    const samples = run.stdout.trimEnd().split('\n');
    const told = samples.map((line): unknown => JSON.parse(line));
    expect(told).toEqual(samples.map(() => expect.objectContaining({ candidate: 'gasan', state: 'late' })));
    expect(new Set(samples).size).toBe(samples.length);
  }, 120_000);

  it('is UNKNOWN for a failover while the primary answers, and blocked for a switchover alone by what only that needs', async () => {
    const { code, verdict } = await certify(folder, ...GASAN, '--mode', 'failover', ...fenced());
    expect(code).toBe(3);
    expect(weighty(verdict)).toContain('TP-V-PRIMARY-ANSWERS primary');
    const planned = await certify(folder, ...GASAN);
    expect(planned).toMatchObject({ code: 2, verdict: { verdict: 'NOT_SAFE', mode: 'switchover' } });
    expect(weighty(planned.verdict).join()).toContain('TP-R-PG-RECEIVER');
    expect(weighty(verdict).join()).not.toContain('TP-R-PG-RECEIVER');
  }, 120_000);

  it('counts exactly what the standby lacks when the primary is gone, and writes every lost change down', async () => {
    await primary.sql(`BEGIN; INSERT INTO account VALUES (9001, 'lost', 1);
      UPDATE tag SET note = 'lost' WHERE name = 'tag 5'; COMMIT`);
    await primary.sql(`DELETE FROM account WHERE id = 17`);
    await primary.sql(`BEGIN; DELETE FROM account; ROLLBACK`);
    await primary.sql(`UPDATE account SET amount = 0 WHERE id IN (18, 19)`);
    await ledgerCaughtUp(folder, primary);
    await primary.kill();
    const losses = path.join(folder.path, 'lost.jsonl');
    const { code, verdict } = await certify(folder, ...GASAN, ...fenced(), '--losses', losses);
    expect(weighty(verdict)).toEqual(['TP-V-LOSS-WITHIN-RPO loss']);
    expect(code).toBe(1);
    expect(verdict).toMatchObject({
      verdict: 'SAFE_WITH_LOSS',
      mode: 'failover',
      integrity: 'same',
      loss: { kind: 'bounded', transactions: '4', changes: '6', keys: '6', tail: { bytes: '0', ms: 0 } },
    });
    const lines = readFileSync(losses, 'utf8').trimEnd().split('\n');
    expect(lines.map((line): unknown => JSON.parse(line))).toMatchObject([
      { table: 'public.tag', kind: 'update', key: { name: 'tag 9' } },
      { table: 'public.account', kind: 'insert', key: { id: '9001' } },
      { table: 'public.tag', kind: 'update', key: { name: 'tag 5' } },
      { table: 'public.account', kind: 'delete', key: { id: '17' } },
      { table: 'public.account', kind: 'update', key: { id: '18' } },
      { table: 'public.account', kind: 'update', key: { id: '19' } },
    ]);
  }, 120_000);

  it('takes out of the scope what the configuration excludes when the primary is gone already', async () => {
    const config = path.join(folder.path, 'narrow.yaml');
    const narrow = readFileSync(folder.config, 'utf8').replace(
      /^(\s*)policy:/m,
      `$1tables: { include: ['*'], exclude: ['public.tag'] }\n$&`,
    );
    writeFileSync(config, narrow);
    const { verdict } = await certify({ config }, ...GASAN, ...fenced());
    expect(weighty(verdict)).toEqual(['TP-V-LOSS-WITHIN-RPO loss']);
    expect(verdict.coverage).toMatchObject({ tables: 1, compared: 1, excluded: [{ table: 'public.tag' }] });
  }, 120_000);

  it('stands on what the primary told last, of which readiness says how old it is', async () => {
    const result = await runCli(['readiness', '--config', folder.config, '--format', 'json', ...GASAN]);
    const { mode, primary: lost, results }: ReadinessJson = JSON.parse(result.stdout);
    expect([mode, lost.silence]).toEqual(['failover', expect.stringContaining('connect')]);
    const told = `(the primary as of ${lost.rememberedAt})`;
    expect(results.find(({ code }) => code === 'TP-R-SYSTEM-ID')).toMatchObject({
      state: 'pass',
      message: expect.stringContaining(told),
    });
    const unknown = results.filter(
      ({ state, severity }) => state === 'unknown' && severity.failover === 'block',
    );
    expect(unknown).toEqual([]);
  }, 120_000);

  it('names the candidate that lacks least, and why', async () => {
    const result = await runCli(['certify', '--config', folder.config, '--format', 'json', ...fenced()]);
    expect(result.code).toBe(1);
    expect(JSON.parse(result.stdout)).toMatchObject({
      schema: 'twinproof.verdicts/v1',
      best: { candidate: 'busan', why: 'it lacks 0 of the known transactions, gasan 4' },
      candidates: [
        { candidate: 'busan', verdict: 'SAFE_WITH_LOSS', loss: { transactions: '0' } },
        { candidate: 'gasan', verdict: 'SAFE_WITH_LOSS', loss: { transactions: '4' } },
      ],
    });
  }, 120_000);

  it('has no bound for a loss without a fence, and refuses a fence of before the last commit that was seen', async () => {
    const unfenced = await certify(folder, ...GASAN, '--primary-lost');
    expect(unfenced).toMatchObject({
      code: 3,
      verdict: { verdict: 'UNKNOWN', integrity: 'same', loss: { kind: 'unbounded', transactions: '4' } },
    });
    const early = await certify(
      folder,
      ...GASAN,
      '--fenced-at',
      '2020-01-01T00:00:00Z',
      '--fenced-by',
      'somebody',
    );
    expect(early.code).toBe(3);
    expect(weighty(early.verdict)).toContain('TP-V-FENCE-TIME primary');
    const toCome = ['--fenced-at', '2126-01-01T00:00:00Z', '--fenced-by', 'somebody'];
    const future = await certify(folder, ...GASAN, ...toCome);
    expect(future).toMatchObject({ code: 3, verdict: { loss: { kind: 'unbounded' } } });
    expect(weighty(future.verdict)).toContain('TP-V-FENCE-TIME primary');
  }, 120_000);

  it('knows where a standby was promoted, and never calls a promoted one SAFE', async () => {
    const key = path.join(folder.path, 'key');
    const out = path.join(folder.path, 'gasan.cert');
    expect(await runCli(['keygen', '--out', key])).toMatchObject({ code: 0 });
    const issued = await certify(folder, ...GASAN, ...fenced(), '--out', out, '--key', key);
    expect(issued.code).toBe(1);
    const after = async (): Promise<{ code: number | null; outcome: string }> => {
      const args = [
        'certify',
        '--after-promotion',
        out,
        ...GASAN,
        '--config',
        folder.config,
        '--format',
        'json',
      ];
      const { code, stdout } = await runCli(args);
      return { code, outcome: String(Object(JSON.parse(stdout))['outcome']) };
    };
    expect(await after()).toEqual({ code: 3, outcome: 'not promoted' });
    await standby.promote();
    expect(await after()).toEqual({ code: 0, outcome: 'certified' });
    await standby.sql(`INSERT INTO account VALUES (9002, 'of its own', 1)`);
    const promoted = await certify(folder, ...GASAN, ...fenced());
    expect(promoted.verdict.verdict).toBe('NOT_SAFE');
    expect(weighty(promoted.verdict)).toContain('TP-V-LINEAGE candidate');
  }, 120_000);
});
