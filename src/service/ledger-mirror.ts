import type { Timing } from '../compare/timing.ts';
import type { MirrorLog } from '../connector/mirror-log.ts';
import { messageOf, TwinproofError } from '../errors.ts';
import { encodeValue, MIRRORED, ownerOf } from '../ledger/mirror-record.ts';
import { MirrorSender } from '../ledger/mirror-sender.ts';
import { hasBytes, linkBefore } from '../ledger/mirror-source.ts';
import { type MirrorStand, standOf } from '../ledger/mirror-stand.ts';
import { type MirrorState, MirrorStates } from '../ledger/mirror-state.ts';
import { pauseBefore } from './backoff.ts';
import { type CopyRest, type EpochParts, MirrorEpoch, Overtaken, withLedger } from './mirror-epoch.ts';
import { within } from './together.ts';
import type { WatchedLedger } from './watched-ledger.ts';
import type { WatchLog } from './watch-log.ts';

const LOOK_EVERY_MS = 1000;
/** How often it is looked whether the topic still has where the mirror began. */
const EXTENT_EVERY_MS = 60_000;
/** Whoever has written nothing for so long writes no more: an idle mirror gives a sign of life each minute. */
const SILENCE_MS = 600_000;
/** What is left when the watch ends may take so long: less than it is waited for. */
const LAST_ROUND_MS = 2000;

const LOST_HINT =
  'keep records in the topic two or three times as long as ledger.mirror.renew (retention.ms, and retention.bytes without a bound)';

/** Where a ledger is to be mirrored. */
export interface MirrorTarget {
  readonly topic: string;
  readonly open: () => Promise<MirrorLog>;
  /** Milliseconds after which it begins from its beginning, so that what is older may go. */
  readonly renewMs: number;
  /** Draws the name of an epoch: 32 hexadecimal digits. */
  readonly drawEpoch: () => string;
  /** For tests: shorter. */
  readonly silenceMs?: number;
}

export interface MirrorParts {
  readonly watched: WatchedLedger;
  readonly target: MirrorTarget;
  readonly timing: Timing;
  readonly random: () => number;
  readonly log: WatchLog;
}

/** What was noted of a mirror, as of this topic. */
interface KnownState {
  readonly known: MirrorState | null;
  readonly drawn: string | null;
  readonly copied: ReturnType<MirrorStates['copy']>;
}

/**
 * Writes a ledger to a log elsewhere as well, behind what is on disk here: intake never waits for it, and what was not
 * sent yet stands in the journal.
 */
export class LedgerMirror {
  readonly #parts: MirrorParts;
  readonly #states: MirrorStates;
  /** Why it must begin from its beginning, in words; null: it may go on. */
  #anew: string | null = null;
  #troubled: boolean;
  readonly #rest: CopyRest = { untilMs: -Infinity };

  constructor(parts: MirrorParts) {
    this.#parts = parts;
    this.#states = new MirrorStates(parts.watched.ledger.core.store);
    this.#troubled = this.#states.trouble() !== null;
  }

