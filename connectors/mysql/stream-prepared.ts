import type { ChangeEvent } from '../../src/connector/changes.ts';

/** Bytes of rows that all prepared transactions may keep waiting together. */
const BYTES_MAX = 64 * 1024 * 1024;

interface Prepared {
  readonly events: ChangeEvent[];
  bytes: number;
}

/**
 * What XA transactions changed whose commit is still to come: the log has their rows where they were prepared. One that
 * does not fit in is forgotten, and its commit makes a gap.
 */
export class PreparedTransactions {
  readonly #prepared = new Map<string, Prepared>();
  #bytes = 0;

  begin(xid: string): void {
    this.take(xid);
    this.#prepared.set(xid, { events: [], bytes: 0 });
  }

  add(xid: string, event: ChangeEvent): void {
    const prepared = this.#prepared.get(xid);
    if (prepared === undefined) return;
    const bytes = bytesOf(event);
    if (this.#bytes + bytes > BYTES_MAX) {
      this.take(xid);
      return;
    }
    prepared.events.push(event);
    prepared.bytes += bytes;
    this.#bytes += bytes;
  }

  /** Takes it out. Null: it is not known. */
  take(xid: string): readonly ChangeEvent[] | null {
    const prepared = this.#prepared.get(xid);
    if (prepared === undefined) return null;
    this.#prepared.delete(xid);
    this.#bytes -= prepared.bytes;
    return prepared.events;
  }
}

/** With what an object takes beside its bytes. */
function bytesOf(event: ChangeEvent): number {
  const own = 200;
  if (!('before' in event)) return own;
  return own + (event.before?.length ?? 0) + (event.after?.length ?? 0);
}
