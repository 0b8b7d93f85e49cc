import { mkdtemp, rm } from 'node:fs/promises';
import { rmSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TwinproofError } from '../errors.ts';
import { durationText } from '../report/quantity.ts';
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
import { BankSites, demoVersion, siteUrl } from './bank-sites.ts';
import { alter, beginWatch, burn } from './fire.ts';
import { findBinaries } from './binaries.ts';
import type { DemoIo, DemoOptions } from './demo-io.ts';
import { Narrator } from './narrator.ts';
import { writeOwnSites } from './own-sites.ts';
import { guard, release } from './server-guard.ts';

const FOR_EVER_MS = 2 ** 31 - 1;
/** How long an interrupted act may take to end while its servers still run. */
const GRACE_MS = 500;
/** How long an interrupted act may take to notice that its servers are gone. */
const END_MS = 5_000;

/**
 * Shows on real servers of its own what Twinproof proves and finds. Returns when everything came out as it must.
 * @throws TwinproofError TP-DEMO when it cannot run here, or when anything that it claims did not happen;
 * TP-INTERRUPTED. No server and no file is left.
 */
export async function runDemo(options: DemoOptions, io: DemoIo): Promise<void> {
  await findBinaries(demoVersion());
  const folder = await mkdtemp(join(tmpdir(), 'twinproof-demo-'));
  const files = { endNow: () => rmSync(folder, { recursive: true, force: true }) };
  guard(files);
  const sites = new BankSites(io.signal);
  // What runs beside the story ends with it, however it ends.
  const over = new AbortController();
  const signal = AbortSignal.any([io.signal, over.signal]);
  const stage: Stage = { narrator: new Narrator(io), io: { ...io, signal }, sites, folder, problems: [] };
  const told = { all: false };
  const story = tell(stage, options, () => (told.all = true));
  try {
    await Promise.race([story, aborted(io.signal)]);
  } catch (error) {
    // With --keep an interrupt is the end that was asked for.
    if (!told.all) throw error;
  } finally {
    // A comparison that is interrupted ends by itself, and sooner than one whose servers are gone.
    over.abort(new TwinproofError('TP-INTERRUPTED'));
    if (io.signal.aborted) await settled(story, GRACE_MS);
    await sites.end();
    if (io.signal.aborted) await settled(story, END_MS);
    await sites.end();
    await rm(folder, { recursive: true, force: true });
    release(files);
  }
  await story;
}

async function tell(stage: Stage, options: DemoOptions, told: () => void): Promise<void> {
  const { narrator, problems } = stage;
  const startedAt = performance.now();
  narrator.print((page) => {
    page.line(page.paint('bold', 'Twinproof: is this DR site safe to promote, and what would be lost?'));
    page.paragraph(
      'Real servers on this machine, no network, about a minute. Ctrl-C ends everything and leaves nothing.',
      { style: 'dim' },
    );
  });
  const bank = await acts(stage);
  narrator.print((page) => {
    page.line();
    const took = durationText(performance.now() - startedAt);
    const words =
      problems.length === 0
        ? `everything that was broken was found, nothing else was, and every verdict was right; ${took} in all`
        : `not everything came out as it must; ${took} in all`;
    const icon = problems.length === 0 ? page.icons.same : page.icons.different;
    page.paragraph(words, {
      first: `${page.paint(problems.length === 0 ? 'green' : 'red', icon)} `,
      style: 'bold',
    });
    for (const problem of problems) page.paragraph(problem, { first: '    ' });
    if (problems.length === 0) writeOwnSites(page);
  });
  told();
  if (options.keep) await keepOpen(stage, bank);
  if (problems.length > 0) {
    throw new TwinproofError('TP-DEMO', {
      message: `the demo failed: ${problems.join('; ')}`,
      hint: 'this should not happen: please report it with the output above',
    });
  }
}

async function acts(stage: Stage): Promise<Bank> {
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
    () => beginWatch(stage, bank.primary),
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

async function keepOpen({ narrator, io, folder }: Stage, bank: Bank): Promise<void> {
  narrator.print((page) => {
    page.heading('The servers go on running until Ctrl-C');
    page.line(`   standby  ${siteUrl(bank.standby)}`);
    page.line(`   replica  ${siteUrl(bank.replica)}`);
    page.line(`   files    ${folder}`);
    page.paragraph('User twinproof may read; user postgres may do everything.', {
      first: '   ',
      style: 'dim',
    });
  });
  // A timer, not only a listener: nothing else keeps this process alive.
  await sleep(FOR_EVER_MS, undefined, { signal: io.signal }).catch(() => undefined);
}

async function aborted(signal: AbortSignal): Promise<never> {
  if (!signal.aborted) await once(signal, 'abort');
  throw new TwinproofError('TP-INTERRUPTED', { hint: 'no server and no file of the demo is left' });
}

/** Waits for the story to notice its end; what it says then is of no interest. */
async function settled(story: Promise<void>, limitMs: number): Promise<void> {
  const limit = AbortSignal.timeout(limitMs);
  await Promise.race([story.catch(() => undefined), once(limit, 'abort')]);
}
