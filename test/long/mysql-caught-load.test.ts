import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MysqlServer } from '../servers/harness/mysql-server.ts';
import { describeMysql } from '../servers/harness/mysql-suite.ts';
import { MysqlSites } from '../servers/harness/verify-mysql.ts';
import { differing, SAME } from '../servers/harness/verify.ts';

const RUNS = 3;
/** Hot rows are given up sooner than in earnest; a difference needs eight rounds where rows carry no versions. */
const ROUNDS = { roundsMax: 14 };

const SCHEMA = `
  CREATE TABLE hot (id int PRIMARY KEY, n bigint, note varchar(40));
  CREATE TABLE folded (k varchar(40) PRIMARY KEY, n bigint);
  CREATE TABLE parted (id int PRIMARY KEY, n bigint) PARTITION BY HASH (id) PARTITIONS 2;
  CREATE TABLE wide (id int PRIMARY KEY, n int, big longtext);`;

const NUMBERS = 'WITH RECURSIVE g (g) AS (SELECT 1 UNION ALL SELECT g + 1 FROM g WHERE g < 1000)';

const ROWS = `INSERT INTO hot ${NUMBERS} SELECT g, 0, concat('row ', g) FROM g;
  INSERT INTO folded ${NUMBERS} SELECT concat('Key ', g), 0 FROM g WHERE g <= 500;
  INSERT INTO parted ${NUMBERS} SELECT g, 0 FROM g WHERE g <= 500;
  INSERT INTO wide ${NUMBERS} SELECT g, 0, repeat(uuid(), 1500) FROM g WHERE g <= 25;`;

/** One step of the writer: hot rows, rows that come and go, moves of keys, all in transactions of several tables. */
const STEP = `START TRANSACTION;
  UPDATE hot SET n = n + 1 WHERE id IN (1, 2, 3);
  UPDATE parted SET n = n + 1 WHERE id IN (1, 2);
  COMMIT;
  START TRANSACTION;
  DELETE FROM hot WHERE id = $1; INSERT IGNORE INTO hot VALUES ($1 + 5000, 0, 'new');
  UPDATE folded SET n = n + 1 WHERE k = 'key 1'; DELETE FROM folded WHERE k = concat('Come ', $1 - 3);
  INSERT INTO folded VALUES ('Come $1', 1);
  UPDATE folded SET k = 'KEY 7' WHERE k = 'Key 7'; UPDATE folded SET k = 'Key 7' WHERE k = 'key 7';
  UPDATE parted SET id = 10000 + id WHERE id = 500 - $1 % 400;
  UPDATE wide SET n = n + 1 WHERE id % 5 = $1 % 5 AND id <= 20;
  COMMIT;
  START TRANSACTION; UPDATE hot SET n = -1, note = 'never'; ROLLBACK;`;

interface Writer {
  steps: number;
  stop(): Promise<void>;
}

/** Writes without pause over several sessions, so that the replica applies in parallel, until stopped. */
function startWriting(source: MysqlServer, first: number): Writer {
  const writer: Writer = { steps: 0, stop: () => Promise.resolve() };
  const stopping = new AbortController();
  const write = async (): Promise<void> => {
    const session = await source.connect({ database: 'public' }, { multipleStatements: true });
    for (; !stopping.signal.aborted; writer.steps += 1) {
      await session.query(STEP.replaceAll('$1', String(first + writer.steps)));
    }
    await session.end();
  };
  const hammer = async (id: number): Promise<void> => {
    const session = await source.connect({ database: 'public' });
    while (!stopping.signal.aborted) await session.query(`UPDATE hot SET n = n + 1 WHERE id = ${id}`);
    await session.end();
  };
  const writing = Promise.all([write(), hammer(900), hammer(901)]).catch((error: unknown) => error);
  writer.stop = async () => {
    stopping.abort();
    const error = await writing;
    if (error instanceof Error) throw error;
  };
  return writer;
}

await describeMysql('on a %s source that is written to all the time', (flavor) => {
  let sites: MysqlSites;
  beforeAll(async () => {
    sites = await MysqlSites.open({ flavor, schema: SCHEMA });
    await sites.write(ROWS);
  });
  afterAll(() => sites?.end());

  test('no row is called different, a lost one is, and all are the same when the writer has ended', async () => {
    const writer = startWriting(sites.servers.source, 10);
    try {
      for (let run = 0; run < RUNS; run += 1) {
        // Small ranges: many reads, each with its own snapshots.
        const limits = run % 2 === 0 ? ROUNDS : { ...ROUNDS, rangeRowsMax: 100, rangeBytesMax: 65_536 };
        const { outcome, tables } = await sites.verifier.run(['*'], { limits });
        expect(outcome).not.toBe('different');
        for (const { differences } of tables)
          expect(differences).toEqual({ missing: 0n, extra: 0n, changed: 0n });
      }
      await sites.tamper('DELETE FROM wide WHERE id = 23');
      const wide = await sites.verifier.find('wide', { limits: ROUNDS });
      expect(wide).toMatchObject(differing({ missing: 1 }, ['missing id=23']));
    } finally {
      await writer.stop();
    }
    expect(writer.steps).toBeGreaterThan(3);
    await sites.write('DO 1');
    for (const [table, found] of await sites.verifier.findTwice(['*'])) {
      const expected = table === 'wide' ? differing({ missing: 1 }, ['missing id=23']) : SAME;
      expect([table, found]).toEqual([table, expected]);
    }
  });
});
