import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Cluster } from '../../src/demo/cluster.ts';
import { createLogicalPair, type LogicalPair, waitForApply } from '../../src/demo/cluster-logical.ts';
import {
  certify,
  fenced,
  becomesProven,
  ledgerCaughtUp,
  provenWatch,
  weighty,
} from './harness/certify-ledger.ts';
import { prepareStream } from './harness/change-stream.ts';
import { builtProgram } from './harness/cli-build.ts';
import { until } from './harness/cli.ts';
import { ServerSet } from './harness/server-set.ts';
import { provenOf, RunningWatch, WatchFolder } from './harness/watch.ts';

const SCHEMA = `CREATE TABLE account (id int PRIMARY KEY, owner text);
  CREATE TABLE part (id int, region text, n int, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
  CREATE TABLE part_east PARTITION OF part FOR VALUES IN ('east');
  CREATE TABLE part_west PARTITION OF part FOR VALUES IN ('west')`;
const TABLES = 3;

const servers = new ServerSet();
let primary: Cluster;
let subscriber: Cluster;
let pair: LogicalPair;
let folder: WatchFolder;
let watch: RunningWatch;

beforeAll(async () => {
  builtProgram();
  [primary, subscriber] = await Promise.all([servers.cluster(), servers.cluster()]);
  await primary.sql(`${SCHEMA};
    INSERT INTO account SELECT i, 'owner ' || i FROM generate_series(1, 2000) i;
    INSERT INTO part SELECT i, CASE i % 2 WHEN 0 THEN 'east' ELSE 'west' END, i FROM generate_series(1, 500) i`);
  await subscriber.sql(SCHEMA);
  pair = await createLogicalPair(primary, subscriber, { tables: ['account', 'part'], name: 'feed' });
  await prepareStream(primary, 'TABLE account, part');
  await prepareStream(subscriber, 'TABLE account, part');
  folder = new WatchFolder({
    primary,
    candidates: { gasan: subscriber },
    policy: '{ rpo: 1h, maxTail: 1h }',
  });
  watch = await provenWatch(folder, ['gasan'], TABLES);
}, 300_000);

afterAll(async () => {
  await watch.stop().catch(() => undefined);
  await servers.end();
  folder.remove();
});

/** The tests follow one another: what happens to the two servers is one story. */
describe('certify of a subscriber by a ledger', () => {
  it('is NOT_SAFE while rows are as somebody else wrote them there', async () => {
    await subscriber.sql(`UPDATE account SET owner = 'somebody' WHERE id = 1500;
      DELETE FROM account WHERE id = 1501; INSERT INTO account VALUES (7001, 'of nobody')`);
    const dirty = async (): Promise<boolean> => (await provenOf(folder, 'gasan')).dirty === 3;
    await until(dirty, 'the rows are dirty', 60_000);
    const { code, verdict } = await certify(folder);
    expect({ code, verdict }).toMatchObject({
      code: 2,
      verdict: { verdict: 'NOT_SAFE', integrity: 'different' },
    });
    const reason = verdict.reasons.find((one) => one.code === 'TP-V-DIFFERENT');
    expect(reason?.message).toContain('1 missing, 1 extra, 1 changed');
    await subscriber.sql(`UPDATE account SET owner = 'owner 1500' WHERE id = 1500;
      INSERT INTO account VALUES (1501, 'owner 1501'); DELETE FROM account WHERE id = 7001`);
    await becomesProven(folder, 'gasan', TABLES);
  }, 300_000);

  it('is SAFE for a switchover at rest, also when rows have moved between partitions', async () => {
    await primary.sql(
      `UPDATE part SET region = 'west' WHERE id = 2; UPDATE account SET id = 5001 WHERE id = 1`,
    );
    await waitForApply(pair);
    await ledgerCaughtUp(folder, primary);
    await becomesProven(folder, 'gasan', TABLES);
    const { code, verdict } = await certify(folder);
    expect(weighty(verdict)).toEqual([]);
    expect({ code, verdict }).toMatchObject({ code: 0, verdict: { verdict: 'SAFE', integrity: 'same' } });
  }, 120_000);

  it('counts the loss when the primary is gone, and is NOT_SAFE with the key of a row that somebody changed', async () => {
    // The ledger goes on without the candidate, so that what changes stays to be compared.
    await watch.stop();
    const reachable = readFileSync(folder.config, 'utf8');
    writeFileSync(folder.config, reachable.replace(`:${subscriber.port}/`, ':1/'));
    watch = new RunningWatch(folder);
    // It must have the ledger open before anybody else in this process does.
    await until(() => watch.lines.some(({ event }) => event === 'stream'), 'it follows the log', 100_000);
    await primary.sql(`UPDATE account SET owner = 'other' WHERE id IN (5001, 6, 7)`);
    await primary.sql(`UPDATE part SET n = n + 1 WHERE id = 2`);
    await waitForApply(pair);
    await subscriber.sql('ALTER SUBSCRIPTION feed DISABLE');
    const idle = `SELECT count(*)::int AS n FROM pg_stat_subscription WHERE pid IS NOT NULL`;
    await until(async () => (await subscriber.sql(idle))[0]?.['n'] === 0, 'the worker has ended', 30_000);
    await primary.sql(`INSERT INTO account VALUES (9001, 'lost'); DELETE FROM part WHERE id IN (3, 4)`);
    await ledgerCaughtUp(folder, primary);
    await primary.kill();
    await watch.stop();
    writeFileSync(folder.config, reachable);
    const { verdict } = await certify(folder, ...fenced());
    expect(verdict).toMatchObject({
      mode: 'failover',
      integrity: 'same',
      loss: { kind: 'bounded', transactions: '1', changes: '3', keys: '3' },
    });
    await subscriber.sql(
      `UPDATE account SET owner = 'somebody' WHERE id = 5001; DELETE FROM account WHERE id = 7`,
    );
    const altered = await certify(folder, ...fenced());
    expect(altered).toMatchObject({ code: 2, verdict: { verdict: 'NOT_SAFE', integrity: 'different' } });
    const reason = altered.verdict.reasons.find(({ code }) => code === 'TP-V-DIFFERENT');
    expect(reason?.message).toMatch(/1 missing, 0 extra, 1 changed, such as .*id=5001/);
  }, 300_000);

  it('is UNKNOWN for a candidate that is not the one that was proven', async () => {
    await subscriber.restart();
    const { verdict } = await certify(folder, ...fenced());
    expect(weighty(verdict)).toContain('TP-V-INCARNATION candidate');
  }, 120_000);
});
