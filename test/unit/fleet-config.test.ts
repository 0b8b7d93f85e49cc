import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runConfigCheck } from '../../src/commands/config-check.ts';
import { loadConfig, parseConfig } from '../../src/config/load.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'twinproof-fleet-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const system = (name: string, more = ''): string =>
  `systems:\n  ${name}:\n    primary: { url: "postgres://v@p/${name}", site: pangyo, faultDomain: hall-1 }\n` +
  `    candidates: [{ name: gasan, url: "postgres://v@g/${name}", site: gasan }]\n${more}`;

function write(files: Readonly<Record<string, string>>): string {
  const own = mkdtempSync(path.join(folder, 'f-'));
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(own, name), text);
  return own;
}

describe('a fleet of several files', () => {
  it('is one configuration: systems of every file, settings of whichever has them', () => {
    const own = write({
      'a.yaml': `fleet: { name: Bank, tiers: [core, other], groups: { money: { maxSkew: 5s } } }\nledger: { path: ./ledger }\n`,
      'b.yml': system(
        'bank',
        '    tier: core\n    owner: "Team Core"\n    objectives: { rpo: 30s, rto: 3h }\n    group: money\n',
      ),
      'c.yaml': system('mail', '    tier: other\n    title: Mail\n    dependsOn: [bank]\n'),
      'notes.txt': 'not ours',
      '.hidden.yaml': ': broken',
    });
    const config = loadConfig(own, {});
    expect(config.fleet).toEqual({
      name: 'Bank',
      tiers: ['core', 'other'],
      groups: [{ name: 'money', maxSkew: 5000 }],
    });
    expect(config.state).toEqual({
      path: path.join(own, 'ledger-state'),
      every: 10_000,
      keepCertificates: 1000,
    });
    expect(config.systems.map(({ name, fleet, policy }) => ({ name, rpo: policy.rpo, ...fleet }))).toEqual([
      {
        name: 'bank',
        rpo: 30_000,
        title: null,
        tier: 'core',
        owner: 'Team Core',
        rto: 10_800_000,
        dependsOn: [],
        group: 'money',
        schedules: [],
      },
      {
        name: 'mail',
        rpo: null,
        title: 'Mail',
        tier: 'other',
        owner: null,
        rto: null,
        dependsOn: ['bank'],
        group: null,
        schedules: [],
      },
    ]);
    expect(config.systems[0]?.primary.faultDomain).toBe('hall-1');
  });

  it.each([
    [
      { 'a.yaml': system('bank'), 'b.yaml': system('bank') },
      /b\.yaml:3:5: systems\.bank: another file has a system of this name/,
    ],
    [
      { 'a.yaml': `${system('bank')}ledger: { path: x }\n`, 'b.yaml': 'ledger: { path: y }\n' },
      /b\.yaml:1:9: ledger: another file has this already/,
    ],
    [
      { 'a.yaml': system('bank', '    dependsOn: [keys]\n') },
      /a\.yaml:5:17: systems\.bank\.dependsOn\[0\]: there is no system of this name/,
    ],
    [{ 'a.yaml': system('bank', '    dependsOn: [bank]\n') }, /a system cannot depend on itself/],
    [
      {
        'a.yaml': system('bank', '    dependsOn: [mail]\n'),
        'b.yaml': system('mail', '    dependsOn: [bank]\n'),
      },
      /a\.yaml:5:16: systems\.bank\.dependsOn: these systems depend on one another in a circle: bank → mail → bank/,
    ],
    [
      { 'a.yaml': `fleet: { tiers: [core] }\n${system('bank', '    tier: croe\n')}` },
      /a\.yaml:6:11: systems\.bank\.tier: is not among fleet\.tiers/,
    ],
    [
      { 'a.yaml': `fleet: { groups: { money: {} } }\n${system('bank', '    group: monye\n')}` },
      /systems\.bank\.group: is not among fleet\.groups/,
    ],
    [
      { 'a.yaml': system('bank', '    policy: { rpo: 1s }\n    objectives: { rpo: 2s }\n') },
      /systems\.bank\.objectives\.rpo: the rpo stands in policy as well/,
    ],
    [{ 'a.yaml': 'fleet: { name: x }\n' }, /no file of this folder has a system/],
    [{ 'a.txt': '' }, /holds no files \*\.yaml/],
  ])('names what is wrong between files %#', (files, problem) => {
    expect(() => loadConfig(write(files), {})).toThrow(problem);
  });
});

const now = () => new Date('2026-03-02T00:00:00Z');

