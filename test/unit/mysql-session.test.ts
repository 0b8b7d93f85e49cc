import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { type ConnectTarget, connectTarget } from '../../connectors/mysql/address.ts';
import { failureOf, kindOf, ServerError, serverErrno } from '../../connectors/mysql/failure.ts';
import { parseOptions, readOptionFile } from '../../connectors/mysql/option-file.ts';
import { parseVersion, settingsStatements } from '../../connectors/mysql/settings.ts';
import { executeCommand, prepareCommand } from '../../connectors/mysql/statement.ts';
import { readColumn, readColumnCount, readEof, readError } from '../../connectors/mysql/answer.ts';
import { parseUrl } from '../../src/config/url.ts';
import { TwinproofError } from '../../src/errors.ts';

const folder = mkdtempSync(join(tmpdir(), 'twinproof-mysql-unit-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const target = (url: string, env: Readonly<Record<string, string>> = {}): ConnectTarget =>
  connectTarget(parseUrl(url, 'secret').address, env);

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('the address of a MySQL site', () => {
  it('is completed from the environment, the URL first', () => {
    const env = { MYSQL_TCP_PORT: '6000', MYSQL_PWD: 'p' };
    expect(target('mysql://u@db1/d', env)).toMatchObject({
      host: 'db1',
      port: 6000,
      user: 'u',
      database: 'd',
      socketPath: null,
      label: 'db1:6000',
      connectTimeoutMs: 10_000,
    });
    expect(target('mariadb://u@db1:5000/d?connect_timeout=3', env)).toMatchObject({
      port: 5000,
      connectTimeoutMs: 3_000,
    });
    expect(target('mysql://u@db1/d', env).password?.reveal()).toBe('p');
    expect(target('mysql://u:own@db1/d', env).password?.reveal()).toBe('own');
    expect(target('mysql://db1/d?user=x').user).toBe('x');
  });

  it('never prints the password', () => {
    expect(inspect(target('mysql://u:hunter2@db1/d'), { depth: 9 })).not.toContain('hunter2');
  });

  it('may be a socket, or the folder of one', () => {
    expect(target('mysql://u@%2Frun%2Fmy.sock/d')).toMatchObject({
      socketPath: '/run/my.sock',
      label: '/run/my.sock',
      tls: null,
    });
    expect(target(`mysql://u@localhost/d?socket=${folder}`).socketPath).toBe(join(folder, 'mysqld.sock'));
  });

  it('verifies the host name unless the host is this machine or the URL says otherwise', () => {
    for (const host of ['localhost', '127.0.0.1', '[::1]'])
      expect(target(`mysql://${host}/d`).tls).toBe(null);
    for (const host of ['db1', '10.0.0.1', '0.0.0.0']) {
      expect(target(`mysql://${host}/d`).tls).toMatchObject({
        verifyIdentity: true,
        rejectUnauthorized: true,
      });
    }
    const modes = [
      ['disable', null],
      ['DISABLED', null],
      ['require', { rejectUnauthorized: false, verifyIdentity: false }],
      ['REQUIRED', { rejectUnauthorized: false, verifyIdentity: false }],
      ['VERIFY_CA', { rejectUnauthorized: true, verifyIdentity: false }],
      ['verify-full', { rejectUnauthorized: true, verifyIdentity: true }],
      ['VERIFY_IDENTITY', { rejectUnauthorized: true, verifyIdentity: true }],
    ] as const;
    for (const [mode, expected] of modes) {
      expect(target(`mysql://db1/d?ssl_mode=${mode}`)).toMatchObject({ tls: expected });
    }
    for (const mode of ['prefer', 'PREFERRED', 'allow', 'yes']) {
      expect(() => target(`mysql://db1/d?sslmode=${mode}`)).toThrow(
        expect.objectContaining({ code: 'TP-URL' }),
      );
    }
  });

  it('sends a password without TLS only to this machine or for a key that is known', () => {
    expect(target('mysql://127.0.0.1/d').serverKey).toBe('ask');
    expect(target('mysql://db1/d?sslmode=disable').serverKey).toBe('refuse');
    expect(target('mysql://db1/d?sslmode=disable&get_server_public_key=true').serverKey).toBe('ask');
    const path = join(folder, 'key.pem');
    writeFileSync(path, 'PEM');
    expect(target(`mysql://db1/d?server_public_key_path=${path}`).serverKey).toEqual({ pem: 'PEM' });
  });

  it('names a database and knows its parameters', () => {
    for (const url of [
      'mysql://db1',
      'mysql://db1/d?sslmod=x',
      'mysql://db1/d?sslcert=/a',
      'mysql://db1:1/d?connect_timeout=x',
    ]) {
      expect(() => target(url)).toThrow(expect.objectContaining({ code: 'TP-URL' }));
    }
    expect(() => target('mysql://db1/d?ssl_ca=/nowhere')).toThrow(
      expect.objectContaining({ code: 'TP-TLS' }),
    );
  });
});

describe('an option file', () => {
  it('gives user and password of its client group, as the stock clients read them', () => {
    const text = [
      'user=outside',
      '[mysqld]',
      'user=mysql',
      '[client]',
      '# password=commented',
      'user = first',
      'user = tp   # a comment',
      'password = "a#b\\\\c \\"d\\" "',
      '[mysqldump]',
      'password=other',
    ].join('\n');
    const { user, password } = parseOptions(text);
    expect(user).toBe('tp');
    expect(password?.reveal()).toBe('a#b\\c "d" ');
    expect(parseOptions("[client]\npassword='x y'").password?.reveal()).toBe('x y');
    expect(parseOptions('[client]\npassword=').password).toBe(null);
    expect(parseOptions('')).toEqual({ user: null, password: null });
  });

  it('with a password that others may read is refused, and one that was named must exist', () => {
    const path = join(folder, 'open.cnf');
    writeFileSync(path, '[client]\npassword=x\n', { mode: 0o644 });
    expect(() => readOptionFile(path, false)).toThrow(expect.objectContaining({ code: 'TP-SECRET' }));
    expect(() => readOptionFile(join(folder, 'none'), true)).toThrow(
      expect.objectContaining({ code: 'TP-SECRET' }),
    );
    expect(readOptionFile(join(folder, 'none'), false)).toEqual({ user: null, password: null });
  });
});

describe('an error of the server', () => {
  const codeFor = (errno: number, sqlState: string | null = null, stage: 'connect' | 'query' = 'query') =>
    kindOf({ errno, sqlState }, stage);

  it('is told by its number, and by its SQLSTATE where the number says nothing', () => {
    expect(codeFor(1045)).toMatchObject({ code: 'TP-AUTH', retryable: false });
    expect(codeFor(1146)).toMatchObject({ code: 'TP-DEFINITION-CHANGED', retryable: true });
    expect(codeFor(1142)).toMatchObject({ code: 'TP-PERMISSION', retryable: false });
    for (const errno of [1205, 1213, 1317, 1969, 3024]) {
      expect(codeFor(errno)).toMatchObject({ code: 'TP-QUERY', retryable: true });
    }
    for (const errno of [1053, 1927, 3169, 4031]) expect(codeFor(errno).code).toBe('TP-CONNECTION-LOST');
    for (const errno of [1034, 1712, 1812, 1932]) expect(codeFor(errno).code).toBe('TP-CORRUPT');
    expect(codeFor(9_999, '40001')).toMatchObject({ code: 'TP-QUERY', retryable: true });
    expect(codeFor(9_999, '08S01').code).toBe('TP-CONNECTION-LOST');
    expect(codeFor(9_999, 'HY000')).toMatchObject({ code: 'TP-QUERY', retryable: false });
    expect(codeFor(1040, null, 'connect')).toMatchObject({ code: 'TP-UNREACHABLE', retryable: true });
    expect(codeFor(1153).hint).toContain('max_allowed_packet');
  });

  it('keeps its number for those who ask, and errors of other kinds have none', () => {
    const ours = failureOf(new ServerError(1193, 'HY000', 'unknown variable'), 'query', 'db1:3306');
    expect(ours.message).toBe('db1:3306: unknown variable (error 1193, SQLSTATE HY000)');
    expect(serverErrno(ours)).toBe(1193);
    expect(serverErrno(Object.assign(new Error('x'), { errno: -104, code: 'ECONNRESET' }))).toBe(null);
    expect(serverErrno(new TwinproofError('TP-BUG'))).toBe(null);
    const reset = Object.assign(new Error('read ECONNRESET'), { errno: -104, code: 'ECONNRESET' });
    expect(failureOf(reset, 'query', 'db1')).toMatchObject({ code: 'TP-CONNECTION-LOST', retryable: true });
    expect(failureOf(reset, 'connect', 'db1')).toMatchObject({ code: 'TP-UNREACHABLE', retryable: true });
    expect(failureOf(new TypeError('x'), 'query', 'db1').code).toBe('TP-BUG');
  });
});

describe('the version', () => {
  it.each([
    ['8.0.36', 'mysql', 80_036],
    ['9.7.4-2', 'mysql', 90_704],
    ['8.4.0-log', 'mysql', 80_400],
    ['10.11.18-MariaDB-0+deb12u1-log', 'mariadb', 101_118],
    ['5.5.5-10.6.22-MariaDB', 'mariadb', 100_622],
    ['11.4.2-MariaDB', 'mariadb', 110_402],
  ] as const)('%s is read', (text, flavor, version) => {
    expect(parseVersion(text)).toEqual({ flavor, version });
  });

  it('decides which settings there are', () => {
    const of = (flavor: 'mysql' | 'mariadb', version: number): string =>
      settingsStatements({ flavor, version }, { purpose: 'read', statementTimeoutMs: 1_500 }).join('; ');
    expect(of('mysql', 80_020)).not.toContain('explain_format');
    expect(of('mysql', 90_700)).toContain('max_execution_time = 1500');
    expect(of('mariadb', 101_100)).toContain('max_statement_time = 1.500000');
    expect(of('mariadb', 101_100)).toContain('character_set_results = NULL');
    expect(parseVersion('unknown')).toBe(null);
  });
});

describe('packets', () => {
  it('of commands are as the manual lays them out', () => {
    expect(hex(prepareCommand('do 1').bytes)).toBe('0500000016646f2031');
    expect(hex(executeCommand(7, []).bytes)).toBe('0a00000017070000000001000000');
    const { bytes, packets } = executeCommand(1, [
      { kind: 'null' },
      { kind: 'signed', value: -2n },
      { kind: 'unsigned', value: 2n ** 64n - 1n },
      { kind: 'text', value: 'é' },
      { kind: 'date', value: new Uint8Array() },
    ]);
    const body = ['17010000000001000000', '01', '01', '060008000880fd000a00'];
    const values = ['feffffffffffffff', 'ffffffffffffffff', '02c3a9', '00'];
    expect(hex(bytes.subarray(4))).toBe([...body, ...values].join(''));
    expect(packets).toBe(1);
  });

  it('of commands beyond 16 MB are continued, with an empty one behind a full one', () => {
    const sql = (length: number): string => 'x'.repeat(length - 1);
    const full = prepareCommand(sql(0xff_ff_ff));
    expect(full.packets).toBe(2);
    expect(hex(full.bytes.subarray(0, 4))).toBe('ffffff00');
    expect(hex(full.bytes.subarray(-4))).toBe('00000001');
    expect(prepareCommand(sql(0xff_ff_fe)).packets).toBe(1);
  });

  it('of answers are told apart', () => {
    const error = readError(
      Buffer.concat([Buffer.from([0xff, 0x7a, 0x04]), Buffer.from('#42S02no such table')]),
    );
    expect(error).toMatchObject({ errno: 1146, sqlState: '42S02', message: 'no such table' });
    expect(readError(Buffer.from([0, 1, 2]))).toBe(null);
    expect(readEof(Buffer.from([0xfe, 3, 0, 8, 0]))).toEqual({ warnings: 3, moreResults: true });
    expect(readEof(Buffer.alloc(9, 0xfe))).toBe(null);
    expect(readColumnCount(Buffer.from([5]))).toBe(5);
    expect(readColumnCount(Buffer.from([0xfc, 0, 16]))).toBe(4_096);
    expect(readColumnCount(Buffer.from([0]))).toBe(null);
    expect(readColumnCount(Buffer.from([0xff]))).toBe(null);
    const names = Buffer.from('\x03def\x01d\x01t\x01t\x01c\x01c', 'latin1');
    const tail = Buffer.from('0c3f0014000000082000000000', 'hex');
    expect(readColumn(Buffer.concat([names, tail]))).toEqual({ type: 8, unsigned: true });
    const extended = Buffer.from('\x06\x00\x04uuid', 'latin1');
    expect(readColumn(Buffer.concat([names, extended, tail]))).toEqual({ type: 8, unsigned: true });
    expect(readColumn(Buffer.from([0xfe, 0, 0, 2, 0]))).toBe(null);
  });
});
