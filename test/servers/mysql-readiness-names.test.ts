import { afterAll, beforeAll, expect, test } from 'vitest';
import { readFindings } from '../../connectors/mysql/preflight.ts';
import { type MysqlSites, signal, SiteTests } from './harness/mysql-sites.ts';
import { describeMysql } from './harness/mysql-suite.ts';

// MySQL takes the setting only when a data folder is made, so it is tried where it can be changed.
await describeMysql(
  'names of tables on %s',
  (flavor) => {
    const tests = new SiteTests();
    let sites: MysqlSites;

    beforeAll(async () => {
      sites = await tests.pair({ flavor, replicaSettings: { lower_case_table_names: '1' } });
    });

    afterAll(() => tests.close());

    test('with capitals are no names where the sites write capitals differently', async () => {
      expect((await sites.relate()).relation.kind).toBe('logical');
      await sites.pair.write('CREATE TABLE Orders (id INT PRIMARY KEY)');
      expect((await sites.relate()).relation).toMatchObject({
        kind: 'none',
        code: 'TP-NAMES',
        message: expect.stringContaining('Orders'),
      });
      await sites.pair.write('DROP TABLE Orders');
      expect((await sites.relate()).relation.kind).toBe('logical');
    });
  },
  ['mariadb'],
);

await describeMysql(
  'the events of the log of %s',
  (flavor) => {
    const tests = new SiteTests();

    afterAll(() => tests.close());

    test('need a privilege that preflight names as optional', async () => {
      const { pair } = await tests.pair({ flavor });
      // Global privileges count for sessions that begin after them.
      const find = async (): Promise<string | undefined> => {
        const session = await tests.open(pair.source);
        const findings = await readFindings(session, () => true, null, signal());
        return findings.find(({ code }) => code === 'TP-P-EVENTS')?.sql;
      };
      expect(await find()).toBe('GRANT REPLICATION SLAVE ON *.* TO `verifier`@`%`;');
      await pair.source.sql(`GRANT REPLICATION SLAVE ON *.* TO verifier@'%'`);
      expect(await find()).toBeUndefined();
    });
  },
  ['mysql'],
);
