import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, createCluster } from './harness/cluster.ts';
import { createStandby, waitForReplay } from '../../src/demo/cluster-standby.ts';
import { type CliResult, expectFailure, expectRefusal, runCli, until, verdictOf } from './harness/cli.ts';
import { editStandby, relationPath, replaceInRelation } from './harness/heap.ts';
import { verifierOf } from './harness/readiness.ts';
import { ServerSet } from './harness/server-set.ts';

const servers = new ServerSet();
let folder = '';
let primary: Cluster;
let standby: Cluster;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'twinproof-certify-'));
  primary = servers.add(await createCluster({ version: 17, settings: { autovacuum: 'off' } }));
  await primary.sql(verifierOf(17));
  await primary.sql(
    `CREATE TABLE account (id int PRIMARY KEY, owner text); CREATE TABLE log (id serial, v text);
     INSERT INTO account SELECT g, 'owner ' || g FROM generate_series(1, 3000) g; INSERT INTO log (v) VALUES ('x')`,
  );
  await primary.sql('VACUUM (FREEZE, ANALYZE)');
  standby = servers.add(await createStandby(primary, { settings: { autovacuum: 'off' } }));
  await tool('keygen', '--out', 'signing.key');
});

afterAll(async () => {
  await servers.end();
  rmSync(folder, { recursive: true, force: true });
});

function tool(...args: readonly string[]): Promise<CliResult> {
  return runCli(args, { cwd: folder });
}

async function certify(...more: readonly string[]): Promise<CliResult> {
  await waitForReplay(standby);
  return certifyNow(...more);
}

function certifyNow(...more: readonly string[]): Promise<CliResult> {
  const sites = [
    '--primary',
    primary.url('postgres', 'verifier'),
    '--candidate',
    standby.url('postgres', 'verifier'),
    '--format',
    'json',
  ];
  return tool('certify', ...sites, ...more);
}

/** Codes of the reasons that stand against SAFE. */
function against(result: CliResult): string[] {
  const reasons = verdictOf(result).reasons.filter(({ effect }) => effect !== 'none');
  return [...new Set(reasons.map(({ code }) => code))];
}

describe('a verdict on a physical pair', () => {
  test('is SAFE only when the primary is said to stand still, and does', async () => {
    const safe = await certify('--quiesced');
    expect([verdictOf(safe).verdict, safe.code, against(safe)]).toEqual(['SAFE', 0, []]);
    expect(verdictOf(safe)).toMatchObject({ mode: 'switchover', integrity: 'same', loss: { kind: 'none' } });

    const moving = await certify();
    expect([verdictOf(moving).verdict, moving.code]).toEqual(['UNKNOWN', 3]);
    expect(verdictOf(moving).integrity).toBe('same');
    expect(against(moving)).not.toEqual([]);
  });

  test('is UNKNOWN when the primary is said to stand still, and a writer runs', async () => {
    const over = new AbortController();
    const writing = (async (): Promise<void> => {
      while (!over.signal.aborted) await primary.sql(`INSERT INTO log (v) VALUES ('y')`);
    })();
    const result = await certify('--quiesced').finally(() => over.abort());
    await writing;
    expect([verdictOf(result).verdict, result.code]).toEqual(['UNKNOWN', 3]);
    expect(against(result).join()).toMatch(/MOVED|QUIESCE|HEAD/);
  });

  test('is UNKNOWN when a transaction is still open on the quiesced primary', async () => {
    const open = await primary.connect();
    await open.query(`BEGIN; INSERT INTO log (v) VALUES ('uncommitted')`);
    const result = await certify('--quiesced');
    await open.query('ROLLBACK');
    expect([verdictOf(result).verdict, result.code]).toEqual(['UNKNOWN', 3]);
  });

  test('is blocked while replay is paused', async () => {
    await waitForReplay(standby);
    await standby.sql('SELECT pg_wal_replay_pause()');
    try {
      const result = await certifyNow('--quiesced');
      expect([verdictOf(result).verdict, result.code]).toEqual(['NOT_SAFE', 2]);
      expect(against(result)).toContain('TP-R-REPLAY-PAUSED');
    } finally {
      await standby.sql('SELECT pg_wal_replay_resume()');
    }
  });

  test('is blocked by an unlogged table, which would be empty', async () => {
    await primary.sql('CREATE UNLOGGED TABLE fleeting (id int); INSERT INTO fleeting VALUES (1)');
    const result = await certify('--quiesced', '--exclude', 'fleeting');
    await primary.sql('DROP TABLE fleeting');
    expect([verdictOf(result).verdict, result.code]).toEqual(['NOT_SAFE', 2]);
    expect(against(result)).toContain('TP-R-UNLOGGED');
  });

  test('is not given for a run that was cut short', async () => {
    expect((await certify('--quiesced', '--timeout', '1ms')).code).toBe(3);
  });
});

