import { spawnSync } from 'node:child_process';
import { renameSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Cluster } from '../../src/demo/cluster.ts';
import { createStandby, waitForReplay } from '../../src/demo/cluster-standby.ts';
import { Known } from '../../src/ledger/known.ts';
import {
  certify,
  fenced,
  becomesProven,
  ledgerCaughtUp,
  provenWatch,
  setReceiving,
  weighty,
} from '../servers/harness/certify-ledger.ts';
import { prepareStream } from '../servers/harness/change-stream.ts';
import { builtProgram } from '../servers/harness/cli-build.ts';
import { until } from '../servers/harness/cli.ts';
import { ServerSet } from '../servers/harness/server-set.ts';
import { RunningWatch, WatchFolder, type WatchedSites } from '../servers/harness/watch.ts';

const TABLES = 2;
const servers = new ServerSet();
let primary: Cluster;
let standby: Cluster;
let sites: WatchedSites;
let folder: WatchFolder;
let watch: RunningWatch;
let conninfo = '';

beforeAll(async () => {
  builtProgram();
  primary = await servers.cluster();
  await primary.sql(`CREATE TABLE account (id bigint PRIMARY KEY, owner text, amount numeric(12,2));
    CREATE TABLE tag (name text PRIMARY KEY, note text);
    INSERT INTO account SELECT i, 'owner ' || i, i / 7.0 FROM generate_series(1, 3000) i;
    INSERT INTO tag SELECT 'tag ' || i, repeat('x', i % 50) FROM generate_series(1, 100) i`);
  await prepareStream(primary, 'TABLE account, tag');
  standby = servers.add(await createStandby(primary, { settings: { wal_retrieve_retry_interval: '100ms' } }));
  const [shown] = await standby.sql('SHOW primary_conninfo');
  conninfo = String(shown?.['primary_conninfo']).replaceAll("'", "''");
  // So that a clean restart of it keeps what was proven.
  await standby.sql(`SELECT pg_create_physical_replication_slot('twinproof_mark')`);
  sites = { primary, candidates: { gasan: standby }, policy: '{ rpo: 1h, maxTail: 1h }' };
  folder = new WatchFolder(sites);
  watch = await provenWatch(folder, ['gasan'], TABLES);
}, 300_000);

afterAll(async () => {
  await watch.stop().catch(() => undefined);
  await servers.end();
  folder.remove();
});

/** Everything that was committed is in the ledger, and proven of the standby. */
async function settled(): Promise<void> {
  await ledgerCaughtUp(folder, primary);
  await becomesProven(folder, 'gasan', TABLES);
}

