import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MysqlConnector } from '../../connectors/mysql/connector.ts';
import { SITE_COMMANDS, type SiteCommand } from '../../src/connector/preflight.ts';
import { builtProgram } from './harness/cli-build.ts';
import { AUDITOR, auditorSql, VERIFIER } from './harness/mysql-accounts.ts';
import { runAsVerifier, sitesOf } from './harness/mysql-cli.ts';
import {
  FAULTS_SCHEMA,
  type MysqlFault,
  OBJECT_FAULTS,
  REPLICATION_FAULTS,
  SERVER_FAULTS,
} from './harness/mysql-faults.ts';
import { createMysqlPair, type MysqlPair } from './harness/mysql-pair.ts';
import { connectAs, findingsOf, judgePair } from './harness/mysql-readiness.ts';
import { createMysqlServer } from './harness/mysql-server.ts';
import { describeMysql } from './harness/mysql-suite.ts';

const DATABASE = 'bank';
const DURABLE = { sync_binlog: '1', innodb_flush_log_at_trx_commit: '1' };

/** Replication needs its time for what is done to it; a check takes a tenth of a second. */
const POLL = { timeout: 20_000, interval: 50 };

const signal = (): AbortSignal => AbortSignal.timeout(30_000);

await describeMysql('readiness of a %s pair', (flavor) => {
  let pair: MysqlPair;
  let sites: readonly [MysqlConnector, MysqlConnector];

  beforeAll(async () => {
    builtProgram();
    const settings = flavor === 'mariadb' ? { ...DURABLE, gtid_strict_mode: 'ON' } : DURABLE;
    pair = await createMysqlPair({ flavor, database: DATABASE, settings, schema: FAULTS_SCHEMA });
    await pair.write(auditorSql(flavor, DATABASE));
    sites = [
      await connectAs(pair.source, AUDITOR, DATABASE),
      await connectAs(pair.replica, AUDITOR, DATABASE),
    ];
  });

  afterAll(async () => {
    for (const site of sites) await site.close();
    await pair.destroy();
  });

  /** After a restart the first answer may be that the connection was lost. */
  const found = async (): Promise<string[]> =>
    judgePair(...sites).then(findingsOf, (error: unknown) => [String(error)]);

  test('that is healthy gives no finding above info', async () => {
    await pair.caughtUp();
    expect(await found()).toEqual([]);
  });

  test('is judged by an account that may do little: only what warns stays unknown', async () => {
    const lowly = [
      await connectAs(pair.source, VERIFIER, DATABASE),
      await connectAs(pair.replica, VERIFIER, DATABASE),
    ] as const;
    const unknown = (await judgePair(...lowly)).filter(({ state }) => state !== 'pass');
    for (const site of lowly) await site.close();
    expect(unknown.filter(({ severity }) => severity.switchover === 'block')).toEqual([]);
    const asked = unknown.filter(({ state }) => state === 'unknown').map(({ code, hint }) => [code, hint]);
    expect(asked).toContainEqual(['TP-R-MY-GRANTS', 'GRANT SELECT ON mysql.* TO `verifier`@`%`;']);
    expect(asked).toContainEqual(['TP-R-MY-EVENTS', 'GRANT EVENT ON `bank`.* TO `verifier`@`%`;']);
    const report = await runAsVerifier(['readiness', ...sitesOf(pair)]);
    expect([report.stdout, report.code]).toEqual([expect.stringMatching(/^. READY[^]*GRANT EVENT ON/), 0]);
  });

  test('is held against a primary, and a candidate, of another kind', async () => {
    const release = flavor === 'mariadb' ? 'next' : 'lts';
    const settings = { ...DURABLE, binlog_ignore_db: 'scratch' };
    const other = await createMysqlServer({ flavor, release, settings });
    try {
      await other.sql(`CREATE DATABASE ${DATABASE}; ${auditorSql(flavor, DATABASE)}`);
      const primary = await connectAs(other, AUDITOR, DATABASE);
      const codes = findingsOf(await judgePair(primary, sites[1]));
      const told = (await primary.preflight(signal())).map(({ code }) => code);
      const asCandidate = findingsOf(await judgePair(sites[0], primary));
      await primary.close();
      expect(told).not.toContain('TP-P-VERSION');
      expect(asCandidate).toContain('TP-R-MY-OWN-LOG-FILTERS');
      const version = flavor === 'mariadb' ? ['TP-R-MY-VERSION'] : [];
      expect(codes).toEqual(expect.arrayContaining(['TP-R-MY-LOG-FILTERS', 'TP-R-MY-ERRANT', ...version]));
    } finally {
      await other.destroy();
    }
  });

  test('is read by an account that preflight finds neither too weak nor too strong, for each command', async () => {
    const find = async (commands?: readonly SiteCommand[]): Promise<string[]> => {
      const site = await connectAs(pair.source, VERIFIER, DATABASE);
      const told = await site.preflight(signal(), commands === undefined ? {} : { commands });
      await site.close();
      return told
        .filter(({ severity }) => severity !== 'info')
        .map(({ code, sql }) => `${code}: ${sql ?? ''}`);
    };
    for (const command of SITE_COMMANDS) expect(await find([command])).toEqual([]);
    await pair.write(`GRANT INSERT, SELECT ON \`${DATABASE}\`.* TO verifier@'%'`);
    const excess = await find();
    expect(excess).toEqual([`TP-P-EXCESS: REVOKE INSERT ON \`${DATABASE}\`.* FROM \`verifier\`@\`%\`;`]);
    await pair.write(excess[0]?.replace('TP-P-EXCESS: ', '') ?? '');
    expect(await find()).toEqual([]);
  });

  const faults = [...REPLICATION_FAULTS, ...SERVER_FAULTS, ...OBJECT_FAULTS].filter(
    (fault) => fault.flavor === undefined || fault.flavor === flavor,
  );
  test.each(faults)('finds that $name', async ({ codes, make, mend }: MysqlFault) => {
    await make(pair);
    try {
      await expect.poll(found, POLL).toEqual(expect.arrayContaining([...codes]));
    } finally {
      await mend(pair);
    }
    await expect.poll(found, POLL).toEqual([]);
  });
});
