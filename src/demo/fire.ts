import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { countText } from '../report/quantity.ts';
import { expectExit, KEY, type Stage } from './acts.ts';
import { DATABASE } from './bank-schema.ts';
import { siteUrl } from './bank-sites.ts';
import { BankWriter, type Committed } from './bank-writer.ts';
import { rotStandby } from './bit-rot.ts';
import type { Cluster } from './cluster.ts';
import { waitUntil } from './cluster-wait.ts';
import { compareLoss, type LossComparison, readLosses } from './loss-comparison.ts';
import { WatchRun } from './watch-run.ts';

const CONFIG = 'twinproof.yaml';
const LOSSES = 'lost.jsonl';
const SYSTEM = 'bank';
/** How long the bank goes on after the standby was cut off. */
const BEHIND_MS = 1_500;
const FENCED_BY = 'the demo: process killed, disk erased';

/** What is there when the fire breaks out. */
export interface Watched {
  readonly primary: Cluster;
  readonly standby: Cluster;
  readonly writer: BankWriter;
  readonly watch: WatchRun;
}

/** A third site begins to watch: its ledger learns every row and every commit, and holds the standby against them. */
export async function beginWatch(stage: Stage, primary: Cluster): Promise<Watched> {
  const { narrator, sites, folder, io } = stage;
  const config = join(folder, CONFIG);
  const standby = await narrator.step(
    'copying the primary to a fresh standby',
    () => sites.standby(primary, 'gasan'),
    ({ port }) => `a fresh standby (port ${port}), since both copies are spoilt`,
  );
  await writeFile(config, configText(primary, standby));
  narrator.commandLine([
    'twinproof',
    'preflight',
    SYSTEM + '/primary',
    '--sql',
    '--config',
    config,
    '|',
    'psql',
  ]);
  const setup = await io.run(['preflight', `${SYSTEM}/primary`, '--sql', '--config', config], narrator.width);
  // As psql does, one after the other: a slot is not made in a transaction that has written.
  for (const statement of setup.stdout.split(/;\n/)) await primary.query(DATABASE, statement);
  narrator.note('The SQL (role, publication, slot) is printed for the DBA, who reads it and runs it.');
  const writer = await BankWriter.start(primary);
  narrator.gap();
  narrator.commandLine(['twinproof', 'watch', '--config', config]);
  const watch = new WatchRun(io, config);
  await narrator.step(
    'the ledger learns every row while the bank is open',
    () => watch.proven(),
    (rows) => `the ledger knows all ${countText(rows)} rows, and the standby was held against every one`,
  );
  return { primary, standby, writer, watch };
}

/** The standby falls behind, then the primary's data centre burns; the answer is when. */
export async function burn(stage: Stage, { primary, standby, writer }: Watched): Promise<Date> {
  const { narrator, folder, io } = stage;
  await narrator.step(
    'cutting the link of the standby',
    async () => {
      await cutLink(standby);
      await sleep(BEHIND_MS, undefined, { signal: io.signal });
    },
    () => 'the link of the standby is cut; the bank is open, and the standby falls behind',
  );
  const fencedAt = await narrator.step(
    'the primary burns',
    async () => {
      await primary.kill();
      const at = new Date();
      await primary.destroy();
      await writer.lost();
      return at;
    },
    () =>
      `the primary is gone: killed with SIGKILL, its files erased; the bank had ${countText(writer.committed.length)} commits confirmed in this act`,
  );
  narrator.gap();
  const files = ['--losses', join(folder, LOSSES), '--out', join(folder, 'gasan-after-loss.cert')];
  const args = [...certifyArgs(folder, fencedAt), ...files, '--key', join(folder, KEY)];
  const result = await narrator.command(args, ['integrity', 'loss', 'Lost']);
  expectExit(stage, 'certify after the loss (SAFE_WITH_LOSS)', result.exitCode, 1);
  await showLoss(stage, writer.committed, standby);
  return fencedAt;
}

