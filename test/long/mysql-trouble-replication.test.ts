import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { VerdictJson } from '../../src/verdict/json.ts';
import type { VerifyDocument } from '../../src/report/verify-json.ts';
import { documentOf, reasonCodes, until, verdictOf } from '../servers/harness/cli.ts';
import { runAsVerifier, sitesOf, verifyPair } from '../servers/harness/mysql-cli.ts';
import { createMysqlPair, type MysqlPair } from '../servers/harness/mysql-pair.ts';
import type { MysqlServer } from '../servers/harness/mysql-server.ts';
import { describeMysql } from '../servers/harness/mysql-suite.ts';

const MARK = `row ${'y'.repeat(150)}`;
const values = Array.from({ length: 2000 }, (_, id) => `(${id},'${MARK}')`).join();
const SCHEMA = `CREATE TABLE small (id INT PRIMARY KEY, v INT); INSERT INTO small VALUES (1, 1), (2, 2), (3, 3);
  CREATE TABLE paged (id INT PRIMARY KEY, v VARCHAR(200)); INSERT INTO paged VALUES ${values};
  CREATE TABLE wide (id INT PRIMARY KEY, v LONGBLOB, w LONGTEXT);
  INSERT INTO wide VALUES (1, REPEAT('a', 3000000), REPEAT('é', 2000000)), (2, 'x', 'y')`;

await describeMysql('on a %s pair in trouble', (flavor) => {
  let pair: MysqlPair;

  beforeAll(async () => {
    pair = await createMysqlPair({ flavor, schema: SCHEMA, settings: { max_allowed_packet: '64M' } });
  });

  afterAll(async () => {
    await pair.destroy();
  });

  async function verify(...more: readonly string[]): Promise<VerifyDocument> {
    return documentOf(await verifyPair(pair, ...more));
  }

  async function certify(...more: readonly string[]): Promise<VerdictJson> {
    const args = ['certify', ...sitesOf(pair), '--quiesced', '--format', 'json', ...more];
    return verdictOf(await runAsVerifier(args));
  }

  const outcomes = ({ tables }: VerifyDocument): [string, string][] =>
    tables.map(({ table, outcome }) => [table, outcome]);

  test('rows longer than max_allowed_packet are compared, or what is in the way is said', async () => {
    const both = [pair.source, pair.replica];
    for (const server of both) await server.sql('SET GLOBAL max_allowed_packet = 1048576');
    // MariaDB cannot be asked for a place in a log with such a row, and the place tells whose replica it is.
    const first = await verifyPair(pair);
    const hint = /hint: FLUSH BINARY LOGS/.test(first.stderr);
    expect([first.code, hint]).toEqual(flavor === 'mariadb' ? [3, true] : [0, false]);
    if (hint) await pair.write('FLUSH BINARY LOGS; INSERT INTO small VALUES (4, 4)');
    expect(await verify()).toMatchObject({ outcome: 'same' });
    for (const server of both) await server.sql('SET GLOBAL max_allowed_packet = 67108864');
    await pair.tamper("UPDATE wide SET w = CONCAT(LEFT(w, 1999999), 'e') WHERE id = 1");
    for (const server of both) await server.sql('SET GLOBAL max_allowed_packet = 1048576');
    const document = await verify('--tables', 'wide');
    expect(document.tables[0]).toMatchObject({
      outcome: 'different',
      samples: [{ kind: 'changed', key: { id: '1' }, columns: ['w'] }],
    });
    for (const server of both) await server.sql('SET GLOBAL max_allowed_packet = 67108864');
    await pair.tamper("UPDATE wide SET w = REPEAT('é', 2000000) WHERE id = 1");
    expect(await verify()).toMatchObject({ outcome: 'same' });
  });

  test('a replica that takes writes has equal rows and is not safe', async () => {
    await pair.setReadOnly(false);
    const verdict = await certify();
    await pair.setReadOnly(true);
    expect(verdict).toMatchObject({ verdict: 'NOT_SAFE', integrity: 'same' });
    expect(verdict.reasons.filter(({ severity }) => severity === 'block')).toHaveLength(1);
  });

  test('what was written to the replica alone is found, and is not safe though it was taken back', async () => {
    await pair.tamper('UPDATE small SET v = 9 WHERE id = 2', true);
    const document = await verify();
    expect(document.tables.find(({ table }) => table === 'bank.small')).toMatchObject({
      outcome: 'different',
      samples: [{ kind: 'changed', key: { id: '2' }, columns: ['v'] }],
    });
    await pair.tamper('UPDATE small SET v = 2 WHERE id = 2', true);
    expect(await certify()).toMatchObject({ verdict: 'NOT_SAFE', integrity: 'same' });
  });

  test('replication by file and offset is judged the same', async () => {
    await followByFile(pair);
    await pair.source.sql('INSERT INTO small VALUES (10, 10)', [], 'bank');
    await until(async () => (await countOf(pair.replica, 'id = 10')) === 1, 'the row on the replica');
    expect(await verify()).toMatchObject({ outcome: 'same' });
    await pair.tamper('DELETE FROM small WHERE id = 10');
    const document = await verify('--tables', 'small');
    expect(document.tables[0]).toMatchObject({
      outcome: 'different',
      samples: [{ kind: 'missing', key: { id: '10' } }],
    });
    await pair.tamper('INSERT INTO small VALUES (10, 10)');
  });

  test('a page of the replica that is damaged is never the same, and the other tables are judged', async () => {
    await damage(pair.replica, 'paged', MARK);
    // MySQL goes down over such a page instead of telling; nobody starts it here.
    const document = await verify('--timeout', flavor === 'mysql' ? '5s' : '30s', '--jobs', '1');
    expect(document.outcome).toBe('unproven');
    expect(new Map(outcomes(document)).get('bank.paged')).toBe('unproven');
    expect(reasonCodes(document)).toContain(flavor === 'mariadb' ? 'TP-UNREADABLE' : 'TP-TIMEOUT');
    // It may still be about to go down.
    await pair.replica.kill();
    await pair.replica.start();
    expect(outcomes(await verify('--tables', 'small,wide'))).toEqual([
      ['bank.small', 'same'],
      ['bank.wide', 'same'],
    ]);
  });

  test('a replica that can never catch up, its source having purged the log, is neither same nor safe', async () => {
    await pair.stopReplica();
    await pair.source.sql('INSERT INTO small VALUES (50, 0); FLUSH BINARY LOGS', [], 'bank');
    await pair.source.sql('INSERT INTO small VALUES (51, 0); FLUSH BINARY LOGS', [], 'bank');
    await purge(pair.source);
    await pair.startReplica();
    const verdict = await certify('--tables', 'small', '--timeout', '4s');
    expect(verdict.integrity).toBe('unproven');
    expect(['NOT_SAFE', 'UNKNOWN']).toContain(verdict.verdict);
    const found = await verifyPair(pair, '--tables', 'small', '--timeout', '2s');
    expect(found.code).toBe(3);
  });
});

