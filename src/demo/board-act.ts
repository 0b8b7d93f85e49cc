import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expectExit, type Stage } from './acts.ts';
import { bankSession } from './bank-session.ts';
import { BankWriter } from './bank-writer.ts';
import { BoardRun } from './board-run.ts';
import type { Cluster } from './cluster.ts';
import { waitForReplay } from './cluster-standby.ts';
import { WatchRun } from './watch-run.ts';
import { setUpPrimary, setupSql, writeConfig } from './watched-pair.ts';

const FOR_EVER_MS = 2 ** 31 - 1;
const SETTINGS = 'fleet: { name: Demo }\nstate: { every: 1s }\n';

/** What can be done to the pair while the board is looked at. */
interface LivePair {
  readonly primary: Cluster;
  readonly standby: Cluster;
  writer: BankWriter | null;
  paused: boolean;
}

/** Whether the demo ends with the board: as asked for, else where somebody sits at a terminal. */
export function wantsBoard(asked: boolean | undefined, isTerminal: boolean): boolean {
  return asked ?? isTerminal;
}

/** A pair that lives and the board that shows it, until an empty line is typed or the signal comes. */
export async function offerBoard(stage: Stage): Promise<void> {
  const { narrator, io } = stage;
  const folder = join(stage.folder, 'board');
  await mkdir(folder);
  const pair = await openAgain(stage);
  const config = await writeConfig(folder, pair, SETTINGS);
  await setUpPrimary(pair.primary, await setupSql(stage, config));
  const watch = new WatchRun(io, config);
  const board = new BoardRun(io, config);
  await narrator.step(
    'watch and board begin',
    () => Promise.all([watch.proven(), board.url()]),
    () => 'twinproof watch holds the standby against the primary, twinproof board shows how they stand',
  );
  invite(stage, await board.url(), config);
  await obey(stage, pair);
  await pair.writer?.stop();
  expectExit(stage, 'watch', await watch.stop(), 0);
  expectExit(stage, 'board', await board.stop(), 0);
}

async function openAgain({ narrator, sites }: Stage): Promise<LivePair> {
  return await narrator.step(
    'building the bank anew',
    async () => {
      const primary = await sites.server('primary');
      await sites.load(primary);
      return { primary, standby: await sites.standby(primary, 'gasan'), writer: null, paused: false };
    },
    ({ primary, standby }) => `the bank anew (port ${primary.port}), and a standby (port ${standby.port})`,
  );
}

function invite({ narrator }: Stage, url: string, config: string): void {
  narrator.print((page) => {
    page.line();
    page.line(`   ${page.paint('bold', url)}   open it in a browser`);
    page.line();
    page.line('   p  pauses the replay of the standby, or lets it go on: the board says NOT SAFE');
    page.line('   w  opens the bank, or closes it: while it commits, nobody knows its last instant');
    page.line('   Enter, or Ctrl-C, ends the demo');
    page.line();
    page.paragraph(`Its configuration: ${config}`, { first: '   ', style: 'dim' });
  });
}

async function obey({ narrator, io }: Stage, pair: LivePair): Promise<void> {
  for await (const line of io.typed(io.signal)) {
    const word = line.trim().toLowerCase();
    if (word === '') return;
    if (word === 'p') narrator.check(true, await turnReplay(pair));
    else if (word === 'w') narrator.check(true, await turnWriter(pair));
    else narrator.note('p, w, or Enter');
  }
  // Nobody types: until the signal comes. A timer, since nothing else may keep this process alive.
  await sleep(FOR_EVER_MS, undefined, { signal: io.signal }).catch(() => undefined);
}

async function turnReplay(pair: LivePair): Promise<string> {
  await pair.standby.sql(pair.paused ? 'SELECT pg_wal_replay_resume()' : 'SELECT pg_wal_replay_pause()');
  pair.paused = !pair.paused;
  return pair.paused ? 'the replay of the standby is paused' : 'the standby replays again';
}

async function turnWriter(pair: LivePair): Promise<string> {
  if (pair.writer === null) {
    pair.writer = await BankWriter.start(() => bankSession(pair.primary));
    return 'the bank is open';
  }
  const { transactions } = await pair.writer.stop();
  pair.writer = null;
  if (!pair.paused) await waitForReplay(pair.standby);
  return `the bank is closed after ${transactions} transactions`;
}
