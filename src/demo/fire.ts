import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { countText } from '../report/quantity.ts';
import { expectExit, KEY, type Scene } from './acts.ts';
import { BankWriter, type Committed } from './bank-writer.ts';
import type { FirePair } from './fire-pair.ts';
import { compareLoss, type LossComparison, readLosses } from './loss-comparison.ts';
import { WatchRun } from './watch-run.ts';
import { configFile, preflightArgs, setupSql } from './watched-pair.ts';

const LOSSES = 'lost.jsonl';
/** How long the bank goes on after the standby was cut off. */
const BEHIND_MS = 1_500;
const FENCED_BY = 'the demo: process killed, disk erased';

/** What is there when the fire breaks out. */
export interface Watched {
  readonly pair: FirePair;
  readonly writer: BankWriter;
  readonly watch: WatchRun;
}

/** A third site begins to watch: its ledger learns every row and every commit, and holds the copy against them. */
export async function beginWatch(scene: Scene, pair: FirePair): Promise<Watched> {
  const { narrator, io } = scene;
  const { config } = pair;
  narrator.commandLine(['twinproof', ...preflightArgs(config), '|', pair.client]);
  await pair.setUp(await setupSql(scene, config));
  narrator.note(`The SQL (${pair.setup}) is printed for the DBA, who reads it and runs it.`);
  const writer = await BankWriter.start(() => pair.connect());
  narrator.gap();
  narrator.commandLine(['twinproof', 'watch', '--config', config]);
  const watch = new WatchRun(io, config);
  await narrator.step(
    'the ledger learns every row while the bank is open',
    () => watch.proven(),
    (rows) => `the ledger knows all ${countText(rows)} rows, and the ${pair.copy} was held against every one`,
  );
  return { pair, writer, watch };
}

/** The copy falls behind, then the primary's data centre burns; the answer is when. */
export async function burn(scene: Scene, { pair, writer }: Watched): Promise<Date> {
  const { narrator, folder, io } = scene;
  await narrator.step(
    `cutting the link of the ${pair.copy}`,
    async () => {
      await pair.cutLink();
      await sleep(BEHIND_MS, undefined, { signal: io.signal });
    },
    () => `the link of the ${pair.copy} is cut; the bank is open, and the ${pair.copy} falls behind`,
  );
  const fencedAt = await narrator.step(
    'the primary burns',
    async () => {
      const at = await pair.burn();
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
  expectExit(scene, 'certify after the loss (SAFE_WITH_LOSS)', result.exitCode, 1);
  await showLoss(scene, writer.committed, await pair.rowsThere());
  return fencedAt;
}

/** The loss that was reported beside what the writer knows it had committed. */
async function showLoss(
  { narrator, folder, problems }: Scene,
  committed: readonly Committed[],
  there: ReadonlySet<string>,
): Promise<void> {
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

/** Then rows of the copy change behind everybody's back, and the ledger still knows what they should be. */
export async function alter(scene: Scene, { pair, watch }: Watched, fencedAt: Date): Promise<void> {
  const { narrator, folder, problems } = scene;
  const { rows, moral } = await narrator.step(
    `the ${pair.copy} is spoilt`,
    () => pair.spoil(),
    ({ done }) => done,
  );
  await narrator.step(
    `watch holds the ${pair.copy} against the ledger again`,
    () => watch.different(rows.length),
    () => `watch notices another start of the server, and holds every row against the ledger again`,
  );
  narrator.gap();
  const result = await narrator.command(certifyArgs(folder, fencedAt), ['integrity', 'Against']);
  expectExit(scene, `certify of the spoilt ${pair.copy} (NOT_SAFE)`, result.exitCode, 2);
  for (const { key } of rows) {
    const id = Object.values(key)[0] ?? '';
    if (!result.stdout.includes(id)) problems.push(`the verdict does not name the row ${id}`);
  }
  narrator.check(true, moral);
  expectExit(scene, 'watch', await watch.stop(), 0);
}

function certifyArgs(folder: string, fencedAt: Date): readonly string[] {
  const fence = ['--fenced-at', fencedAt.toISOString(), '--fenced-by', FENCED_BY];
  return ['certify', '--config', configFile(folder), '--primary-lost', ...fence];
}
