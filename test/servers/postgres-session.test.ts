import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectTarget } from '../../connectors/postgres/address.ts';
import { openSession, type Session } from '../../connectors/postgres/session.ts';
import type { SessionOptions } from '../../connectors/postgres/settings.ts';
import { parseUrl } from '../../src/config/url.ts';
import { installedVersions } from '../../src/demo/binaries.ts';
import { type Cluster, createCluster } from './harness/cluster.ts';
import { freePort, writeOwned } from '../../src/demo/cluster-files.ts';
import { TwinproofError } from '../../src/errors.ts';

const PASSWORD = 'pass:word\\ of "tests"';
const folder = mkdtempSync(join(tmpdir(), 'twinproof-session-'));
const sessions: Session[] = [];
let cluster: Cluster;

function forever(): AbortSignal {
  return new AbortController().signal;
}

async function open(
  url: string,
  env: Readonly<Record<string, string>> = { PGPASSWORD: PASSWORD },
  options: Partial<SessionOptions> = {},
): Promise<Session> {
  const target = connectTarget(parseUrl(url, 'secret').address, { PGPASSFILE: join(folder, 'none'), ...env });
  const session = await openSession(target, forever(), { purpose: 'catalog', ...options });
  sessions.push(session);
  return session;
}

/** The error of an attempt that must fail. It never holds the password, however it is printed. */
async function failure(attempt: Promise<unknown>): Promise<TwinproofError> {
  const error: unknown = await attempt.then(
    () => 'no error',
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(TwinproofError);
  expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('word\\');
  if (!(error instanceof TwinproofError)) throw new Error('unreachable');
  return error;
}

async function codeOf(attempt: Promise<unknown>): Promise<string> {
  return (await failure(attempt)).code;
}

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
}

/** An authority and a certificate of it for `name`; gives the server's certificate and key as PEM. */
function certificate(name: string, alternative: string): { cert: string; key: string } {
  writeFileSync(join(folder, `${name}.ext`), `subjectAltName=${alternative}\n`);
  openssl(
    'req',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-keyout',
    `${name}.key`,
    '-out',
    `${name}.csr`,
    '-subj',
    `/CN=${name}`,
  );
  const signed = `x509 -req -in ${name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2`.split(' ');
  openssl(...signed, '-extfile', `${name}.ext`, '-out', `${name}.crt`);
  return {
    cert: readFileSync(join(folder, `${name}.crt`), 'utf8'),
    key: readFileSync(join(folder, `${name}.key`), 'utf8'),
  };
}

async function serve(identity: { cert: string; key: string }): Promise<void> {
  const { data } = cluster.paths;
  await writeOwned(join(data, 'server.crt'), identity.cert, cluster.binaries.user);
  await writeOwned(join(data, 'server.key'), identity.key, cluster.binaries.user);
  chmodSync(join(data, 'server.key'), 0o600);
  await cluster.configure({ ssl: 'on' });
  await cluster.reload();
}

beforeAll(async () => {
  cluster = await createCluster({ version: installedVersions().at(-1) ?? 18, password: PASSWORD });
});

afterAll(async () => {
  await Promise.all(sessions.map((session) => session.close()));
  await cluster.destroy();
  rmSync(folder, { recursive: true, force: true });
});

