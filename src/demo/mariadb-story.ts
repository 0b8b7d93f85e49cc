import { join } from 'node:path';
import type { Page } from '../report/page.ts';
import { countText } from '../report/quantity.ts';
import { expectExit, KEY, type Scene } from './acts.ts';
import { ROWS } from './bank-schema.ts';
import { BankWriter } from './bank-writer.ts';
import { alter, beginWatch, burn } from './fire.ts';
import type { FirePair } from './fire-pair.ts';
import { mariadbSession } from './mariadb-bank.ts';
import { mariadbFirePair } from './mariadb-fire.ts';
import type { MariadbSites } from './mariadb-sites.ts';
import type { MysqlServer } from './mysql-server.ts';
import { writeConfigOf } from './watched-pair.ts';

/** The acts of a bank on MariaDB; the answer is what is left of it. */
export async function tellMariadb(scene: Scene, sites: MariadbSites): Promise<MysqlServer> {
  const { narrator } = scene;
  const { pair, replica } = await narrator.act(
    'A bank and its replica',
    'The replica applies rows, as a DR site of MariaDB or MySQL does. Every row of both is read and compared by its bytes.',
    () => openBank(scene, sites),
  );
  const watched = await narrator.act(
    'A third site watches',
    'Once a data centre is dark it is too late to ask it anything. Twinproof remembers its rows and commits elsewhere.',
    () => beginWatch(scene, pair),
  );
  const fencedAt = await narrator.act(
    'The fire',
    'The replica is behind and the primary is gone, with its disks. May the replica take over, and what is lost?',
    () => burn(scene, watched),
  );
  await narrator.act(
    'Somebody edits the replica',
    'There is nothing left to compare it with, but the ledger.',
    () => alter(scene, watched, fencedAt),
  );
  return replica;
}

async function openBank(
  scene: Scene,
  sites: MariadbSites,
): Promise<{ readonly pair: FirePair; readonly replica: MysqlServer }> {
  const { narrator, folder } = scene;
  const [primary, replica] = await narrator.step(
    'starting two servers',
    () => Promise.all([sites.server('primary'), sites.server('replica')]),
    ([one, other]) =>
      `MariaDB ${one.version}: a primary (port ${one.port}) and a second server (port ${other.port})`,
  );
  const replication = await narrator.step(
    `loading ${countText(ROWS)} rows`,
    async () => {
      await sites.load(primary);
      return sites.replicate(primary, replica);
    },
    () => `${countText(ROWS)} rows in 4 tables, and a replica that follows by GTID and has applied them all`,
  );
  const urls = { primary: sites.url(primary), candidate: sites.url(replica) };
  const config = await writeConfigOf(folder, urls);
  const writer = await BankWriter.start(() => mariadbSession(primary));
  try {
    const args = ['verify', '--primary', 'bank/primary', '--candidate', 'bank/gasan', '--config', config];
    const result = await narrator.command(args, ['Tables']);
    expectExit(scene, 'verify of the replica', result.exitCode, 0);
    narrator.gap();
    narrator.check(true, `the bank was open: ${writer.report.perSecond} transactions a second meanwhile`);
  } finally {
    await writer.stop();
  }
  narrator.gap();
  expectExit(scene, 'keygen', await narrator.silentCommand(['keygen', '--out', join(folder, KEY)]), 0);
  return { pair: mariadbFirePair(primary, replica, { replication, config }), replica };
}

const COMMANDS = `$ export MYSQL_PWD=...
$ npx twinproof preflight mariadb://twinproof@db1.example.org/bank
$ npx twinproof verify \\
    --primary mariadb://twinproof@db1.example.org/bank \\
    --candidate mariadb://twinproof@db2.example.org/bank`;

/** How to do the same elsewhere. */
export function writeOwnMariadb(page: Page): void {
  page.heading('On your own sites');
  page.paragraph('An account that can read and nothing else, and what watches them: see README.md.', {
    first: '   ',
  });
  page.line();
  for (const line of COMMANDS.split('\n')) page.line(`     ${line}`);
}
