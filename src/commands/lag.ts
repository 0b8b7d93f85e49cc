import type { SystemConfig, SiteConfig } from '../config/schema.ts';
import type { PendingLog, Scattered } from '../connector/ledger-sites.ts';
import type { Position, PositionOrder } from '../connector/position.ts';
import { EXIT } from '../error-codes.ts';
import { TwinproofError } from '../errors.ts';
import { boundaryFor } from '../ledger/candidate-check-places.ts';
import { Known } from '../ledger/known.ts';
import { Ledger, type LedgerOptions } from '../ledger/ledger.ts';
import { lossBetween } from '../ledger/loss.ts';
import { ledgerOptions } from '../ledger/options.ts';

import { Witness } from '../ledger/witness.ts';
import { type Behind, judgeLag, lagOf } from '../lag/candidate-lag.ts';
import { type Feed, feedOf } from '../lag/feed.ts';
import { lagJson, type LagSample, lagText } from '../report/lag-text.ts';
import { terminalJson } from '../report/terminal-text.ts';
import { synchronyWords } from '../verdict/replication.ts';
import { lagMessage } from '../service/published-messages.ts';
import { openCandidate } from './certify-candidate.ts';
import { dateOf, synchronyOf } from './certify-evidence.ts';
import { candidatesOf } from './certify-ledger.ts';
import type { LedgerConnector } from './certify-primary.ts';
import type { SiteIo } from './io.ts';
import { type Publishing, startPublishing } from './publishing.ts';
import { readConfig, systemNamed } from './sites.ts';
import { REAL_TIMING } from './timing.ts';

/** `watch` looks at the primary every second or so; a witness that is older says nothing of now. */
const WITNESS_MS_MAX = 15_000;

export interface LagCommandOptions {
  readonly config: string;
  readonly system: string | null;
  readonly candidate: string | null;
  /** Null: one sample. */
  readonly intervalMs: number | null;
  readonly statementTimeoutMs: number;
  readonly format: 'text' | 'json';
}

const EXIT_OF = { ok: EXIT.ok, late: EXIT.warning, unknown: EXIT.unknown } as const;
const STATES = ['ok', 'late', 'unknown'] as const;

/** `twinproof lag`. The answer is the exit code. Throws TP-CONFIG, TP-USAGE, TP-LEDGER…. */
export async function runLag(options: LagCommandOptions, io: SiteIo): Promise<number> {
  const config = await readConfig(options.config, io);
  const system = systemNamed(config, options.system);
  const candidates = candidatesOf(system, options.candidate);
  const unplaced = { source: null, comparePositions: () => 'incomparable' as const, now: io.now };
  const folder = ledgerOptions(config.ledger, system.name, unplaced);
  const topic = startPublishing(config.kafka, io, ({ message }) => io.stderr(`warning: ${message}\n`));
  try {
    return await sampleAll(options, { system, candidates, folder, topic }, io);
  } finally {
    await topic?.close();
  }
}

interface Sampling {
  readonly system: SystemConfig;
  readonly candidates: readonly SiteConfig[];
  readonly folder: LedgerOptions;
  readonly topic: Publishing | null;
}

async function sampleAll(
  options: LagCommandOptions,
  { system, candidates, folder, topic }: Sampling,
  io: SiteIo,
): Promise<number> {
  let last: number | null = null;
  for (;;) {
    const ledger = await Ledger.read(folder);
    let samples: readonly LagSample[];
    try {
      samples = await Promise.all(candidates.map((site) => sampleLag(options, system, site, ledger, io)));
    } catch (error) {
      // Told to stop in the middle of a sample: the one before it stands.
      if (!io.signal.aborted || last === null) throw error;
      return last;
    } finally {
      await ledger.close();
    }
    topic?.publish(samples.map((one) => lagMessage(system.name, one)));
    io.stdout(options.format === 'json' ? jsonLines(samples) : lagText(samples, io.screen));
    const best = STATES.find((state) => samples.some((one) => one.state === state)) ?? 'unknown';
    last = EXIT_OF[best];
    if (options.intervalMs === null || !(await rest(options.intervalMs, io.signal))) return last;
  }
}

function jsonLines(samples: readonly LagSample[]): string {
  return samples.map((one) => `${terminalJson(lagJson(one))}\n`).join('');
}

/** False: it was told to stop. */
async function rest(ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await REAL_TIMING.sleep(ms, signal);
    return true;
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  }
}

/** What a candidate told; null with a note: it did not. */
interface Told {
  readonly pending: PendingLog;
  readonly feed: Feed;
}