describe('a session', () => {
  test('has everything pinned, whatever the role says', async () => {
    await cluster.sql(
      `CREATE ROLE odd LOGIN PASSWORD 'odd';
       ALTER ROLE odd SET search_path = 'evil', pg_catalog; ALTER ROLE odd SET TimeZone = 'Asia/Seoul';
       ALTER ROLE odd SET DateStyle = 'SQL, DMY'; ALTER ROLE odd SET bytea_output = 'escape';
       ALTER ROLE odd SET extra_float_digits = '-5'; ALTER ROLE odd SET IntervalStyle = 'iso_8601';
       ALTER ROLE odd SET client_encoding = 'LATIN1'; ALTER ROLE odd SET quote_all_identifiers = on;
       ALTER ROLE odd SET statement_timeout = '1ms'; ALTER ROLE odd SET default_transaction_read_only = off`,
    );
    await cluster.sql('ALTER ROLE odd RESET statement_timeout');
    const session = await open(cluster.url('postgres', 'odd'), { PGPASSWORD: 'odd' });
    const [row] = await session.rows(
      `select now()::text ~ '[+]00$' as utc, '\\xff'::bytea::text as bytes, 0.1::float8::text as float,
         '1 day 2 hours'::interval::text as span, quote_ident('plain') as quoted,
         current_setting('client_encoding') as encoding, current_setting('search_path') as path,
         current_setting('transaction_read_only') as readonly, current_setting('row_security') as security,
         current_setting('lock_timeout') as lock, current_setting('application_name') as application`,
      [],
      forever(),
    );
    expect(row).toEqual({
      utc: true,
      bytes: '\\xff',
      float: '0.1',
      span: '1 day 02:00:00',
      quoted: 'plain',
      encoding: 'UTF8',
      path: 'pg_catalog, pg_temp',
      readonly: 'on',
      security: 'off',
      lock: '10s',
      application: 'twinproof catalog',
    });
    expect(session.backendPid).toBe(session.key.processId);
  });

  test('cannot write', async () => {
    const session = await open(cluster.url());
    const error = await failure(session.rows('create table public.no (id int)', [], forever()));
    expect(error).toMatchObject({ code: 'TP-QUERY', retryable: false });
    expect(error.message).toContain('25006');
  });

  test('tells kinds of errors apart', async () => {
    const session = await open(cluster.url(), undefined, { statementTimeoutMs: 300, lockTimeoutMs: 100 });
    const run = (sql: string): Promise<unknown> => session.rows(sql, [], forever());
    expect(await failure(run('select pg_sleep(5)'))).toMatchObject({ code: 'TP-QUERY', retryable: true });
    expect(await failure(run('select * from public.gone'))).toMatchObject({ code: 'TP-DEFINITION-CHANGED' });
    await cluster.sql('CREATE TABLE held (id int)');
    const holder = await cluster.connect();
    await holder.query('BEGIN; LOCK TABLE held');
    expect(await failure(run('select * from public.held'))).toMatchObject({
      code: 'TP-QUERY',
      retryable: true,
    });
    await holder.end();
    const lowly = await open(cluster.url('postgres', 'odd'), { PGPASSWORD: 'odd' });
    expect(await codeOf(lowly.rows('select * from public.held', [], forever()))).toBe('TP-PERMISSION');
  });

  test('stops the server’s work when aborted and stays usable', async () => {
    const session = await open(cluster.url());
    const started = performance.now();
    const aborting = session.rows('select pg_sleep(30)', [], AbortSignal.timeout(200));
    expect(await codeOf(aborting)).toBe('TP-INTERRUPTED');
    expect(performance.now() - started).toBeLessThan(3000);
    expect(await session.rows('select 1 as one', [], forever())).toEqual([{ one: 1 }]);
    expect(await codeOf(session.rows('select 1', [], AbortSignal.abort()))).toBe('TP-INTERRUPTED');
    const reason = new TwinproofError('TP-TIMEOUT');
    expect(await codeOf(session.rows('select 1', [], AbortSignal.abort(reason)))).toBe('TP-TIMEOUT');
  });

  test('that was ended by the server is lost, and may be opened again', async () => {
    const session = await open(cluster.url());
    await cluster.sql(`SELECT pg_terminate_backend(${session.backendPid})`);
    const error = await failure(session.rows('select pg_sleep(1)', [], forever()));
    expect(error).toMatchObject({ code: 'TP-CONNECTION-LOST', retryable: true });
    const again = await failure(session.rows('select 1', [], forever()));
    expect(again).toMatchObject({ code: 'TP-CONNECTION-LOST', retryable: true });
  });

  test('takes the bytes of an SQL_ASCII database as they are', async () => {
    await cluster.sql(
      `CREATE DATABASE ascii ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`,
    );
    const session = await open(cluster.url('ascii'));
    expect(session.encoding).toBe('SQL_ASCII');
    const rows = session.rows(
      `select length(convert_from('\\xff', 'SQL_ASCII')) as n, convert_from('\\xff', 'SQL_ASCII')`,
      [],
      forever(),
    );
    expect(await rows).toMatchObject([{ n: 1 }]);
  });
});

