import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, createCluster } from './harness/cluster.ts';
import { writeOwned } from '../../src/demo/cluster-files.ts';
import { createStandby, waitForReplay } from '../../src/demo/cluster-standby.ts';
import {
  CANARY,
  type CliResult,
  documentOf,
  expectRefusal,
  reasonCodes,
  runCli,
  verdictOf,
} from './harness/cli.ts';
import { verifierOf } from './harness/readiness.ts';
import { ServerSet } from './harness/server-set.ts';

const servers = new ServerSet();
const folder = mkdtempSync(join(tmpdir(), 'twinproof-sites-'));
const login = { PGPASSWORD: CANARY };
let primary: Cluster;
let standby: Cluster;
let promoted: Cluster;
let stranger: Cluster;

beforeAll(async () => {
  const secured = { version: 17, password: CANARY } as const;
  [primary, stranger] = await Promise.all([createCluster(secured), createCluster(secured)]);
  servers.add(primary);
  servers.add(stranger);
  for (const cluster of [primary, stranger]) {
    await cluster.sql(`${verifierOf(17)} ALTER ROLE verifier PASSWORD '${CANARY}'`);
  }
  await primary.sql(
    `CREATE TABLE open (id int PRIMARY KEY, v text); CREATE TABLE closed (id int PRIMARY KEY);
     INSERT INTO open SELECT g, 'row ' || g FROM generate_series(1, 500) g;
     CREATE ROLE lowly LOGIN PASSWORD '${CANARY}'; GRANT SELECT ON open TO lowly`,
  );
  [standby, promoted] = await Promise.all([
    createStandby(primary),
    createStandby(primary, { name: 'promoted' }),
  ]);
  servers.add(standby);
  servers.add(promoted);
  await promoted.promote();
});

afterAll(async () => {
  await servers.end();
  rmSync(folder, { recursive: true, force: true });
});

function sites(from: string, to: string): string[] {
  return ['--primary', from, '--candidate', to];
}

/** As the least-privilege role, which logs in with a password. */
function urlOf(cluster: Cluster, database = 'postgres'): string {
  return cluster.url(database, 'verifier');
}

function verify(from: string, to: string, more: readonly string[] = []): Promise<CliResult> {
  return runCli(['verify', ...sites(from, to), ...more], { env: login });
}

describe('a login that fails gives 3', () => {
  test('for a wrong password, which is not printed', async () => {
    const env = { PGPASSWORD: `${CANARY}-wrong` };
    const result = await runCli(['verify', ...sites(urlOf(primary), urlOf(standby))], { env });
    const refusal = expectRefusal(result, 3, 'TP-AUTH');
    expect(refusal).toContain(`primary: 127.0.0.1:${primary.port}`);
  });

  test('for a wrong password in the URL, of the candidate only', async () => {
    const wrong = urlOf(standby).replace('verifier@', `verifier:${CANARY}x@`);
    expect(expectRefusal(await verify(urlOf(primary), wrong), 3, 'TP-AUTH')).toContain('candidate: ');
  });

  test('for no password at all', async () => {
    const result = await runCli(['verify', ...sites(urlOf(primary), urlOf(standby))]);
    expect(expectRefusal(result, 3, 'TP-AUTH')).toContain('password');
  });

  test('for a database that does not exist', async () => {
    const refusal = expectRefusal(
      await verify(urlOf(primary, 'bnak'), urlOf(standby, 'bnak')),
      3,
      'TP-DATABASE',
    );
    expect(refusal).toContain('bnak');
  });
});

describe('a TLS connection that cannot be trusted gives 3', () => {
  test('when the server offers none', async () => {
    const secured = `${urlOf(primary)}?sslmode=require`;
    const refusal = expectRefusal(await verify(secured, urlOf(standby)), 3, 'TP-TLS');
    expect(refusal).toContain('does not offer TLS');
  });

  test('when its certificate is for another host, or nobody trusted signed it', async () => {
    const { data } = stranger.paths;
    const options = ['-subj', '/CN=db.elsewhere', '-addext', 'subjectAltName=DNS:db.elsewhere'];
    const certificate = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...options];
    execFileSync('openssl', [...certificate, '-keyout', 'server.key', '-out', 'server.crt'], {
      cwd: folder,
      stdio: 'pipe',
    });
    for (const name of ['server.crt', 'server.key']) {
      const content = readFileSync(join(folder, name), 'utf8');
      await writeOwned(join(data, name), content, stranger.binaries.user);
      chmodSync(join(data, name), 0o600);
    }
    await stranger.configure({ ssl: 'on' });
    await stranger.reload();
    const trusting = `${urlOf(stranger)}?sslmode=verify-full&sslrootcert=${join(folder, 'server.crt')}`;
    expect(expectRefusal(await verify(trusting, urlOf(standby)), 3, 'TP-TLS')).toContain('altnames');
    const unknowing = `${urlOf(stranger)}?sslmode=verify-full`;
    expect(expectRefusal(await verify(unknowing, urlOf(standby)), 3, 'TP-TLS')).toContain('certificate');
  });
});

