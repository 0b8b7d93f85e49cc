import type { Timing } from '../compare/timing.ts';
import { publicIdentity } from '../connector/identity.ts';
import { throwIfInterrupted } from '../connector/interruption.ts';
import type { FollowedSource } from '../connector/ledger-sites.ts';
import { historyChange } from '../connector/source-history.ts';
import type { PairKind, TableSelection } from '../connector/table.ts';
import { TwinproofError } from '../errors.ts';
import { BaselineReader } from './baseline-reader.ts';
import { pauseBefore } from './backoff.ts';
import { DefinitionPoll } from './definition-poll.ts';
import type { Pace } from './pace.ts';
import { isFinal } from './site-errors.ts';
import { Tail } from './tail.ts';
import { untilFirstEnds, within } from './together.ts';
import { UnreadReader } from './unread-reader.ts';
import type { WatchedLedger, WatchSite } from './watched-ledger.ts';
import type { WatchLog } from './watch-log.ts';

const WITNESS_EVERY_MS = 1000;
const POLL_EVERY_MS = 3000;
/** While a new table waits for the stream to pass the moment in which it was seen. */
const POLL_AGAIN_MS = 500;
const BASELINE_EVERY_MS = 500;
const UNREAD_EVERY_MS = 2000;
const FACTS_EVERY_MS = 60_000;
/** What is in the way goes by itself, as a slot that a lost connection holds: it is asked for every few seconds. */
const SOON = 4;
/** A connection that has held for so long was a good one: the next failure is a first one. */
const GOOD_AFTER_MS = 10_000;

export interface PrimaryParts {
  readonly watched: WatchedLedger;
  readonly connect: (signal: AbortSignal) => Promise<WatchSite>;
  readonly selection: TableSelection;
  readonly pair: PairKind;
  readonly pace: Pace;
  readonly timing: Timing;
  readonly random: () => number;
  readonly log: WatchLog;
}

/** Follows the primary: its log, and everything about it that the log does not say. Comes back whenever it is lost. */
export class PrimaryWatch {
  readonly #parts: PrimaryParts;
  readonly #tail: Tail;

  constructor(parts: PrimaryParts) {
    this.#parts = parts;
    this.#tail = new Tail(parts.watched, parts.log);
  }

