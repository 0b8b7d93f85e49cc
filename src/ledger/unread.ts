import type { Position, PositionOrder } from '../connector/position.ts';
import type { Core } from './core.ts';
import { encodeEntry, entryChangedAt, entryLongKey, entryState, STATE } from './entry.ts';
import { identityOf, RELATION_BYTES, storedKey } from './key.ts';
import type { Relation } from './relation.ts';
import type { BaselineRow } from './baseline.ts';

const WAITING_MAX = 100_000;

/** A row of which a change said only that it is there: a value was left out that no digest was kept of. */
export interface UnreadKey {
  readonly relation: number;
  /** As FoundRow.key. */
  readonly identity: Uint8Array;
}

interface Waiting {
  readonly stored: Buffer;
  readonly changedAt: number;
  readonly row: BaselineRow['row'];
  readonly until: Position;
}

/**
 * Reads rows again that the stream left unknown. What was read counts only when the stream has passed the read and the
 * row has not changed meanwhile: else the read may be of a later state than the change it is put in for.
 */
export class Unread {
  readonly #core: Core;
  #waiting: Waiting[] = [];

  constructor(core: Core) {
    this.#core = core;
  }

  /** Whether any row of a table that is followed is to be read. What waits in memory for the index is not counted. */
  get any(): boolean {
    return this.#relations().length > 0;
  }

  /**
   * Some of the keys to be read on the primary, of every table that has any: one that cannot be read now keeps no other
   * from it. In the index only, so settle the ledger before.
   */
  next(limit: number): UnreadKey[] {
    const relations = this.#relations();
    return relations.flatMap((relation) => this.#keysOf(relation, Math.ceil(limit / relations.length)));
  }

  /** Rows of generations that have ended stay unknown: nobody asks for them any more. */
  #relations(): Relation[] {
    return this.#core.catalog.current().filter(({ unread }) => unread > 0);
  }

  #keysOf({ number, signed }: Relation, limit: number): UnreadKey[] {
    const [start, end] = [numberBytes(number), numberBytes(number + 1)];
    const found: UnreadKey[] = [];
    for (const key of this.#core.store.unread.getKeys({ start, end, limit })) {
      const entry = this.#core.entry(key);
      if (entry === undefined) continue;
      const fields = Buffer.from(entryLongKey(entry) ?? key.subarray(RELATION_BYTES));
      found.push({ relation: number, identity: identityOf(fields, signed) });
    }
    return found;
  }

  /** A row as read on the primary; `until` was asked for there after the read. */
  offer(relation: number, read: BaselineRow, until: Position): void {
    const known = this.#core.catalog.byNumber(relation);
    if (known === null || this.#waiting.length >= WAITING_MAX) return;
    const { stored } = storedKey(relation, read.identity, known.signed);
    const entry = this.#core.entry(stored);
    if (entry === undefined || entryState(entry) !== STATE.unknown) return;
    this.#waiting.push({ stored, changedAt: entryChangedAt(entry), row: read.row, until });
  }

  /** To be called when the ledger is settled: puts in what the stream has passed. Returns how many rows that were. */
  advance(compare: (a: Position, b: Position) => PositionOrder): number {
    const { position } = this.#core.committed;
    if (position === null) return 0;
    const passed: Waiting[] = [];
    const left: Waiting[] = [];
    for (const one of this.#waiting) {
      const order = compare(position, one.until);
      if (order === 'equal' || order === 'after') passed.push(one);
      // A read of another history says nothing here.
      else if (order === 'before') left.push(one);
    }
    this.#waiting = left;
    let resolved = 0;
    this.#core.guard(() =>
      this.#core.store.transaction(() => {
        for (const one of passed) resolved += this.#resolve(one);
        this.#core.writeRelations();
      }),
    );
    return resolved;
  }

  #resolve({ stored, changedAt, row }: Waiting): number {
    const entry = this.#core.entry(stored);
    if (entry === undefined || row.digest === null) return 0;
    if (entryState(entry) !== STATE.unknown || entryChangedAt(entry) !== changedAt) return 0;
    if (this.#core.pending.find(stored) >= 0) return 0;
    const long = entryLongKey(entry);
    const state = { state: STATE.present, digest: row.digest };
    this.#core.put(stored, encodeEntry(state, changedAt, row.columns, long));
    return 1;
  }
}

function numberBytes(relation: number): Buffer {
  const bytes = Buffer.alloc(RELATION_BYTES);
  bytes.writeUInt32BE(relation);
  return bytes;
}
