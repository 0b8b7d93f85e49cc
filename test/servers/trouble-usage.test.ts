import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../../src/demo/cluster-files.ts';
import { CANARY, type CliResult, expectRefusal, runCli, startCli } from './harness/cli.ts';
import { builtProgram, programWithout } from './harness/cli-build.ts';

const folder = mkdtempSync(join(tmpdir(), 'twinproof-usage-'));
// Where the sources changed it is built first, which is no part of a test's time.
beforeAll(() => void builtProgram(), 300_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, content: string, mode = 0o600): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

let configurations = 0;

function configured(yaml: string, env: Readonly<Record<string, string>> = {}): Promise<CliResult> {
  configurations += 1;
  return runCli(['verify', '--config', file(`${configurations}.yaml`, yaml)], { env });
}

/** A whole configuration with these two lines in it. */
function bank(primary: string, candidate = `{ name: far, url: 'postgres://h2/bank' }`): string {
  return `systems:\n  bank:\n    primary: ${primary}\n    candidates:\n      - ${candidate}\n`;
}

describe.concurrent('a wrong command line is refused with 64, a code and a hint', () => {
  test.each([
    [['verify', '--primry', 'x'], 'unknown option'],
    [['verfy'], 'unknown command'],
    [['verify', 'extra', '--primary', 'postgres://h/d'], 'too many arguments'],
    [['verify', '--format', 'xml'], 'choices'],
    [['verify', '--jobs', '0'], 'whole number'],
    [['verify', '--jobs', '1.5'], 'whole number'],
    [['verify', '--max-rows-per-second', 'many'], 'whole number'],
    [['verify', '--timeout', '10'], 'duration'],
    [['verify', '--timeout', '-5s'], 'duration'],
    [['verify', '--max-lag', 'soon'], 'duration'],
    [['verify', '--statement-timeout', '1e9h'], 'duration'],
    [['certify', '--quiesced=yes'], 'quiesced'],
    [['certificate', 'check', 'c.json'], '--key'],
    [['verify'], 'no primary was given'],
    [['preflight', 'somewhere'], 'the site is not a connection URL'],
    [['verify', '--primary', 'postgres://h/d'], 'no candidate was given'],
    [['verify', '--primary', 'bank/primary', '--candidate', 'bank/far'], 'no configuration'],
    [['verify', '--tables', 'public."open'], 'pattern'],
    [['verify', '--exclude', 'a.b.c'], 'pattern'],
    [['certify', '--primary', 'postgres://h/d', '--candidate', 'postgres://i/d', '--out', 'c'], 'no key'],
  ])('%j', async (args, expected) => {
    expect(expectRefusal(await runCli(args), 64, 'TP-USAGE')).toContain(expected);
  });

  test('while help, version and a command line without a command are no errors to explain', async () => {
    expect(await runCli(['--version'])).toMatchObject({ code: 0, stderr: '' });
    expect(await runCli(['verify', '--help'])).toMatchObject({ code: 0, stderr: '' });
    const bare = await runCli([]);
    expect(bare).toMatchObject({ code: 64, stdout: '' });
    expect(bare.stderr).toContain('Usage: twinproof');
  });

  test('with --debug the stack follows, a line for each call', async () => {
    const { code, stderr } = await startCli(['verify', '--primary', 'postgres://h/d', '--debug']).ended;
    expect(code).toBe(64);
    expect(stderr).toMatch(/^error TP-USAGE: .*\n {2}hint: .*\nTwinproofError: .*\n {4}at /);
  });

  test('and so is a URL that is none, or of an engine that is not known, without repeating it', async () => {
    for (const url of [
      `postgres://u:${CANARY}@h:port/d`,
      `mongodb://u:${CANARY}@h/d`,
      `oracle://${CANARY}`,
    ]) {
      const result = await runCli(['verify', '--primary', url, '--candidate', 'postgres://h/d']);
      expect(expectRefusal(result, 64, 'TP-URL')).not.toContain('u:');
    }
  });
});

