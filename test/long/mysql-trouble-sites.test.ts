import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../../src/demo/cluster-files.ts';
import {
  type CliResult,
  documentOf,
  expectRefusal,
  reasonCodes,
  runCli,
  verdictOf,
} from '../servers/harness/cli.ts';
import { READER, VERIFIER, accountsSql } from '../servers/harness/mysql-accounts.ts';
import { runAsVerifier, sitesOf, verifierUrl, verifyPair } from '../servers/harness/mysql-cli.ts';
import { createMysqlPair, type MysqlPair } from '../servers/harness/mysql-pair.ts';
import { createMysqlServer, type MysqlServer } from '../servers/harness/mysql-server.ts';
import { describeMysql } from '../servers/harness/mysql-suite.ts';

/** Words of sql_mode that would change what our statements mean, were they not pinned. */
const MODES = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH,PIPES_AS_CONCAT,STRICT_ALL_TABLES';

const SCHEMA = `CREATE TABLE open (id INT PRIMARY KEY, v VARCHAR(20), c CHAR(10));
  INSERT INTO open VALUES (1, 'one', 'a'), (2, 'two \\ "', 'b');
  CREATE TABLE closed (id INT PRIMARY KEY);
  CREATE TABLE \`odd "name\`\`s\` (\`the "key\` VARCHAR(10) PRIMARY KEY, \`select\` INT);
  INSERT INTO \`odd "name\`\`s\` VALUES ('x"y', 1), ('x''y', 2), ('x\\', 3);`;

