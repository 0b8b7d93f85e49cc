import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, it } from 'vitest';
import { relateSites } from '../../connectors/mysql/relation.ts';
import type { Session } from '../../connectors/mysql/session.ts';
import { describeMysql } from '../servers/harness/mysql-suite.ts';
import { SiteTests, until } from '../servers/harness/mysql-sites.ts';
import { ServerSwitch } from '../servers/harness/server-switch.ts';

/** Looks at the candidate after which what stalled goes on: more than were ever enough for a replica in step. */
const LOOKS = 22;

await describeMysql(
  'a replica of %s',
  () => {
    const tests = new SiteTests();
    afterAll(() => tests.close());

    it('that receives nothing for a while is recognised while its source is written to', async () => {
      const { pair, source, replica } = await tests.pair({ flavor: 'mariadb' });
      const link = await ServerSwitch.to(pair.source.port);
      tests.own({ destroy: () => link.close() });
      await pair.replica.sql('STOP SLAVE');
      await pair.replica.sql(`CHANGE MASTER TO MASTER_PORT = ${link.port}; START SLAVE`);
      await pair.write('INSERT INTO t VALUES (100, 0)');
      link.stall();
      const writer = new AbortController();
      const writing = (async (): Promise<void> => {
        for (let id = 1000; !writer.signal.aborted; id++) {
          await pair.source.sql(`INSERT INTO bank.t VALUES (${id}, 0)`);
          await sleep(20);
        }
      })();
      const behind = async (): Promise<boolean> => {
        const [[at], [received]] = [
          await pair.source.sql('SELECT @@GLOBAL.gtid_binlog_pos AS pos'),
          await pair.replica.sql('SHOW SLAVE STATUS'),
        ];
        return String(received?.['Gtid_IO_Pos']) !== String(at?.['pos']);
      };
      let looks = 0;
      const looking: Session = {
        ...replica,
        rows: async (sql, parameters, own) => {
          if (sql === 'SHOW ALL SLAVES STATUS' && ++looks === LOOKS) link.goOn();
          return replica.rows(sql, parameters, own);
        },
      };
      try {
        await until(true, behind);
        // By the address that the replica knows its source by.
        const through: Session = { ...source, target: { ...source.target, port: link.port } };
        const { relation } = await relateSites(looking, through, AbortSignal.timeout(200_000));
        expect(relation).toEqual({ kind: 'logical' });
        expect(looks).toBeGreaterThanOrEqual(LOOKS);
      } finally {
        writer.abort();
        await writing;
      }
    }, 250_000);
  },
  ['mariadb'],
);
