import {
  type Bank,
  checkEvidence,
  openBank,
  proveLive,
  rot,
  type Stage,
  switchOver,
  writeBehind,
} from './acts.ts';
import { offerBoard } from './board-act.ts';
import { alter, beginWatch, burn } from './fire.ts';
import { postgresFirePair } from './postgres-fire.ts';

/** The acts of a bank on PostgreSQL; the answer is what is left of it. */
export async function tellPostgres(stage: Stage): Promise<Bank> {
  const { narrator } = stage;
  const { bank, writer } = await narrator.act(
    'A bank and its two copies',
    'One copy replays the primary’s log block by block; the other applies rows. Both are what a DR site looks like.',
    () => openBank(stage),
  );
  await narrator.act(
    'Is every row the same, while the bank is open?',
    'Lag says that something arrived, not that it is right. Every row of both sites is read and compared by its bytes.',
    () => proveLive(stage, bank),
  );
  await narrator.act(
    'A planned switchover: may the standby take over?',
    'With the writers stopped, nothing is left to copy: the same comparison becomes a verdict, signed.',
    () => switchOver(stage, bank, writer),
  );
  await narrator.act(
    'A disk forgets',
    'Damage below the database is replicated by nobody and seen by no lag check, until the day of the promotion.',
    () => rot(stage, bank),
  );
  await narrator.act(
    'Somebody writes to the copy',
    'A copy that applies rows can be written to, by a script, a trigger, or a person who meant the other server.',
    () => writeBehind(stage, bank),
  );
  await narrator.act(
    'Evidence that others can check',
    'An auditor needs neither our word nor our servers: the certificate, the public key and openssl are enough.',
    () => checkEvidence(stage),
  );
  const watched = await narrator.act(
    'A third site watches',
    'Once a data centre is dark it is too late to ask it anything. Twinproof remembers its rows and commits elsewhere.',
    async () => {
      const { pair, standby } = await postgresFirePair(stage, bank.primary);
      return { standby, ...(await beginWatch(stage, pair)) };
    },
  );
  const fencedAt = await narrator.act(
    'The fire',
    'The standby is behind and the primary is gone, with its disks. May the standby take over, and what is lost?',
    () => burn(stage, watched),
  );
  await narrator.act(
    'The standby decays, too',
    'There is nothing left to compare it with, but the ledger.',
    () => alter(stage, watched, fencedAt),
  );
  return { ...bank, standby: watched.standby };
}

/** The board on a pair that lives, as the last act. */
export async function showBoard(stage: Stage): Promise<void> {
  const { narrator, io } = stage;
  try {
    await narrator.act(
      'The board',
      'Whoever has to decide at three in the morning wants one page: promote or not, what is lost, in which order.',
      () => offerBoard(stage),
    );
  } catch (error) {
    // An interrupt is one of the ends that it offers.
    if (!io.signal.aborted) throw error;
  }
}
