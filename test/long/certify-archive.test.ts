import { renameSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Cluster } from '../../src/demo/cluster.ts';
import { createStandby } from '../../src/demo/cluster-standby.ts';
import {
  certify,
  fenced,
  ledgerCaughtUp,
  provenWatch,
  setReceiving,
} from '../servers/harness/certify-ledger.ts';
import { builtProgram } from '../servers/harness/cli-build.ts';
import { runCli, until } from '../servers/harness/cli.ts';
import { prepareStream } from '../servers/harness/change-stream.ts';
import { ServerSet } from '../servers/harness/server-set.ts';
import { type RunningWatch, WatchFolder } from '../servers/harness/watch.ts';

const servers = new ServerSet();
let primary: Cluster;
let standby: Cluster;
let archive: string;
let folder: WatchFolder;
let watch: RunningWatch;

beforeAll(async () => {
  builtProgram();
  primary = await servers.cluster();
  archive = path.resolve(primary.paths.data, '../archive');
  await primary.configure({
    archive_mode: 'on',
    archive_command: 'mkdir -p ../archive && cp %p ../archive/%f.part && mv ../archive/%f.part ../archive/%f',
  });
  await primary.restart();
  await primary.sql(`CREATE TABLE account (id bigint PRIMARY KEY, owner text);
    INSERT INTO account SELECT i, 'owner ' || i FROM generate_series(1, 500) i`);
  await prepareStream(primary, 'TABLE account');
  standby = servers.add(await createStandby(primary, { settings: { wal_retrieve_retry_interval: '100ms' } }));
  folder = new WatchFolder({
    primary,
    candidates: { gasan: standby },
    archives: { gasan: archive },
    policy: '{ rpo: 1h, maxTail: 1h }',
  });
  watch = await provenWatch(folder, ['gasan'], 1);
}, 300_000);

afterAll(async () => {
  await watch?.stop().catch(() => undefined);
  await servers.end();
  folder?.remove();
});

/** The tests follow one another. */
describe('log of the lost primary that was archived and not received', () => {
  it('is counted as lost, and told apart as what can still be had', async () => {
    await setReceiving(standby, null);
    for (let id = 1001; id <= 1005; id++) await primary.sql(`INSERT INTO account VALUES (${id}, 'archived')`);
    const [row] = await primary.sql('SELECT pg_walfile_name(pg_switch_wal()) AS file');
    const archived = async (): Promise<boolean> =>
      (await primary.sql('SELECT last_archived_wal AS file FROM pg_stat_archiver'))[0]?.['file'] ===
      row?.['file'];
    await until(archived, 'the segment is archived', 60_000);
    for (let id = 1006; id <= 1008; id++) await primary.sql(`INSERT INTO account VALUES (${id}, 'gone')`);
    await ledgerCaughtUp(folder, primary);
    await primary.kill();
    const { verdict } = await certify(folder, ...fenced());
    expect(verdict).toMatchObject({
      verdict: 'SAFE_WITH_LOSS',
      loss: {
        kind: 'bounded',
        transactions: '8',
        archived: { folder: archive, transactions: '5', problem: null },
      },
    });
    expect(Number(verdict.loss.archived?.bytes)).toBeGreaterThan(0);
    const { stdout } = await runCli(['certify', '--config', folder.config, ...fenced()]);
    expect(stdout.replaceAll(/\s+/g, ' ')).toContain(
      'let the standby restore them first; once they are applied, 5 known transactions fewer are lost',
    );
  }, 180_000);

  it('is not known where the archive cannot be read', async () => {
    renameSync(archive, `${archive}.away`);
    const { verdict } = await certify(folder, ...fenced());
    renameSync(`${archive}.away`, archive);
    expect(verdict).toMatchObject({
      verdict: 'SAFE_WITH_LOSS',
      loss: { transactions: '8', archived: { bytes: null, transactions: null, problem: 'ENOENT' } },
    });
  });

  it('is no longer lost once the standby has restored it', async () => {
    await standby.sql(`ALTER SYSTEM SET restore_command = 'cp "${archive}/%f" "%p"'`);
    await standby.reload();
    const restored = async (): Promise<boolean> =>
      (await standby.sql('SELECT count(*)::int AS n FROM account'))[0]?.['n'] === 505;
    await until(restored, 'what was archived is applied', 60_000);
    const { verdict } = await certify(folder, ...fenced());
    expect(verdict).toMatchObject({
      verdict: 'SAFE_WITH_LOSS',
      integrity: 'same',
      loss: { kind: 'bounded', transactions: '3', archived: { bytes: '0', transactions: '0' } },
    });
  }, 120_000);
});
