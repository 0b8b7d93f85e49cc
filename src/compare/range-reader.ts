import type { Connector, Range } from '../connector/contract.ts';
import { type RangeDigest, sameDigest } from '../digest/digest.ts';
import type { KernelSink } from '../digest/kernel-sink.ts';
import { SinkPool } from '../digest/sink-pool.ts';
import { TwinproofError } from '../errors.ts';
import type { ShapePair } from './site-pair.ts';
import type { Suspect } from './suspect.ts';
import { suspectsOf } from './suspects.ts';

/** One range as both sites showed it. */
export interface RangeReading {
  readonly primary: RangeDigest;
  readonly candidate: RangeDigest;
  /** Empty exactly if the digests are equal. */
  readonly suspects: readonly Suspect[];
  /** Read from both sites. */
  readonly bytes: number;
}

/** Reads one range on both sites: in this thread, or in another one that owns its connections. */
export interface RangeReader {
  /** Throws what the connectors throw; nothing of a failed read counts. */
  read(shapes: ShapePair, range: Range, signal: AbortSignal): Promise<RangeReading>;
  close(): Promise<void>;
}

export class LocalRangeReader implements RangeReader {
  readonly #primary: Connector;
  readonly #candidate: Connector;
  readonly #sinks = new SinkPool();

  constructor(primary: Connector, candidate: Connector) {
    this.#primary = primary;
    this.#candidate = candidate;
  }

  async read(shapes: ShapePair, range: Range, signal: AbortSignal): Promise<RangeReading> {
    const ours = this.#sinks.acquire(0);
    const theirs = this.#sinks.acquire(0);
    try {
      ours.begin('records', shapes.primary.keyFields);
      theirs.begin('records', shapes.candidate.keyFields);
      await this.#readInOrder(shapes, range, ours, theirs, signal);
      const primary = ours.digest();
      const candidate = theirs.digest();
      const same = sameDigest(primary, candidate);
      const suspects = same ? [] : suspectsOf(ours.records(), theirs.records());
      if (!same && suspects.length === 0) {
        throw new TwinproofError('TP-BUG', { message: `range ${range.id}: digests differ and no row does` });
      }
      return { primary, candidate, suspects, bytes: ours.bytes + theirs.bytes };
    } finally {
      this.#sinks.release(0, ours);
      this.#sinks.release(0, theirs);
    }
  }

  async close(): Promise<void> {
    // The connectors belong to whoever opened them.
  }

  /**
   * Starts the primary's read as soon as the candidate's snapshot stands, so that both stream at once, the primary's
   * snapshot after the candidate's (DESIGN.md section 6).
   */
  async #readInOrder(
    shapes: ShapePair,
    range: Range,
    ours: KernelSink,
    theirs: KernelSink,
    outer: AbortSignal,
  ): Promise<void> {
    const stop = new AbortController();
    const signal = AbortSignal.any([outer, stop.signal]);
    const failed = (error: unknown): never => {
      // One site's failure ends the other's read too; its own error is the one to report.
      stop.abort(error);
      throw error;
    };
    let primary: Promise<void> | null = null;
    const startPrimary = (): void => {
      primary ??= this.#primary.readRange({ shape: shapes.primary, range }, ours, signal).catch(failed);
      // It may fail long before the candidate's read ends and somebody asks for it below.
      primary.catch(() => undefined);
    };
    const candidate = this.#candidate
      .readRange({ shape: shapes.candidate, range, onSnapshot: startPrimary }, theirs, signal)
      .catch(failed);
    await Promise.allSettled([candidate]);
    // Whichever failed, both reads have ended before the sinks are given back.
    await Promise.allSettled([primary ?? Promise.resolve()]);
    outer.throwIfAborted();
    if (stop.signal.aborted) throw stop.signal.reason;
    if (primary === null) {
      throw new TwinproofError('TP-BUG', { message: 'the candidate was read without telling its snapshot' });
    }
  }
}
