import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkLedger } from '../../src/ledger/check.ts';
import { Known } from '../../src/ledger/known.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import {
  beginEmpty,
  define,
  insert,
  ledgerOptions,
  openLedger,
  place,
  removeFolder,
  table,
  temporaryFolder,
  transaction,
} from '../unit/ledger-fixture.ts';
import { buildWriter } from '../unit/ledger-program.ts';
import { WRITER_OPTIONS } from '../unit/ledger-writer.ts';
import { builtProgram } from './harness/cli-build.ts';
import { expectRefusal, runCli } from './harness/cli.ts';

let scratch = '';
beforeAll(() => {
  builtProgram();
  scratch = temporaryFolder();
  const site = (port: number): string => `"postgres://nobody@127.0.0.1:${port}/bank"`;
  writeFileSync(
    path.join(scratch, 'twinproof.yaml'),
    `systems:
  bank: { primary: { url: ${site(1)} }, candidates: [{ name: gasan, url: ${site(2)} }] }
ledger: { path: ./ledger }
`,
  );
  mkdirSync(path.join(scratch, 'ledger'));
}, 300_000);
afterAll(() => removeFolder(scratch));

const run = (...args: readonly string[]): ReturnType<typeof runCli> =>
  runCli(['ledger', ...args, '--config', path.join(scratch, 'twinproof.yaml')]);

describe('twinproof ledger', () => {
  it('says what is missing when there is none', async () => {
    const text = expectRefusal(await run('show'), 3, 'TP-LEDGER');
    expect(text).toContain('there is no ledger in');
    expectRefusal(await run('check', '--system', 'other'), 64, 'TP-USAGE');
  });

  it('is asked for by certify and lag in words that tell what to do', async () => {
    const config = ['--config', path.join(scratch, 'twinproof.yaml')];
    const certify = ['certify', ...config, '--primary-lost'];
    expect(expectRefusal(await runCli(certify), 3, 'TP-LEDGER')).toContain('`twinproof watch` makes it');
    const strange = expectRefusal(await runCli(['lag', ...config, '--candidate', 'busan']), 64, 'TP-USAGE');
    expect(strange).toContain('it has gasan');
    // JavaScript would take it for the 2nd of March.
    const never = [...certify, '--fenced-at', '2026-02-30T03:04:05Z', '--fenced-by', 'somebody'];
    expectRefusal(await runCli(never), 64, 'TP-USAGE');
    const live = await runCli(['certify', ...config]);
    expect(live).toMatchObject({ code: 3 });
    expect(live.stderr).toContain('two live sites are compared');
  }, 60_000);

  it('shows what is complete and what is not, while another process has it open, and finds damage', async () => {
    const folder = path.join(scratch, 'ledger', 'bank');
    mkdirSync(folder);
    const ledger = await openLedger(folder);
    const accounts = table('accounts');
    await beginEmpty(ledger, accounts, 1);
    ledger.take(transaction(2, [insert(accounts, 1, 'a'), insert(accounts, 2, 'b')]));
    await ledger.flush();
    const whole = await run('show');
    expect(whole).toMatchObject({ code: 0, stderr: '' });
    expect(whole.stdout).toContain('every table of this ledger is complete');
    expect(whole.stdout).toContain('public.accounts: complete, 2 rows');
    // A table of the selection that the log does not bring is no part of what is complete, and is named.
    const unfollowed = { id: '9', leaf: 'public.log', root: 'public.log', unfollowed: 'no replica identity' };
    new Known(ledger.core.store).writeDefinitions({
      knownUntilUs: 0n,
      position: place(2),
      tables: [unfollowed],
    });
    const partly = await run('show');
    expect(partly).toMatchObject({ code: 0, stderr: '' });
    expect(partly.stdout).toMatch(/every table that is followed is complete; 1 table cannot be followed/);
    expect(partly.stdout).toContain('public.log: no replica identity');
    ledger.take([define(table('orders'))]);
    await ledger.settle();
    const lacking = await run('show', '--format', 'json');
    expect(lacking.code).toBe(1);
    expect(JSON.parse(lacking.stdout)).toMatchObject({
      schema: 'twinproof.ledger/v1',
      complete: false,
      position: '2',
      tables: [
        { table: 'public.accounts', state: 'complete', rows: '2' },
        { table: 'public.orders', state: 'not read', rows: '0' },
      ],
    });
    expect(await run('check')).toMatchObject({ code: 0, stderr: '' });
    await ledger.close();
    const journal = path.join(folder, 'journal');
    const [name = ''] = readdirSync(journal);
    const bytes = readFileSync(path.join(journal, name));
    const at = bytes.indexOf(Buffer.from('t2'));
    bytes.write('t3', at);
    writeFileSync(path.join(journal, name), bytes);
    const damaged = await run('check', '--format', 'json');
    expect(damaged.code).toBe(2);
    expect(JSON.parse(damaged.stdout)).toMatchObject({ schema: 'twinproof.ledger-check/v1', sound: false });
  }, 60_000);

  it('is checked beside its writer without a false alarm', async () => {
    const program = buildWriter(path.join(scratch, 'program'));
    const folder = path.join(scratch, 'written');
    mkdirSync(folder);
    const child = spawn(process.execPath, [program, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      await once(child.stdout, 'data');
      child.stdout.resume();
      const problems: string[] = [];
      let records = 0;
      for (let check = 0; check < 8; check++) {
        const ledger = await Ledger.read(ledgerOptions(folder, WRITER_OPTIONS));
        const result = checkLedger(ledger.core);
        await ledger.close();
        problems.push(...result.problems);
        records += result.records;
      }
      expect(problems).toEqual([]);
      expect(records).toBeGreaterThan(0);
    } finally {
      child.kill('SIGKILL');
    }
  }, 60_000);
});
