import type { ChangeEvent, RowChange } from '../../src/connector/changes.ts';
import type { EventBatch } from '../../src/row/event-batch.ts';
import type { GroupStart } from './binlog-gtid.ts';
import { positionOfList, positionOfSet } from './gtid.ts';
import type { PreparedTransactions } from './stream-prepared.ts';
import type { StreamPlace } from './stream-position.ts';

export interface GroupParts {
  readonly batch: EventBatch;
  readonly place: StreamPlace;
  readonly prepared: PreparedTransactions;
  /** BeginEvent.origin of what this server did not commit first. */
  readonly originOf: (start: GroupStart) => string | null;
  /** The log of a replica is read for what it writes itself: what follows from its source's doing is not told. */
  readonly own: boolean;
}

/** A transaction of the log, or a statement that is logged by itself, while its events come in. */
export class Group {
  readonly start: GroupStart;
  /** Between BEGIN and COMMIT. */
  inTransaction: boolean;
  /** Where the name of the server's own is another. */
  readonly origin: { readonly name: string; readonly position: string } | null;
  /** Set while rows of an XA transaction come, which count when that is committed. */
  xid: string | null = null;
  readonly #parts: GroupParts;
  #begun = false;
  /** Tables that rows came of, the last one by itself: sets are costly, and most transactions touch one table. */
  #lastTouched: string | null = null;
  #touched: Set<string> | null = null;
  #gaps: Set<string> | null = null;

  constructor(start: GroupStart, parts: GroupParts) {
    this.start = start;
    this.inTransaction = start.standalone === false;
    this.#parts = parts;
    const name = parts.originOf(start);
    this.origin = name === null ? null : { name, position: ownPosition(start) };
  }

  get begun(): boolean {
    return this.#begun;
  }

  change(change: RowChange): void {
    const { leaf, keyFields } = change.table;
    if (change.key === null && keyFields !== null) {
      this.gap(`a change of ${leaf} came without its key`, [leaf]);
    }
    if (leaf !== this.#lastTouched) {
      if (this.#lastTouched !== null) (this.#touched ??= new Set()).add(this.#lastTouched);
      this.#lastTouched = leaf;
    }
    if (this.xid === null) this.push(change);
    else this.#parts.prepared.add(this.xid, change);
  }

  /** Something that belongs to the transaction; the first one makes its beginning known. */
  push(event: ChangeEvent): void {
    if (!this.#begun) {
      const { id, committedAtUs } = this.start;
      this.#parts.batch.push({ type: 'begin', id, committedAtUs, origin: this.origin });
      this.#begun = true;
    }
    this.#parts.batch.push(event);
  }

  /** Said once for the same tables. Null: every table. */
  gap(reason: string, tables: readonly string[] | null): void {
    const said = (this.#gaps ??= new Set());
    const unsaid = tables?.filter((leaf) => !said.has(leaf)) ?? null;
    if (said.has(EVERY_TABLE) || unsaid?.length === 0) return;
    for (const leaf of unsaid ?? [EVERY_TABLE]) said.add(leaf);
    const gap = { type: 'gap', reason, tables: unsaid } as const;
    // What is only prepared changes nothing yet.
    if (this.xid === null) this.#parts.batch.push(gap);
    else this.#parts.prepared.add(this.xid, gap);
  }

  /** What was changed may have been undone again. */
  undone(reason: string): void {
    if (this.#lastTouched !== null) this.gap(reason, [...new Set(this.#touched).add(this.#lastTouched)]);
  }

  /** What was prepared under this name is committed here. */
  release(xid: string): void {
    const events = this.#parts.prepared.take(xid);
    if (events === null) {
      this.gap(
        'the rows of an XA transaction lie before the beginning of the stream, or were too many to be kept',
        null,
      );
      return;
    }
    for (const event of events) this.push(event);
  }

  /** Its end: it was committed, or there is nothing of it that counts. */
  end(): void {
    const { place, batch, own } = this.#parts;
    const { id, committedAtUs, gtid } = this.start;
    // On a replica that is written to in its source's domain both count on from the same number.
    if (!place.add(gtid) && !own) {
      this.gap('numbers of transactions went back: two servers wrote in one domain', null);
    }
    const { position } = place;
    if (this.#begun) batch.push({ type: 'commit', position, id, committedAtUs });
    else batch.push({ type: 'idle', position });
  }
}

const EVERY_TABLE = '\0';

/** The position that has this one transaction and no other. */
function ownPosition({ gtid }: GroupStart): string {
  if (gtid.kind === 'mysql') return positionOfSet(new Map([[gtid.source, [[gtid.number, gtid.number]]]]));
  return positionOfList(new Map([[gtid.domain, { server: gtid.server, sequence: gtid.sequence }]]));
}
