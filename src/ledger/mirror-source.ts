import type { Core } from './core.ts';
import { notesOf } from './frozen-store.ts';
import { MIRROR_BODY_MAX } from './mirror-record.ts';
import { LINK_BYTES } from './record.ts';
import { encodeSegmentHeader } from './segment.ts';

const PLACE_BYTES = 6;

/** A ledger between two transactions, as far as its journal is on disk. */
export interface MirroredState {
  readonly at: number;
  /** Hexadecimal. */
  readonly link: string;
  readonly start: number;
  readonly newestUs: bigint | null;
  /** What is known of the primary beside rows and commits, by name. */
  readonly notes: ReadonlyMap<string, Buffer>;
  readonly signs: IndexSigns;
}

/** By what is told that the index has come to hold what no journal says. */
export interface IndexSigns {
  /** Relations of which every row is known, by number. */
  readonly complete: readonly number[];
  /** Rows that are still to be read. */
  readonly unread: number;
}

/**
 * To be called when nothing is being taken or flushed. Null: the last place between two transactions is not on disk yet,
 * and what is not may be taken back.
 */
export function mirroredState(core: Core): MirroredState | null {
  const { mark } = core.committed;
  if (mark.at > core.journal.durable) return null;
  return {
    at: mark.at,
    link: mark.link.toString('hex'),
    start: core.journal.start.at,
    newestUs: core.committed.newestUs,
    notes: notesOf(core.store),
    signs: signsOf(core),
  };
}

export function signsOf(core: Core): IndexSigns {
  const current = core.catalog.current();
  return {
    complete: current.filter(({ completeFrom }) => completeFrom !== null).map(({ number }) => number),
    unread: current.reduce((sum, { unread }) => sum + unread, 0),
  };
}

/** Whether the index holds what a copy of the time of `before` does not, and the journal since may not say. */
export function outgrown(before: IndexSigns, now: IndexSigns): boolean {
  const known = new Set(before.complete);
  return now.unread < before.unread || now.complete.some((number) => !known.has(number));
}

/** Some bytes of the journal, all of one file; `head`: that file begins with them. */
export interface JournalPiece {
  readonly at: number;
  readonly head: Buffer | null;
  readonly bytes: Buffer;
}

/** The next piece from `at` up to `to`; null: the journal does not reach back there any more. */
export function journalPiece({ journal }: Core, at: number, to: number): JournalPiece | null {
  if (at < journal.start.at) return null;
  const segment = journal.files.segmentAt(at);
  const bytes = Buffer.allocUnsafe(Math.min(to - at, MIRROR_BODY_MAX - PLACE_BYTES));
  const length = segment === null ? 0 : journal.files.read(at, bytes);
  if (segment === null || length === 0) throw new RangeError(`the journal has nothing at ${at}`);
  const head = segment.header.base === at ? encodeSegmentHeader(segment.header) : null;
  return { at, head, bytes: bytes.subarray(0, length) };
}

/** Whether the journal has these bytes, all of one file, at a place; true also of what it has let go of. */
export function hasBytes({ journal }: Core, at: number, bytes: Buffer): boolean {
  if (at < journal.start.at) return true;
  const own = Buffer.allocUnsafe(bytes.length);
  return journal.files.read(at, own) === bytes.length && own.equals(bytes);
}

/** The link of the record that ends at a place, hexadecimal; null: the journal does not hold it (any more, or yet). */
export function linkBefore({ journal }: Core, at: number): string | null {
  const begun = journal.files.segments.find(({ header }) => header.base === at);
  if (begun !== undefined) return begun.header.link.toString('hex');
  const link = Buffer.alloc(LINK_BYTES);
  if (at - LINK_BYTES < journal.start.at || journal.files.read(at - LINK_BYTES, link) < LINK_BYTES)
    return null;
  return link.toString('hex');
}
