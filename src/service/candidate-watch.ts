import type { Timing } from '../compare/timing.ts';
import type { ScrubConfig } from '../config/scrub.ts';
import type { FollowedSource } from '../connector/ledger-sites.ts';
import { historyName } from '../connector/source-history.ts';
import type { PairKind, TableSelection } from '../connector/table.ts';
import { TwinproofError } from '../errors.ts';
import { boundaryFor } from '../ledger/candidate-check-places.ts';
import type { Candidate } from '../ledger/candidates.ts';
import type { KnownPrimary } from '../ledger/known.ts';
import type { Boundary } from '../ledger/state.ts';
import { pauseBefore } from './backoff.ts';
import { type CandidateState, lookAt, tellState, UNSEEN } from './candidate-state.ts';
import { kindOf } from './candidate-tables.ts';
import { AnotherIncarnation, CandidateSession } from './candidate-session.ts';
import { Differences } from './differences.ts';
import { KeySettler } from './key-settler.ts';
import { OwnLog } from './own-log.ts';
import { Pace } from './pace.ts';
import { Scrubber } from './scrubber.ts';
import { isFinal } from './site-errors.ts';
import { timeSlice } from './time-slice.ts';
import { untilFirstEnds, within } from './together.ts';
import type { WatchedLedger, WatchSite } from './watched-ledger.ts';
import type { WatchLog } from './watch-log.ts';

const IDLE_MS = 500;
/** Between two looks at the journal the reading of ranges goes on so long. */
const SCRUB_SLICE_MS = 1000;
const DRAIN_SLICE_MS = 5000;
const RECHECK_EVERY_MS = 1000;
/** Of a list that has grown long, since most of it may be there to stay. */
const RECHECK_MANY_EVERY_MS = 10_000;
const MANY_KEYS = 1000;
const LAG_EVERY_MS = 2000;
const GOOD_AFTER_MS = 10_000;
/** How long proofs wait for the candidate's own log to be followed. */
const OWN_LOG_START_MS = 5_000;
/** An address behind which servers change all the time must not keep us busy. */
const FLAPPING_MS = 1000;

export interface CandidateParts {
  readonly name: string;
  readonly watched: WatchedLedger;
  readonly connect: (signal: AbortSignal) => Promise<WatchSite>;
  readonly selection: TableSelection;
  readonly pair: PairKind;
  readonly scrub: ScrubConfig;
  readonly maxProofAgeMs: number;
  readonly timing: Timing;
  readonly random: () => number;
  readonly log: WatchLog;
}

/** What looks at one incarnation of a candidate. */
interface Looking {
  readonly session: CandidateSession;
  readonly keys: KeySettler;
  readonly scrubber: Scrubber;
  readonly ownLog: OwnLog;
}

/** Proves one candidate against the ledger, all the time. Others are not disturbed when it is down. */
export class CandidateWatch {
  readonly #parts: CandidateParts;
  readonly #differences: Differences;
  readonly #pace: Pace;
  state: CandidateState = UNSEEN;

  constructor(parts: CandidateParts) {
    this.#parts = parts;
    this.#differences = new Differences(parts.watched.known, parts.name);
    this.#pace = new Pace(parts.scrub, parts.timing);
  }

  get name(): string {
    return this.#parts.name;
  }

