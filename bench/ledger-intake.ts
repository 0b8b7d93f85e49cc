import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { comparePositions } from '../connectors/postgres/lsn.ts';
import type { StreamedTable } from '../src/connector/changes.ts';
import type { Cluster } from '../src/demo/cluster.ts';
import { Baseline } from '../src/ledger/baseline.ts';
import { Ledger } from '../src/ledger/ledger.ts';
import { createSource, fillTo, updateAtOnce, updateAtRandom } from './ledger-backlog.ts';
import { drain, type Drained } from './ledger-drain.ts';

/**
 * How many row changes a second the ledger takes, durably, from a backlog on a real server, through the real stream:
 * the table is filled, and the ledger of it built, by a stream as well.
 *
 *   node dist/bench/ledger-intake.js [--rows 5000000] [--changes 1000000] [--per 1,10,1000] [--large 1000000]
 */
const { values: options } = parseArgs({
  options: {
    rows: { type: 'string', default: '5000000' },
    changes: { type: 'string', default: '1000000' },
    per: { type: 'string', default: '1,10,1000' },
    large: { type: 'string', default: '1000000' },
  },
});
const rows = Number(options.rows);
const changes = Number(options.changes);
const large = Math.min(Number(options.large), rows);
/** The table is filled in steps, so that the server need not keep the log of all of it. */
const ROWS_PER_STEP = 1_000_000;

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

const folder = mkdtempSync(path.join(tmpdir(), 'twinproof-bench-ledger-'));

function report(
  what: string,
  { changes: taken, seconds, ownSeconds, senderSeconds, peakMiB }: Drained,
): void {
  const perSecond = Math.round(taken / seconds);
  const bytes = statSync(path.join(folder, 'index.lmdb')).size / rows;
  print(
    `${what}: ${perSecond}/s by the clock; a change takes ${((ownSeconds / taken) * 1e6).toFixed(1)} µs of CPU here ` +
      `and ${((senderSeconds / taken) * 1e6).toFixed(1)} µs of the server's; ` +
      `private memory at most ${peakMiB.toFixed(0)} MiB; index ${bytes.toFixed(1)} B a row`,
  );
}

/** The ledger knows every row from the first change on: the table was empty before it. */
async function beginEmpty(ledger: Ledger, table: StreamedTable): Promise<void> {
  const relation = ledger.core.catalog.ofTable(table.id);
  const { position } = ledger;
  if (relation === null || position === null) throw new Error('the first change has not arrived');
  const baseline = new Baseline(ledger.core, () => ledger.settle());
  baseline.begin(relation.number, ['all']);
  const read = { relation: relation.number, piece: 'all', visible: () => false, until: position };
  await baseline.store(read, []);
  baseline.advance(comparePositions);
}

async function build(cluster: Cluster, ledger: Ledger): Promise<void> {
  await fillTo(cluster, 1, 1);
  const { table } = await drain(cluster, ledger, 1);
  if (table === null) throw new Error('the table was not described');
  await beginEmpty(ledger, table);
  for (let first = 2; first <= rows; first += ROWS_PER_STEP) {
    const last = Math.min(first + ROWS_PER_STEP - 1, rows);
    await fillTo(cluster, first, last);
    report(`rows ${first} to ${last}`, await drain(cluster, ledger, last - first + 1));
  }
}

async function run(cluster: Cluster, ledger: Ledger): Promise<void> {
  await build(cluster, ledger);
  for (const per of options.per.split(',').map(Number)) {
    await updateAtRandom(cluster, changes, per, rows);
    report(`${per} changes a transaction`, await drain(cluster, ledger, changes));
  }
  await updateAtOnce(cluster, large);
  report(`${large} changes in one transaction`, await drain(cluster, ledger, large));
  const relation = ledger.core.catalog.current()[0];
  if (relation?.completeFrom === null || relation?.rows !== rows) throw new Error('the ledger lost its rows');
}

const cluster = await createSource();
try {
  const ledger = await Ledger.open({
    folder,
    system: 'bench',
    source: 'bench',
    digest: 'xxh64',
    comparePositions,
    retention: { timeUs: 10n ** 15n, bytes: 2 ** 40 },
    now: () => new Date(),
  });
  await run(cluster, ledger);
  await ledger.close();
} finally {
  await cluster.destroy();
  rmSync(folder, { recursive: true, force: true });
}
