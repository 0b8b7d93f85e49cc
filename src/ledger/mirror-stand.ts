import type { MirrorLog, StoredRecord } from '../connector/mirror-log.ts';
import { TwinproofError } from '../errors.ts';
import { MalformedBytes } from './bytes.ts';
import {
  decodeMirrorRecord,
  MIRRORED,
  type MirrorRecord,
  type MirrorWriter,
  readJournal,
} from './mirror-record.ts';
import type { MirrorState } from './mirror-state.ts';

/** What a mirror is found to hold before anything is appended. */
export type MirrorStand =
  /** Our epoch goes on: what was sent and not noted is counted. */
  | { readonly kind: 'goes on'; readonly number: number; readonly offset: bigint; readonly at: number }
  /** It must begin from the beginning, at this offset; `reason` in words. */
  | { readonly kind: 'begins'; readonly offset: bigint; readonly reason: string };

export interface StandOptions {
  readonly owner: string;
  /** As noted, if it is of this topic; null: nothing was. */
  readonly known: MirrorState | null;
  readonly nowMs: number;
  /** Whoever has written nothing for so long writes no more. */
  readonly silenceMs: number;
}

/**
 * Looks at what stands in a mirror since we last did. Throws TP-LEDGER-MIRROR where somebody else writes to it: another
 * system, or another ledger of the same one that is alive.
 */
export async function standOf(
  log: MirrorLog,
  options: StandOptions,
  signal: AbortSignal,
): Promise<MirrorStand> {
  const { known } = options;
  const { first, end } = await log.extent(signal);
  if (known === null) {
    if (end > first) await readTail(log, { first: end - 1n, end }, options, signal);
    const reason = end > first ? 'the topic holds what another ledger wrote' : 'the topic was empty';
    return { kind: 'begins', offset: end, reason };
  }
  if (end < known.offset) {
    return { kind: 'begins', offset: end, reason: 'the topic lost what was written last, or was made anew' };
  }
  const tail = await readTail(log, { first: known.offset, end }, options, signal);
  if (first > known.first) {
    return { kind: 'begins', offset: end, reason: 'the topic has lost where the mirror began' };
  }
  if (tail.others) return { kind: 'begins', offset: end, reason: 'another ledger wrote to the topic' };
  if (tail.broken) return { kind: 'begins', offset: end, reason: 'records of the mirror are missing' };
  return { kind: 'goes on', number: tail.number, offset: end, at: tail.at };
}

interface Tail {
  number: number;
  at: number;
  others: boolean;
  broken: boolean;
}

async function readTail(
  log: MirrorLog,
  part: { readonly first: bigint; readonly end: bigint },
  options: StandOptions,
  signal: AbortSignal,
): Promise<Tail> {
  const { known, owner } = options;
  const tail: Tail = { number: known?.number ?? 0, at: known?.at ?? 0, others: false, broken: false };
  const ours: MirrorWriter | null = known === null ? null : { owner, epoch: known.epoch };
  await log.read(
    part,
    (stored) => {
      const record = recordIn(stored);
      if (record.owner !== owner) throw notOurs('the topic holds what another system’s ledger wrote');
      if (ours === null || record.epoch !== ours.epoch) demandSilence(stored, options, tail);
      else take(record, tail);
    },
    signal,
  );
  return tail;
}

function take(record: MirrorRecord, tail: Tail): void {
  if (record.number !== tail.number) tail.broken = true;
  tail.number++;
  if (record.kind !== MIRRORED.journal) return;
  const { at, bytes } = readJournal(record.body);
  tail.at = at + bytes.length;
}

function demandSilence(stored: StoredRecord, { nowMs, silenceMs }: StandOptions, tail: Tail): void {
  tail.others = true;
  if (nowMs - stored.writtenAtMs >= silenceMs) return;
  throw new TwinproofError('TP-LEDGER-MIRROR', {
    message: 'another ledger of this system writes to the topic',
    retryable: true,
  });
}

function recordIn(stored: StoredRecord): MirrorRecord {
  try {
    if (stored.value === null) throw new MalformedBytes('it is empty');
    return decodeMirrorRecord(stored.value);
  } catch (error) {
    if (!(error instanceof MalformedBytes)) throw error;
    throw notOurs(`the record at offset ${stored.offset} is none of a ledger: ${error.message}`);
  }
}

function notOurs(message: string): TwinproofError {
  return new TwinproofError('TP-LEDGER-MIRROR', {
    message,
    hint: 'give each system a topic of its own for `ledger.mirror`',
    retryable: true,
  });
}
