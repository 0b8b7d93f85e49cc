import type { ChangeEvent, ChangeStream } from '../connector/changes.ts';
import { throwIfInterrupted } from '../connector/interruption.ts';
import type { Position } from '../connector/position.ts';
import type { PairKind } from '../connector/table.ts';
import { TwinproofError } from '../errors.ts';
import { heldBehind } from '../ledger/held.ts';
import { within } from './together.ts';
import type { WatchedLedger, WatchSite } from './watched-ledger.ts';
import type { WatchLog } from './watch-log.ts';

const TABLES_TOLD = 5;
/** It takes a write of the disk. */
const MARK_EVERY_US = 1_000_000n;

type Streamed = Pick<WatchSite, 'streamChanges'>;

/** Where the next stream begins. */
type Start = 'stored' | 'server';

/**
 * Carries the primary's changes into the ledger. One a ledger; its streams come and go, and it remembers whether the log
 * behind the stored position was lost.
 */
export class Tail {
  readonly #watched: WatchedLedger;
  readonly #log: WatchLog;
  #start: Start = 'stored';
  /** ChangeStream.mark of what is durable, and when one was stored last. */
  #mark: { readonly text: string; readonly stored: boolean } | null = null;
  #markedUs = 0n;
  #stream: ChangeStream | null = null;
  /** Counts the runs. One that was given up may end after the next has begun: what is open then is not its own. */
  #runs = 0;

  constructor(watched: WatchedLedger, log: WatchLog) {
    this.#watched = watched;
    this.#log = log;
  }

  /**
   * Streams until the stream ends or fails; throws what it throws, TP-INTERRUPTED when aborted. A gap is written down
   * before anything behind it is taken, so what it covers is unknown from then on, and read anew; one that a stream ends
   * with ends this call too, and the next one begins behind it.
   */
  async run(primary: Streamed, pair: PairKind, nowUs: () => bigint, signal: AbortSignal): Promise<void> {
    const run = ++this.#runs;
    try {
      const stream = await this.#open(primary, pair, nowUs, signal);
      try {
        this.#start = 'stored';
        this.#stream = stream;
        this.#log.state({ level: 'info', site: 'primary', event: 'stream', message: 'following the log' });
        await this.#follow(stream, nowUs, signal);
      } finally {
        if (this.#stream === stream) this.#stream = null;
        await within(stream.close());
      }
    } catch (error) {
      // Who was given up leaves it to the next one, which finds it too.
      if (!isGap(error) || signal.aborted) throw error;
      // Some servers say only with the first event that they no longer have what was asked for.
      await this.#watched.abandon();
      await this.#recordGap(error.message, nowUs());
      this.#start = 'server';
    } finally {
      if (run === this.#runs) await this.#watched.abandon();
    }
  }

  /** As ChangeStream.stands, of the stream that goes on now. */
  async stands(signal: AbortSignal): Promise<void> {
    await this.#stream?.stands?.(signal);
  }

  async #open(
    primary: Streamed,
    pair: PairKind,
    nowUs: () => bigint,
    signal: AbortSignal,
  ): Promise<ChangeStream> {
    const { ledger, compare, exclusive } = this.#watched;
    // A stream that was given up may have handed over a batch that is still waiting to be taken, and no end of it.
    await this.#watched.abandon();
    const position = await exclusive.run(() => ledger.position);
    const after = this.#start === 'stored' ? position : null;
    try {
      const held = (behind: Position): ReturnType<typeof heldBehind> =>
        heldBehind(ledger.core, behind, compare);
      const mark = this.#watched.known.logMark();
      return await primary.streamChanges({ after, pair, held, mark, known: this.#tables }, signal);
    } catch (error) {
      if (!isGap(error) || after === null || signal.aborted) throw error;
      await this.#recordGap(error.message, nowUs());
      this.#start = 'server';
      return await primary.streamChanges({ after: null, pair, known: this.#tables }, signal);
    }
  }

  get #tables(): readonly string[] {
    return this.#watched.ledger.core.catalog.current().map(({ leaf }) => leaf);
  }

  async #follow(stream: ChangeStream, nowUs: () => bigint, signal: AbortSignal): Promise<void> {
    let seen = false;
    try {
      for await (const events of stream.batches) {
        throwIfInterrupted(signal);
        const durable = await this.#watched.take(events);
        this.#tellGaps(events, nowUs());
        seen ||= events.some(({ type }) => type === 'commit' || type === 'idle');
        if (seen) this.#watched.isPlaceless = false;
        // A position of the stream before this one is not this server's to hear.
        if (durable === null || !seen) continue;
        this.#watched.witness.advance(durable, this.#watched.compare);
        stream.acknowledge(durable);
        this.#keepMark(stream.mark?.() ?? null, nowUs());
      }
    } finally {
      this.#storeMark();
    }
  }

  /** Everything that it speaks of is durable. */
  #keepMark(text: string | null, atUs: bigint): void {
    if (text !== null && text !== this.#mark?.text) this.#mark = { text, stored: false };
    // Either way, should the clock be set.
    if (atUs >= this.#markedUs && atUs - this.#markedUs < MARK_EVERY_US) return;
    this.#markedUs = atUs;
    this.#storeMark();
  }

  #storeMark(): void {
    const mark = this.#mark;
    if (mark === null || mark.stored) return;
    const { ledger, known } = this.#watched;
    ledger.core.guard(() => known.writeLogMark(mark.text));
    this.#mark = { text: mark.text, stored: true };
  }

  async #recordGap(reason: string, atUs: bigint): Promise<void> {
    await this.#watched.between(() => {
      this.#watched.isPlaceless = true;
      this.#watched.ledger.recordGap(reason, null);
    });
    // It is of what lies before the gap.
    this.#mark = null;
    this.#watched.known.writeLogMark(null);
    this.#tellGap(reason, atUs);
  }

  #tellGaps(events: readonly ChangeEvent[], atUs: bigint): void {
    for (const event of events) {
      if (event.type !== 'gap') continue;
      if (event.tables === null) this.#tellGap(event.reason, atUs);
      else this.#tellTableGap(event.reason, event.tables);
    }
  }

  #tellGap(reason: string, atUs: bigint): void {
    this.#watched.known.writeGap({ reason, atUs });
    this.#log.tell({
      level: 'error',
      site: 'primary',
      event: 'gap',
      code: 'TP-GAP',
      message: `the log has a gap: ${reason}`,
      hint: 'what the ledger knew of the rows is void; they are read anew, and until then nothing is certified',
    });
  }

  /** What the log does not show of some tables, as when they are redefined, is no fault of anybody. */
  #tellTableGap(reason: string, tables: readonly string[]): void {
    const named = tables.slice(0, TABLES_TOLD).join(', ');
    const more = tables.length > TABLES_TOLD ? ` and ${tables.length - TABLES_TOLD} more` : '';
    this.#log.tell({
      level: 'warn',
      site: 'primary',
      event: 'gap',
      message: `${named}${more}: ${reason}`,
      hint: 'their rows are read anew; until then nothing of them is certified',
    });
  }
}

function isGap(error: unknown): error is TwinproofError {
  return error instanceof TwinproofError && error.code === 'TP-GAP';
}