  /** Until aborted. Throws only what no attempt would mend. */
  async run(signal: AbortSignal): Promise<void> {
    const { timing, random, log } = this.#parts;
    for (let attempt = 1; !signal.aborted; attempt++) {
      const startedAt = timing.now();
      let attemptsCounted = Infinity;
      try {
        await this.#connected(signal);
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof TwinproofError) || isFinal(error)) throw error;
        const { code, message, hint } = error;
        log.state({ level: 'warn', site: 'primary', event: 'stream', code, message, hint });
        if (code === 'TP-STREAM-SETUP' && error.retryable) attemptsCounted = SOON;
      }
      if (timing.now() - startedAt >= GOOD_AFTER_MS) attempt = 0;
      const counted = Math.min(Math.max(1, attempt), attemptsCounted);
      await timing.sleep(pauseBefore(counted, random()), signal).catch(() => undefined);
    }
  }

  async #connected(signal: AbortSignal): Promise<void> {
    const { watched, connect, selection, pair, log, pace } = this.#parts;
    const primary = await connect(signal);
    try {
      await this.#remember(primary, signal);
      const poll = new DefinitionPoll(watched, primary, selection, pair, log);
      const baseline = new BaselineReader({ watched, primary, selection, pair, poll, pace, log });
      const unread = new UnreadReader(watched, primary, selection, pair);
      await untilFirstEnds(signal, [
        (own) => this.#tail.run(primary, pair, () => this.#nowUs(), own),
        (own) => this.#witness(primary, own),
        (own) =>
          this.#every(POLL_EVERY_MS, 'definitions', own, async () => {
            await poll.poll(own);
            return poll.waits ? POLL_AGAIN_MS : POLL_EVERY_MS;
          }),
        (own) =>
          this.#every(BASELINE_EVERY_MS, 'baseline', own, async () => void (await baseline.round(own))),
        (own) => this.#every(BASELINE_EVERY_MS, 'baseline', own, () => baseline.advance()),
        (own) => this.#every(UNREAD_EVERY_MS, 'unread rows', own, async () => void (await unread.round(own))),
        (own) =>
          this.#every(FACTS_EVERY_MS, 'facts', own, async () =>
            (await this.#remember(primary, own, true)) ? 'end' : FACTS_EVERY_MS,
          ),
      ]);
    } finally {
      await within(primary.close());
    }
  }

  #witness(primary: WatchSite, signal: AbortSignal): Promise<void> {
    return this.#every(WITNESS_EVERY_MS, 'witness', signal, async () => {
      const reading = await primary.witness(signal);
      // Of a log that was begun anew places that were read before lie behind its end.
      await this.#tail.stands(signal);
      throwIfInterrupted(signal);
      if (reading.timeUs > 0n) this.#parts.watched.witness.offer(reading);
    });
  }

  /**
   * Does something again and again until aborted; it may say itself when it wants to be done again, or that the connection
   * is to end. A failure is told and tried again later: as long as the stream is alive nothing else ends it.
   */
  async #every(
    ms: number,
    what: string,
    signal: AbortSignal,
    action: () => Promise<number | 'end' | void>,
  ): Promise<void> {
    const { timing, random, log } = this.#parts;
    for (let failures = 0; !signal.aborted;) {
      let pause = ms;
      try {
        const outcome = await action();
        if (outcome === 'end') return;
        pause = outcome ?? ms;
        log.over({ level: 'info', site: 'primary', event: what, message: `${what}: well again` });
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof TwinproofError) || isFinal(error)) throw error;
        const { code, message, hint } = error;
        failures++;
        // One that passes by itself is not worth a line.
        if (failures > 1 || !error.retryable)
          log.state({
            level: 'warn',
            site: 'primary',
            event: what,
            code,
            message: `${what}: ${message}`,
            hint,
          });
      }
      if (failures > 0) pause += pauseBefore(failures, random());
      await timing.sleep(pause, signal).catch(() => undefined);
    }
  }

  /**
   * Writes down who the primary is. True: its log is another than it was, so what is read from an older connection is not of
   * it. Throws TP-LEDGER-SYSTEM for another one than the ledger's.
   */
  async #remember(primary: WatchSite, signal: AbortSignal, facts = false): Promise<boolean> {
    const { watched, timing } = this.#parts;
    const identifiedAt = timing.now();
    const identity = publicIdentity(await primary.identify(signal));
    const askedAt = timing.now();
    const source = `${identity.systemId}/${identity.database}`;
    if (source !== watched.ledger.identity.source) {
      throw new TwinproofError('TP-LEDGER-SYSTEM', {
        message: `the primary is ${source}, and this ledger is of ${watched.ledger.identity.source}`,
      });
    }
    const { timeUs, past = false } = await primary.witness(signal);
    // A standby in the primary's place witnesses what is long ago, and so do topics: the clock is asked by itself.
    const skewMs = past
      ? Date.parse(identity.serverTime) - (identifiedAt + askedAt) / 2
      : Number(timeUs / 1000n) - (askedAt + timing.now()) / 2;
    const followed = await primary.followedSource(signal);
    const readiness = facts
      ? await primary.readiness(signal, { as: 'primary' })
      : (watched.known.primary()?.readiness ?? null);
    throwIfInterrupted(signal);
    const isAnother = await this.#succeed(followed);
    const atUs = this.#nowUs();
    const readinessAtUs = facts ? atUs : (watched.known.primary()?.readinessAtUs ?? null);
    watched.remember({ identity, followed, readiness, readinessAtUs, skewMs, atUs });
    return isAnother;
  }

  /** True: another server took the primary's place, or a standby that was followed goes another way. */
  async #succeed(now: FollowedSource): Promise<boolean> {
    const { watched, log } = this.#parts;
    const before = watched.source;
    const change = before === null ? 'none' : historyChange(before, now);
    if (change === 'none') return false;
    const where =
      change === 'another'
        ? `on timeline ${now.timeline}, and was on ${before?.timeline}`
        : before?.timeline === now.timeline
          ? `on a timeline ${now.timeline} that began elsewhere than the one of that number on which it was`
          : `on timeline ${now.timeline}, and was on ${before?.timeline}, and not all of one number are the same`;
    const reason = `the primary is ${where}: another server took its place`;
    await watched.succeed(reason, change === 'namesake');
    log.tell({
      level: 'warn',
      site: 'primary',
      event: 'failover',
      message: reason,
      hint: 'the log is followed from there on where it goes on whole; what it lacks is told as a gap',
    });
    return true;
  }

  #nowUs(): bigint {
    return BigInt(Math.round(this.#parts.timing.now() * 1000));
  }
}