/** The tests follow one another: what happens to the two servers is one story. */
describe('certify by a ledger of a standby', () => {
  it('is SAFE when the primary was shut down in order and somebody answers that it stayed down', async () => {
    await primary.sql(`UPDATE tag SET note = 'last' WHERE name = 'tag 1'`);
    await primary.stop('fast');
    const shown = async (): Promise<boolean> => {
      await standby.sql('CHECKPOINT');
      const [row] = await standby.sql(
        'SELECT checkpoint_lsn = redo_lsn AS final FROM pg_control_checkpoint()',
      );
      return row?.['final'] === true;
    };
    await until(shown, 'the standby shows the shutdown', 60_000);
    const later = await certify(folder, ...fenced());
    expect(later).toMatchObject({
      code: 1,
      verdict: { verdict: 'SAFE_WITH_LOSS', integrity: 'same', loss: { kind: 'bounded', transactions: '0' } },
    });
    const { shutDownAt } = later.verdict.loss;
    const note = later.verdict.reasons.find(({ code }) => code === 'TP-V-SHUT-DOWN');
    expect(note?.hint).toContain(`--fenced-at ${shutDownAt} `);
    const fence = ['--fenced-at', String(shutDownAt), '--fenced-by', 'who shut it down'];
    const { code, verdict } = await certify(folder, ...fence);
    expect(weighty(verdict)).toEqual([]);
    expect({ code, verdict }).toMatchObject({
      code: 0,
      verdict: {
        verdict: 'SAFE',
        mode: 'failover',
        integrity: 'same',
        loss: { kind: 'none', basis: 'clean-shutdown', transactions: '0' },
      },
    });
  }, 180_000);

  it('counts what the primary committed after it was started again', async () => {
    await setReceiving(standby, null);
    await primary.start();
    await primary.sql(`INSERT INTO account VALUES (9001, 'after the start', 1)`);
    await ledgerCaughtUp(folder, primary);
    await primary.kill();
    const { verdict } = await certify(folder, ...fenced());
    expect(verdict).toMatchObject({
      verdict: 'SAFE_WITH_LOSS',
      loss: { kind: 'bounded', transactions: '1', shutDownAt: null },
    });
  }, 180_000);

  it('calls nothing lost or different that the standby has beyond the ledger, and limits that by policy', async () => {
    await primary.start();
    await setReceiving(standby, conninfo);
    await settled();
    const changed = new Date();
    await watch.stop();
    await primary.sql(`UPDATE account SET amount = amount + 1 WHERE id <= 50; DELETE FROM tag WHERE name = 'tag 2';
      INSERT INTO tag VALUES ('tag 2', 'again'), ('tag new', '')`);
    await waitForReplay(standby);
    await primary.kill();
    const { verdict } = await certify(folder, ...fenced());
    expect(verdict).toMatchObject({
      verdict: 'SAFE_WITH_LOSS',
      integrity: 'same',
      loss: { kind: 'bounded', transactions: '0' },
    });
    expect(Number(verdict.loss.tail?.bytes)).toBeGreaterThan(0);
    expect(verdict.loss.tail?.ms).toBeGreaterThan(0);
    const early = ['--fenced-at', changed.toISOString(), '--fenced-by', 'somebody'];
    const before = await certify(folder, ...early);
    expect(before.code).toBe(3);
    expect(weighty(before.verdict)).toContain('TP-V-FENCE-TIME primary');
    folder.write({ ...sites, policy: '{ rpo: 1h, maxTail: 0s }' });
    const strict = await certify(folder, ...fenced());
    expect(strict.code).toBe(3);
    expect(weighty(strict.verdict)).toEqual(['TP-V-TAIL ledger', 'TP-V-LOSS-WITHIN-RPO loss']);
    folder.write(sites);
  }, 180_000);

  it('keeps proofs through a clean restart of a marked standby, and refuses an older copy in its place', async () => {
    await primary.start();
    watch = new RunningWatch(folder);
    // It must have the ledger open before anybody else in this process does.
    await until(() => watch.lines.some(({ event }) => event === 'stream'), 'it follows the log', 100_000);
    await settled();
    const { home, data } = standby.paths;
    const older = path.join(home, 'older');
    const newer = path.join(home, 'newer');
    await standby.stop('fast');
    expect(spawnSync('cp', ['-a', data, older]).status).toBe(0);
    await standby.start();
    await primary.sql('UPDATE account SET amount = 0 WHERE id <= 5');
    await settled();
    await watch.stop();
    await primary.kill();
    const restarted = await certify(folder, ...fenced());
    expect(restarted.verdict).toMatchObject({ verdict: 'SAFE_WITH_LOSS', integrity: 'same' });
    await standby.stop('fast');
    renameSync(data, newer);
    renameSync(older, data);
    await standby.start();
    const { code, verdict } = await certify(folder, ...fenced());
    expect(code).toBe(3);
    expect(weighty(verdict)).toContain('TP-V-WENT-BACK candidate');
    await standby.stop('fast');
    renameSync(data, older);
    renameSync(newer, data);
    await standby.start();
  }, 240_000);

  it('is UNKNOWN for tables that a gap covers, and for a loss that a standby could have kept from the ledger', async () => {
    await primary.start();
    await primary.sql(`UPDATE account SET amount = 1 WHERE id = 7`);
    await primary.sql(`SELECT pg_drop_replication_slot('twinproof');
      SELECT pg_create_physical_replication_slot('held', true)`);
    await primary.sql(`ALTER SYSTEM SET synchronized_standby_slots = 'held'`);
    await primary.reload();
    await primary.sql(
      `SELECT pg_create_logical_replication_slot('twinproof', 'pgoutput', false, false, true)`,
    );
    // One table can be read at once, the other has to wait for a very long time.
    folder.write({ ...sites, scrub: '{ rowsPerSecond: 1 }' });
    watch = new RunningWatch(folder);
    await watch.said(/^gap$/, /./);
    const held = (): Promise<boolean> =>
      folder.reading(
        (ledger) => new Known(ledger.core.store).primary()?.followed.details['heldBackBy'] === 'held',
      );
    await watch.sees(held, 'it is known who holds the log back');
    await primary.kill();
    await watch.stop();
    const { code, verdict } = await certify(folder, ...fenced());
    expect(code).toBe(3);
    expect(verdict).toMatchObject({
      integrity: 'unproven',
      loss: { kind: 'unknown', transactions: null },
    });
    expect(weighty(verdict)).toContain('TP-V-FED-BY-CANDIDATE ledger');
    expect(weighty(verdict).filter((reason) => reason.startsWith('TP-V-GAP public.'))).not.toEqual([]);
  }, 180_000);
});