/** How far one candidate is behind at this moment. Throws only what is no fault of the candidate. */
export async function sampleLag(
  { statementTimeoutMs }: Pick<LagCommandOptions, 'statementTimeoutMs'>,
  system: SystemConfig,
  candidate: SiteConfig,
  ledger: Ledger,
  io: SiteIo,
): Promise<LagSample> {
  const known = new Known(ledger.core.store);
  const notes: string[] = [];
  const question = {
    ledger,
    known,
    system,
    candidate,
    jobs: 1,
    statementTimeoutMs,
    sleep: (ms: number, signal: AbortSignal) => REAL_TIMING.sleep(ms, signal),
  };
  const site = await openCandidate(question, io);
  const at = io.now();
  const witness = new Witness(ledger.core).read();
  const witnessedUntil = dateOf(witness?.timeUs ?? null);
  const now = new Date(at.getTime() + (known.primary()?.skewMs ?? 0));
  const measured = async (open: LedgerConnector | null): Promise<LagSample> => {
    const told = open === null ? null : await ask(open, known, notes, io);
    const pending = told?.pending ?? null;
    const behind = (position: Position | null, scattered?: Scattered | null): Behind | null =>
      open === null || position === null ? null : behindOf(ledger, open, position, scattered ?? null);
    const lag = lagOf({
      received: behind(pending?.received ?? null),
      applied: behind(pending?.applied ?? null, pending?.scattered),
      pendingBytes: pending?.bytes ?? null,
      witnessedUntil,
      now,
      receiving: told?.feed.receiving ?? null,
      fed: told?.feed.fed ?? null,
      witnessMsMax: WITNESS_MS_MAX,
    });
    const unseenMs = witnessedUntil === null ? null : now.getTime() - witnessedUntil.getTime();
    if (unseenMs !== null && unseenMs > WITNESS_MS_MAX) {
      notes.push(
        `the ledger has not seen the primary for ${Math.round(unseenMs / 1000)} s: does \`watch\` run, and reach it?`,
      );
    }
    if (told?.feed.fed === false) notes.push('nothing brings it the primary’s changes at the moment');
    const deliveryMs = witness?.deliveryMs;
    if (deliveryMs !== undefined) notes.push(`database to topic: ${deliveryMs} ms for the newest change`);
    const synchrony = synchronyOf(known.primary());
    if (synchrony !== null && synchrony.state !== 'off')
      notes.push(`the primary: ${synchronyWords(synchrony)}`);
    const { rpo } = system.policy;
    const state = judgeLag(lag, rpo, told?.feed.fed ?? null);
    return { candidate: candidate.name, at, lag, state, notes, witnessedUntil, objectiveMs: rpo, deliveryMs };
  };
  if (typeof site === 'string') {
    notes.push(`it does not answer: ${site}`);
    return measured(null);
  }
  try {
    return await measured(site);
  } finally {
    await site.close();
  }
}

async function ask(site: LedgerConnector, known: Known, notes: string[], io: SiteIo): Promise<Told | null> {
  const followed = known.primary()?.followed ?? null;
  if (followed === null) {
    notes.push('the ledger does not know its primary yet');
    return null;
  }
  try {
    await site.follow(followed, io.signal);
    const pair = known.stream()?.pair ?? 'physical';
    const feed = feedOf(await site.feed(io.signal), pair);
    notes.push(...feed.notes);
    return { pending: await site.pendingLog(io.signal), feed };
  } catch (error) {
    if (io.signal.aborted || !(error instanceof TwinproofError)) throw error;
    notes.push(error.message);
    return null;
  }
}

/** What the journal holds behind a position. */
function behindOf(
  ledger: Ledger,
  site: LedgerConnector,
  position: Position,
  scattered: Scattered | null,
): Behind {
  const { core } = ledger;
  const end = ledger.position;
  const bytes = end === null ? null : site.bytesBetween(position, end);
  const compare = (a: Position, b: Position): PositionOrder => site.comparePositions(a, b);
  const answer = boundaryFor(core, { applied: position, scattered }, compare);
  // It has all that the ledger has seen.
  if (answer.kind === 'ahead' && end !== null) return { bytes, transactions: 0n, oldestCommitAt: null };
  if (answer.kind !== 'found') return { bytes, transactions: null, oldestCommitAt: null };
  const { boundary } = answer;
  const { transactions, firstCommitUs, gaps } = lossBetween(
    core,
    boundary,
    ledger.head(),
    scattered?.contains,
  );
  return {
    bytes,
    transactions: gaps.length > 0 ? null : BigInt(transactions),
    oldestCommitAt: dateOf(firstCommitUs),
  };
}
