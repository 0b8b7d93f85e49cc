import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { connectTarget } from '../../connectors/postgres/address.ts';
import { failureOf, kindOfState } from '../../connectors/postgres/failure.ts';
import { matchPassfile } from '../../connectors/postgres/passfile.ts';
import { settingsQuery } from '../../connectors/postgres/settings.ts';
import { parseUrl } from '../../src/config/url.ts';
import { isLocal } from '../../src/connector/endpoint.ts';
import { TwinproofError } from '../../src/errors.ts';

const target = (url: string, env: Readonly<Record<string, string>> = {}) =>
  connectTarget(parseUrl(url, 'secret').address, env);

describe('the address', () => {
  it('is completed from the environment, the URL first', () => {
    const env = {
      PGPORT: '6000',
      PGUSER: 'env',
      PGDATABASE: 'envdb',
      PGPASSWORD: 'p',
      PGCONNECT_TIMEOUT: '3',
    };
    expect(target('postgres://db1', env)).toMatchObject({
      host: 'db1',
      port: 6000,
      user: 'env',
      database: 'envdb',
      connectTimeoutMs: 3000,
      label: 'db1:6000',
    });
    expect(target('postgres://u@db1:5000/d', env)).toMatchObject({ port: 5000, user: 'u', database: 'd' });
    expect(target('postgres://u@db1').database).toBe('u');
    expect(target('postgres://u@db1', env).password?.reveal()).toBe('p');
    expect(target('postgres://u:secret@db1', env).password?.reveal()).toBe('secret');
  });

  it('never prints the password', () => {
    const shown = inspect(target('postgres://u:hunter2@db1'), { depth: 9 });
    expect(shown).not.toContain('hunter2');
  });

  it('names sockets by their path', () => {
    expect(target('postgres://%2Ftmp:5433/d').label).toBe('/tmp/.s.PGSQL.5433');
    expect(target('postgres:///d?host=/tmp&sslmode=verify-full').tls).toBe(null);
  });

  it('verifies the host name unless the host is this machine or the URL says otherwise', () => {
    for (const host of ['localhost', '127.0.0.1', '127.8.9.1', '[::1]']) {
      expect(target(`postgres://${host}`).tls).toBe(null);
    }
    for (const host of ['db1', '10.0.0.1', 'localhost.example', '[fe80::1]']) {
      const { tls } = target(`postgres://${host}`);
      expect(tls).not.toBe(null);
      expect(tls?.rejectUnauthorized).toBe(undefined);
      expect(tls?.checkServerIdentity).toBe(undefined);
    }
    expect(target('postgres://db1?sslmode=disable').tls).toBe(null);
    expect(target('postgres://db1?sslmode=require').tls?.rejectUnauthorized).toBe(false);
    expect(target('postgres://db1?sslmode=verify-ca').tls?.checkServerIdentity).toBeTypeOf('function');
    expect(target('postgres://db1', { PGSSLMODE: 'disable' }).tls).toBe(null);
    expect(isLocal('128.0.0.1')).toBe(false);
  });

  it.each([
    ['postgres://db1?sslmode=prefer', 'plain text'],
    ['postgres://db1?sslmode=allow', 'plain text'],
    ['postgres://db1?sslmode=on', 'sslmode'],
    ['postgres://db1?sslmod=require', 'sslmod'],
    ['postgres://db1?connect_timeout=soon', 'connect_timeout'],
  ])('refuses %s', (url, part) => {
    expect(() => target(url)).toThrow(
      expect.objectContaining({ code: 'TP-URL', message: expect.stringContaining(part) }),
    );
  });
});

describe('the password file', () => {
  const file = [
    '# comment',
    'db1:5432:bank:verifier:right',
    'db1:*:*:verifier:any:port',
    '*:5432:with\\:colon:u:back\\\\slash',
    'localhost:*:*:sock:viasocket',
    'short:line',
  ].join('\r\n');
  const of = (host: string, port: number, database: string, user: string): string | null =>
    matchPassfile(file, { host, port, database, user });

  it('gives the first line that matches', () => {
    expect(of('db1', 5432, 'bank', 'verifier')).toBe('right');
    expect(of('db1', 5433, 'bank', 'verifier')).toBe('any:port');
    expect(of('x', 5432, 'with:colon', 'u')).toBe('back\\slash');
    expect(of('/tmp', 5432, 'd', 'sock')).toBe('viasocket');
    expect(of('db1', 5432, 'bank', 'other')).toBe(null);
  });
});

const withCode = (code: string, message = 'x'): Error => Object.assign(new Error(message), { code });

describe('failures', () => {
  it.each([
    ['28P01', 'TP-AUTH', false],
    ['28000', 'TP-AUTH', false],
    ['3D000', 'TP-DATABASE', false],
    ['42501', 'TP-PERMISSION', false],
    ['XX001', 'TP-CORRUPT', false],
    ['XX002', 'TP-CORRUPT', false],
    ['58030', 'TP-CORRUPT', false],
    ['42P01', 'TP-DEFINITION-CHANGED', true],
    ['40001', 'TP-QUERY', true],
    ['40P01', 'TP-QUERY', true],
    ['57014', 'TP-QUERY', true],
    ['55P03', 'TP-QUERY', true],
    ['53200', 'TP-QUERY', true],
    ['57P01', 'TP-CONNECTION-LOST', true],
    ['08006', 'TP-CONNECTION-LOST', true],
    ['22P02', 'TP-QUERY', false],
    ['XX000', 'TP-QUERY', false],
  ])('SQLSTATE %s is %s', (state, code, retryable) => {
    expect(kindOfState(state, 'query')).toEqual({ code, retryable });
  });

  it('at login mean that the server is not there now', () => {
    for (const state of ['57P03', '53300', '57P01']) {
      expect(kindOfState(state, 'connect')).toEqual({ code: 'TP-UNREACHABLE', retryable: true });
    }
    expect(kindOfState('28P01', 'connect').code).toBe('TP-AUTH');
  });

  it('of the socket and of TLS go by their code', () => {
    expect(failureOf(withCode('ECONNREFUSED'), 'connect', 'h:1').code).toBe('TP-UNREACHABLE');
    // Five characters, as an SQLSTATE has.
    expect(failureOf(withCode('EPIPE'), 'query', 'h:1').code).toBe('TP-CONNECTION-LOST');
    expect(failureOf(withCode('EPERM'), 'connect', 'h:1').code).toBe('TP-UNREACHABLE');
    expect(failureOf(withCode('CERT_HAS_EXPIRED'), 'connect', 'h:1').code).toBe('TP-TLS');
    expect(failureOf(withCode('ERR_TLS_CERT_ALTNAME_INVALID'), 'connect', 'h:1').code).toBe('TP-TLS');
    expect(failureOf(new Error('Connection terminated'), 'query', 'h:1')).toMatchObject({
      code: 'TP-CONNECTION-LOST',
      retryable: true,
    });
  });

  it('of ours stay what they are, and bugs are bugs', () => {
    const ours = new TwinproofError('TP-SECRET');
    expect(failureOf(ours, 'connect', 'h:1')).toBe(ours);
    expect(failureOf(new TypeError('undefined'), 'query', 'h:1').code).toBe('TP-BUG');
  });
});

describe('the settings', () => {
  it('name nothing of the caller’s but the purpose', () => {
    const sql = settingsQuery({ purpose: 'read', statementTimeoutMs: 5 });
    expect(sql).toContain("'application_name', 'twinproof read'");
    expect(sql).toContain("'statement_timeout', '5'");
    expect(sql).toContain("'lock_timeout', '10000'");
  });
});
