import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { VerifyDocument } from '../../src/report/verify-json.ts';
import {
  type CliRun,
  documentOf,
  expectClean,
  expectFailure,
  reasonCodes,
  until,
} from '../servers/harness/cli.ts';
import { programWithout } from '../servers/harness/cli-build.ts';
import { VERIFIER } from '../servers/harness/mysql-accounts.ts';
import { startVerify, verifyPair } from '../servers/harness/mysql-cli.ts';
import { createMysqlPair, type MysqlPair } from '../servers/harness/mysql-pair.ts';
import type { MysqlServer } from '../servers/harness/mysql-server.ts';
import { describeMysql } from '../servers/harness/mysql-suite.ts';

const ROWS = 120_000;
/** All numbers from 0 to 199,999. */
const NUMBERS = `(SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d + 100000 * g.d AS n
  FROM digits a, digits b, digits c, digits e, digits f, digits g WHERE g.d < 2)`;
/** Tables whose definition changes in the middle of a run, and how. */
const CHANGES = {
  added: 'ALTER TABLE added ADD COLUMN flag INT NOT NULL DEFAULT 7',
  cleared: 'TRUNCATE cleared',
  dropped: 'DROP TABLE dropped',
  rekeyed: 'ALTER TABLE rekeyed DROP PRIMARY KEY, ADD PRIMARY KEY (v, id)',
  renamed: 'ALTER TABLE renamed CHANGE v w VARCHAR(20)',
  retyped: 'ALTER TABLE retyped MODIFY id BIGINT',
} as const;

const SCHEMA = `CREATE TABLE digits (d INT PRIMARY KEY); INSERT INTO digits VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9);
  CREATE TABLE big (id INT PRIMARY KEY, v VARCHAR(40));
  INSERT INTO big SELECT n, CONCAT('row ', n) FROM ${NUMBERS} numbers WHERE n < ${ROWS};
  ${Object.keys(CHANGES)
    .map(
      (table) => `CREATE TABLE ${table} (id INT PRIMARY KEY, v VARCHAR(20) NOT NULL);
        INSERT INTO ${table} SELECT id, v FROM big WHERE id < 5000;`,
    )
    .join('\n')}
  ANALYZE TABLE big`;

/** Connections of the product: for reading and for everything else. */
const OURS = `SELECT id, command, info FROM information_schema.processlist WHERE user = '${VERIFIER.user}'`;