  /** Until aborted. Throws only what no attempt would mend. */
  async run(signal: AbortSignal): Promise<void> {
    const { timing, random, log, name } = this.#parts;
    for (let attempt = 1; !signal.aborted; attempt++) {
      const startedAt = timing.now();
      try {
        await this.#connected(signal);
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof TwinproofError) || isFinal(error)) throw error;
        const { code, message, hint } = error;
        log.state({ level: 'warn', site: name, event: 'connection', code, message, hint });
      }
      this.state = { ...this.state, connected: false, lookedAtUpTo: 0, proven: false };
      if (timing.now() - startedAt >= GOOD_AFTER_MS) attempt = 0;
      await timing.sleep(pauseBefore(Math.max(1, attempt), random()), signal).catch(() => undefined);
    }
  }

  async #connected(signal: AbortSignal): Promise<void> {
    const { connect, log, name, timing } = this.#parts;
    const site = await connect(signal);
    try {
      const { followed } = await this.#primary(signal);
      await this.#demandKind(site, signal);
      let voided = false;
      for (;;) {
        await site.follow(followed, signal);
        log.state({ level: 'info', site: name, event: 'connection', message: 'connected' });
        const bound = await this.#bind(site, voided, signal);
        voided = true;
        try {
          await this.#session(site, bound, followed, signal);
          return;
        } catch (error) {
          if (!(error instanceof AnotherIncarnation)) throw error;
          const hint = 'everything that was proven of it is proven anew';
          log.tell({ level: 'warn', site: name, event: 'incarnation', message: error.message, hint });
          await timing.sleep(FLAPPING_MS, signal);
        }
      }
    } finally {
      await within(site.close());
    }
  }

  /** The primary as it last answered; of a new ledger it is waited for. */
  async #primary(signal: AbortSignal): Promise<KnownPrimary> {
    const { watched, timing } = this.#parts;
    for (;;) {
      const known = watched.known.primary();
      if (known !== null) return known;
      await timing.sleep(IDLE_MS, signal);
    }
  }

  /** Throws TP-UNRELATED for a candidate whose rows have other bytes than this ledger's. */
  async #demandKind(site: WatchSite, signal: AbortSignal): Promise<void> {
    const { pair, name } = this.#parts;
    const kind = kindOf((await site.identify(signal)).role, pair === 'cross-engine');
    if (kind === null || kind === pair) return;
    throw new TwinproofError('TP-UNRELATED', {
      message: `${name} is the ${kind} kind of candidate, and this ledger holds rows for ${pair} ones`,
      hint: 'one ledger serves one kind: put this candidate into a system of its own in the configuration',
    });
  }

  /** `voided`: it is as it was, and still nothing that was proven of it counts. */
  async #bind(site: WatchSite, voided: boolean, signal: AbortSignal): Promise<Candidate> {
    const { watched, name, log } = this.#parts;
    const incarnation = await site.incarnation(signal);
    const known = watched.candidates.byName(name);
    const isNew = voided || known?.incarnation !== incarnation;
    const standsAt = isNew ? await this.#standsAt(site, signal) : null;
    // Its beginning must be a place of the journal that a crash does not take back.
    const bound = await watched.exclusive.run(async () => {
      await watched.ledger.flush();
      if (voided && known?.incarnation === incarnation) watched.candidates.bind(name, '');
      return watched.candidates.bind(name, incarnation, standsAt);
    });
    if (isNew) this.#differences.forget();
    if (isNew && known !== null && !voided) {
      const message = 'it is another incarnation than it was: everything is proven anew';
      log.tell({ level: 'warn', site: name, event: 'incarnation', message });
    }
    return bound;
  }

  /** Null: nowhere before the journal's end that is known. */
  async #standsAt(site: WatchSite, signal: AbortSignal): Promise<Boundary | null> {
    const { watched } = this.#parts;
    const { applied, scattered } = await site.pendingLog(signal);
    const { ledger, compare } = watched;
    const answer = applied === null ? null : boundaryFor(ledger.core, { applied, scattered }, compare);
    return answer?.kind === 'found' ? answer.boundary : null;
  }

  /** Ends when the primary is on another history than it was: where the candidate stands is told in the primary's. */
  async #session(
    site: WatchSite,
    bound: Candidate,
    followed: FollowedSource,
    signal: AbortSignal,
  ): Promise<void> {
    const { watched, name, selection, pair, timing, log, maxProofAgeMs } = this.#parts;
    const parts = { watched, site, name, bound, selection, pair, timing, log };
    const session = new CandidateSession({ ...parts, differences: this.#differences, pace: this.#pace });
    const keys = new KeySettler(session);
    const scrubber = new Scrubber(session, maxProofAgeMs);
    const times = { recheck: -Infinity, lag: -Infinity };
    const ownLog = new OwnLog(session, name, log);
    const isSame = (): boolean =>
      watched.source === null || historyName(watched.source) === historyName(followed);
    const rounds = async (own: AbortSignal): Promise<void> => {
      await Promise.race([ownLog.started, timing.sleep(OWN_LOG_START_MS, own).catch(() => undefined)]);
      while (!own.aborted && isSame()) {
        const busy = await this.#round({ session, keys, scrubber, ownLog }, times, own);
        if (!busy) await timing.sleep(IDLE_MS, own).catch(() => undefined);
      }
    };
    await untilFirstEnds(signal, [rounds, (own) => ownLog.run(own)]);
  }

  /** True: there is more to do. */
  async #round(
    { session, keys, scrubber, ownLog }: Looking,
    times: { recheck: number; lag: number },
    signal: AbortSignal,
  ): Promise<boolean> {
    const { timing, watched } = this.#parts;
    const now = timing.now();
    await session.demandSame(signal);
    await session.place(signal);
    await session.refresh(signal);
    ownLog.settle();
    // Either way, should the clock be set.
    if (Math.abs(now - times.lag) >= LAG_EVERY_MS) {
      times.lag = now;
      this.#writeLag(session);
    }
    const drained = !(await keys.drain(DRAIN_SLICE_MS, signal));
    let busy = !drained;
    const { listed } = watched.candidates.dirtyCounts(session.bound);
    const every = listed > MANY_KEYS ? RECHECK_MANY_EVERY_MS : RECHECK_EVERY_MS;
    if (listed > 0 && Math.abs(timing.now() - times.recheck) >= every) {
      if (await keys.recheck(signal)) times.recheck = timing.now();
      else busy = true;
    }
    const isOver = timeSlice(timing, SCRUB_SLICE_MS);
    let scrubbed = true;
    while (scrubbed && !isOver() && !signal.aborted) scrubbed = await scrubber.step(signal);
    await session.tellDifferences(signal);
    this.#look(session, scrubber, drained);
    return busy || scrubbed;
  }

  #look(session: CandidateSession, scrubber: Scrubber, drained: boolean): void {
    const { log, name } = this.#parts;
    const looks = this.state.looks + 1;
    this.state = lookAt(session, scrubber, this.#differences, { looks, drained });
    tellState(this.state, name, log);
  }

  #writeLag({ pending }: CandidateSession): void {
    if (pending === null) return;
    const { received, applied, bytes } = pending;
    const value = { atUs: this.#nowUs(), received, applied, pendingBytes: bytes };
    this.#parts.watched.known.writeLag(this.#parts.name, value);
  }

  #nowUs(): bigint {
    return BigInt(Math.round(this.#parts.timing.now() * 1000));
  }
}
