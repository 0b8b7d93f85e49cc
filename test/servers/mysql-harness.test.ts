import { afterAll, expect, test } from 'vitest';
import { MYSQL_FLAVORS } from './harness/mysql-installation.ts';
import { createMysqlServer, type MysqlServer } from './harness/mysql-server.ts';

const servers: MysqlServer[] = [];

afterAll(async () => {
  for (const server of servers) await server.destroy();
});

test.each(MYSQL_FLAVORS)('a %s server keeps its rows when it is killed', async (flavor) => {
  const server = await createMysqlServer({ flavor });
  servers.push(server);
  await server.sql(
    'CREATE DATABASE bank; CREATE TABLE bank.t (id INT PRIMARY KEY); INSERT INTO bank.t VALUES (1)',
  );
  await server.kill();
  await server.start();
  expect(await server.sql('SELECT COUNT(*) AS n FROM bank.t')).toEqual([{ n: '1' }]);
});