describe('a certificate', () => {
  test('is written, checked, and tells tampering', async () => {
    const issued = await certify('--quiesced', '--key', 'signing.key', '--out', 'one.json');
    expect(issued.code).toBe(0);
    const check = await tool('certificate', 'check', 'one.json', '--key', 'signing.key.pub');
    expect(check.code).toBe(0);
    expect(check.stdout).toContain('SAFE');

    const envelope: { payload: string } = JSON.parse(readFileSync(join(folder, 'one.json'), 'utf8'));
    const payload = Buffer.from(envelope.payload, 'base64').toString('utf8').replace('"same"', '"sama"');
    const forged = { ...envelope, payload: Buffer.from(payload).toString('base64') };
    writeFileSync(join(folder, 'forged.json'), JSON.stringify(forged));
    const caught = await tool('certificate', 'check', 'forged.json', '--key', 'signing.key.pub');
    expect(caught.code).toBe(2);
    expect(caught.stdout).toContain('NOT AUTHENTIC');
  });

  test('is not accepted with another key', async () => {
    expect((await tool('keygen', '--out', 'other.key')).code).toBe(0);
    expect((await tool('certificate', 'check', 'one.json', '--key', 'other.key.pub')).code).toBe(2);
    const unreadable = await tool('certificate', 'check', 'signing.key', '--key', 'other.key.pub');
    expect(expectRefusal(unreadable, 64, 'TP-CERTIFICATE')).toContain('hint: ');
  });

  test('is not written over a file that is none', async () => {
    const result = await certify('--quiesced', '--key', 'signing.key', '--out', 'signing.key.pub');
    expect(expectRefusal(result, 64, 'TP-CERTIFICATE')).toContain('signing.key.pub');
  });

  test('that cannot be written does not take the verdict with it', async () => {
    const result = await certify('--quiesced', '--key', 'signing.key', '--out', 'none/one.json');
    expect(expectFailure(result, 3, 'TP-OUTPUT')).toContain('its folder does not exist');
    expect(verdictOf(result).verdict).toBe('SAFE');
    // Said at once, and not only when hours of reading are over.
    expect(result.stderr).toMatch(/^warning: as it stands .*none\/one\.json could not be written/);
  });

  test('names the one that it replaces', async () => {
    const before = await tool(
      'certificate',
      'check',
      'one.json',
      '--key',
      'signing.key.pub',
      '--format',
      'json',
    );
    const { payloadSha256 }: { payloadSha256: string } = JSON.parse(before.stdout);
    await certify('--quiesced', '--key', 'signing.key', '--out', 'one.json');
    const after = await tool('certificate', 'check', 'one.json', '--key', 'signing.key.pub');
    expect(after.stdout).toContain(`previous   sha256:${payloadSha256}`);
  });

  test('expires as the policy of the configuration says', async () => {
    const yaml = `systems:
  bank:
    primary: { url: "${primary.url('postgres', 'verifier')}" }
    candidates: [{ name: far, url: "${standby.url('postgres', 'verifier')}" }]
    policy: { certificateValidFor: 1s }
signing: { key: ./signing.key }
`;
    writeFileSync(join(folder, 'twinproof.yaml'), yaml);
    await waitForReplay(standby);
    const options = ['--config', 'twinproof.yaml', '--quiesced', '--out', 'brief.json'];
    expect((await tool('certify', ...options)).code).toBe(0);
    const checked = (): Promise<CliResult> =>
      tool('certificate', 'check', 'brief.json', '--key', 'signing.key.pub');
    await until(async () => (await checked()).code === 3, 'the certificate expires');
    expect((await checked()).stdout).toContain('NOT IN FORCE');
  });

  test('is issued for bad news too: rows that differ are NOT_SAFE', async () => {
    const path = await relationPath(primary, 'postgres', 'account');
    await editStandby(primary, standby, (target) =>
      replaceInRelation(target, path, Buffer.from('owner 77'), Buffer.from('0wner 77'), { count: 1 }),
    );
    const result = await certify('--quiesced', '--key', 'signing.key', '--out', 'bad.json');
    expect([verdictOf(result).verdict, result.code]).toEqual(['NOT_SAFE', 2]);
    expect(verdictOf(result).integrity).toBe('different');
    expect((await tool('certificate', 'check', 'bad.json', '--key', 'signing.key.pub')).code).toBe(0);
  });
});

describe('keys', () => {
  test('are never overwritten unless asked to, and are their owner’s alone', async () => {
    const before = readFileSync(join(folder, 'signing.key'), 'utf8');
    expect(expectRefusal(await tool('keygen', '--out', 'signing.key'), 3, 'TP-OUTPUT')).toContain('exists');
    expect(readFileSync(join(folder, 'signing.key'), 'utf8')).toBe(before);
    expect(statSync(join(folder, 'signing.key')).mode & 0o777).toBe(0o600);
  });

  test('that others may read are refused for signing', async () => {
    chmodSync(join(folder, 'other.key'), 0o644);
    const result = await certify('--quiesced', '--key', 'other.key', '--out', 'never.json');
    expect(expectRefusal(result, 64, 'TP-KEY')).toContain('hint: chmod 600');
  });

  test('that do not exist, and certificates without a key, are refused before anything is read', async () => {
    const unknown = await certify('--key', 'none.key', '--out', 'never.json');
    expect(expectRefusal(unknown, 64, 'TP-KEY')).toContain('none.key');
    expect(expectRefusal(await certify('--out', 'never.json'), 64, 'TP-USAGE')).toContain('keygen');
  });
});
