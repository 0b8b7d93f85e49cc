import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { StreamedTable } from '../src/connector/changes.ts';
import { Baseline } from '../src/ledger/baseline.ts';
import { Ledger } from '../src/ledger/ledger.ts';
import { mysqlSource } from './intake-mysql.ts';
import { postgresSource } from './intake-postgres.ts';
import type { IntakeSource } from './intake-source.ts';
import { drain, type Drained } from './ledger-drain.ts';

/**
 * How many row changes a second the ledger takes, durably, from a backlog on a real server, through the real stream:
 * the table is filled, and the ledger of it built, by a stream as well.
 *
 *   node dist/bench/ledger-intake.js [--engine postgres|mariadb|mysql] [--rows 5000000] [--changes 1000000]
 *     [--per 1,10,1000] [--large 1000000] [--stall 60]
 *
 * `--stall`: seconds for which nobody asks while a transaction of `--large` changes is sent.
 */
const { values: options } = parseArgs({
  options: {
    engine: { type: 'string', default: 'postgres' },
    rows: { type: 'string', default: '5000000' },
    changes: { type: 'string', default: '1000000' },
    per: { type: 'string', default: '1,10,1000' },
    large: { type: 'string', default: '1000000' },
    stall: { type: 'string', default: '60' },
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

function sourceOf(engine: string): Promise<IntakeSource> {
  if (engine === 'postgres') return postgresSource();
  if (engine === 'mysql' || engine === 'mariadb') return mysqlSource(engine);
  throw new Error(`--engine is postgres, mariadb or mysql, not ${engine}`);
}

/** The ledger knows every row from the first change on: the table was empty before it. */
async function beginEmpty(source: IntakeSource, ledger: Ledger, table: StreamedTable): Promise<void> {
  const relation = ledger.core.catalog.ofTable(table.id);
  const { position } = ledger;
  if (relation === null || position === null) throw new Error('the first change has not arrived');
  const baseline = new Baseline(ledger.core, () => ledger.settle());
  baseline.begin(relation.number, ['all']);
  const read = { relation: relation.number, piece: 'all', visible: () => false, until: position };
  await baseline.store(read, []);
  baseline.advance(source.comparePositions);
}

async function build(source: IntakeSource, ledger: Ledger): Promise<void> {
  await source.fill(1, 1);
  const { table } = await drain(source, ledger, 1);
  if (table === null) throw new Error('the table was not described');
  await beginEmpty(source, ledger, table);
  for (let first = 2; first <= rows; first += ROWS_PER_STEP) {
    const last = Math.min(first + ROWS_PER_STEP - 1, rows);
    await source.fill(first, last);
    report(`rows ${first} to ${last}`, await drain(source, ledger, last - first + 1));
  }
}

async function run(source: IntakeSource, ledger: Ledger): Promise<void> {
  await build(source, ledger);
  for (const per of options.per.split(',').map(Number)) {
    await source.updateAtRandom(changes, per, rows);
    report(`${per} changes a transaction`, await drain(source, ledger, changes));
  }
  await source.updateAtOnce(large);
  report(`${large} changes in one transaction`, await drain(source, ledger, large));
  await source.updateAtOnce(large);
  report(
    `the same, while nobody asks for ${options.stall} s`,
    await drain(source, ledger, large, Number(options.stall) * 1000),
  );
  const relation = ledger.core.catalog.current()[0];
  if (relation?.completeFrom === null || relation?.rows !== rows) throw new Error('the ledger lost its rows');
}

const source = await sourceOf(options.engine);
try {
  const ledger = await Ledger.open({
    folder,
    system: 'bench',
    source: 'bench',
    digest: 'xxh64',
    comparePositions: source.comparePositions,
    retention: { timeUs: 10n ** 15n, bytes: 2 ** 40 },
    now: () => new Date(),
  });
  await run(source, ledger);
  await ledger.close();
} finally {
  await source.destroy();
  rmSync(folder, { recursive: true, force: true });
}