  /** Until aborted. Throws nothing: whatever goes wrong here must not end the watch. */
  async run(signal: AbortSignal): Promise<void> {
    const { target, timing, random } = this.#parts;
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        const log = await target.open();
        try {
          await this.#follow(log, signal, () => {
            attempt = 0;
          });
        } finally {
          await within(log.close());
        }
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof Overtaken) this.#anew = error.message;
        await this.#failed(asOurs(error), signal);
        await timing.sleep(pauseBefore(Math.max(1, attempt), random()), signal).catch(() => undefined);
      }
    }
  }

  async #follow(log: MirrorLog, signal: AbortSignal, good: () => void): Promise<void> {
    const { timing } = this.#parts;
    let epoch = await this.#open(log, signal);
    let lookedAtMs = timing.now();
    try {
      while (!signal.aborted) {
        await epoch.round(signal);
        good();
        await this.#well(epoch.state, signal);
        if (Math.abs(timing.now() - lookedAtMs) >= EXTENT_EVERY_MS || this.#isOld(epoch.state)) {
          lookedAtMs = timing.now();
          epoch = await this.#open(log, signal, epoch);
        }
        await timing.sleep(LOOK_EVERY_MS, signal).catch(() => undefined);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    await this.#lastRound(epoch);
  }

  /**
   * Goes on where the mirror ended, with `present` if that is its end, or begins. Throws TP-LEDGER-MIRROR where somebody
   * else writes to the topic.
   */
  async #open(log: MirrorLog, signal: AbortSignal, present?: MirrorEpoch): Promise<MirrorEpoch> {
    const { watched, timing, target } = this.#parts;
    const { system, source } = watched.ledger.identity;
    const owner = ownerOf(system, source);
    const { known, drawn, copied } = await this.#withLedger(signal, () => this.#knownState());
    const { silenceMs = SILENCE_MS } = target;
    const { core } = watched.ledger;
    const asked = { owner, known, drawn, nowMs: timing.now(), silenceMs };
    const has = (at: number, bytes: Buffer): boolean => hasBytes(core, at, bytes);
    const stand = await standOf(log, { ...asked, hasBytes: has }, signal);
    if (known === null || this.#anew !== null || stand.kind === 'begins') {
      return await this.#begin(log, stand, known, signal);
    }
    const { number, offset, at } = stand;
    if (present?.state.offset === offset) return present;
    const sender = new MirrorSender(log, { owner, epoch: known.epoch }, { number, offset });
    const state = { ...known, number, offset, at, link: null };
    return new MirrorEpoch(this.#epochParts, sender, state, known.copyTo === null ? null : copied);
  }

  /** What was noted of this topic. Where the journal is another since, or time is over, `#anew` says so. */
  #knownState(): KnownState {
    const { core } = this.#parts.watched.ledger;
    const state = this.#states.read();
    const known = state?.topic === this.#parts.target.topic ? state : null;
    if (known !== null) {
      const isOther =
        known.at > core.committed.mark.at ||
        (known.link !== null && known.link !== linkBefore(core, known.at));
      if (known.at < core.journal.start.at) this.#anew = new Overtaken().message;
      else if (isOther) this.#anew = 'the ledger was set back';
      else if (this.#isOld(known)) this.#anew = 'its time was over';
    }
    return { known, drawn: this.#states.drawn(), copied: this.#states.copy() };
  }

  #isOld({ begunAtUs }: MirrorState): boolean {
    const ageMs = Number(this.#nowUs() - begunAtUs) / 1000;
    // Either way, should the clock have been set.
    return Math.abs(ageMs) >= this.#parts.target.renewMs;
  }

  /** Begins an epoch: says whose ledger it is. Journal and copy follow with its first round. */
  async #begin(
    log: MirrorLog,
    stand: MirrorStand,
    before: MirrorState | null,
    signal: AbortSignal,
  ): Promise<MirrorEpoch> {
    const { watched, target } = this.#parts;
    const { ledger, system, source, digest } = watched.ledger.identity;
    const reason = stand.kind === 'begins' ? stand.reason : (this.#anew ?? 'it was never mirrored');
    const epoch = target.drawEpoch();
    await this.#withLedger(signal, () => this.#states.writeDrawn(epoch));
    const writer = { owner: ownerOf(system, source), epoch };
    const sender = new MirrorSender(log, writer, { number: 0, offset: stand.offset });
    const atUs = this.#nowUs();
    await sender.add(MIRRORED.begin, encodeValue({ ledger, system, source, digest, reason, atUs }));
    await sender.flush();
    // What was mirrored before stands there until this is whole, if it is all there.
    const reachedAtUs = stand.kind === 'goes on' ? (before?.reachedAtUs ?? null) : null;
    const { topic } = target;
    const state = await this.#withLedger(signal, () => {
      const at = watched.ledger.core.journal.start.at;
      const times = { begunAtUs: atUs, sentAtUs: atUs, reachedAtUs };
      const place = { at, link: null, copies: 0, copyTo: null };
      const begun = { topic, epoch, reason, first: stand.offset, ...sender.end, ...times, ...place };
      this.#states.write(begun);
      return begun;
    });
    this.#anew = null;
    this.#tellBeginning(reason, stand);
    return new MirrorEpoch(this.#epochParts, sender, state, null);
  }

  #tellBeginning(reason: string, stand: MirrorStand): void {
    const { target, log } = this.#parts;
    const message = `the ledger is mirrored to the topic ${target.topic} from its beginning: ${reason}`;
    const about = { site: null, event: 'mirror', message } as const;
    if (stand.kind === 'goes on' || !stand.lost) log.tell({ ...about, level: 'info' });
    else log.tell({ ...about, level: 'warn', hint: LOST_HINT });
  }

  /** The watch is about to end, and its ledger is closed when that has taken too long. */
  async #lastRound(epoch: MirrorEpoch): Promise<void> {
    const late = new AbortController();
    const enough = new AbortController();
    const over = this.#parts.timing.sleep(LAST_ROUND_MS, enough.signal).catch(() => undefined);
    void over.then(() => late.abort());
    await Promise.race([epoch.round(late.signal).catch(() => undefined), over]);
    enough.abort();
  }

  async #failed({ code, message, hint }: TwinproofError, signal: AbortSignal): Promise<void> {
    const text = `the ledger is not mirrored: ${message}`;
    this.#parts.log.state({ level: 'warn', site: null, event: 'mirror', message: text, code, hint });
    const sinceUs = this.#nowUs();
    await this.#withLedger(signal, () => {
      const before = this.#states.trouble();
      if (before?.code === code && before.message === message) return;
      this.#states.writeTrouble({ code, message, sinceUs: before?.sinceUs ?? sinceUs });
    }).catch(() => undefined);
    this.#troubled = true;
  }

  async #well({ topic }: MirrorState, signal: AbortSignal): Promise<void> {
    if (!this.#troubled) return;
    this.#troubled = false;
    await this.#withLedger(signal, () => this.#states.writeTrouble(null));
    const message = `the ledger is mirrored to the topic ${topic} again`;
    this.#parts.log.over({ level: 'info', site: null, event: 'mirror', message });
  }

  get #epochParts(): EpochParts {
    const { watched, timing } = this.#parts;
    return { watched, states: this.#states, timing, rest: this.#rest };
  }

  #withLedger<T>(signal: AbortSignal, action: () => T): Promise<T> {
    const { watched } = this.#parts;
    return withLedger(watched, signal, () => watched.ledger.core.guard(action));
  }

  #nowUs(): bigint {
    return BigInt(Math.round(this.#parts.timing.now() * 1000));
  }
}

function asOurs(error: unknown): TwinproofError {
  if (error instanceof TwinproofError) return error;
  return new TwinproofError('TP-BUG', { message: messageOf(error), cause: error });
}
