import { inspect } from 'node:util';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TwinproofError } from '../../src/errors.ts';
import { parseUrl, redactAddress, redactUrl } from '../../src/config/url.ts';
import { anyText } from './any-text.ts';

const address = (text: string) => parseUrl(text, 'argument').address;

describe('connection URLs', () => {
  it('reads every part', () => {
    const { address: site, warnings } = parseUrl(
      'postgres://ver%40ifier@db1.pangyo:5433/my%20bank?sslmode=verify-full&sslrootcert=%2Fetc%2Fca.pem',
      'argument',
    );
    expect(site).toEqual({
      engine: 'postgres',
      host: 'db1.pangyo',
      port: 5433,
      user: 'ver@ifier',
      password: null,
      database: 'my bank',
      parameters: { sslmode: 'verify-full', sslrootcert: '/etc/ca.pem' },
    });
    expect(warnings).toEqual([]);
  });

  it.each([
    ['postgresql://h', { host: 'h', port: null, user: null, database: null }],
    ['postgres://h/', { host: 'h', database: null }],
    ['POSTGRES://h/db', { host: 'h', database: 'db' }],
    ['postgres://[::1]:5432/db', { host: '::1', port: 5432 }],
    ['postgres://u@%2Fvar%2Frun%2Fpostgresql/db', { host: '/var/run/postgresql', user: 'u' }],
    ['postgres:///db?host=/tmp/pg', { host: '/tmp/pg', database: 'db', parameters: {} }],
    ['postgres://u:@h', { user: 'u', password: null }],
    ['postgres://은행@h/은행', { user: '은행', database: '은행' }],
  ])('reads %s', (text, expected) => {
    expect(address(text)).toMatchObject(expected);
  });

  it.each([
    ['', 'does not start with postgres://'],
    ['db1.pangyo/bank', 'does not start with postgres://'],
    ['oracle://u@h/db', 'its scheme is not known'],
    ['postgres://', 'names no host'],
    ['postgres:///db', 'names no host'],
    ['postgres://h?host=i', 'names the host twice'],
    ['postgres://h:0/db', 'port is not between'],
    ['postgres://h:65536/db', 'port is not between'],
    ['postgres://h:x/db', 'host and port cannot be read'],
    ['postgres://h1,h2/db', 'more than one host'],
    ['postgres://h/a/b', 'database name holds a slash'],
    ['postgres://h/db#x', 'must be percent-encoded'],
    ['postgres://h/%zz', 'a % is not followed'],
    ['postgres://h/%00', 'zero byte'],
    ['postgres://h/db?sslmode', 'no value'],
    ['postgres://h/db?a=1&a=2', 'given twice'],
    ['postgres://h/db?=1', 'no value'],
    ['postgres://h/d b', 'space or a control character'],
    ['postgres://h/db?sslpassword=x', 'sslpassword is not supported'],
  ])('refuses %j', (text, problem) => {
    expect(() => address(text)).toThrow(expect.objectContaining({ code: 'TP-URL' }));
    expect(() => address(text)).toThrow(problem);
  });

  it('takes a password and warns by where it stood', () => {
    const typed = parseUrl('postgres://u:p%40ss@h/db', 'argument');
    expect(typed.address.password?.reveal()).toBe('p@ss');
    expect(typed.warnings[0]).toContain('command line');
    expect(parseUrl('postgres://u:p@h/db', 'file').warnings[0]).toContain('plain text');
    expect(parseUrl('postgres://u:p@h/db', 'secret').warnings).toEqual([]);
    expect(address('postgres://u@h/db?password=x').password?.reveal()).toBe('x');
    expect(address('postgres://u@h/db?password=x').parameters).toEqual({});
    expect(address('postgres://u:p@ss@h/db').password?.reveal()).toBe('p@ss');
  });

  it('redacts to an address that parses to the same place', () => {
    const name = anyText({ minLength: 1, maxLength: 10 }).filter((s) => !s.includes('\0'));
    fc.assert(
      fc.property(name, name, name, fc.integer({ min: 1, max: 65_535 }), (user, password, database, port) => {
        const text = `postgres://${encodeURIComponent(user)}:${encodeURIComponent(password)}@h:${port}/${encodeURIComponent(database)}?sslmode=x`;
        const parsed = address(text);
        expect(parsed.password?.reveal()).toBe(password);
        const again = address(redactAddress(parsed));
        expect(again).toMatchObject({ host: 'h', port, user, database, password: null, parameters: {} });
      }),
    );
  });
});

describe('a password in a URL never shows', () => {
  const secret = 'canary-s3cret';
  const forms = [
    'postgres://u:$@h/db',
    'postgres://u:$@h:5432/db?sslmode=require',
    'postgres://u:$@h1,h2/db',
    'postgres://u:$@h:port/db',
    'postgres://u:$@h:99999/db',
    'postgres://u:$@/db',
    'postgres://u:$',
    'postgres://u:a/$@h/db',
    'postgres://u:1/$@h/db',
    'postgres://u:1?$@h/db',
    'postgres://u:1#$@h/db',
    'postgres://u:a@$@h/db',
    'postgres://u:%zz$@h/db',
    'postgres://u:%ff$@h/db',
    'postgres://u:%00$@h/db',
    'postgres://u:$@h/a/b',
    'postgres://u:$@h/db?x',
    'postgres://u:$ @h/db',
    'postgres://u@h/db?password=$',
    'postgres://u:$@h/db?password=$',
    'postgres://u@h/db?sslpassword=$',
    'postgres://u@h/db?$=$',
    'mongodb://u:$@h/db',
    'mysql://u:$@h:port/db',
    'u:$@h/db',
    '$://u@h/db',
    '$',
  ];
  const encoded = `%63${secret.slice(1)}`;

  it.each(forms.flatMap((form) => [secret, encoded].map((s) => form.replaceAll('$', s))))('%s', (text) => {
    const shown = [redactUrl(text), ...everythingShown(text)];
    for (const line of shown) expect(line).not.toMatch(/canary|s3cret/);
  });
});

/** All that can reach a log from a URL that parses or does not. */
function everythingShown(text: string): readonly string[] {
  try {
    const parsed = parseUrl(text, 'argument');
    const { address: site, warnings } = parsed;
    const deep = inspect(parsed, { depth: 9, showHidden: true });
    return [redactAddress(site), JSON.stringify(parsed), deep, String(site.password), ...warnings];
  } catch (error) {
    if (!(error instanceof TwinproofError)) throw error;
    return [inspect(error, { depth: 9, showHidden: true }).replaceAll(/\n\s+at .*/g, ''), String(error)];
  }
}
