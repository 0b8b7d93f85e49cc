import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { runWatch } from '../../src/commands/watch.ts';
import type { Cluster } from '../../src/demo/cluster.ts';
import { createStandby } from '../../src/demo/cluster-standby.ts';
import { rhythmOf } from '../../src/state/rhythm.ts';
import { standingOf } from '../../src/state/standing.ts';
import { prepareStream } from '../servers/harness/change-stream.ts';
import { until } from '../servers/harness/cli.ts';
import { Command } from '../servers/harness/command.ts';
import { freeze } from '../servers/harness/frozen.ts';
import type { MysqlPair } from '../servers/harness/mysql-pair.ts';
import { describeMysql } from '../servers/harness/mysql-suite.ts';
import { createWatchedPair, mysqlWatchFolder } from '../servers/harness/mysql-watch.ts';
import { publishedState } from '../servers/harness/published.ts';
import { ServerSet } from '../servers/harness/server-set.ts';
import { WatchFolder } from '../servers/harness/watch.ts';

const WAIT_MS = 90_000;
const EVERY_MS = 1_000;
const MORE = `state: { every: ${EVERY_MS}ms }\n`;
const POLICY = '{ rpo: 10m, maxTail: 10m }';
/** What this machine may take to write, and the test to look, beyond what is promised. */
const SLACK_MS = 2_500;

function watching(folder: WatchFolder): Command {
  const options = { config: folder.config, systems: [], once: false, timeoutMs: null } as const;
  return new Command((io) =>
    runWatch({ ...options, statementTimeoutMs: 60_000, quiet: true, format: 'text' }, io),
  );
}

/** As the board has it at this moment. */
function shown(folder: WatchFolder, name: string): string {
  const state = publishedState(folder);
  const read = state === null ? null : { state, problem: null };
  const { candidates } = standingOf('bank', read, new Date());
  return candidates.find((candidate) => candidate.name === name)?.verdict ?? 'UNKNOWN';
}

async function becomesSafe(folder: WatchFolder, name: string): Promise<void> {
  await until(() => shown(folder, name) === 'SAFE', `${name} is safe`, WAIT_MS);
}

function silenceOf(folder: WatchFolder, name: string): string | null {
  return publishedState(folder)?.candidates.find((candidate) => candidate.name === name)?.silence ?? null;
}

/** From now on a site hangs: the candidate is not safe as soon as an interval is over, nor later. */
async function expectNotSafe(folder: WatchFolder, name: string, isTold: () => boolean): Promise<void> {
  const hungAt = Date.now();
  const overAt = hungAt + rhythmOf(EVERY_MS).freshMs + SLACK_MS;
  const verdicts: string[] = [];
  while (verdicts.length < 10 || !isTold()) {
    const verdict = shown(folder, name);
    if (Date.now() > overAt) verdicts.push(verdict);
    if (Date.now() > hungAt + WAIT_MS) throw new Error('nobody was told why');
    await sleep(100);
  }
  expect(verdicts).not.toContain('SAFE');
}

describe('a server of a PostgreSQL system that hangs', () => {
  const servers = new ServerSet();
  let primary: Cluster;
  let gasan: Cluster;
  let folder: WatchFolder;
  let watch: Command;
  let thaw = (): void => undefined;

  beforeAll(async () => {
    primary = await servers.cluster();
    await primary.sql(`CREATE TABLE account (id int PRIMARY KEY, amount int);
      INSERT INTO account SELECT i, i FROM generate_series(1, 2000) i`);
    await prepareStream(primary, 'TABLE account');
    gasan = servers.add(await createStandby(primary, { name: 'gasan' }));
    const busan = servers.add(await createStandby(primary, { name: 'busan' }));
    folder = new WatchFolder({ primary, candidates: { gasan, busan }, policy: POLICY, more: MORE });
    watch = watching(folder);
  });

  afterEach(() => thaw());
  afterAll(async () => {
    await watch?.stop();
    await servers.end();
    folder?.remove();
  });

  it('as a standby is not safe within an interval, the other standby is, and it is safe again afterwards', async () => {
    await becomesSafe(folder, 'gasan');
    await becomesSafe(folder, 'busan');
    thaw = freeze(gasan.pid);
    const hungAt = new Date().toISOString();
    await expectNotSafe(folder, 'gasan', () =>
      /no answer within 2\.5 s/.test(silenceOf(folder, 'gasan') ?? ''),
    );
    const decidedAt = (): string =>
      publishedState(folder)?.candidates.find(({ name }) => name === 'busan')?.verdict?.decidedAt ?? '';
    await until(
      () => decidedAt() > hungAt && shown(folder, 'busan') === 'SAFE',
      'the other one is judged without it',
      WAIT_MS,
    );
    expect(shown(folder, 'gasan')).toBe('UNKNOWN');
    thaw();
    await becomesSafe(folder, 'gasan');
    expect(watch.stderr).not.toMatch(/TP-BUG/);
  }, 400_000);

  it('as the primary leaves no standby safe, within an interval', async () => {
    await becomesSafe(folder, 'busan');
    thaw = freeze(primary.pid);
    await expectNotSafe(folder, 'busan', () => publishedState(folder)?.primary.state !== 'alive');
    thaw();
    await becomesSafe(folder, 'busan');
    expect(watch.stderr).not.toMatch(/TP-BUG/);
  }, 400_000);
});

await describeMysql('a replica that hangs, of %s', (flavor) => {
  let pair: MysqlPair;
  let folder: WatchFolder;
  let watch: Command;
  let thaw = (): void => undefined;

  beforeAll(async () => {
    const schema = `CREATE TABLE account (id int PRIMARY KEY, amount int);
      INSERT INTO account VALUES ${Array.from({ length: 500 }, (_, i) => `(${i + 1}, ${i})`).join()}`;
    pair = await createWatchedPair({ flavor, schema });
    folder = mysqlWatchFolder(pair, { policy: POLICY, more: MORE });
    watch = watching(folder);
  });

  afterAll(async () => {
    thaw();
    await watch?.stop();
    await pair?.destroy();
    folder?.remove();
  });

  it('is not safe within an interval, and safe again afterwards', async () => {
    await becomesSafe(folder, 'gasan');
    thaw = freeze(pair.replica.pid);
    await expectNotSafe(folder, 'gasan', () =>
      /no answer within 2\.5 s/.test(silenceOf(folder, 'gasan') ?? ''),
    );
    thaw();
    await becomesSafe(folder, 'gasan');
    expect(watch.stderr).not.toMatch(/TP-BUG/);
  }, 400_000);
});
