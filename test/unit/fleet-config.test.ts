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
    expect(config.state).toEqual({ path: path.join(own, 'ledger-state'), every: 10_000 });
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

describe('config check', () => {
  it('tells the order of promotion, and warns of what will be regretted', async () => {
    const own = write({
      'a.yaml': system('bank', '    tier: "1"\n    dependsOn: [keys]\n    policy: { rpo: 30s }\n'),
      'b.yaml': system('keys', '    tier: "2"\n').replace('site: gasan', 'site: pangyo'),
    });
    let printed = '';
    const screen = { width: 100, colour: false, unicode: true };
    const io = { stdout: (text: string) => void (printed += text), environment: {}, screen };
    expect(await runConfigCheck({ config: own, format: 'text' }, io)).toBe(1);
    expect(printed).toMatch(/2 systems.*1 {2}keys.*2 {2}bank: .*tier 1; rpo 30\.0 s; after keys/s);
    expect(printed).toMatch(/keys: every candidate is at the site of the primary \(pangyo\)/);
    expect(printed).toMatch(/keys: no rpo is set/);
    printed = '';
    await runConfigCheck({ config: own, format: 'json' }, io);
    expect(JSON.parse(printed)).toMatchObject({
      schema: 'twinproof.config-check/v1',
      systems: [{ name: 'keys' }, { name: 'bank' }],
    });
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
