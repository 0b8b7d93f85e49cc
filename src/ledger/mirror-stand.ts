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
  /** It must begin from the beginning, at this offset; `reason` in words. `lost`: the topic did not keep what it needs. */
  | { readonly kind: 'begins'; readonly offset: bigint; readonly reason: string; readonly lost: boolean };

export interface StandOptions {
  readonly owner: string;
  /** As noted, if it is of this topic; null: nothing was. */
  readonly known: MirrorState | null;
  /** The epoch that was drawn last, whether or not it was noted that it began; null: none was. */
  readonly drawn: string | null;
  /** Whether the journal has these bytes at this place. */
  readonly hasBytes: (at: number, bytes: Buffer) => boolean;
  readonly nowMs: number;
  /** Whoever has written nothing for so long writes no more. */
  readonly silenceMs: number;
}

/**
 * Looks at what stands in a mirror since we last did. Throws TP-LEDGER-MIRROR where somebody else writes to it: another
 * system, or another ledger of the same one, or a stranger, who was not silent for long enough.
 */
export async function standOf(
  log: MirrorLog,
  options: StandOptions,
  signal: AbortSignal,
): Promise<MirrorStand> {
  const { known } = options;
  const { first, end } = await log.extent(signal);
  const begins = (reason: string, lost = false): MirrorStand => ({
    kind: 'begins',
    offset: end,
    reason,
    lost,
  });
  if (known === null) {
    if (end === first) return begins('the topic was empty');
    const { others } = await readTail(log, { first: end - 1n, end }, options, signal);
    return begins(others ? 'the topic holds what another ledger wrote' : NOT_NOTED);
  }
  if (end < known.offset) return begins('the topic lost what was written last, or was made anew', true);
  // What another ledger wrote, and the topic has lost since, is of no interest.
  const from = first > known.offset ? first : known.offset;
  const tail = await readTail(log, { first: from, end }, options, signal);
  if (first > known.first) return begins('the topic has lost where the mirror began', true);
  if (tail.others) return begins('another ledger wrote to the topic');
  if (tail.drawn) return begins(NOT_NOTED);
  if (tail.setBack) return begins('the ledger was set back');
  if (tail.broken) return begins('records of the mirror are missing');
  return { kind: 'goes on', number: tail.number, offset: end, at: tail.at };
}

interface Tail {
  number: number;
  at: number;
  /** Another ledger's records are there. */
  others: boolean;
  /** There are some of an epoch that was begun here, which was not noted any more. */
  drawn: boolean;
  /** What was sent of the journal is not what the ledger has. */
  setBack: boolean;
  broken: boolean;
}

const NOT_NOTED = 'it was begun before, and how far it came was not noted';

async function readTail(
  log: MirrorLog,
  part: { readonly first: bigint; readonly end: bigint },
  options: StandOptions,
  signal: AbortSignal,
): Promise<Tail> {
  const { known, owner, drawn } = options;
  const nothing = { others: false, drawn: false, setBack: false, broken: false };
  const tail: Tail = { number: known?.number ?? 0, at: known?.at ?? 0, ...nothing };
  const ours: MirrorWriter | null = known === null ? null : { owner, epoch: known.epoch };
  await log.read(
    part,
    (stored) => {
      const record = recordIn(stored);
      if (typeof record === 'string') demandSilence(stored, record, options, tail);
      else if (record.owner !== owner) throw notOurs();
      else if (record.epoch === ours?.epoch) take(record, options, tail);
      else if (record.epoch === drawn) tail.drawn = true;
      else demandSilence(stored, 'another ledger of this system writes to the topic', options, tail);
    },
    signal,
  );
  return tail;
}

function take(record: MirrorRecord, { hasBytes }: StandOptions, tail: Tail): void {
  if (record.number !== tail.number) tail.broken = true;
  tail.number++;
  if (record.kind !== MIRRORED.journal) return;
  const { at, bytes } = readJournal(record.body);
  if (!hasBytes(at, bytes)) tail.setBack = true;
  tail.at = at + bytes.length;
}

function demandSilence(
  stored: StoredRecord,
  message: string,
  { nowMs, silenceMs }: StandOptions,
  tail: Tail,
): void {
  tail.others = true;
  if (nowMs - stored.writtenAtMs >= silenceMs) return;
  throw new TwinproofError('TP-LEDGER-MIRROR', { message, retryable: true });
}

/** What is none of a ledger, in words. */
function recordIn({ offset, value }: StoredRecord): MirrorRecord | string {
  try {
    if (value === null) throw new MalformedBytes('it is empty');
    return decodeMirrorRecord(value);
  } catch (error) {
    if (!(error instanceof MalformedBytes)) throw error;
    return `somebody else writes to the topic: the record at offset ${offset} is none of a ledger (${error.message})`;
  }
}

function notOurs(): TwinproofError {
  return new TwinproofError('TP-LEDGER-MIRROR', {
    message: 'the topic holds what another system’s ledger wrote',
    hint: 'give each system a topic of its own for `ledger.mirror`',
    retryable: true,
  });
}