/** The loss that was reported beside what the writer knows it had committed. */
async function showLoss(stage: Stage, committed: readonly Committed[], standby: Cluster): Promise<void> {
  const { narrator, folder, problems } = stage;
  const there = await rowsThere(standby);
  const found = compareLoss(committed, await readLosses(join(folder, LOSSES)), ({ rows }) =>
    rows.some((row) => there.has(row)),
  );
  narrator.gap();
  narrator.print((page) => {
    const last = committed.filter(({ rows }) => !rows.some((row) => there.has(row))).slice(0, 3);
    for (const { id, rows } of last) {
      page.paragraph(`transaction ${id}: ${rows.join(', ')}`, { first: '     ', style: 'dim' });
    }
  });
  for (const text of lossWords(found)) narrator.check(true, text);
  for (const problem of found.wrong) problems.push(problem);
  if (found.agreed === 0) problems.push('no lost transaction was named');
}

function lossWords({ agreed, rowsAgreed, unwitnessed, unconfirmed }: LossComparison): readonly string[] {
  const words = [
    `${countText(agreed)} lost transactions with ${countText(rowsAgreed)} rows: each is one that the writer had confirmed, row by row`,
  ];
  if (unwitnessed.length > 0) {
    words.push(
      `${countText(unwitnessed.length)} more were confirmed in the last instant, which nobody outside has seen: the verdict’s bound covers them`,
    );
  }
  if (unconfirmed.length > 0) {
    words.push(`${countText(unconfirmed.length)} were committed, and burnt before the writer heard of it`);
  }
  return words;
}

/** What every transaction of the writer inserts: of those that the candidate has, the rows. */
async function rowsThere(standby: Cluster): Promise<ReadonlySet<string>> {
  const rows = await standby.query(
    DATABASE,
    `SELECT 'public.transfer ' || id AS row FROM transfer_now
     UNION ALL SELECT 'public.purchase ' || id FROM purchase WHERE paid_at >= now() - interval '1 hour'`,
  );
  return new Set(rows.map(({ row }) => String(row)));
}

/** Then the standby's disk fails, too, and the ledger still knows what its rows should be. */
export async function alter(stage: Stage, { standby, watch }: Watched, fencedAt: Date): Promise<void> {
  const { narrator, folder } = stage;
  const { rows, amountBefore, amountAfter } = await narrator.step(
    'the disk of the standby decays',
    () => rotStandby(null, standby),
    (rot) =>
      `then the standby’s disk decays: a transfer of ${rot.amountBefore} reads ${rot.amountAfter}, a customer is lost`,
  );
  await narrator.step(
    'watch holds the standby against the ledger again',
    () => watch.different(rows.length),
    () => `watch notices another start of the server, and holds every row against the ledger again`,
  );
  narrator.gap();
  const result = await narrator.command(certifyArgs(folder, fencedAt), ['integrity', 'Against']);
  expectExit(stage, 'certify of the decayed standby (NOT_SAFE)', result.exitCode, 2);
  for (const { key } of rows) {
    const id = Object.values(key)[0] ?? '';
    if (!result.stdout.includes(id)) stage.problems.push(`the verdict does not name the row ${id}`);
  }
  narrator.check(true, `without the primary: ${amountBefore} was right, ${amountAfter} is not`);
  expectExit(stage, 'watch', await watch.stop(), 0);
}

function certifyArgs(folder: string, fencedAt: Date): readonly string[] {
  const fence = ['--fenced-at', fencedAt.toISOString(), '--fenced-by', FENCED_BY];
  return ['certify', '--config', join(folder, CONFIG), '--primary-lost', ...fence];
}

async function cutLink(standby: Cluster): Promise<void> {
  await standby.configure({ primary_conninfo: '' });
  await standby.reload();
  await waitUntil(
    async () => (await standby.sql('SELECT FROM pg_stat_wal_receiver')).length === 0,
    10_000,
    () => 'the standby goes on receiving',
  );
}

function configText(primary: Cluster, standby: Cluster): string {
  return `systems:
  ${SYSTEM}:
    primary: { url: "${siteUrl(primary)}", site: pangyo }
    candidates:
      - { name: gasan, url: "${siteUrl(standby)}", site: gasan }
    policy: { rpo: 60s, maxTail: 60s }
ledger: { path: ./ledger }
`;
}
