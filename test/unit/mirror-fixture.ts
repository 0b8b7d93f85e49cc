import path from 'node:path';
import type { Timing } from '../../src/compare/timing.ts';
import type { MirrorExtent, MirrorLog, MirrorMessage, StoredRecord } from '../../src/connector/mirror-log.ts';
import { checkLedger } from '../../src/ledger/check.ts';
import { contentOf, type LedgerContent } from '../../src/ledger/content.ts';
import { Ledger, type LedgerOptions } from '../../src/ledger/ledger.ts';
import { TwinproofError } from '../../src/errors.ts';
import { isWholeMirror, MirrorStates } from '../../src/ledger/mirror-state.ts';
import { rebuildLedger, type Rebuilt } from '../../src/ledger/rebuild.ts';
import { LedgerMirror, type MirrorTarget } from '../../src/service/ledger-mirror.ts';
import { WatchedLedger } from '../../src/service/watched-ledger.ts';
import { WatchLog, type WatchLine } from '../../src/service/watch-log.ts';
import { comparePlaces, ledgerOptions } from './ledger-fixture.ts';

const ROUNDS_MAX = 2000;
const now = (): Date => new Date('2026-01-01T00:00:00Z');

/** A topic in memory: it does to its records what a test says. */
export class MemoryTopic {
  records: { readonly offset: bigint; readonly writtenAtMs: number; readonly value: Buffer }[] = [];
  end = 0n;
  nowMs = 0;
  /** Asked before each append: what becomes of it; a number: so many are stored, and then the connection is lost. */
  fate: (messages: readonly MirrorMessage[]) => 'stored' | 'refused' | 'stored and lost' | number = () =>
    'stored';

  get first(): bigint {
    return this.records[0]?.offset ?? this.end;
  }

  put(value: Buffer): void {
    this.records.push({ offset: this.end, writtenAtMs: this.nowMs, value });
    this.end += 1n;
  }

  open(): MirrorLog {
    return {
      append: (messages: readonly MirrorMessage[]) => {
        const fate = this.fate(messages);
        const count = typeof fate === 'number' ? fate : fate === 'refused' ? 0 : messages.length;
        for (const { value } of messages.slice(0, count)) this.put(Buffer.from(value));
        return fate === 'stored' ? Promise.resolve(this.end) : Promise.reject(lost());
      },
      extent: () => Promise.resolve({ first: this.first, end: this.end }),
      read: ({ first, end }: MirrorExtent, take: (record: StoredRecord) => void) => {
        if (first < this.first && first < end) return Promise.reject(new TwinproofError('TP-GAP'));
        for (const record of this.records) if (record.offset >= first && record.offset < end) take(record);
        return Promise.resolve();
      },
      close: () => Promise.resolve(),
    };
  }
}

function lost(): TwinproofError {
  return new TwinproofError('TP-CONNECTION-LOST', { retryable: true });
}

/** Time goes by while somebody sleeps, and no faster than others get their turn. */
function passingTime(topic: MemoryTopic): Timing {
  return {
    now: () => topic.nowMs,
    sleep: async (ms, signal) => {
      await new Promise(setImmediate);
      signal.throwIfAborted();
      topic.nowMs += ms;
    },
  };
}

/** A ledger that is watched, and mirrored to a topic while `mirroring` says so. */
export class MirroredLedger {
  readonly watched: WatchedLedger;
  readonly lines: WatchLine[] = [];
  readonly #topic: MemoryTopic;

  private constructor(watched: WatchedLedger, topic: MemoryTopic) {
    this.watched = watched;
    this.#topic = topic;
  }

  static async open(
    folder: string,
    topic: MemoryTopic,
    changes: Partial<LedgerOptions> = {},
  ): Promise<MirroredLedger> {
    const options = ledgerOptions(path.join(folder, 'source'), { segmentBytes: 4096, ...changes });
    return new MirroredLedger(await WatchedLedger.open(options, { comparePositions: comparePlaces }), topic);
  }

  get ledger(): Ledger {
    return this.watched.ledger;
  }

  /** Mirrors until everything that is in the ledger by then is whole in the topic, or `until` says so. */
  async mirror(until = (): boolean => this.#isMirrored(), target: Partial<MirrorTarget> = {}): Promise<void> {
    const stop = new AbortController();
    const mirror = new LedgerMirror({
      watched: this.watched,
      target: {
        topic: 'topic',
        open: () => Promise.resolve(this.#topic.open()),
        renewMs: 10 ** 12,
        drawEpoch: () => `${(drawn += 1)}`.padStart(32, '0'),
        ...target,
      },
      timing: passingTime(this.#topic),
      random: () => 0.5,
      log: new WatchLog('bank', (line) => this.lines.push(line)),
    });
    const running = mirror.run(stop.signal);
    for (let round = 0; !until(); round++) {
      if (round > ROUNDS_MAX) throw new Error(`it is not mirrored: ${JSON.stringify(this.lines)}`);
      await new Promise(setImmediate);
    }
    stop.abort();
    await running;
  }

  /** What it holds now, and that it agrees with itself. */
  async content(): Promise<LedgerContent | null> {
    await this.ledger.settle();
    return contentOf(this.ledger.core);
  }

  close(): Promise<void> {
    return this.watched.close();
  }

  #isMirrored(): boolean {
    const { core } = this.ledger;
    const states = new MirrorStates(core.store);
    const state = states.read();
    const complete = core.catalog.current().filter(({ completeFrom }) => completeFrom !== null);
    const copied = new Set(states.copy()?.complete);
    return (
      state !== null &&
      isWholeMirror(state) &&
      states.trouble() === null &&
      state.at === core.committed.mark.at &&
      this.#topic.end === state.offset &&
      complete.every(({ number }) => copied.has(number))
    );
  }
}

let drawn = 0;

/** Rebuilds a ledger below `folder`. */
export function rebuild(folder: string, topic: MemoryTopic, system = 'bank'): Promise<Rebuilt> {
  const options = { folder: path.join(folder, 'rebuilt'), system, from: 'memory', now };
  return rebuildLedger(topic.open(), options, new AbortController().signal);
}

/** The rebuilt ledger, read; with what it finds wrong with itself. */
export async function rebuilt<T>(folder: string, look: (ledger: Ledger) => T): Promise<T> {
  const ledger = await Ledger.read(ledgerOptions(path.join(folder, 'rebuilt')));
  try {
    const { problems } = checkLedger(ledger.core);
    if (problems.length > 0) throw new Error(problems.join('; '));
    return look(ledger);
  } finally {
    await ledger.close();
  }
}
