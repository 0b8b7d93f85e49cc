import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectTarget } from '../../connectors/mysql/address.ts';
import { controlSession } from '../../connectors/mysql/control.ts';
import { openSession, type Session } from '../../connectors/mysql/session.ts';
import type { SessionOptions } from '../../connectors/mysql/settings.ts';
import { parseUrl } from '../../src/config/url.ts';
import { TwinproofError } from '../../src/errors.ts';
import { waitUntil } from '../../src/demo/cluster-wait.ts';
import { freePort } from '../../src/demo/cluster-files.ts';
import { createMysqlServer, type MysqlServer } from './harness/mysql-server.ts';
import { describeMysql } from './harness/mysql-suite.ts';

const PASSWORD = 'pass:word\\ of "tests"';
const folder = mkdtempSync(join(tmpdir(), 'twinproof-mysql-session-'));

const forever = (): AbortSignal => new AbortController().signal;

async function open(
  url: string,
  options: Partial<SessionOptions> = {},
  env: Readonly<Record<string, string>> = {},
): Promise<Session> {
  const target = connectTarget(parseUrl(url, 'secret').address, env);
  return openSession(target, forever(), { purpose: 'catalog', statementTimeoutMs: 0, ...options });
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

async function withSession<T>(session: Promise<Session>, work: (session: Session) => Promise<T>): Promise<T> {
  const opened = await session;
  try {
    return await work(opened);
  } finally {
    await opened.close();
  }
}

async function one(session: Session, sql: string): Promise<Record<string, string | null>> {
  const [row] = await session.rows(sql, [], forever());
  return row ?? {};
}

/** Passes connections on to a port and keeps what the client sent. */
async function relay(port: number): Promise<{ port: number; sent: () => Buffer; server: Server }> {
  const parts: Buffer[] = [];
  const server = createServer((client) => {
    const onward = connect(port, '127.0.0.1');
    client.on('data', (data) => parts.push(data));
    client.pipe(onward).pipe(client);
    for (const socket of [client, onward]) socket.on('error', () => undefined);
  });
  const own = await freePort();
  await new Promise<void>((resolve) => {
    server.listen(own, '127.0.0.1', resolve);
  });
  return { port: own, sent: () => Buffer.concat(parts), server };
}

afterAll(() => rmSync(folder, { recursive: true, force: true }));

await describeMysql('a session with %s', (flavor) => {
  let server: MysqlServer;
  let guarded: MysqlServer;
  let elsewhere: MysqlServer;
  const url = (query = '', host = '127.0.0.1', user = 'tp'): string =>
    `mysql://${user}:${encodeURIComponent(PASSWORD)}@${host}:${server.port}/d${query}`;
  const secure = (to: MysqlServer, host: string, query: string): string =>
    `mysql://tp:${encodeURIComponent(PASSWORD)}@${host}:${to.port}/d?${query}`;

  beforeAll(async () => {
    server = await createMysqlServer({ flavor });
    guarded = await createMysqlServer({ flavor, tls: true });
    elsewhere = await createMysqlServer({ flavor, tls: 'other-host' });
    const password = PASSWORD.replaceAll('\\', '\\\\');
    for (const each of [server, guarded, elsewhere]) {
      await each.sql(
        `create database d; create table d.t (id bigint primary key, v text);
         insert into d.t values (1, 'é'), (2, ''), (3, null);
         create user tp@'%' identified by '${password}'; grant select on d.* to tp@'%'`,
      );
    }
  });

  afterAll(async () => {
    for (const each of [server, guarded, elsewhere]) await each.destroy();
  });

  test('tells who the server is and gives every value as text', async () => {
    await withSession(open(url()), async (session) => {
      expect(session.flavor).toBe(flavor);
      expect(session.versionText).toContain(server.version);
      expect(session.version).toBeGreaterThan(80_000);
      const sql = 'select id, v, ? as s, ? as n, ? as nothing from t order by id limit ?';
      const rows = await session.rows(sql, [`it's \\ "`, 2n ** 64n - 1n, null, 3n], forever());
      const rest = { s: `it's \\ "`, n: '18446744073709551615', nothing: null };
      expect(rows).toEqual([
        { id: '1', v: 'é', ...rest },
        { id: '2', v: '', ...rest },
        { id: '3', v: null, ...rest },
      ]);
    });
  });

  test('has everything pinned that changes what is read, whatever the server’s globals say', async () => {
    const globals = [
      "sql_mode = 'ANSI_QUOTES,PAD_CHAR_TO_FULL_LENGTH,NO_BACKSLASH_ESCAPES'",
      "time_zone = '+09:00'",
      'sql_select_limit = 1',
      'max_join_size = 1',
      'sql_big_selects = 0',
      'sql_safe_updates = 1',
      'autocommit = 0',
      'sql_auto_is_null = 1',
      "character_set_results = 'latin1'",
      "collation_connection = 'latin1_swedish_ci'",
      'net_write_timeout = 1',
      ...(flavor === 'mysql'
        ? ['transaction_isolation = "READ-UNCOMMITTED"', 'max_execution_time = 1', "explain_format = 'JSON'"]
        : [
            'tx_isolation = "READ-UNCOMMITTED"',
            'max_statement_time = 0.000001',
            "system_versioning_asof = '2001-01-01 00:00:00'",
          ]),
    ];
    const other = await createMysqlServer({ flavor });
    try {
      await other.sql(
        `create database d; create table d.t (id int); insert into d.t values (1), (2);
         set ${globals.map((assignment) => `global ${assignment}`).join(', ')}`,
      );
      await withSession(open(other.url('root', 'd')), async (session) => {
        expect(await session.rows('select "a\\"b" as s from t, t u', [], forever())).toHaveLength(4);
        const names = ['sql_mode', 'time_zone', 'autocommit', 'sql_select_limit', 'net_write_timeout'];
        const results = ['character_set_results', 'character_set_client', 'collation_connection'];
        const own =
          flavor === 'mysql'
            ? ['transaction_isolation', 'transaction_read_only', 'max_execution_time']
            : ['tx_isolation', 'tx_read_only', 'max_statement_time'];
        const all = [...names, ...results, ...own];
        const row = await one(
          session,
          `select ${all.map((name) => `@@session.${name} as ${name}`).join(', ')}`,
        );
        expect(Object.values(row)).toEqual([
          '',
          '+00:00',
          '1',
          '18446744073709551615',
          '600',
          'utf8mb4',
          'utf8mb4',
          'utf8mb4_bin',
          'REPEATABLE-READ',
          '1',
          flavor === 'mysql' ? '0' : '0.000000',
        ]);
        const explained = await session.rows('explain select * from t', [], forever());
        expect(explained[0]).toHaveProperty('rows');
      });
      const read = open(other.url('root', 'd'), { purpose: 'read' });
      await withSession(read, async (session) => {
        expect(await one(session, 'select @@character_set_results as c')).toEqual({ c: null });
      });
    } finally {
      await other.destroy();
    }
  });

  test('never writes', async () => {
    await withSession(open(server.url('root', 'd')), async (session) => {
      const error = await failure(session.rows("insert into t values (9, '')", [], forever()));
      expect(error.code).toBe('TP-QUERY');
      expect(await one(session, 'select count(*) as n from t')).toEqual({ n: '3' });
    });
  });

  test('that cannot be opened says why', async () => {
    expect(await codeOf(open(url('', '127.0.0.1', 'nobody')))).toBe('TP-AUTH');
    expect(await codeOf(open(url().replace('/d', '/nope')))).toMatch(/^TP-(?:DATABASE|PERMISSION)$/);
    expect(await codeOf(open(server.url('root', 'nope')))).toBe('TP-DATABASE');
    const port = await freePort();
    const refused = await failure(open(`mysql://tp@127.0.0.1:${port}/d`));
    expect(refused).toMatchObject({ code: 'TP-UNREACHABLE', retryable: true });
    const silent = createServer();
    await new Promise<void>((resolve) => {
      silent.listen(port, '127.0.0.1', resolve);
    });
    const late = await failure(open(`mysql://tp@127.0.0.1:${port}/d?connect_timeout=0.2`));
    expect(late).toMatchObject({ code: 'TP-UNREACHABLE', message: expect.stringContaining('0.2 s') });
    silent.close();
    await withSession(open(url()), async (session) => {
      expect(await codeOf(session.rows('select * from mysql.user', [], forever()))).toBe('TP-PERMISSION');
      expect(await codeOf(session.rows('select * from nope', [], forever()))).toMatch(
        /^TP-(?:DEFINITION-CHANGED|PERMISSION)$/,
      );
      expect(await codeOf(session.rows('select nope from t', [], forever()))).toBe('TP-DEFINITION-CHANGED');
      expect(await codeOf(session.rows('select from', [], forever()))).toBe('TP-QUERY');
    });
  });

  test('takes the password from the environment or from an option file that is its owner’s alone', async () => {
    const bare = `mysql://tp@127.0.0.1:${server.port}/d`;
    await (await open(bare, {}, { MYSQL_PWD: PASSWORD })).close();
    const file = join(folder, 'my.cnf');
    writeFileSync(file, `[client]\nuser = tp\npassword = "pass:word\\\\ of \\"tests\\""\n`, { mode: 0o600 });
    await (
      await open(`mysql://127.0.0.1:${server.port}/d?defaults_file=${encodeURIComponent(file)}`)
    ).close();
    expect(await codeOf(open(bare))).toBe('TP-AUTH');
  });

  test('goes through a unix socket', async () => {
    const path = encodeURIComponent(server.socket);
    await withSession(open(`mysql://tp:${encodeURIComponent(PASSWORD)}@${path}/d`), async (session) => {
      expect(await one(session, 'select count(*) as n from t')).toEqual({ n: '3' });
    });
  });

  test('verifies the certificate, and that it names the host or address that was connected to', async () => {
    const ca = (to: MysqlServer): string => `sslrootcert=${encodeURIComponent(to.authority)}`;
    for (const host of ['localhost', '127.0.0.1']) {
      await withSession(
        open(secure(guarded, host, `sslmode=verify-full&${ca(guarded)}`)),
        async (session) => {
          const status = await one(session, "show session status like 'Ssl_cipher'");
          expect(status['Value']).not.toBe('');
        },
      );
      expect(await codeOf(open(secure(guarded, host, 'sslmode=verify-full')))).toBe('TP-TLS');
      expect(await codeOf(open(secure(elsewhere, host, `sslmode=verify-full&${ca(elsewhere)}`)))).toBe(
        'TP-TLS',
      );
      expect(await codeOf(open(secure(elsewhere, host, `sslmode=verify-ca&${ca(guarded)}`)))).toBe('TP-TLS');
      await (await open(secure(elsewhere, host, `sslmode=verify-ca&${ca(elsewhere)}`))).close();
      await (await open(secure(elsewhere, host, 'sslmode=require'))).close();
    }
    // An address that is not this machine's own, though it leads here: verified without being asked for.
    expect(await codeOf(open(secure(guarded, '0.0.0.0', ca(guarded))))).toBe('TP-TLS');
  });

  test('that is aborted ends with the reason, on the server too', async () => {
    const running = async (): Promise<number> => {
      const rows = await server.sql(
        "select 1 from information_schema.processlist where info like 'select sleep(3%'",
      );
      return rows.length;
    };
    await withSession(open(url()), async (session) => {
      const controller = new AbortController();
      const asleep = session.rows('select sleep(30) as s', [], controller.signal);
      await waitUntil(
        async () => (await running()) === 1,
        10_000,
        () => 'the statement to run',
      );
      controller.abort(new TwinproofError('TP-TIMEOUT'));
      expect(await codeOf(asleep)).toBe('TP-TIMEOUT');
      await waitUntil(
        async () => (await running()) === 0,
        10_000,
        () => 'the statement to end',
      );
    });
    const gone = AbortSignal.abort(new TwinproofError('TP-INTERRUPTED'));
    const target = connectTarget(parseUrl(url(), 'secret').address, {});
    const options = { purpose: 'read', statementTimeoutMs: 0 } as const;
    expect(await codeOf(openSession(target, gone, options))).toBe('TP-INTERRUPTED');
  });

  test('ends a statement that takes too long, and only with a limit of ours', async () => {
    // 3^24 rows to count.
    const slow = `select count(*) as n from ${Array.from({ length: 24 }, (_, index) => `t t${index}`).join(', ')} where t0.id * t23.id < 0`;
    await withSession(open(url(), { statementTimeoutMs: 150 }), async (session) => {
      const error = await failure(session.rows(slow, [], forever()));
      expect(error).toMatchObject({ code: 'TP-QUERY', retryable: true });
      expect(await one(session, 'select 1 as a')).toEqual({ a: '1' });
    });
  });

  test('that was killed is opened again by the next who needs it', async () => {
    const control = controlSession(connectTarget(parseUrl(url(), 'secret').address, {}), 0);
    try {
      const id = await control.use(forever(), (session) => Promise.resolve(session.connectionId));
      await server.sql(`kill ${id}`);
      const ask = (): Promise<Record<string, string | null>> =>
        control.use(forever(), (session) => one(session, 'select connection_id() as id'));
      expect(await failure(ask())).toMatchObject({ code: 'TP-CONNECTION-LOST', retryable: true });
      expect(await ask()).not.toEqual({ id: id.toString() });
    } finally {
      await control.close();
    }
  });
});

await describeMysql(
  'a login of %s',
  (flavor) => {
    test('demands TLS of a server that has none', async () => {
      const server = await createMysqlServer({ flavor });
      try {
        const error = await failure(open(`${server.url('root', 'mysql')}?sslmode=require`));
        expect(error).toMatchObject({
          code: 'TP-TLS',
          message: expect.stringContaining('does not offer TLS'),
        });
      } finally {
        await server.destroy();
      }
    });
  },
  ['mariadb'],
);

await describeMysql(
  'a login of %s',
  (flavor) => {
    test('never gives the password to whoever listens in', async () => {
      const other = await createMysqlServer({ flavor });
      const listening = await relay(other.port);
      try {
        await other.sql(`create database d; create user u@'%' identified by 'hunter2-hunter2'`);
        await other.sql(`grant select on d.* to u@'%'`);
        const at = (host: string, query: string): string =>
          `mysql://u:hunter2-hunter2@${host}:${other.port}/d?${query}`;
        // The server has never seen this account: it wants the whole password, and another host may not have it.
        const refused = await failure(open(at('0.0.0.0', 'sslmode=disable')));
        expect(refused.code).toMatch(/^TP-(?:TLS|AUTH)$/);
        expect(refused.message).toContain('no TLS');
        // On this machine it is encrypted for the server's key.
        await (await open(`mysql://u:hunter2-hunter2@127.0.0.1:${listening.port}/d`)).close();
        expect(listening.sent().length).toBeGreaterThan(300);
        expect(listening.sent().includes('hunter2')).toBe(false);
        // Once it is known there, a challenge and its answer will do.
        await (await open(at('0.0.0.0', 'sslmode=disable'))).close();
        const [key] = await other.sql("show status like 'Caching_sha2_password_rsa_public_key'");
        const file = join(folder, 'public.pem');
        writeFileSync(file, String(key?.['Value']));
        await other.sql('flush privileges');
        const named = `sslmode=disable&server_public_key_path=${encodeURIComponent(file)}`;
        await (await open(at('0.0.0.0', named))).close();
      } finally {
        listening.server.close();
        await other.destroy();
      }
    });
  },
  ['mysql'],
);