describe('config check', () => {
  it('tells the order of promotion, and warns of what will be regretted', async () => {
    const own = write({
      'a.yaml': system('bank', '    tier: "1"\n    dependsOn: [keys]\n    policy: { rpo: 30s }\n'),
      'b.yaml': system('keys', '    tier: "2"\n').replace('site: gasan', 'site: pangyo'),
    });
    let printed = '';
    const screen = { width: 100, colour: false, unicode: true };
    const io = { stdout: (text: string) => void (printed += text), environment: {}, screen, now };
    expect(await runConfigCheck({ config: own, format: 'text' }, io)).toBe(1);
    expect(printed).toMatch(/2 systems.*1 {2}keys.*2 {2}bank: .*tier 1; rpo 30\.0 s; after keys/s);
    expect(printed).toMatch(/keys: every candidate is at the site of the primary \(pangyo\)/);
    expect(printed).toMatch(/keys: no rpo is set/);
    const near = 'fleet: { groups: { money: { maxSkew: 5s } } }\nstate: { path: ./state }\n';
    const grouped = write({
      'a.yaml': near + system('bank', '    group: money\n    policy: { rpo: 30s }\n'),
    });
    expect(await runConfigCheck({ config: grouped, format: 'text' }, io)).toBe(1);
    expect(printed).toMatch(/group money: maxSkew 5\.0 s is less than state\.every 10\.0 s/);
    printed = '';
    await runConfigCheck({ config: own, format: 'json' }, io);
    expect(JSON.parse(printed)).toMatchObject({
      schema: 'twinproof.config-check/v1',
      systems: [{ name: 'keys' }, { name: 'bank' }],
    });
  });
});

describe('what is read and done at certain hours', () => {
  const check = async (more: string): Promise<{ code: number; printed: string }> => {
    const own = write({ 'a.yaml': system('bank', `    policy: { rpo: 30s }\n${more}`) });
    let printed = '';
    const screen = { width: 1000, colour: false, unicode: true };
    const io = { stdout: (text: string) => void (printed += text), environment: {}, screen, now };
    return { code: await runConfigCheck({ config: own, format: 'text' }, io), printed };
  };

  it('is told with the order of promotion: rates by time of day, and how long there may be no certificate', async () => {
    const { code, printed } = await check(
      `    scrub:
      rowsPerSecond: 50000
      zone: Asia/Seoul
      windows:
        - { from: 09:00, to: 18:30, days: [mon, tue], rowsPerSecond: 2000 }
        - { from: 23:00, to: 1:00, rowsPerSecond: 0 }
        - { from: 02:00, to: 03:00, rowsPerSecond: null }
    schedules:
      - { run: certify, at: before-expiry }
      - { name: archive, run: certify, at: '0 * * * *', zone: UTC }
      - { run: verify, at: '0 3 * * *' }
      - { run: readiness, every: 90m }
`,
    );
    expect(code).toBe(0);
    expect(printed.replaceAll(/\s+/g, ' ')).toContain(
      'certify at before-expiry, up to 5 min apart, for certificates that hold 10 min; ' +
        'archive (certify) at 0 * * * * UTC, up to 1 h apart, for certificates that hold 10 min; verify at 0 3 * * *; readiness every 90m; ' +
        'scrub 50,000 rows/s, 09:00–18:30 mon, tue 2,000 rows/s, 23:00–01:00 nothing, 02:00–03:00 unbounded (Asia/Seoul)',
    );
  });

  it('warns of hours without scrubbing in which proofs grow too old', async () => {
    const { code, printed } = await check(
      '    scrub: { windows: [{ from: 00:00, to: 13:00, rowsPerSecond: 0 }] }\n',
    );
    expect([code, printed]).toEqual([
      1,
      expect.stringMatching(/no row may be scrubbed: proofs will be too old/),
    ]);
    expect(
      (await check('    scrub: { windows: [{ from: 00:00, to: 11:00, rowsPerSecond: 0 }] }\n')).code,
    ).toBe(0);
  });

  it.each([
    ['scrub: { rowsPerSecond: 0 }', /:6:\d+: systems\.bank\.scrub\.rowsPerSecond: /],
    ['scrub: { zone: Seoul }', /scrub\.zone: a time zone such as Asia\/Seoul is wanted/],
    [
      'scrub: { windows: [{ from: 24:00, to: 25:00, rowsPerSecond: 1 }] }',
      /windows\[0\]\.from: a time of day/,
    ],
    ['scrub: { windows: [{ from: 9, to: 10:00, rowsPerSecond: 1 }] }', /windows\[0\]\.from: /],
    ['scrub: { windows: [{ from: 09:00, to: 09:00, rowsPerSecond: 1 }] }', /\.to: it ends when it begins/],
    ['scrub: { windows: [{ from: 09:00, to: 10:00 }] }', /windows\[0\]\.rowsPerSecond: is missing/],
    ['scrub: { windows: [{ from: 09:00, to: 10:00, days: [Mon], rowsPerSecond: 1 }] }', /one of mon, tue, /],
    ['scrub: { windows: [{ from: 09:00, to: 10:00, days: [], rowsPerSecond: 1 }] }', /at least one day/],
    ['schedules: [{ run: verify, at: before-expiry }]', /for certify, before-expiry/],
    ['schedules: [{ run: readiness, at: before-expiry }]', /for certify, before-expiry/],
    ['schedules: [{ run: readiness }]', /schedules\[0\]\.at: is missing: at or every is wanted/],
    ['schedules: [{ run: readiness, every: 5m, at: "0 3 * * *" }]', /\.every: either at or every is wanted/],
    ['schedules: [{ run: readiness, every: 5m, zone: UTC }]', /\.zone: every goes by no clock/],
    ['schedules: [{ run: readiness, every: 10ms }]', /\.every: at least 1s is wanted/],
    ['schedules: [{ run: readiness, at: "every 5m" }]', /\.at: a time as cron has it is wanted/],
    [
      'schedules: [{ run: certify, at: "0 25 * * *" }]',
      /schedules\[0\]\.at: a time as cron has it is wanted/,
    ],
    ['schedules: [{ run: certify, at: "0 0 30 2 *" }]', /schedules\[0\]\.at: this time never comes/],
    ['schedules: [{ run: certify, at: "0 * * * *", zone: Mars }]', /and a zone such as Asia\/Seoul/],
    [
      'schedules: [{ run: certify, at: "0 * * * *" }, { run: certify, at: "5 * * * *" }]',
      /schedules\[1\]\.name: another schedule has the same name/,
    ],
  ])('refuses %s', async (line, problem) => {
    await expect(check(`    ${line}\n`)).rejects.toThrow(problem);
  });
});

