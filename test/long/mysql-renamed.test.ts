import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectMysql, type MysqlConnector } from '../../connectors/mysql/connector.ts';
import { parseUrl } from '../../src/config/url.ts';
import { MYSQL_FLAVORS } from '../servers/harness/mysql-installation.ts';
import { createMysqlPair, type MysqlPair } from '../servers/harness/mysql-pair.ts';
import { Verifier } from '../servers/harness/verify.ts';

const signal = new AbortController().signal;

describe.each(MYSQL_FLAVORS)('a %s replica that is told to rename a database', (flavor) => {
  let pair: MysqlPair;
  let verifier: Verifier;

  const connect = (server: 'source' | 'replica', database: string): Promise<MysqlConnector> => {
    const { address } = parseUrl(pair[server].url('root', database, ''), 'secret');
    return connectMysql(address, { jobs: 2, statementTimeoutMs: 60_000 }, signal);
  };

  beforeAll(async () => {
    pair = await createMysqlPair({ flavor, replicaSettings: { replicate_rewrite_db: 'bank->copy' } });
    await pair.tamper('CREATE DATABASE copy');
    await pair.write('CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1), (2, 2)');
    verifier = new Verifier(await connect('source', 'bank'), await connect('replica', 'copy'));
  });

  afterAll(async () => {
    await verifier?.close();
    await pair?.destroy();
  });

  it('is compared table by table, by the names of the primary', async () => {
    const same = await verifier.run(['bank.*']);
    expect(same).toMatchObject({ outcome: 'same', tables: [{ table: 'bank.t', rows: { primary: 2n } }] });
    await pair.tamper('UPDATE copy.t SET v = 3 WHERE id = 2');
    const altered = await verifier.run(['bank.*']);
    expect(altered).toMatchObject({
      outcome: 'different',
      tables: [{ table: 'bank.t', differences: { changed: 1n } }],
    });
  });
});
