import type { SiteConfig, SystemConfig } from '../config/schema.ts';
import { messageOf, TwinproofError } from '../errors.ts';
import { Known } from '../ledger/known.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { type ShownMirror, shownMirror } from '../ledger/show.ts';
import { lagJson } from '../report/lag-text.ts';
import type { LagPoint, LagState } from '../state/schema.ts';
import { inTime } from './in-time.ts';
import type { ConnectSite, SiteIo } from './io.ts';
import { sampleLag } from './lag.ts';
import { type StateQuestion, withLedger } from './state-question.ts';

/** What a look at the lag has come to. */
export interface SampledLag {
  readonly lag: LagState;
  readonly sample: LagPoint;
  readonly recoveryPointAt: string | null;
  readonly witnessedUntil: string | null;
}

/** A site that was looked at. */
export interface Looked {
  /** Why it did not answer, or not in time; null: it did. */
  readonly silence: string | null;
  readonly sampled: SampledLag | null;
}

/** What a look at all sites of a system has come to. */
export interface Look {
  /** By name. */
  readonly candidates: ReadonlyMap<string, Looked>;
  /** Why the primary did not answer; null: it did, or was not asked. */
  readonly primarySilence: string | null;
  /** How far the ledger is mirrored; null: it never was. */
  readonly mirror: ShownMirror | null;
}

interface Looking {
  /** What each site may take. */
  readonly answerMs: number;
  /** Whether the primary is asked for a sign of life. */
  readonly primary: boolean;
}

/** How far every candidate is behind, and who does not answer. Takes `answerMs` at most. Throws TP-LEDGER-…. */
export async function lookAt(
  question: StateQuestion,
  { answerMs, primary }: Looking,
  io: SiteIo,
): Promise<Look> {
  const { system } = question;
  return await withLedger(question, io, async (ledger, lend) => {
    const ask = async (site: SiteConfig): Promise<[string, Looked]> => [
      site.name,
      await heard(io, answerMs, (own) => lend(sampled(question, site, ledger, own))),
    ];
    const [alive, ...candidates] = await Promise.all([
      primary ? heard(io, answerMs, (own) => signOfLife(question, own)) : null,
      ...system.candidates.map(ask),
    ]);
    const primarySilence = alive?.silence ?? null;
    return { candidates: new Map(candidates), primarySilence, mirror: shownMirror(ledger) };
  });
}

/** Runs a question of one site within its time; a server that cannot be reached is silent too. */
async function heard(
  io: SiteIo,
  ms: number,
  work: (io: SiteIo) => Promise<SampledLag | null>,
): Promise<Looked> {
  const refusals: string[] = [];
  const connect: ConnectSite = async (address, options, signal) => {
    try {
      return await io.connect(address, options, signal);
    } catch (error) {
      refusals.push(messageOf(error));
      throw error;
    }
  };
  try {
    const answer = await inTime({ ms, signal: io.signal }, (signal) => work({ ...io, connect, signal }));
    return { silence: refusals[0] ?? null, sampled: answer };
  } catch (error) {
    if (io.signal.aborted || !isOfSite(error)) throw error;
    return { silence: error.message, sampled: null };
  }
}

/** Whether it is the site that failed, and not we or the ledger. */
function isOfSite(error: unknown): error is TwinproofError {
  return error instanceof TwinproofError && error.code !== 'TP-BUG' && !error.code.startsWith('TP-LEDGER');
}

async function sampled(
  { system, statementTimeoutMs }: StateQuestion,
  site: SiteConfig,
  ledger: Ledger,
  io: SiteIo,
): Promise<SampledLag> {
  const skewMs = new Known(ledger.core.store).primary()?.skewMs ?? 0;
  const taken = await sampleLag({ statementTimeoutMs }, system, site, ledger, io);
  const { at, lag, state, notes, witnessedUntil } = taken;
  const { transport, apply, total } = lagJson(taken);
  return {
    lag: { at: at.toISOString(), state, transport, apply, total, notes: [...notes] },
    sample: { at: at.toISOString(), ms: lag.total.ms, transportMs: lag.transport.ms },
    recoveryPointAt: recoveryPoint(lag.total.ms, at.getTime() + skewMs, witnessedUntil),
    witnessedUntil: witnessedUntil?.toISOString() ?? null,
  };
}

/** Nothing is told: that it answers is all that is asked. */
async function signOfLife(
  { system, statementTimeoutMs }: { readonly system: SystemConfig; readonly statementTimeoutMs: number },
  io: SiteIo,
): Promise<null> {
  const { address, stream } = system.primary;
  const site = await io.connect(address, { jobs: 1, statementTimeoutMs, stream }, io.signal);
  try {
    await site.identify(io.signal);
    return null;
  } finally {
    await site.close();
  }
}

/**
 * Everything that was committed by then is on the candidate: the witness where nothing is pending, and just before the
 * oldest commit that is. Never later than the witness: beyond it nobody knows what was committed.
 */
function recoveryPoint(lagMs: number | null, nowMs: number, witnessedUntil: Date | null): string | null {
  if (lagMs === null || witnessedUntil === null) return null;
  const oldestMs = lagMs === 0 ? Number.POSITIVE_INFINITY : Math.floor(nowMs - lagMs) - 1;
  return new Date(Math.min(oldestMs, witnessedUntil.getTime())).toISOString();
}