async function countOf(server: MysqlServer, condition: string): Promise<number> {
  const rows = await server.sql(`SELECT id FROM small WHERE ${condition}`, [], 'bank');
  return rows.length;
}

/** Makes the replica go on by file and offset; on MySQL both servers then write no GTIDs at all. */
async function followByFile({ source, replica }: MysqlPair): Promise<void> {
  if (replica.flavor === 'mariadb') {
    await replica.sql('STOP SLAVE; CHANGE MASTER TO MASTER_USE_GTID = no; START SLAVE');
    return;
  }
  await replica.sql('STOP REPLICA; CHANGE REPLICATION SOURCE TO SOURCE_AUTO_POSITION = 0; START REPLICA');
  // One step at a time, on every server (manual, "Disabling GTID Transactions Online").
  for (const mode of ['ON_PERMISSIVE', 'OFF_PERMISSIVE', 'OFF']) {
    for (const server of [source, replica]) await server.set({ gtid_mode: mode });
  }
}

/** Overwrites a few bytes of a page that holds rows, while the server is stopped. */
async function damage(server: MysqlServer, table: string, mark: string): Promise<void> {
  // Pages that were not written yet would be written again by recovery.
  await server.sql('SET GLOBAL innodb_fast_shutdown = 0');
  await server.stop();
  const path = join(server.paths.data, 'bank', `${table}.ibd`);
  const content = await readFile(path);
  const at = content.indexOf(mark, content.indexOf(mark) + 50_000);
  if (at < 0) throw new Error(`${path} does not hold the rows`);
  const file = await open(path, 'r+');
  await file.write('what a dying disk returns', at + 4);
  await file.close();
  await server.start();
}

/** Deletes all but the last file of the log; one is in use until InnoDB's next checkpoint. */
async function purge(server: MysqlServer): Promise<void> {
  await until(async () => {
    const logs = await server.sql('SHOW BINARY LOGS');
    await server.sql(`PURGE BINARY LOGS TO '${String(logs.at(-1)?.['Log_name'])}'`);
    return (await server.sql('SHOW BINARY LOGS')).length === 1;
  }, 'one file of the log');
}
