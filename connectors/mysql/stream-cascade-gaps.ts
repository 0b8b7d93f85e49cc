import type { RowChange } from '../../src/connector/changes.ts';
import { int32At } from '../../src/row/stream.ts';
import type { LogEvent } from './binlog-event.ts';
import type { Cascades } from './stream-cascades.ts';
import type { Group } from './stream-group.ts';
import { rowFlags, rowKindOf } from './stream-rows.ts';
import type { TableEntry } from './stream-table.ts';

/**
 * "Rows_event", flags: NO_FOREIGN_KEY_CHECKS_F, and USE_SQL_FOREIGN_KEY_F of MySQL (9.6), which logs all that follows.
 */
const UNCHECKED = 0x02;
const LOGGED = 0x10;

export interface CascadeParts {
  readonly own: boolean;
  readonly tellsCascades: boolean;
}

/** Says which tables may have changed with rows whose foreign keys lead to others. */
export class CascadeGaps {
  readonly #parts: CascadeParts;

  constructor(parts: CascadeParts) {
    this.#parts = parts;
  }

  /**
   * To be told of every change of the event; null: that is not needed. `entry`: null for a table of another database.
   */
  of(
    event: LogEvent,
    entry: TableEntry | null,
    cascades: Cascades,
    group: Group,
  ): ((change: RowChange) => void) | null {
    const { onDelete, onUpdate } = cascades;
    if (onDelete.length === 0 && onUpdate === null) return null;
    if (this.#parts.own && group.origin !== null) return null;
    const flags = rowFlags(event);
    if ((flags & UNCHECKED) !== 0 || (this.#parts.tellsCascades && (flags & LOGGED) !== 0)) return null;
    const kind = rowKindOf(event);
    const say = (tables: readonly string[]): void => {
      const reason = 'rows that a foreign key changes with those of another table are not in the log';
      group.gap(reason, tables);
    };
    if (kind === 'delete' && onDelete.length > 0) say(onDelete);
    if (kind !== 'update' || onUpdate === null) return null;
    const { tables, columns } = onUpdate;
    const places = columns.map(
      (name) => entry?.table.columns.findIndex((column) => column.name === name) ?? -1,
    );
    if (places.includes(-1)) {
      say(tables);
      return null;
    }
    return (change) => {
      if (differsIn(change, places)) say(tables);
    };
  }
}

function differsIn({ before, after }: RowChange, places: readonly number[]): boolean {
  if (before === null || after === null) return true;
  return places.some((place) => Buffer.compare(fieldAt(before, place), fieldAt(after, place)) !== 0);
}

/** A field of a row's body with its length. */
function fieldAt(body: Uint8Array, place: number): Uint8Array {
  let at = 2;
  for (let index = 0; index < place; index += 1) at += 4 + Math.max(0, int32At(body, at));
  return body.subarray(at, at + 4 + Math.max(0, int32At(body, at)));
}