describe('sites that are no pair are refused with 3', () => {
  test('the same server given twice, also under another name', async () => {
    const again = urlOf(primary).replace('127.0.0.1', 'localhost');
    for (const other of [urlOf(primary), again, urlOf(primary, 'template1')]) {
      expect(expectRefusal(await verify(urlOf(primary), other), 3, 'TP-SAME-SERVER')).toContain(
        'same server',
      );
    }
    // A standby given twice has no primary in it either.
    expectRefusal(await verify(urlOf(standby), urlOf(standby)), 3, 'TP-SAME-SERVER');
  });

  test('two servers that do not replicate from one another', async () => {
    expectRefusal(await verify(urlOf(primary), urlOf(stranger)), 3, 'TP-UNRELATED');
    expectRefusal(await verify(urlOf(stranger), urlOf(standby)), 3, 'TP-UNRELATED');
    expect(expectRefusal(await verify(urlOf(stranger), urlOf(primary)), 3, 'TP-UNRELATED')).toContain(
      'standby',
    );
  });

  test('a candidate that was promoted, which for a verdict is a second writer', async () => {
    const refusal = expectRefusal(await verify(urlOf(primary), urlOf(promoted)), 3, 'TP-ROLES');
    expect(refusal).toContain('promoted');
    const verdict = await runCli(
      ['certify', ...sites(urlOf(primary), urlOf(promoted)), '--quiesced', '--format', 'json'],
      { env: login },
    );
    expect(verdict.code).toBe(2);
    expect(verdictOf(verdict)).toMatchObject({ verdict: 'NOT_SAFE', integrity: 'unproven' });
    expect(verdictOf(verdict).reasons.map(({ code }) => code)).toContain('TP-V-TWO-WRITERS');
  });

  test('roles that are swapped, with the advice to swap the URLs', async () => {
    expect(expectRefusal(await verify(urlOf(standby), urlOf(primary)), 3, 'TP-ROLES')).toMatch(
      /hint: .*swap/,
    );
  });
});

/** As a role that may read one of two tables. */
function asLowly(...more: readonly string[]): Promise<CliResult> {
  const urls = [primary, standby].map((cluster) => cluster.url('postgres', 'lowly'));
  return verify(urls[0] ?? '', urls[1] ?? '', ['--format', 'json', ...more]);
}

describe('tables in scope that cannot be compared are unproven and named', () => {
  test('a table that the role may not read', async () => {
    await waitForReplay(standby);
    const result = await asLowly();
    expect(result.code).toBe(3);
    const document = documentOf(result);
    expect(document.outcome).toBe('unproven');
    expect(document.tables.map(({ table, outcome }) => [table, outcome])).toEqual([
      ['public.closed', 'unproven'],
      ['public.open', 'same'],
    ]);
    expect(document.tables[0]?.reasons[0]?.hint).toMatch(/GRANT|preflight/);
    expect(await asLowly('--tables', 'open')).toMatchObject({ code: 0 });
  });

  test('a scope without a table', async () => {
    const result = await asLowly('--tables', 'nothing.*');
    expect(result.code).toBe(3);
    expect(documentOf(result).outcome).toBe('unproven');
    expect(reasonCodes(documentOf(result))).toContain('TP-EMPTY-SCOPE');
    expect(await asLowly('--exclude', '*')).toMatchObject({ code: 3 });
  });

  test('a pattern that matches nothing beside one that does', async () => {
    const result = await asLowly('--tables', 'public.open,public.opne');
    expect(result.code).toBe(3);
    const document = documentOf(result);
    expect(document.outcome).toBe('unproven');
    expect(document.tables.map(({ outcome }) => outcome)).toEqual(['same']);
    expect(document.reasons.find(({ code }) => code === 'TP-PATTERN-UNMATCHED')?.message).toContain('opne');
  });
});
