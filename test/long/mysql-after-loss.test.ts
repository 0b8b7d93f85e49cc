import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { waitUntil } from '../../src/demo/cluster-wait.ts';
import { builtProgram } from '../servers/harness/cli-build.ts';
import { type CliResult, runCli } from '../servers/harness/cli.ts';
import type { MysqlServer } from '../servers/harness/mysql-server.ts';
import { createMysqlPair, type MysqlPair } from '../servers/harness/mysql-pair.ts';
import { describeMysql } from '../servers/harness/mysql-suite.ts';

const SCHEMA = `CREATE TABLE account (id int PRIMARY KEY, owner varchar(20));
  INSERT INTO account VALUES (1, 'kim'), (2, 'lee'), (3, 'park')`;
const PASSWORD = 'of-the-watcher';
const LIMIT_MS = 120_000;

/** What README says of the day after a loss, step by step, by somebody who has only that page. */
await describeMysql('after the loss of a %s primary', (flavor) => {
  const mysql = flavor === 'mysql';
  const folder = mkdtempSync(path.join(tmpdir(), 'twinproof-after-loss-'));
  const file = (name: string): string => path.join(folder, name);
  let pair: MysqlPair;
  let watch: ChildProcess | null = null;
  let said = '';

  const run = (args: readonly string[], password = PASSWORD): Promise<CliResult> =>
    runCli(args, { env: { MYSQL_PWD: password } });
  const withConfig = (...args: readonly string[]): Promise<CliResult> =>
    run([...args, '--config', file('twinproof.yaml')]);
  const hasSaid = (text: string): Promise<void> =>
    waitUntil(
      () => Promise.resolve(said.includes(text)),
      LIMIT_MS,
      () => `watch said:\n${said}`,
    );
  const startWatch = (): void => {
    said = '';
    watch = spawn(process.execPath, [builtProgram(), 'watch', '--config', file('twinproof.yaml')], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { PATH: process.env['PATH'], HOME: '/nonexistent', MYSQL_PWD: PASSWORD },
    });
    watch.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text));
  };
  const stopWatch = async (): Promise<void> => {
    const child = watch;
    watch = null;
    if (child === null || child.exitCode !== null) return;
    const over = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGINT');
    await over;
  };
  const urlOf = (server: MysqlServer, user: string): string =>
    server.url(user, pair.database).replace(/\?.*/, '');

  beforeAll(async () => {
    pair = await createMysqlPair({ flavor, schema: SCHEMA });
    writeFileSync(
      file('twinproof.yaml'),
      `systems:
  bank:
    primary: { url: '${urlOf(pair.source, 'watcher')}', site: pangyo }
    candidates:
      - { name: gasan, url: '${urlOf(pair.replica, 'watcher')}', site: gasan }
    policy: { rpo: 1h, maxTail: 1h }
ledger: { path: ./ledger }
signing: { key: ./twinproof.key }
`,
    );
    await run(['keygen', '--out', file('twinproof.key')]);
  }, 400_000);

  afterAll(async () => {
    await stopWatch();
    await pair?.destroy();
    rmSync(folder, { recursive: true, force: true });
  });

  it('is prepared by the SQL that preflight prints', async () => {
    for (const server of [pair.source, pair.replica]) {
      const { code, stdout } = await run(
        ['preflight', urlOf(server, 'root'), '--sql', '--role', 'watcher'],
        '',
      );
      expect({ code, stdout }).toMatchObject({
        code: 2,
        stdout: expect.stringContaining('binlog_row_metadata'),
      });
      // Settings are of each server; accounts come to the replica by replication.
      const settings = stdout.split('\n').filter((line) => line.startsWith('SET GLOBAL'));
      await server.sql(settings.join('\n'));
      await pair.source.sql(stdout.replaceAll(/^SET GLOBAL.*$/gm, ''));
    }
    const unlock = mysql ? '' : ' ACCOUNT UNLOCK';
    await pair.write(`ALTER USER watcher IDENTIFIED BY '${PASSWORD}'${unlock}`);
    for (const site of ['bank/primary', 'bank/gasan']) {
      expect(await withConfig('preflight', site, '--sql')).toMatchObject({
        code: 0,
        stdout: expect.stringContaining('nothing is missing'),
      });
    }
    expect((await run(['preflight', urlOf(pair.source, 'watcher')], 'wrong')).stderr).toContain('TP-AUTH');
  }, 400_000);

  it('is SAFE for a switchover while both are there and nothing is written', async () => {
    startWatch();
    await hasSaid('every row is proven equal');
    const { code, stdout } = await withConfig('certify');
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining('SAFE') });
  }, 400_000);

  it('is SAFE_WITH_LOSS, names what is lost by key, and leaves a certificate', async () => {
    await pair.stopReplica('io');
    await pair.source.sql(
      `INSERT INTO account VALUES (10, 'lost'), (11, 'lost'); DELETE FROM account WHERE id = 2`,
      [],
      pair.database,
    );
    const seen = async (): Promise<boolean> =>
      /^transport .* 2 transactions/m.test((await withConfig('lag')).stdout);
    await waitUntil(seen, LIMIT_MS, () => `watch said:\n${said}`);
    await pair.source.kill();
    const fence = ['--fenced-at', new Date().toISOString(), '--fenced-by', 'power cut, J. Kim'];
    const { code, stdout } = await withConfig(
      'certify',
      '--primary-lost',
      ...fence,
      '--losses',
      file('lost.jsonl'),
      '--out',
      file('gasan.cert'),
    );
    expect(stdout).toContain('known lost 2 transactions, 3 changes, 3 keys');
    expect({ code, stdout }).toMatchObject({ code: 1, stdout: expect.stringContaining('SAFE_WITH_LOSS') });
    const lost = readFileSync(file('lost.jsonl'), 'utf8').trim().split('\n');
    const keys = lost.map((line) => /"id": ?"(\d+)"/.exec(line)?.[1]);
    expect(new Set(keys)).toEqual(new Set(['2', '10', '11']));
    const checked = await run([
      'certificate',
      'check',
      file('gasan.cert'),
      '--key',
      file('twinproof.key.pub'),
    ]);
    expect(checked).toMatchObject({ code: 0, stdout: expect.stringContaining('authentic') });
  }, 400_000);

  it('is found to be what was certified after its promotion', async () => {
    const promote = mysql
      ? 'STOP REPLICA; RESET REPLICA ALL; SET GLOBAL super_read_only = OFF; SET GLOBAL read_only = OFF'
      : 'STOP SLAVE; RESET SLAVE ALL; SET GLOBAL read_only = OFF';
    expect((await withConfig('certify', '--after-promotion', file('gasan.cert'))).code).toBe(3);
    await pair.replica.sql(promote);
    const after = await withConfig('certify', '--after-promotion', file('gasan.cert'));
    expect(after).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('it has written nothing itself'),
    });
    await pair.replica.sql(`INSERT INTO account VALUES (20, 'new')`, [], pair.database);
    const written = await withConfig('certify', '--after-promotion', file('gasan.cert'));
    expect(written.code).toBe(0);
    expect(written.stdout).not.toContain('it has written nothing itself');
  }, 400_000);
});
