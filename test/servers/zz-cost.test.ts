import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, it } from 'vitest';
import { createStandby } from '../../src/demo/cluster-standby.ts';
import { prepareStream } from './harness/change-stream.ts';
import { createWatchedPair, mysqlWatchFolder } from './harness/mysql-watch.ts';
import { publishedCandidate } from './harness/published.ts';
import { ServerSet } from './harness/server-set.ts';
import { WatchFolder } from './harness/watch.ts';
import { until } from './harness/cli.ts';
const servers = new ServerSet();
afterAll(() => servers.end());
const cpu = (pid: number): number => {
  const f = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(f[11]) + Number(f[12])) / 100;
};
async function measured(folder: WatchFolder, work: () => Promise<number[]>, what: string): Promise<void> {
  const child = spawn('node', ['dist/src/cli.js', 'watch', '--config', folder.config, '--quiet'], { stdio: 'inherit' });
  await until(() => publishedCandidate(folder) !== null, 'published', 200_000);
  await sleep(25_000);
  const [c0, w0] = [cpu(child.pid ?? 0), await work()];
  await sleep(60_000);
  const [c1, w1] = [cpu(child.pid ?? 0), await work()];
  console.log('COST', what, 'cpu s/min', (c1 - c0).toFixed(2), 'statements', w1.map((v, i) => v - (w0[i] ?? 0)).join(' '), publishedCandidate(folder)?.verdict?.verdict);
  child.kill('SIGTERM');
  await new Promise((r) => child.once('close', r));
}
it('pg', async () => {
  const primary = await servers.cluster();
  await primary.sql(`CREATE TABLE account (id int PRIMARY KEY, amount int); INSERT INTO account SELECT i, i FROM generate_series(1, 2000) i`);
  await prepareStream(primary, 'TABLE account');
  const standby = servers.add(await createStandby(primary));
  const work = async (): Promise<number[]> => {
    const out: number[] = [];
    for (const c of [primary, standby]) {
      const [r] = await c.sql(`SELECT sum(xact_commit+xact_rollback)::int AS n, sum(sessions)::int s FROM pg_stat_database`) as {n: number, s: number}[];
      out.push(Number(r?.n), Number(r?.s));
    }
    return out;
  };
  for (const every of ['10s', '10m', '1s']) {
    const folder = new WatchFolder({ primary, candidates: { gasan: standby }, more: `state: { every: ${every} }\n` });
    await measured(folder, work, `pg every ${every} (xacts primary, sessions, xacts standby, sessions)`);
    folder.remove();
    await primary.sql(`SELECT pg_drop_replication_slot('twinproof')`).catch(() => undefined);
    await primary.sql(`SELECT pg_create_logical_replication_slot('twinproof', 'pgoutput')`);
  }
  expect(1).toBe(1);
}, 900_000);
it('mariadb', async () => {
  const pair = await createWatchedPair({ flavor: 'mariadb', schema: 'CREATE TABLE account (id int PRIMARY KEY, amount int); INSERT INTO account VALUES (1,1),(2,2)' });
  const work = async (): Promise<number[]> => {
    const out: number[] = [];
    for (const c of [pair.source, pair.replica]) {
      for (const v of ['Questions', 'Connections']) {
        const [r] = await c.sql(`SHOW GLOBAL STATUS LIKE '${v}'`);
        out.push(Number(r?.['Value']));
      }
    }
    return out;
  };
  for (const every of ['10s', '10m']) {
    const folder = mysqlWatchFolder(pair, { more: `state: { every: ${every} }\n` });
    await measured(folder, work, `mariadb every ${every} (questions source, connections, questions replica, connections)`);
    folder.remove();
  }
  await pair.destroy();
  expect(1).toBe(1);
}, 900_000);
