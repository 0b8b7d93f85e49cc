import type { ChangeEvent } from '../connector/changes.ts';
import { RowArena } from './row-arena.ts';

const EVENTS_MAX = 8192;
const BYTES_MAX = 2 * 1024 * 1024;

/** Events that are handed out together: bounded in number and bytes. */
export class EventBatch {
  /** Rows of events; never written again once given out. */
  readonly arena = new RowArena();
  #events: ChangeEvent[] = [];
  #bytes = 0;

  get empty(): boolean {
    return this.#events.length === 0;
  }

  get full(): boolean {
    return this.#events.length >= EVENTS_MAX || this.#bytes >= BYTES_MAX;
  }

  push(event: ChangeEvent): void {
    // Of positions in idle time only the last one says anything.
    if (event.type === 'idle' && this.#events.at(-1)?.type === 'idle') this.#events.pop();
    this.#events.push(event);
    this.#bytes += bytesOf(event);
  }

  /** The events gathered, and begins anew. */
  take(): readonly ChangeEvent[] {
    const events = this.#events;
    this.#events = [];
    this.#bytes = 0;
    return events;
  }
}

function bytesOf(event: ChangeEvent): number {
  switch (event.type) {
    case 'insert':
    case 'update':
    case 'delete':
      return (event.key?.length ?? 0) + (event.before?.length ?? 0) + (event.after?.length ?? 0);
    case 'message':
      return event.content.length;
    default:
      return 0;
  }
}
