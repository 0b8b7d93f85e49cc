import { mkdtemp, rm } from 'node:fs/promises';
import { rmSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TwinproofError } from '../errors.ts';
import { durationText } from '../report/quantity.ts';
import type { Page } from '../report/page.ts';
import type { Scene } from './acts.ts';
import { BankSites, demoVersion, siteUrl } from './bank-sites.ts';
import { findBinaries } from './binaries.ts';
import type { DemoIo, DemoOptions } from './demo-io.ts';
import { MariadbSites } from './mariadb-sites.ts';
import { tellMariadb, writeOwnMariadb } from './mariadb-story.ts';
import { installedMariadb } from './mysql-installation.ts';
import { Narrator } from './narrator.ts';
import { writeOwnSites } from './own-sites.ts';
import { showBoard, tellPostgres } from './postgres-story.ts';
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
  const begin = await storyOf(options.engine, io.signal);
  const folder = await mkdtemp(join(tmpdir(), 'twinproof-demo-'));
  const files = { endNow: () => rmSync(folder, { recursive: true, force: true }) };
  guard(files);
  // What runs beside the story ends with it, however it ends.
  const over = new AbortController();
  const signal = AbortSignal.any([io.signal, over.signal]);
  const scene: Scene = { narrator: new Narrator(io), io: { ...io, signal }, folder, problems: [] };
  const { sites, ...own } = begin(scene);
  const told = { all: false };
  const story = tell(scene, own, options, () => (told.all = true));
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

/** What is told, of servers of one engine. */
interface Story {
  readonly sites: { end(): Promise<void> };
  /** The answer: what goes on running, each with its URL. */
  tell(): Promise<Readonly<Record<string, string>>>;
  /** Who may log in there. */
  readonly users: string;
  writeOwn(page: Page): void;
  /** Null: the board is not shown. */
  readonly board: (() => Promise<void>) | null;
}

/** @throws TwinproofError TP-DEMO where there are no servers of this engine. */
async function storyOf(engine: DemoOptions['engine'], signal: AbortSignal): Promise<(scene: Scene) => Story> {
  if (engine === 'mariadb') {
    const sites = new MariadbSites(await installedMariadb(), signal);
    return (scene) => ({
      sites,
      tell: async () => ({ replica: sites.url(await tellMariadb(scene, sites)) }),
      users: 'User twinproof may read; user root, who has no password, may do everything.',
      writeOwn: writeOwnMariadb,
      board: null,
    });
  }
  await findBinaries(demoVersion());
  const sites = new BankSites(signal);
  return (scene) => ({
    sites,
    tell: async () => {
      const { standby, replica } = await tellPostgres({ ...scene, sites });
      return { standby: siteUrl(standby), replica: siteUrl(replica) };
    },
    users: 'User twinproof may read; user postgres may do everything.',
    writeOwn: writeOwnSites,
    board: () => showBoard({ ...scene, sites }),
  });
}

async function tell(
  scene: Scene,
  story: Omit<Story, 'sites'>,
  options: DemoOptions,
  told: () => void,
): Promise<void> {
  const { narrator, problems } = scene;
  const startedAt = performance.now();
  narrator.print((page) => {
    page.line(page.paint('bold', 'Twinproof: is this DR site safe to promote, and what would be lost?'));
    page.paragraph(
      'Real servers on this machine, no network, about a minute. Ctrl-C ends everything and leaves nothing.',
      { style: 'dim' },
    );
  });
  const running = await story.tell();
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
    if (problems.length === 0) story.writeOwn(page);
  });
  told();
  if (options.board && problems.length === 0) await story.board?.();
  if (options.keep && !scene.io.signal.aborted) await keepOpen(scene, running, story.users);
  if (problems.length > 0) {
    throw new TwinproofError('TP-DEMO', {
      message: `the demo failed: ${problems.join('; ')}`,
      hint: 'this should not happen: please report it with the output above',
    });
  }
}

async function keepOpen(
  { narrator, io, folder }: Scene,
  running: Readonly<Record<string, string>>,
  users: string,
): Promise<void> {
  narrator.print((page) => {
    page.heading('The servers go on running until Ctrl-C');
    for (const [name, url] of Object.entries(running)) page.line(`   ${name.padEnd(7)}  ${url}`);
    page.line(`   files    ${folder}`);
    page.paragraph(users, { first: '   ', style: 'dim' });
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
