import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig, parseConfig } from '../../src/config/load.ts';
import { readSecretFile, withVariables } from '../../src/config/secret.ts';
import { TwinproofError } from '../../src/errors.ts';

const WHOLE = `systems:
  bank:
    primary: { url: "postgres://verifier@db1.pangyo:5432/bank", site: pangyo }
    candidates:
      - { name: gasan, url: "postgres://verifier@db1.gasan:5432/bank", site: gasan }
    tables: { include: ["public.*"], exclude: ["public.cache_*"] }
    policy: { rpo: 30s, maxTail: 60s, maxProofAge: 24h, certificateValidFor: 10m }
    scrub: { rowsPerSecond: 50000 }
ledger: { path: ./ledger, retention: { time: 72h, size: 20GiB } }
signing: { key: ./twinproof.key }
`;

const SHORT = (primary: string, rest = '') =>
  `systems:\n  bank:\n    primary: ${primary}\n    candidates: [{ name: gasan, url: "postgres://v@g/bank" }]\n${rest}`;

const parse = (text: string, environment = {}) => parseConfig(text, '/etc/tp/twinproof.yaml', environment);

const password = (text: string, environment = {}) =>
  parse(SHORT(text), environment).systems[0]?.primary.address.password?.reveal();

function failureOf(work: () => unknown): TwinproofError {
  try {
    work();
  } catch (error) {
    if (error instanceof TwinproofError) return error;
    throw error;
  }
  throw new Error('it did not throw');
}

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'twinproof-config-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function write(name: string, content: string | Uint8Array, mode = 0o600): string {
  const file = path.join(folder, name);
  writeFileSync(file, content);
  chmodSync(file, mode);
  return file;
}

