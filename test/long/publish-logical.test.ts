import { afterAll, beforeAll, expect, it } from 'vitest';
import { runWatch } from '../../src/commands/watch.ts';
import type { Cluster } from '../../src/demo/cluster.ts';
import { createLogicalPair, type LogicalPair, waitForApply } from '../../src/demo/cluster-logical.ts';
import { prepareStream } from '../servers/harness/change-stream.ts';
import { until } from '../servers/harness/cli.ts';
import { Command } from '../servers/harness/command.ts';
import { publishedCandidate } from '../servers/harness/published.ts';
import { ServerSet } from '../servers/harness/server-set.ts';
import { WatchFolder } from '../servers/harness/watch.ts';

const WAIT_MS = 90_000;
const ODD = '<img src=x onerror=alert(1)>';
const SCHEMA = `CREATE TABLE account (region text, id int, v int, PRIMARY KEY (region, id))`;
const servers = new ServerSet();
let pair: LogicalPair;
let subscriber: Cluster;
let folder: WatchFolder;
let watch: Command;

beforeAll(async () => {
  const [primary, other] = await Promise.all([servers.cluster(), servers.cluster()]);
  subscriber = other;
  await Promise.all([primary.sql(SCHEMA), subscriber.sql(SCHEMA)]);
  pair = await createLogicalPair(primary, subscriber, { name: 'bank', tables: ['account'], copyData: false });
  await primary.sql(`INSERT INTO account SELECT '${ODD}', i, i FROM generate_series(1, 1000) i`);
  await prepareStream(primary, 'TABLE account');
  await prepareStream(subscriber, 'TABLE account');
  await waitForApply(pair);
  folder = new WatchFolder({ primary, candidates: { gasan: subscriber }, more: 'state: { every: 1s }\n' });
  const options = { config: folder.config, systems: [], once: false, timeoutMs: null } as const;
  watch = new Command((io) =>
    runWatch({ ...options, statementTimeoutMs: 60_000, quiet: true, format: 'text' }, io),
  );
});

afterAll(async () => {
  await watch?.stop();
  await servers.end();
  folder?.remove();
});

it('names rows of a subscriber that somebody changed, removed and added there', async () => {
  const listed = () => publishedCandidate(folder)?.rows?.listed ?? [];
  await until(() => publishedCandidate(folder)?.verdict?.integrity === 'same', 'it is proven', WAIT_MS);
  await subscriber.sql(`UPDATE account SET v = -1 WHERE id = 5; DELETE FROM account WHERE id = 6;
    INSERT INTO account VALUES ('here only', 7, 7)`);
  await until(() => listed().length === 3, 'the rows are named', WAIT_MS);
  const digest = expect.stringMatching(/^[0-9a-f]{32}$/);
  const about = { table: 'public.account', firstSeenAt: expect.any(String) };
  const byKey = listed().toSorted((a, b) => (a.key < b.key ? -1 : 1));
  expect(byKey).toEqual([
    { ...about, kind: 'changed', key: `region=${ODD}, id=5`, digest },
    { ...about, kind: 'missing', key: `region=${ODD}, id=6`, digest },
    { ...about, kind: 'extra', key: 'region=here only, id=7', digest: null },
  ]);
}, 300_000);
