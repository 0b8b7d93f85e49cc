import type { VerifyResult } from '../compare/result.ts';
import { DEFAULT_LIMITS } from '../compare/site-pair.ts';
import type { RangeReader } from '../compare/range-reader.ts';
import type { SentAddress } from '../compare/range-worker-messages.ts';
import type { CheckpointStore } from '../compare/verify-options.ts';
import { verify } from '../compare/verify.ts';
import { DEFAULT_POLICY } from '../config/policy.ts';
import type { FoundSite } from '../config/site.ts';
import type { Connector } from '../connector/contract.ts';
import { TwinproofError } from '../errors.ts';
import { DifferenceWriter } from '../report/difference-file.ts';
import type { ProgressDisplay } from '../report/progress.ts';
import type { SiteIo } from './io.ts';
import { type ChosenSites, chooseSites, type SiteOptions, withSites } from './sites.ts';
import { steadyTiming } from './timing.ts';

/** Options that `verify` and `certify` share: everything about reading two live sites. */
export interface ComparisonOptions extends SiteOptions {
  readonly jobs: number;
  /** Threads that read; 0: the main one. */
  readonly workers: number;
  readonly differences: string | null;
  /** Milliseconds for the whole run; null: no limit. */
  readonly timeoutMs: number | null;
  readonly statementTimeoutMs: number;
  readonly rowsPerSecondMax: number | null;
  readonly lagMaxMs: number | null;
  /** Milliseconds in which a change reaches a candidate of another engine; null: as the policy says. */
  readonly applyWithinMs: number | null;
  readonly state: string | null;
  readonly showValues: boolean;
  readonly quiet: boolean;
}

const PROGRESS_LINE_MS = 10_000;

/** Makes a result of an error that says that the sites cannot be compared, or throws it again. */
export type OnRefused = (
  error: unknown,
  primary: Connector,
  candidate: Connector,
  at: Date,
  signal: AbortSignal,
) => Promise<VerifyResult>;

const rethrow: OnRefused = (error) => {
  throw error;
};

/** Compares two live sites and gives the result, with both connectors still open, to `then`. */
export async function compareSites<T>(
  options: ComparisonOptions,
  io: SiteIo,
  then: (result: VerifyResult, sites: ChosenSites, primary: Connector, candidate: Connector) => Promise<T>,
  refused: OnRefused = rethrow,
): Promise<T> {
  const sites = await chooseSites(options, io);
  const timer = new AbortController();
  const timeout =
    options.timeoutMs === null
      ? null
      : setTimeout(() => timer.abort(new TwinproofError('TP-TIMEOUT')), options.timeoutMs);
  const signal = AbortSignal.any([io.signal, timer.signal]);
  try {
    return await withSites(sites, options, io, signal, async (primary, candidate) => {
      const startedAt = io.now();
      const result = await runVerify(options, sites, primary, candidate, io, signal).catch((error: unknown) =>
        refused(error, primary, candidate, startedAt, signal),
      );
      return await then(result, sites, primary, candidate);
    });
  } finally {
    if (timeout !== null) clearTimeout(timeout);
  }
}

async function runVerify(
  options: ComparisonOptions,
  sites: ChosenSites,
  primary: Connector,
  candidate: Connector,
  io: SiteIo,
  signal: AbortSignal,
): Promise<VerifyResult> {
  const display = await progressDisplay(options, io);
  const checkpoint = options.state === null ? null : await stateFile(options.state);
  const reader = await rangeReader(options, sites, io);
  const writer = options.differences === null ? null : await DifferenceWriter.create(options.differences);
  try {
    const result = await verify({
      primary,
      candidate,
      selection: sites.selection,
      mapping: sites.mapping,
      applyWithinMs: applyWithinOf(options, sites),
      limits: { ...DEFAULT_LIMITS, jobs: options.jobs },
      throttle: { rowsPerSecondMax: options.rowsPerSecondMax, lagMaxMs: options.lagMaxMs },
      timing: steadyTiming(),
      signal,
      showValues: options.showValues,
      onDifference: writer === null ? null : (difference) => writer.write(difference),
      onProgress: display === null ? null : (progress) => display.update(progress),
      checkpoint,
      ...(reader === null ? {} : { reader }),
    });
    await writer?.close();
    return result;
  } catch (error) {
    await writer?.discard();
    throw error;
  } finally {
    display?.stop();
    await reader?.close();
  }
}

/** On the command line, in the policy of the candidate's system, or the default. */
export function applyWithinOf(
  { applyWithinMs }: Pick<ComparisonOptions, 'applyWithinMs'>,
  { candidate, primary }: Pick<ChosenSites, 'primary' | 'candidate'>,
): number {
  const policy = candidate.system?.policy ?? primary.system?.policy ?? DEFAULT_POLICY;
  return applyWithinMs ?? policy.applyWithin;
}

/** Null when quiet: then nothing that draws is loaded either. */
async function progressDisplay(options: ComparisonOptions, io: SiteIo): Promise<ProgressDisplay | null> {
  if (options.quiet) return null;
  const { showProgress } = await import('../report/progress.ts');
  return showProgress({
    stream: io.progress,
    quiet: false,
    unicode: io.screen.unicode,
    intervalMs: PROGRESS_LINE_MS,
    now: () => performance.now(),
  });
}

async function stateFile(path: string): Promise<CheckpointStore> {
  const { StateFile } = await import('./state-file.ts');
  return new StateFile(path);
}

/** Threads that own their connections, where there are cores for them; null: everything in this thread. */
async function rangeReader(
  options: ComparisonOptions,
  { primary, candidate }: ChosenSites,
  io: SiteIo,
): Promise<RangeReader | null> {
  if (options.workers === 0) return null;
  const { WorkerRangeReader } = await import('../compare/worker-range-reader.ts');
  const sent = ({ address }: FoundSite): SentAddress => ({
    ...address,
    password: address.password?.reveal() ?? null,
  });
  return new WorkerRangeReader(options.workers, {
    registry: io.registry,
    primary: sent(primary),
    candidate: sent(candidate),
    options: {
      jobs: Math.ceil(options.jobs / options.workers),
      statementTimeoutMs: options.statementTimeoutMs,
    },
  });
}