describe('no session', () => {
  test('on a port where nobody listens, or of a host without a name', async () => {
    const port = await freePort();
    const error = await failure(open(`postgres://postgres@127.0.0.1:${port}/postgres`));
    expect(error).toMatchObject({ code: 'TP-UNREACHABLE', retryable: true });
    expect(error.message).toBe(`cannot connect to 127.0.0.1:${port}: ECONNREFUSED`);
    expect(await codeOf(open('postgres://postgres@nowhere.invalid/postgres?sslmode=disable'))).toBe(
      'TP-UNREACHABLE',
    );
    expect(await codeOf(open(`postgres:///postgres?host=${folder}`))).toBe('TP-UNREACHABLE');
  });

  test('where nobody answers', async () => {
    const silent = createServer(() => undefined);
    const port = await freePort();
    await new Promise<void>((resolve) => {
      silent.listen(port, '127.0.0.1', resolve);
    });
    const error = await failure(open(`postgres://postgres@127.0.0.1:${port}/postgres?connect_timeout=1`));
    expect(error.code).toBe('TP-UNREACHABLE');
    expect(error.message).toContain('no answer within 1 s');
    silent.close();
  });

  test('with a wrong password, without one, or for a role that does not exist', async () => {
    expect(await codeOf(open(cluster.url(), { PGPASSWORD: 'wrong' }))).toBe('TP-AUTH');
    expect((await failure(open(cluster.url(), {}))).message).toContain('none is configured');
    expect(await codeOf(open(cluster.url('postgres', 'nobody')))).toBe('TP-AUTH');
  });

  test('in a database that does not exist, or that the role may not enter', async () => {
    expect(await codeOf(open(cluster.url('missing')))).toBe('TP-DATABASE');
    await cluster.sql('CREATE DATABASE closed; ');
    await cluster.sql('REVOKE CONNECT ON DATABASE closed FROM PUBLIC');
    const closed = await failure(open(cluster.url('closed', 'odd'), { PGPASSWORD: 'odd' }));
    // Preflight, which the usual hint names, comes no further either.
    expect(closed).toMatchObject({ code: 'TP-PERMISSION', hint: expect.stringContaining('GRANT CONNECT') });
  });

  test('when the server has no connection left', async () => {
    await cluster.sql('ALTER ROLE odd CONNECTION LIMIT 0');
    const error = await failure(open(cluster.url('postgres', 'odd'), { PGPASSWORD: 'odd' }));
    expect(error).toMatchObject({ code: 'TP-UNREACHABLE', retryable: true });
    await cluster.sql('ALTER ROLE odd CONNECTION LIMIT -1');
  });

  test('with a password file that others may read', async () => {
    const passfile = join(folder, 'pgpass');
    const escaped = PASSWORD.replace(/[\\:]/g, String.raw`\$&`);
    writeFileSync(passfile, `127.0.0.1:${cluster.port}:*:postgres:${escaped}\n`, { mode: 0o600 });
    const session = await open(cluster.url(), { PGPASSFILE: passfile });
    expect(session.versionNumber).toBeGreaterThanOrEqual(140_000);
    chmodSync(passfile, 0o644);
    expect(await codeOf(open(cluster.url(), { PGPASSFILE: passfile }))).toBe('TP-SECRET');
  });
});

function at(parameters: string): string {
  return `${cluster.url()}?${parameters}`;
}

describe('TLS', () => {
  const root = `sslrootcert=${encodeURIComponent(join(folder, 'ca.crt'))}`;

  beforeAll(() => {
    openssl(
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      'ca.key',
      '-out',
      'ca.crt',
      '-days',
      '2',
      '-subj',
      '/CN=authority',
    );
  });

  test('is an error where the server has none', async () => {
    const error = await failure(open(at('sslmode=require')));
    expect(error.code).toBe('TP-TLS');
    expect(error.message).toContain('does not offer TLS');
  });

  test('is verified as far as sslmode says', async () => {
    await serve(certificate('elsewhere', 'DNS:elsewhere.example'));
    const byName = await failure(open(at(`sslmode=verify-full&${root}`)));
    expect(byName.code).toBe('TP-TLS');
    expect(await codeOf(open(at('sslmode=verify-full')))).toBe('TP-TLS');
    expect(await codeOf(open(at('sslmode=verify-ca')))).toBe('TP-TLS');
    for (const parameters of ['sslmode=require', `sslmode=require&${root}`, `sslmode=verify-ca&${root}`]) {
      const session = await open(at(parameters));
      const sql = 'select ssl from pg_stat_ssl where pid = pg_backend_pid()';
      expect(await session.rows(sql, [], forever())).toEqual([{ ssl: true }]);
      expect(await codeOf(session.rows('select pg_sleep(30)', [], AbortSignal.timeout(200)))).toBe(
        'TP-INTERRUPTED',
      );
      expect(await session.rows('select 1 as one', [], forever())).toEqual([{ one: 1 }]);
    }
  });

  test('accepts the certificate of this host', async () => {
    await serve(certificate('here', 'IP:127.0.0.1'));
    const session = await open(at(`sslmode=verify-full&${root}`));
    expect(session.target.tls).not.toBe(null);
    expect(await codeOf(open(at('sslmode=verify-full&sslrootcert=/does/not/exist')))).toBe('TP-TLS');
  });
});
