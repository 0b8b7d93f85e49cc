import { parseArgs } from 'node:util';
import { missingMysql } from '../test/servers/harness/mysql-named.ts';
import type { MysqlFlavor } from '../test/servers/harness/mysql-installation.ts';
import { editStandby, relationPath, replaceInRelation } from '../test/servers/harness/heap.ts';
import { Comparison, print } from './comparison.ts';
import { crossPair, MYSQL_TABLE, mysqlPair } from './mysql-servers.ts';
import { logicalPair, physicalPair } from './servers.ts';
import { BIGINT_TABLE, BIGINT_TABLE_DIFFERING, UUID_TABLE, UUID_TABLE_DIFFERING } from './tables.ts';

/**
 * Speed and memory of `verify`, as ratios to a baseline of the same run: the stock clients draining both sites at
 * once. Machines differ and are noisy; the two take turns, and medians are compared.
 */

const { values: options } = parseArgs({
  options: {
    rows: { type: 'string', default: '5000000' },
    rounds: { type: 'string', default: '5' },
    jobs: { type: 'string', default: '4' },
    memory: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
  },
});

const rows = Number(options.rows);
const comparison = new Comparison({ rounds: Number(options.rounds), jobs: options.jobs });

async function benchPhysical(): Promise<void> {
  print(`physical pair, ${rows} rows…`);
  const pair = await physicalPair([BIGINT_TABLE, UUID_TABLE, BIGINT_TABLE_DIFFERING], rows);
  try {
    await comparison.compare('physical, bigint key', 'at most 1.0', pair, BIGINT_TABLE.name);
    await comparison.compare('physical, uuid key', 'at most 1.0', pair, UUID_TABLE.name);
    const differing = BIGINT_TABLE_DIFFERING.name;
    const path = await relationPath(pair.clusters.primary, 'postgres', differing.replace('public.', ''));
    await editStandby(pair.clusters.primary, pair.clusters.candidate, async (target) => {
      // One row in four is `closed`: every 25th of those is 1% of all.
      await replaceInRelation(target, path, Buffer.from('closed'), Buffer.from('clozed'), { every: 25 });
    });
    for (const table of [BIGINT_TABLE.name, differing]) await comparison.drain(pair, table);
    await comparison.compareDifferent('physical, 1% differing ÷ identical', 'at most 1.15', pair, {
      identical: BIGINT_TABLE.name,
      differing,
    });
  } finally {
    await pair.destroy();
  }
}

async function benchSlices(): Promise<void> {
  print(`logical pair by slices, ${rows} rows…`);
  const pair = await logicalPair([UUID_TABLE, UUID_TABLE_DIFFERING], rows);
  try {
    await comparison.compare('logical by slices', 'at most 1.1', pair, UUID_TABLE.name);
    const differing = UUID_TABLE_DIFFERING.name;
    const { candidate } = pair.clusters;
    await candidate.sql(`update ${differing} set status = 'altered' where customer % 100 = 7`);
    await candidate.sql(`vacuum analyze ${differing}`);
    await comparison.drain(pair, differing);
    await comparison.compareDifferent('slices, 1% differing ÷ identical', 'at most 2.3', pair, {
      identical: UUID_TABLE.name,
      differing,
    });
  } finally {
    await pair.destroy();
  }
}

async function benchMysql(flavor: MysqlFlavor): Promise<void> {
  print(`${flavor} pair, ${rows} rows…`);
  const pair = await mysqlPair(flavor, rows);
  try {
    await comparison.compare(flavor, 'at most 1.4', pair, MYSQL_TABLE);
  } finally {
    await pair.destroy();
  }
}

async function benchCross(): Promise<void> {
  print(`PostgreSQL and mariadb, ${rows} rows…`);
  const pair = await crossPair(BIGINT_TABLE, rows);
  try {
    await comparison.compare('PostgreSQL to mariadb', 'at most 2.0', pair, BIGINT_TABLE.name);
  } finally {
    await pair.destroy();
  }
}

/** Asked for by name a case must run; else it is left out where its servers cannot be had. */
async function isWanted(part: string, flavor: MysqlFlavor | null): Promise<boolean> {
  if (options.only !== '') return options.only === part;
  const missing = flavor === null ? null : await missingMysql(flavor);
  if (missing !== null) print(`left out: ${part} (${missing})`);
  return missing === null;
}

const memoryOnly = options.only === 'memory';
if (await isWanted('physical', null)) await benchPhysical();
if (await isWanted('slices', null)) await benchSlices();
if (await isWanted('mariadb', 'mariadb')) await benchMysql('mariadb');
if (await isWanted('mysql', 'mysql')) await benchMysql('mysql');
if (await isWanted('cross', 'mariadb')) await benchCross();
if (memoryOnly || (options.memory && (await isWanted('physical', null)))) {
  const open = (size: number): ReturnType<typeof physicalPair> => physicalPair([BIGINT_TABLE], size);
  await comparison.compareMemory('physical', rows, BIGINT_TABLE.name, open);
}
for (const flavor of ['mariadb', 'mysql'] as const) {
  if (!memoryOnly && !(options.memory && (await isWanted(flavor, flavor)))) continue;
  await comparison.compareMemory(flavor, rows, MYSQL_TABLE, (size) => mysqlPair(flavor, size));
}
comparison.printResults();
