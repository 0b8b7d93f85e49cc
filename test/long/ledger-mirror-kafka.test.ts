import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Cluster } from '../../src/demo/cluster.ts';
import { createStandby } from '../../src/demo/cluster-standby.ts';
import { waitUntil } from '../../src/demo/cluster-wait.ts';
import {
  certify,
  fenced,
  ledgerCaughtUp,
  provenWatch,
  setReceiving,
  weighty,
} from '../servers/harness/certify-ledger.ts';
import { prepareStream } from '../servers/harness/change-stream.ts';
import { expectRefusal, runCli, startCli } from '../servers/harness/cli.ts';
import { builtProgram } from '../servers/harness/cli-build.ts';
import { KAFKA, missingPackage } from '../servers/harness/kafka-packages.ts';
import { createKafka, type KafkaServer } from '../servers/harness/kafka-server.ts';
import { createTopic } from '../servers/harness/kafka-topics.ts';
import { checked, mirrored, mirrorOf } from '../servers/harness/ledger-mirror.ts';
import { ServerSet } from '../servers/harness/server-set.ts';
import { RunningWatch, WatchFolder, type WatchedSites } from '../servers/harness/watch.ts';

const missing = await missingPackage(KAFKA);
const TOPIC = 'dr.ledger.bank';
const GASAN = ['--candidate', 'gasan'];
const LIMIT_MS = 120_000;
const KILLS = Number(process.env['TWINPROOF_MIRROR_KILLS'] ?? 3);
const servers = new ServerSet();
let kafka: KafkaServer;
let primary: Cluster;
let standby: Cluster;
/** Of the site where `watch` runs, and of a third one. */
let here: WatchFolder;
let elsewhere: WatchFolder;
let watch: RunningWatch | null = null;

function sites(mirror: Pick<WatchedSites, 'mirror'>): WatchedSites {
  return { primary, candidates: { gasan: standby }, policy: '{ rpo: 1h, maxTail: 1h }', ...mirror };
}

function folder(): WatchFolder {
  return new WatchFolder(sites({ mirror: `{ brokers: ["${kafka.broker}"], topic: dr.ledger.bank }` }));
}