describe.concurrent('a wrong configuration is refused with 64 and the line', () => {
  test.each([
    ['a key that is not known', `${bank(`{ url: 'postgres://h/bank' }`)}    tabels: {}\n`, '6:'],
    ['a system without candidates', `systems:\n  bank:\n    primary: { url: 'postgres://h/b' }\n`, '3:'],
    ['broken YAML', 'systems:\n  bank: [\n', '3:'],
    [
      'a duration that is none',
      `${bank(`{ url: 'postgres://h/b' }`)}    policy:\n      maxProofAge: soon\n`,
      '7:',
    ],
    ['a password that is written out', bank(`{ url: 'postgres://h/b', password: ${CANARY} }`), '3:'],
    ['no systems', 'ledger: null\n', '1:'],
  ])('%s', async (_, yaml, line) => {
    const refusal = expectRefusal(await configured(yaml), 64, 'TP-CONFIG');
    expect(refusal).toMatch(new RegExp(`\\d\\.yaml:${line}`));
  });

  test('a file that is not there', async () => {
    const result = await runCli(['verify', '--config', join(folder, 'none.yaml')]);
    expect(expectRefusal(result, 64, 'TP-CONFIG')).toContain('none.yaml');
  });

  test('a system that it does not have', async () => {
    const config = file('one.yaml', bank(`{ url: 'postgres://h/bank' }`));
    const refusal = expectRefusal(
      await runCli(['verify', '--config', config, '--system', 'stock']),
      64,
      'TP-USAGE',
    );
    expect(refusal).toContain('bank');
  });
});

describe('a secret that cannot be had is refused with 64, and its content is never printed', () => {
  test('an environment variable that is not set, or empty', async () => {
    const yaml = bank('{ url: "postgres://v:${BANK_PASSWORD}@h/bank" }');
    expect(expectRefusal(await configured(yaml), 64, 'TP-SECRET')).toContain('BANK_PASSWORD');
    expectRefusal(await configured(yaml, { BANK_PASSWORD: '' }), 64, 'TP-SECRET');
  });

  test('a secret file that is missing or that others may read', async () => {
    const missing = bank(`{ url: 'postgres://v@h/bank', password: { file: ./none } }`);
    expect(expectRefusal(await configured(missing), 64, 'TP-SECRET')).toContain('none');
    file('shared.secret', CANARY, 0o644);
    const shared = bank(`{ url: 'postgres://v@h/bank', password: { file: ./shared.secret } }`);
    expect(expectRefusal(await configured(shared), 64, 'TP-SECRET')).toContain('chmod 600');
  });
});

describe('a host that cannot be reached gives 3', () => {
  test('where nothing listens, naming the site and not the password', async () => {
    const refusedPort = await freePort();
    const url = `postgres://verifier:${CANARY}@127.0.0.1:${refusedPort}/bank`;
    const result = await runCli(['verify', '--primary', url, '--candidate', url]);
    const refusal = expectRefusal(result, 3, 'TP-UNREACHABLE');
    expect(refusal).toContain(`primary: cannot connect to 127.0.0.1:${refusedPort}`);
    // A password on the command line is told off for being there.
    expect(result.stderr).toContain('warning: ');
  });

  test('where the name does not exist, and for certify and preflight alike', async () => {
    const stranger = 'postgres://no-such-host.invalid/bank';
    const commands = [
      ['certify', '--primary', stranger, '--candidate', stranger],
      ['preflight', stranger],
    ];
    for (const command of commands) {
      expect(expectRefusal(await runCli(command), 3, 'TP-UNREACHABLE')).toContain('no-such-host.invalid');
    }
  });
});

describe('an installation that lacks a file', () => {
  test.each([
    ['kernel.wasm', ['watch', '--config', 'twinproof.yaml']],
    ['transcode.wasm', ['certify', '--config', 'twinproof.yaml']],
  ])('%s is told by %j before a server is asked', async (missing, args) => {
    const program = programWithout(missing, folder);
    expect(expectRefusal(await runCli(args, { program }), 70, 'TP-INSTALL')).toContain('run `npm run build`');
    expect(await runCli(['--version'], { program })).toMatchObject({ code: 0 });
  });
});