describe('the configuration file', () => {
  it('gives durations in milliseconds, sizes in bytes and paths from its own folder', () => {
    expect(parse(WHOLE)).toEqual({
      file: '/etc/tp/twinproof.yaml',
      warnings: [],
      systems: [
        {
          name: 'bank',
          primary: {
            name: 'primary',
            site: 'pangyo',
            warnings: [],
            stream: { slot: 'twinproof', publication: 'twinproof', allowUnboundedWal: false },
            address: expect.objectContaining({ host: 'db1.pangyo', port: 5432, database: 'bank' }),
          },
          candidates: [
            {
              name: 'gasan',
              site: 'gasan',
              warnings: [],
              stream: { slot: 'twinproof', publication: 'twinproof', allowUnboundedWal: false },
              address: expect.objectContaining({ host: 'db1.gasan' }),
            },
          ],
          tables: { include: ['public.*'], exclude: ['public.cache_*'] },
          policy: {
            rpo: 30_000,
            maxTail: 60_000,
            maxProofAge: 86_400_000,
            certificateValidFor: 600_000,
            applyWithin: 10_000,
          },
          scrub: { rowsPerSecond: 50_000, zone: null, windows: [] },
          waivers: [],
          fleet: {
            title: null,
            tier: null,
            owner: null,
            rto: null,
            dependsOn: [],
            group: null,
            schedules: [],
          },
        },
      ],
      fleet: { name: null, tiers: [], groups: [] },
      state: { path: '/etc/tp/ledger-state', every: 10_000, keepCertificates: 1000 },
      board: null,
      kafka: null,
      ledger: { path: '/etc/tp/ledger', retention: { time: 259_200_000, size: 21_474_836_480 } },
      signing: { key: '/etc/tp/twinproof.key' },
    });
  });

  it('names slot and publication as the DBA made them, and refuses names that no slot can have', () => {
    const site =
      '{ url: "postgres://v@p/bank", slot: mine, publication: "Our Tables", allowUnboundedWal: true }';
    expect(parse(SHORT(site)).systems[0]?.primary.stream).toEqual({
      slot: 'mine',
      publication: 'Our Tables',
      allowUnboundedWal: true,
    });
    const problem = (): unknown => parse(SHORT('{ url: "postgres://v@p/bank", slot: Mine-1 }'));
    expect(problem).toThrow(/lowercase letters, digits and underscores/);
  });

  it('has defaults for what may be left out', () => {
    const config = parse(SHORT('{ url: "postgres://v@p/bank" }'));
    expect(config).toMatchObject({ ledger: null, signing: null });
    expect(config.systems[0]).toMatchObject({
      tables: { include: ['*'], exclude: [] },
      policy: { rpo: null, maxTail: null, maxProofAge: 86_400_000, certificateValidFor: 600_000 },
      scrub: { rowsPerSecond: null, zone: null, windows: [] },
    });
  });

  it.each([
    ['rpo: 30s', 'rpo: 30', '7:20: systems.bank.policy.rpo: text is wanted'],
    ['rpo: 30s', 'rpo: soon', '7:20: systems.bank.policy.rpo: a duration is wanted'],
    ['rpo: 30s', 'roi: 30s', '7:20: systems.bank.policy.roi: is not a known key'],
    ['size: 20GiB', 'size: 20G', '9:57: ledger.retention.size: a size is wanted'],
    ['signing: {', 'sining: {', '10:9: sining: is not a known key'],
    ['name: gasan', 'name: ""', '5:17: systems.bank.candidates[0].name: a name is wanted'],
    ['name: gasan', 'name: "a\\u0007"', 'a name is wanted'],
    [
      'name: gasan',
      'name: primary',
      '5:17: systems.bank.candidates[0].name: a candidate cannot be called primary',
    ],
    ['name: gasan, ', '', '5:9: systems.bank.candidates[0].name: is missing'],
    ['["public.*"]', '[]', '6:24: systems.bank.tables.include: at least one pattern'],
    [
      '["public.*"]',
      '["a.b.c"]',
      '6:25: systems.bank.tables.include[0]: the pattern has more than two names',
    ],
    ['postgres://verifier@db1.pangyo', 'oracle://verifier@db1.pangyo', '3:21: systems.bank.primary.url: '],
    ['50000', '0.5', '8:29: systems.bank.scrub.rowsPerSecond: a whole number is wanted'],
    ['50000', '-1', '8:29: systems.bank.scrub.rowsPerSecond: '],
    ['  bank:', '  a/b:', 'the name of a system is empty or holds'],
    ['./twinproof.key', '', 'signing.key: '],
    ['rpo: 30s', 'rpo: 30s, rpo: 40s', '7:25: this key stands here twice'],
    ['signing:', '\tsigning:', '10:1: '],
    ['["public.*"]', '[*all]', '6:25: this alias has no anchor before it'],
    ['signing: {', '--- {', 'more than one document'],
  ])('points at the fault: %s → %s', (good, bad, expected) => {
    expect(WHOLE).toContain(good);
    const error = failureOf(() => parse(WHOLE.replace(good, bad)));
    expect(error.code).toBe('TP-CONFIG');
    expect(error.message).toContain('/etc/tp/twinproof.yaml:');
    expect(error.message).toContain(expected);
    expect(error.message).not.toContain('\n');
  });

  it.each([
    ['', 'a block of keys is wanted'],
    ['[]', 'a block of keys is wanted'],
    ['{}', 'systems: is missing'],
    ['systems: {}', 'at least one system is wanted'],
    ['systems: { bank: }', 'systems.bank: a block of keys is wanted'],
    [
      'systems: { bank: { primary: { url: "postgres://h" }, candidates: [] } }',
      'at least one candidate is wanted',
    ],
    ['systems: { bank: { primary: {}, candidates: [] } }', 'systems.bank.primary.url: is missing'],
    [
      'systems: { bank: { primary: { url: [] }, candidates: [] } }',
      'text, ${ENV} or { file: path } is wanted',
    ],
  ])('refuses %j', (text, expected) => {
    expect(failureOf(() => parse(text)).message).toContain(expected);
  });

  it('names every fault, in order of lines, up to five', () => {
    const text = WHOLE.replace('rpo: 30s', 'rpo: 1')
      .replace('size: 20GiB', 'size: 1')
      .replace('bank"', 'bank#"');
    const { message } = failureOf(() => parse(text));
    expect(message.match(/yaml:\d+/g)).toEqual(['yaml:3', 'yaml:7', 'yaml:9']);
    const many = WHOLE.replace('rpo: 30s', 'a: 1, b: 1, c: 1, d: 1, e: 1, f: 1, g: 1');
    expect(failureOf(() => parse(many)).message).toMatch(/; and 2 more$/);
  });

  it('refuses two candidates of one name', () => {
    const text = WHOLE.replace('    tables:', '      - { name: gasan, url: "postgres://h" }\n    tables:');
    expect(failureOf(() => parse(text)).message).toContain(
      '6:17: systems.bank.candidates[1].name: another candidate has the same name',
    );
  });

  it('stands no file that expands without bound', () => {
    const bomb = Array.from({ length: 9 }, (_, i) =>
      i === 0 ? 'a0: &a0 [x,x]' : `a${i}: &a${i} [${`*a${i - 1},`.repeat(9)}]`,
    );
    expect(failureOf(() => parse(bomb.join('\n'))).code).toBe('TP-CONFIG');
  });

  it('is read from disk, or the error names the file', () => {
    expect(loadConfig(write('good.yaml', WHOLE), {}).ledger?.path).toBe(path.join(folder, 'ledger'));
    const missing = failureOf(() => loadConfig(path.join(folder, 'none.yaml'), {}));
    expect(missing).toMatchObject({
      code: 'TP-CONFIG',
      message: expect.stringContaining('none.yaml cannot be read (ENOENT)'),
    });
    expect(failureOf(() => loadConfig(write('bad.yaml', new Uint8Array([0xff])), {})).message).toContain(
      'not UTF-8',
    );
    expect(failureOf(() => loadConfig(write('big.yaml', '#'.repeat(1_048_577)), {})).message).toContain(
      'larger than',
    );
  });
});