await describeMysql('the commands on %s sites that are no pair, or cannot be read', (flavor) => {
  let pair: MysqlPair;
  let stranger: MysqlServer;

  beforeAll(async () => {
    const own = flavor === 'mysql' ? { sql_mode: MODES } : { sql_mode: MODES, gtid_strict_mode: 'ON' };
    [pair, stranger] = await Promise.all([
      createMysqlPair({ flavor, schema: SCHEMA, settings: own }),
      createMysqlServer({ flavor, name: 'stranger', tls: 'other-host' }),
    ]);
    await stranger.sql(
      `CREATE DATABASE bank; ${accountsSql(flavor, 'bank')} CREATE TABLE bank.open (id INT PRIMARY KEY)`,
    );
    const lowly = `CREATE USER lowly@'%' IDENTIFIED BY '${VERIFIER.password}'; GRANT SELECT ON bank.open TO lowly@'%';`;
    const states =
      flavor === 'mysql'
        ? `GRANT PROCESS, REPLICATION CLIENT ON *.* TO lowly@'%'; GRANT SELECT ON performance_schema.* TO lowly@'%'`
        : `GRANT PROCESS, BINLOG MONITOR, SLAVE MONITOR ON *.* TO lowly@'%'`;
    await pair.write(lowly + states);
  });

  afterAll(async () => {
    await Promise.all([pair.destroy(), stranger.destroy()]);
  });

  const verify = (from: string, to: string, ...more: readonly string[]): Promise<CliResult> =>
    runAsVerifier(['verify', '--primary', from, '--candidate', to, ...more]);

  test('say the same of a pair whatever sql_mode the servers are set to', async () => {
    const document = documentOf(await verifyPair(pair));
    expect(document.tables.map(({ table, outcome }) => [table, outcome])).toEqual([
      ['bank.closed', 'same'],
      ['bank.odd "name`s', 'same'],
      ['bank.open', 'same'],
    ]);
    expect(document.outcome).toBe('same');
  });

  describe('end with 3 and why a login failed', () => {
    test('for a wrong password, or none, which is not printed', async () => {
      for (const env of [{ MYSQL_PWD: 'canary-s3cret' }, {}]) {
        const refusal = expectRefusal(await runCli(['verify', ...sitesOf(pair)], { env }), 3, 'TP-AUTH');
        expect(refusal).toContain(`primary: 127.0.0.1:${pair.source.port}`);
      }
    });

    test('for a database that does not exist', async () => {
      const [from, to] = [pair.source, pair.replica].map((server) => server.url('root', 'bnak'));
      const result = await runCli(['verify', '--primary', from ?? '', '--candidate', to ?? '']);
      expect(expectRefusal(result, 3, 'TP-DATABASE')).toContain('bnak');
    });

    test('where nothing listens', async () => {
      const nobody = verifierUrl(pair.replica).replace(String(pair.replica.port), String(await freePort()));
      expect(expectRefusal(await verify(verifierUrl(pair.source), nobody), 3, 'TP-UNREACHABLE')).toContain(
        'candidate',
      );
    });

    test('where TLS is asked for and not offered, or the certificate is for another host or of nobody known', async () => {
      const plain = `${verifierUrl(pair.source)}?sslmode=require`;
      expectRefusal(await verify(plain, verifierUrl(pair.replica)), 3, 'TP-TLS');
      const authority = `sslrootcert=${encodeURIComponent(stranger.authority)}`;
      for (const mode of [`sslmode=verify-full&${authority}`, 'sslmode=verify-full']) {
        const elsewhere = `${verifierUrl(stranger)}?${mode}`;
        expectRefusal(await verify(verifierUrl(pair.source), elsewhere), 3, 'TP-TLS');
      }
    });
  });

  describe('refuse with 3', () => {
    test('the same server given twice, also under another name', async () => {
      const { source, replica } = pair;
      for (const server of [source, replica]) {
        const again = verifierUrl(server).replace('127.0.0.1', 'localhost');
        for (const other of [verifierUrl(server), again]) {
          expectRefusal(await verify(verifierUrl(server), other), 3, 'TP-SAME-SERVER');
        }
      }
    });

    test('two servers that do not replicate from one another', async () => {
      expectRefusal(await verify(verifierUrl(pair.source), verifierUrl(stranger)), 3, 'TP-UNRELATED');
      expectRefusal(await verify(verifierUrl(stranger), verifierUrl(pair.replica)), 3, 'TP-UNRELATED');
    });

    test('roles that are swapped, with the advice to swap the URLs', async () => {
      const result = await verify(verifierUrl(pair.replica), verifierUrl(pair.source));
      expect(expectRefusal(result, 3, 'TP-ROLES')).toMatch(/hint: .*swap/);
    });

    test('an account that may not see whose replica it reads', async () => {
      const from = pair.source.url(READER.user, 'bank', READER.password);
      const to = pair.replica.url(READER.user, 'bank', READER.password);
      const refusal = expectRefusal(await verify(from, to), 3, 'TP-PERMISSION');
      expect(refusal).toMatch(/preflight|GRANT/);
    });

    test('an account from which tables may be hidden', async () => {
      const [from, to] = [pair.source, pair.replica].map((server) => server.url('lowly', 'bank'));
      const refusal = expectRefusal(await verify(from ?? '', to ?? ''), 3, 'TP-PERMISSION');
      expect(refusal).toContain('GRANT SELECT');
    });
  });

  describe('leave unproven', () => {
    test('a scope without a table, and a pattern that matches none', async () => {
      const empty = await verifyPair(pair, '--tables', 'nothing.*');
      expect([empty.code, documentOf(empty).outcome]).toEqual([3, 'unproven']);
      expect(reasonCodes(documentOf(empty))).toContain('TP-EMPTY-SCOPE');
      const mistyped = await verifyPair(pair, '--tables', 'bank.open,bank.opne');
      expect([mistyped.code, documentOf(mistyped).outcome]).toEqual([3, 'unproven']);
      expect(reasonCodes(documentOf(mistyped))).toContain('TP-PATTERN-UNMATCHED');
    });
  });

  test('never call a candidate that was promoted safe', async () => {
    await pair.stopReplica();
    await pair.replica.sql(flavor === 'mysql' ? 'RESET REPLICA ALL' : 'RESET SLAVE ALL');
    await pair.setReadOnly(false);
    expectRefusal(await verifyPair(pair), 3, 'TP-ROLES');
    const verdict = await runAsVerifier(['certify', ...sitesOf(pair), '--quiesced', '--format', 'json']);
    expect(['NOT_SAFE', 'UNKNOWN']).toContain(verdictOf(verdict).verdict);
    expect([2, 3]).toContain(verdict.code);
  });
});
