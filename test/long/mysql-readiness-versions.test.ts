import { expect, test } from 'vitest';
import { AUDITOR, auditorSql } from '../servers/harness/mysql-accounts.ts';
import { FAULTS_SCHEMA } from '../servers/harness/mysql-faults.ts';
import { createMysqlPair } from '../servers/harness/mysql-pair.ts';
import { connectAs, findingsOf, judgePair } from '../servers/harness/mysql-readiness.ts';
import { describeMysql } from '../servers/harness/mysql-suite.ts';

const DATABASE = 'bank';
const SETTINGS = { sync_binlog: '1', innodb_flush_log_at_trx_commit: '1', gtid_strict_mode: 'ON' };
const POLL = { timeout: 30_000, interval: 100 };

/** The long-term release that test/servers does not pair with itself. */
await describeMysql(
  'readiness of a sound pair of the next %s',
  () => {
    test('gives no finding above info', async () => {
      const pair = await createMysqlPair({
        flavor: 'mariadb',
        release: 'next',
        database: DATABASE,
        settings: SETTINGS,
        schema: FAULTS_SCHEMA,
      });
      try {
        await pair.write(auditorSql('mariadb', DATABASE));
        const source = await connectAs(pair.source, AUDITOR, DATABASE);
        const replica = await connectAs(pair.replica, AUDITOR, DATABASE);
        await expect.poll(async () => findingsOf(await judgePair(source, replica)), POLL).toEqual([]);
        await Promise.all([source.close(), replica.close()]);
      } finally {
        await pair.destroy();
      }
    });
  },
  ['mariadb'],
);