/** One story, in which the primary is lost. */
describe.skipIf(missing !== null)(
  `a ledger that stands in a topic too${missing === null ? '' : ` (${missing})`}`,
  { timeout: 240_000 },
  () => {
    beforeAll(async () => {
      builtProgram();
      [kafka, primary] = await Promise.all([createKafka(), servers.cluster()]);
      await createTopic(await kafka.admin(), TOPIC);
      await primary.sql(`CREATE TABLE account (id bigint PRIMARY KEY, owner text, amount numeric(12,2));
        CREATE TABLE tag (name text PRIMARY KEY, note text);
        INSERT INTO account SELECT i, 'owner ' || i, i / 7.0 FROM generate_series(1, 20000) i;
        INSERT INTO tag SELECT 'tag ' || i, repeat('x', i % 50) FROM generate_series(1, 100) i`);
      await prepareStream(primary, 'TABLE account, tag');
      standby = servers.add(await createStandby(primary));
      here = folder();
      elsewhere = folder();
      watch = await provenWatch(here, ['gasan'], 2);
    }, 300_000);

    afterAll(async () => {
      await watch?.stop().catch(() => undefined);
      await Promise.all([servers.end(), kafka?.destroy()]);
      here?.remove();
      elsewhere?.remove();
    });

    it('is told by ledger show, follows, and catches up when the broker was away', async () => {
      await mirrored(here);
      await kafka.stop();
      await primary.sql(`UPDATE account SET amount = amount + 1 WHERE id <= 500`);
      await waitUntil(
        async () => (await mirrorOf(here))?.trouble != null,
        LIMIT_MS,
        () => 'no trouble is told',
      );
      const shown = await runCli(['ledger', 'show', '--config', here.config]);
      expect(flat(shown.stdout)).toContain('in trouble since');
      await kafka.start();
      await waitUntil(
        async () => (await mirrorOf(here))?.trouble === null,
        LIMIT_MS,
        () => 'it does not go on',
      );
      await ledgerCaughtUp(here, primary);
      await mirrored(here);
      const { stdout } = await runCli(['ledger', 'show', '--config', here.config]);
      expect(flat(stdout)).toContain(`topic ${TOPIC}, written at`);
      // It went on where it was.
      expect((await mirrorOf(here))?.progress?.reason).toBe('the topic was empty');
    });

    it('is whole whenever the watch is killed, and goes on where it was', async () => {
      await watch?.stop();
      for (let kill = 0; kill < KILLS; kill++) {
        const before = (await mirrorOf(here))?.progress?.sentAtUs ?? 0n;
        const killed = startCli(['watch', '--config', here.config, '--quiet']);
        await primary.sql(`UPDATE account SET amount = amount + 1 WHERE id % ${KILLS} = ${kill}`);
        const goesOn = async (): Promise<boolean> =>
          ((await mirrorOf(here))?.progress?.sentAtUs ?? 0n) > before;
        await waitUntil(goesOn, LIMIT_MS, () => `it is not mirrored: ${killed.stderr()}`);
        killed.child.kill('SIGKILL');
        await killed.ended;
        const third = ['--system', 'bank', '--ledger', path.join(elsewhere.path, `kill-${kill}`)];
        const from = ['--from', `kafka://${kafka.broker}/${TOPIC}`];
        const rebuilt = await runCli(['ledger', 'rebuild', ...from, ...third]);
        expect(rebuilt).toMatchObject({ code: 0 });
      }
      watch = await provenWatch(here, ['gasan'], 2);
      await ledgerCaughtUp(here, primary);
      await mirrored(here);
      expect((await mirrorOf(here))?.progress?.reason).toBe('the topic was empty');
    });

    it('is rebuilt elsewhere to the same content', async () => {
      await setReceiving(standby, null);
      await primary.sql(`BEGIN; INSERT INTO account VALUES (90001, 'lost', 1);
        UPDATE tag SET note = 'lost' WHERE name = 'tag 5'; COMMIT`);
      await primary.sql(`DELETE FROM account WHERE id = 17`);
      await ledgerCaughtUp(here, primary);
      // What is known of it moves on as long as it lives.
      await primary.kill();
      await mirrored(here);
      await watch?.stop();
      const content = await checked(here);
      expect(content.content).not.toBeNull();
      const { code, stdout, stderr } = await runCli(['ledger', 'rebuild', '--config', elsewhere.config]);
      expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('rebuilt in') });
      expect(flat(stdout)).toContain(`from kafka://${kafka.broker}/${TOPIC}`);
      expect(flat(stdout)).toContain('nothing that was proven of a candidate before counts here');
      expect((await checked(elsewhere)).content).toEqual(content.content);
    });

    it('certifies nothing before it was proven anew, and then what it was told of, up to when it was', async () => {
      // What comes from now on is not mirrored any more: the mirror is behind when the primary is lost.
      await primary.start();
      here.write(sites({}));
      watch = new RunningWatch(here);
      await primary.sql(`INSERT INTO account VALUES (90002, 'lost too', 1)`);
      await ledgerCaughtUp(here, primary);
      await primary.kill();
      await watch.stop();
      const lost = fenced();
      const unproven = await certify(elsewhere, ...GASAN, '--primary-lost', ...lost);
      expect(unproven).toMatchObject({ code: 3, verdict: { verdict: 'UNKNOWN' } });
      watch = new RunningWatch(elsewhere);
      await watch.said(/^proven$/, /every row is proven equal/);
      const anew = await certify(elsewhere, ...GASAN, '--primary-lost', ...lost);
      const before = await certify(here, ...GASAN, '--primary-lost', ...lost);
      for (const { verdict } of [anew, before]) {
        expect(weighty(verdict)).toEqual(['TP-V-LOSS-WITHIN-RPO loss']);
        expect(verdict).toMatchObject({ verdict: 'SAFE_WITH_LOSS', integrity: 'same' });
      }
      expect(before.verdict.loss).toMatchObject({ transactions: '3', changes: '4' });
      expect(anew.verdict.loss).toMatchObject({
        kind: 'bounded',
        transactions: '2',
        changes: '3',
        keys: '3',
        firstCommitAt: before.verdict.loss.firstCommitAt,
      });
      // It says of no later time what was committed by then, and bounds what it was not told of all the same.
      expect(timeOf(anew.verdict.loss.witnessedUntil)).toBeLessThan(timeOf(before.verdict.loss.lastCommitAt));
      expect(anew.verdict.rpo.boundMs).toBe(before.verdict.rpo.boundMs);
    });

    it('leaves nothing that looks whole when a rebuild is killed, and is rebuilt by the address of the topic', async () => {
      const target = path.join(elsewhere.path, 'third');
      const from = `kafka://${kafka.broker}/${TOPIC}`;
      const args = ['ledger', 'rebuild', '--from', from, '--system', 'bank', '--ledger', target];
      const killed = startCli(args);
      await waitUntil(
        () =>
          Promise.resolve(existsSync(path.join(target, 'bank.rebuilding')) || killed.child.exitCode !== null),
        LIMIT_MS,
        () => 'it does not begin',
      );
      killed.child.kill('SIGKILL');
      await killed.ended;
      expect(readdirSync(target)).not.toContain('bank');
      expect((await runCli(args)).code).toBe(0);
      expect(readdirSync(target)).toEqual(['bank']);
      expectRefusal(await runCli(args), 64, 'TP-USAGE');
      const empty = args.map((arg) => arg.replace(TOPIC, 'nothing').replace('third', 'fourth'));
      await createTopic(await kafka.admin(), 'nothing');
      expectRefusal(await runCli(empty), 3, 'TP-LEDGER-REBUILD');
    });
  },
);

/** However its lines were broken. */
function flat(text: string): string {
  return text.replaceAll(/\s+/g, ' ');
}

function timeOf(time: string | null): number {
  return Date.parse(time ?? '');
}
