import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Cluster } from '../../src/demo/cluster.ts';
import { createLogicalPair, type LogicalPair, waitForApply } from '../../src/demo/cluster-logical.ts';
import {
  becomesProven,
  certify,
  fenced,
  ledgerCaughtUp,
  provenWatch,
} from '../servers/harness/certify-ledger.ts';
import { prepareStream } from '../servers/harness/change-stream.ts';
import { runCli } from '../servers/harness/cli.ts';
import { builtProgram } from '../servers/harness/cli-build.ts';
import { KAFKA, missingPackage } from '../servers/harness/kafka-packages.ts';
import { createKafka, type KafkaServer } from '../servers/harness/kafka-server.ts';
import { createTopic } from '../servers/harness/kafka-topics.ts';
import { mirrored } from '../servers/harness/ledger-mirror.ts';
import { ServerSet } from '../servers/harness/server-set.ts';
import { provenOf, RunningWatch, WatchFolder } from '../servers/harness/watch.ts';

const missing = await missingPackage(KAFKA);
const SCHEMA = 'CREATE TABLE account (id int PRIMARY KEY, owner text)';
const servers = new ServerSet();
let kafka: KafkaServer;
let primary: Cluster;
let subscriber: Cluster;
let pair: LogicalPair;
let here: WatchFolder;
let elsewhere: WatchFolder;
let watch: RunningWatch | null = null;

function folder(): WatchFolder {
  const mirror = `{ brokers: ["${kafka.broker}"], topic: "dr.{system}" }`;
  return new WatchFolder({
    primary,
    candidates: { gasan: subscriber },
    policy: '{ rpo: 1h, maxTail: 1h }',
    mirror,
  });
}

describe.skipIf(missing !== null)(
  `a subscriber, by a ledger that was rebuilt${missing === null ? '' : ` (${missing})`}`,
  { timeout: 240_000 },
  () => {
    beforeAll(async () => {
      builtProgram();
      [kafka, primary, subscriber] = await Promise.all([createKafka(), servers.cluster(), servers.cluster()]);
      await createTopic(await kafka.admin(), 'dr.bank');
      await primary.sql(
        `${SCHEMA}; INSERT INTO account SELECT i, 'owner ' || i FROM generate_series(1, 3000) i`,
      );
      await subscriber.sql(SCHEMA);
      pair = await createLogicalPair(primary, subscriber, { tables: ['account'], name: 'feed' });
      await prepareStream(primary, 'TABLE account');
      await prepareStream(subscriber, 'TABLE account');
      here = folder();
      elsewhere = folder();
      watch = await provenWatch(here, ['gasan'], 1);
    }, 300_000);

    afterAll(async () => {
      await watch?.stop().catch(() => undefined);
      await Promise.all([servers.end(), kafka?.destroy()]);
      here?.remove();
      elsewhere?.remove();
    });

    it('is called safe by no proof of before: what somebody wrote to it while nobody watched is found', async () => {
      await primary.sql(`UPDATE account SET owner = 'other' WHERE id <= 10`);
      await waitForApply(pair);
      await ledgerCaughtUp(here, primary);
      await primary.kill();
      await mirrored(here);
      await watch?.stop();
      // Nobody's log tells of it: the slot by which the subscriber's own log was followed is gone, too.
      await subscriber.sql(`SELECT pg_drop_replication_slot('twinproof')`);
      await subscriber.sql(`UPDATE account SET owner = 'nobody' WHERE id = 2000`);
      expect(await runCli(['ledger', 'rebuild', '--config', elsewhere.config])).toMatchObject({ code: 0 });
      const lost = ['--primary-lost', ...fenced()];
      expect((await certify(elsewhere, ...lost)).code).toBe(3);
      watch = new RunningWatch(elsewhere);
      const found = async (): Promise<boolean> => (await provenOf(elsewhere, 'gasan')).differences.length > 0;
      await watch.sees(found, 'the row is found');
      expect(await provenOf(elsewhere, 'gasan')).toMatchObject({ differences: ['public.account changed'] });
      await subscriber.sql(`UPDATE account SET owner = 'owner 2000' WHERE id = 2000`);
      await becomesProven(elsewhere, 'gasan', 1);
    });
  },
);
