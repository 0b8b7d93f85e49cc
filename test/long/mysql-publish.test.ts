import { generateKeyPairSync } from 'node:crypto';
import { readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runWatch } from '../../src/commands/watch.ts';
import { until } from '../servers/harness/cli.ts';
import { Command } from '../servers/harness/command.ts';
import type { MysqlPair } from '../servers/harness/mysql-pair.ts';
import { describeMysql } from '../servers/harness/mysql-suite.ts';
import { createWatchedPair, mysqlWatchFolder } from '../servers/harness/mysql-watch.ts';
import { publishedCandidate, publishedState } from '../servers/harness/published.ts';
import type { WatchFolder } from '../servers/harness/watch.ts';

const WAIT_MS = 90_000;
const SCHEMA = `CREATE TABLE account (id int PRIMARY KEY, amount int);
  INSERT INTO account VALUES ${Array.from({ length: 2000 }, (_, i) => `(${i + 1}, ${i})`).join()}`;

/** The tests follow one another: what happens to the two servers is one story. */
await describeMysql('what watch publishes of a %s pair', (flavor) => {
  let pair: MysqlPair;
  let folder: WatchFolder;
  let watch: Command;

  const verdict = (): string | null => publishedCandidate(folder)?.verdict?.verdict ?? null;

  beforeAll(async () => {
    pair = await createWatchedPair({ flavor, schema: SCHEMA });
    folder = mysqlWatchFolder(pair, {
      // What is in no log is found when rows are proven again: at half of that age.
      policy: '{ rpo: 10m, maxTail: 10m, maxProofAge: 60s }',
      more: 'state: { every: 1s, keepCertificates: 2 }\nsigning: { key: ./key.pem }\n',
      facts:
        'schedules: [{ run: certify, at: "*/2 * * * * *" }, { run: verify, at: "*/5 * * * * *", zone: UTC }]',
    });
    const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' });
    writeFileSync(path.join(folder.path, 'key.pem'), pem, { mode: 0o600 });
    const options = { config: folder.config, systems: [], once: false, timeoutMs: null } as const;
    watch = new Command((io) =>
      runWatch({ ...options, statementTimeoutMs: 60_000, quiet: true, format: 'text' }, io),
    );
  });

  afterAll(async () => {
    await watch?.stop();
    await pair?.destroy();
    folder?.remove();
  });

  it('is SAFE at rest, with no lag, and certificates that are kept and pruned', async () => {
    await until(() => verdict() === 'SAFE', 'it is safe', WAIT_MS);
    await until(() => publishedCandidate(folder)?.lag?.total.ms === 0, 'the lag is known', WAIT_MS);
    expect(publishedState(folder)).toMatchObject({
      pair: 'logical',
      problem: null,
      primary: { state: 'alive' },
    });
    const runs = (): ReturnType<typeof outcomes> => outcomes(folder);
    await until(() => runs()['verify'] === 'ok', 'every row was compared', WAIT_MS);
    const certificates = path.join(folder.path, 'ledger-state', 'certificates', 'bank');
    const kept = (): string[] => readdirSync(certificates).filter((name) => /^\d.*\.json$/.test(name));
    const [first] = kept();
    await until(() => kept().length >= 2 && !kept().includes(first ?? ''), 'old ones are pruned', WAIT_MS);
    // The newest two, and at most one more that is the newest to say SAFE.
    expect(kept().length).toBeLessThanOrEqual(3);
  });

  it('names a row that was changed on the replica by its key, until it is put right', async () => {
    const listed = () => publishedCandidate(folder)?.rows?.listed ?? [];
    await pair.tamper('UPDATE account SET amount = amount + 1000 WHERE id = 9');
    await until(() => listed().length > 0, 'the row is named', WAIT_MS);
    expect(listed()).toEqual([
      {
        table: `${pair.database}.account`,
        kind: 'changed',
        key: 'id=9',
        digest: expect.stringMatching(/^[0-9a-f]{32}$/),
        firstSeenAt: expect.any(String),
      },
    ]);
    await until(() => verdict() === 'NOT_SAFE', 'it is not safe', WAIT_MS);
    await pair.tamper('UPDATE account SET amount = amount - 1000 WHERE id = 9');
    await until(() => listed().length === 0, 'it is not named any more', WAIT_MS);
    await until(() => verdict() === 'SAFE', 'it is safe again', WAIT_MS);
  }, 300_000);

  it('counts what the replica has not applied, and is not SAFE while it does not apply', async () => {
    await pair.stopReplica('sql');
    await pair.source.sql('UPDATE account SET amount = amount + 1 WHERE id = 7', [], pair.database);
    await until(() => publishedCandidate(folder)?.lag?.total.transactions === '1', 'the lag shows', WAIT_MS);
    await until(() => verdict() !== 'SAFE' && verdict() !== null, 'it is not safe', WAIT_MS);
    expect(verdict()).not.toBe('SAFE_WITH_LOSS');
  });

  it('says that the primary is gone, and at most what is lost', async () => {
    await pair.startReplica('sql');
    await pair.caughtUp();
    await pair.source.kill();
    await until(() => publishedState(folder)?.primary.state === 'gone', 'the primary is gone', WAIT_MS);
    await until(
      () => publishedCandidate(folder)?.outlook?.loss.kind === 'bounded',
      'the loss is bounded',
      WAIT_MS,
    );
    expect(publishedCandidate(folder)?.outlook).toMatchObject({
      mode: 'failover',
      loss: { transactions: '0' },
    });
    await watch.stop();
    const strange = watch.stderr
      .split('\n')
      .filter((line) => /TP-BUG| error /.test(line))
      .filter((line) => !/a row is changed \(id=9\)|rows differ from the primary’s/.test(line));
    expect(strange).toEqual([]);
  });
});

function outcomes(folder: WatchFolder): Readonly<Record<string, string | null>> {
  const runs = publishedState(folder)?.runs ?? [];
  return Object.fromEntries(runs.map(({ name, outcome }) => [name, outcome]));
}