describe('secrets', () => {
  it('come from the environment, encoded where a URL needs it', () => {
    expect(password('{ url: "postgres://v:${PW}@p/bank" }', { PW: 'a@b/c%40' })).toBe('a@b/c%40');
    expect(password('{ url: "${URL}" }', { URL: 'postgres://v:a%40b@p/bank' })).toBe('a@b');
    expect(password('{ url: "postgres://v@p/bank", password: "${PW}" }', { PW: ' x ' })).toBe(' x ');
    const { address } = parse(SHORT('{ url: "postgres://v@${HOST}/bank" }'), { HOST: 'p:5433' }).systems[0]!
      .primary;
    expect(address).toMatchObject({ host: 'p', port: 5433 });
  });

  it('come from a file that is its owner’s alone', () => {
    const file = write('password', 'a b\n');
    expect(password(`{ url: "postgres://v@p/bank", password: { file: ${file} } }`)).toBe('a b');
    const url = write('url', 'postgres://v:x%40y@p/bank\r\n');
    expect(password(`{ url: { file: ${url} } }`)).toBe('x@y');
    expect(readSecretFile(write('two-lines', 'a\n\n'))).toBe('a\n');
    symlinkSync(file, path.join(folder, 'link'));
    expect(readSecretFile(path.join(folder, 'link'))).toBe('a b');
  });

  it.each([
    [0o640, 'x', 'can be read or written by group or others'],
    [0o604, 'x', 'can be read or written by group or others'],
    [0o600, 'x'.repeat(65_537), 'is larger than 64 KiB'],
    [0o600, new Uint8Array([0x61, 0xff]), 'is not UTF-8'],
  ])('refuses a file of mode %o', (mode, content, expected) => {
    const file = write('refused', content, mode);
    const error = failureOf(() => readSecretFile(file));
    expect(error).toMatchObject({
      code: 'TP-SECRET',
      message: expect.stringContaining(`${file} ${expected}`),
    });
  });

  it('refuses what is no file', () => {
    expect(failureOf(() => readSecretFile(folder)).message).toContain('is not a regular file');
    expect(failureOf(() => readSecretFile('/nowhere')).message).toContain('(ENOENT)');
  });

  it('names the variable that is missing, and where', () => {
    const error = failureOf(() => parse(SHORT('{ url: "postgres://v:${BANK_PW}@p/bank" }')));
    expect(error).toMatchObject({
      code: 'TP-SECRET',
      message:
        '/etc/tp/twinproof.yaml:3:21: systems.bank.primary.url: the environment variable BANK_PW is not set',
      hint: 'set BANK_PW in the environment of this command',
    });
    expect(failureOf(() => withVariables('${A}', { A: '' })).message).toContain('A is empty');
    expect(failureOf(() => withVariables('${a b}', {})).message).toContain(
      'does not name an environment variable',
    );
  });

  it('leaves an escaped reference and a lone dollar alone', () => {
    expect(withVariables('$${A} $A ${B}$', { B: '${A}' })).toBe('${A} $A ${A}$');
  });

  it('are not written into the configuration without a word', () => {
    const plain = parse(SHORT('{ url: "postgres://v:x@p/bank" }'));
    expect(plain.warnings).toEqual([expect.stringMatching(/^bank\/primary: .* plain text/)]);
    expect(parse(SHORT('{ url: "postgres://v:x@${H}/bank" }'), { H: 'h' }).warnings).toHaveLength(1);
    expect(parse(SHORT('{ url: "postgres://v:${P}@h/bank" }'), { P: 'x' }).warnings).toEqual([]);
    expect(failureOf(() => parse(SHORT('{ url: "postgres://v@p/bank", password: x }'))).message).toContain(
      'a password is not written into the configuration',
    );
    expect(
      failureOf(() => parse(SHORT('{ url: "postgres://v:x@p/bank", password: "${P}" }'), { P: 'y' })).message,
    ).toContain('the password is given twice');
  });

  it.each([
    ['{ url: "${S}" }', ''],
    ['{ url: "${S}", x: 1 }', ''],
    ['{ url: "postgres://v:${S}@h:x/b" }', ''],
    ['{ url: "postgres://v@${S}:${S}/b" }', ''],
    ['{ url: "postgres://v:canary-s3cret@h1,h2/b" }', ''],
    ['{ url: "postgres://v:canary-s3cret@h/b", password: canary-s3cret }', ''],
    ['{ url: "postgres://v:canary-s3cret@h/b", site: [canary-s3cret] }', ''],
    ['{ url: "postgres://v@h/b", password: [canary-s3cret] }', ''],
    ['{ url: "postgres://v@h/b", password: *canary-s3cret }', ''],
    ['{ url: "postgres://v@h/b", password: "canary-s3cret }', ''],
    ['{ url: "postgres://v@h/b", password: canary-s3cret: x }', ''],
    ['{ url: "postgres://v@h/b", password: @canary-s3cret }', ''],
    ['{ url: "postgres://v@h/b", password: !canary-s3cret x }', ''],
    ['{ url: "postgres://v@h/b", password: "\\qcanary-s3cret" }', ''],
    ['{ url: "postgres://v:${S}@h/b" }', '    policy: { rpo: "${S}" }'],
    ['{ url: "postgres://v:${S}@h/b" }', '    scrub: { rowsPerSecond: "${S}" }'],
    ['{ url: "postgres://v:${S}@h/b" }', '    tables: { include: [] }'],
    ['{ url: "postgres://v:${S}@h/b" }', '    tables: { include: ["${S}.a.b"] }'],
  ])('never show: %s %s', (primary, rest) => {
    const error = failureOf(() => parse(SHORT(primary, rest), { S: 'canary-s3cret' }));
    const shown = inspect(error, { depth: 9, showHidden: true }).replaceAll(/\n\s+at .*/g, '');
    expect(shown).not.toMatch(/canary|s3cret/);
  });

  it('never show when the configuration is printed', () => {
    const config = parse(SHORT('{ url: "postgres://v:${S}@h/b" }'), { S: 'canary-s3cret' });
    expect(inspect(config, { depth: 9, showHidden: true }) + JSON.stringify(config)).not.toMatch(
      /canary|s3cret/,
    );
  });
});