await describeMysql('a run on a %s pair', (flavor) => {
  let pair: MysqlPair;
  const folder = mkdtempSync(join(tmpdir(), 'twinproof-mysql-run-'));

  beforeAll(async () => {
    pair = await createMysqlPair({ flavor, schema: SCHEMA });
  });

  afterAll(async () => {
    await pair.destroy();
    rmSync(folder, { recursive: true });
  });

  /** Reads big for some three seconds. */
  const slowRun = (...more: readonly string[]): CliRun =>
    startVerify(pair, ['--tables', 'big', '--jobs', '2', '--max-rows-per-second', '80000', ...more], {
      cwd: folder,
    });

  async function connections(server: MysqlServer): Promise<readonly string[]> {
    return (await server.sql(OURS)).map(({ id }) => String(id));
  }

  /** Waits until the run is in the midst of reading: on each site a control session and a reader are open. */
  async function reading(run: CliRun): Promise<void> {
    const both = [pair.source, pair.replica];
    await until(async () => {
      if (run.child.exitCode !== null) throw new Error(`the run has ended: ${run.stderr()}`);
      return (await Promise.all(both.map(connections))).every((open) => open.length > 1);
    }, 'readers on both sites');
  }

  async function endOf(run: CliRun): Promise<VerifyDocument & { readonly code: number | null }> {
    const result = await run.ended;
    expectClean(result);
    return { ...documentOf(result), code: result.code };
  }

  const rowsOfBig = { primary: String(ROWS), candidate: String(ROWS) };

  describe('recovers and says same', () => {
    test('when its connections are killed again and again, on both sites', async () => {
      const run = slowRun();
      await reading(run);
      let killed = 0;
      for (let round = 0; round < 4; round += 1) {
        for (const server of [pair.source, pair.replica]) {
          for (const id of await connections(server)) {
            await server.sql(`KILL ${id}`).then(
              () => (killed += 1),
              // It ended by itself in the meantime.
              () => undefined,
            );
          }
        }
        const isBack = async (): Promise<boolean> => (await connections(pair.source)).length > 0;
        await until(async () => run.child.exitCode !== null || (await isBack()), 'another connection');
      }
      const document = await endOf(run);
      expect(killed).toBeGreaterThan(3);
      expect([document.outcome, reasonCodes(document), document.code]).toEqual(['same', [], 0]);
      expect(document.tables[0]?.rows).toEqual(rowsOfBig);
    });

    test('when the replica goes down in the middle and comes back', async () => {
      const run = slowRun();
      await reading(run);
      await pair.replica.kill();
      await pair.replica.start();
      const document = await endOf(run);
      expect([document.outcome, reasonCodes(document)]).toEqual(['same', []]);
      expect(document.tables[0]?.rows).toEqual(rowsOfBig);
    });

    test('when the server has a short limit for statements: ours counts', async () => {
      const [limit, exceeded] =
        flavor === 'mysql'
          ? ['max_execution_time = 400', 'Max_execution_time_exceeded']
          : ['max_statement_time = 0.4', 'Max_statement_time_exceeded'];
      const holder = await pair.source.connect({ user: 'root', database: 'bank' });
      await holder.query(`SET GLOBAL ${limit}`);
      try {
        await holder.query('LOCK TABLES big WRITE');
        const run = startVerify(pair, ['--tables', 'big']);
        await until(async () => {
          const [waiting] = await holder.query(
            `SELECT 1 FROM information_schema.processlist WHERE user = '${VERIFIER.user}' AND time >= 2
               AND state LIKE '%metadata lock'`,
          );
          return Array.isArray(waiting) && waiting.length > 0;
        }, 'a statement that waits for the lock');
        await holder.query('UNLOCK TABLES');
        expect(await run.ended).toMatchObject({ code: 0 });
        const [counted] = await pair.source.sql(`SHOW GLOBAL STATUS LIKE '${exceeded}'`);
        expect(counted?.['Value']).toBe('0');
      } finally {
        await holder.query(`SET GLOBAL ${limit.replace(/=.*/, '= 0')}`);
        await holder.end();
      }
    });
  });

  test('ends unproven, within bounds, when the limit of ours is too short', async () => {
    const run = slowRun('--statement-timeout', '1ms', '--timeout', '1500ms');
    const result = await run.ended;
    expectClean(result);
    expect(result.code).toBe(3);
  });

  test('that is interrupted prints what it has, gives 3 and leaves no statement behind', async () => {
    const run = slowRun('--out', 'interrupted.json', '--max-rows-per-second', '20000');
    await reading(run);
    const asked = performance.now();
    run.child.kill('SIGINT');
    const document = await endOf(run);
    expect(performance.now() - asked).toBeLessThan(5_000);
    expect([document.outcome, document.code]).toEqual(['unproven', 3]);
    expect(reasonCodes(document)).toContain('TP-INTERRUPTED');
    expect(JSON.parse(readFileSync(join(folder, 'interrupted.json'), 'utf8'))).toMatchObject({
      outcome: 'unproven',
    });
    for (const server of [pair.source, pair.replica]) {
      await until(async () => (await connections(server)).length === 0, 'the end of our connections');
    }
  });

  test('prints its answer although the disk under --out is full', async () => {
    const result = await verifyPair(pair, '--tables', 'digits', '--out', '/dev/full');
    expectFailure(result, 3, 'TP-OUTPUT');
    expect(documentOf(result).outcome).toBe('same');
  });

  test('says at once that its own files are not complete, and ends', async () => {
    const program = programWithout('transcode.wasm', folder);
    const result = await startVerify(pair, ['--tables', 'digits'], { program }).ended;
    expectFailure(result, 70, 'TP-INSTALL');
    expect(result.stderr).toContain('install twinproof again');
  });

  test('during which definitions change never finds a difference: tables are read again or named', async () => {
    const tables = Object.keys(CHANGES);
    const pace = ['--jobs', '1', '--max-rows-per-second', '20000'];
    const run = startVerify(pair, ['--tables', tables.join(), ...pace]);
    await reading(run);
    for (const change of Object.values(CHANGES)) await pair.source.sql(change, [], 'bank');
    const document = await endOf(run);
    const outcomes = Object.fromEntries(document.tables.map(({ table, outcome }) => [table, outcome]));
    expect(Object.keys(outcomes)).toEqual(tables.map((table) => `bank.${table}`));
    expect(outcomes).toMatchObject({ 'bank.dropped': 'unproven' });
    expect(Object.values(outcomes)).not.toContain('different');
    await pair.caughtUp();
    expect(documentOf(await verifyPair(pair)).outcome).toBe('same');
  });
});