describe('the board', () => {
  const board = (text: string, environment = {}) =>
    parseConfig(`${system('bank')}board: ${text}\n`, '/etc/tp/t.yaml', environment).board;
  const TOKEN = { T: 'a-token-of-20-letters' };

  it('listens on this machine alone unless it is told otherwise', () => {
    expect(board('{}')).toEqual({ host: '127.0.0.1', port: 8484, tls: null, tokens: [], decisions: null });
    expect(board('{ listen: "[::1]:0" }')).toMatchObject({ host: '::1', port: 0 });
  });

  it.each([
    ['{ listen: "0.0.0.0:80" }', /an address that other machines reach takes tokens and tls/],
    ['{ listen: "nonsense" }', /an address and a port are wanted/],
    ['{ tokens: [{ name: Kim, role: boss, token: "${T}" }] }', /viewer or approver is wanted/],
    [
      '{ tokens: [{ name: Kim, role: viewer, token: written-out-in-the-file }] }',
      /is not written into the configuration/,
    ],
    ['{ tokens: [{ name: Kim, role: viewer, token: "${SHORT}" }] }', /at least 16 characters/],
    [
      '{ tokens: [{ name: A, role: viewer, token: "${T}" }, { name: A, role: viewer, token: "${U}" }] }',
      /two approvers must be two people/,
    ],
    [
      '{ tokens: [{ name: A, role: viewer, token: "${T}" }, { name: B, role: viewer, token: "${T}" }] }',
      /another person has the same token/,
    ],
  ])('refuses %s', (text, problem) => {
    expect(() => board(text, { ...TOKEN, U: 'another-token-of-22-ch', SHORT: 'short' })).toThrow(problem);
  });

  it('reads its configuration without the secrets of the sites', () => {
    const text = `systems:\n  bank:\n    primary: { url: "postgres://v@p/bank", password: "\${NOT_SET}" }\n    candidates: [{ name: gasan, url: { file: /nowhere } }]\n`;
    expect(() => parseConfig(text, '/etc/tp/t.yaml', {})).toThrow(/NOT_SET/);
    const config = parseConfig(text, '/etc/tp/t.yaml', {}, { sites: false });
    expect(config.systems[0]?.primary.address).toMatchObject({ host: '', user: null });
  });
});
