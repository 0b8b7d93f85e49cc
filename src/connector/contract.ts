import type { Capabilities } from './capabilities.ts';
import type { ReadinessFacts, ReadinessOptions } from './facts.ts';
import type { Finding, Identity, LagFacts, Relation } from './identity.ts';
import type { AppliedReading, HeadReading, Position, PositionOrder } from './position.ts';
import type { PreflightOptions } from './preflight.ts';
import type { ColumnEncoding, PairKind, PortableForm, TableDescription, TableSelection } from './table.ts';

/** A part of one table that can be read in a bounded time. `from` and `to` are opaque outside the connector. */
export interface Range {
  readonly table: string;
  readonly kind: 'block' | 'key' | 'slice';
  /** Stable name of the range within its table: a resumed run recognises it. */
  readonly id: string;
  /** Null: open at this end. */
  readonly from: string | null;
  readonly to: string | null;
  readonly rowsEstimate: number;
}

/** By what a row is recognised: its key columns, its physical address (physical pairs only), or its whole value. */
export type RowIdentity = 'key' | 'address' | 'value';

export interface ColumnRead {
  readonly name: string;
  readonly encoding: ColumnEncoding;
  /** With the encoding `portable`. */
  readonly form?: PortableForm;
  /** The time zone (IANA name) in which a local time is an instant, for a form of `inZone`. */
  readonly zone?: string;
  /** With the form `text`: blanks at the end do not count. Never of a key column. */
  readonly trim?: true;
  /** With the form `decimal`: rounded to so many digits behind the point, half away from zero. Never of a key column. */
  readonly scale?: number;
}

/** What both sites must agree on to emit the same bytes for the same row. */
export interface RowShape {
  readonly table: TableDescription;
  readonly identity: RowIdentity;
  /** In one order for both sites, the key's columns first. */
  readonly columns: readonly ColumnRead[];
  /** How many leading fields of a row are its identity; an address counts as one; 0 for `value`. */
  readonly keyFields: number;
  readonly pair: PairKind;
}

export interface PlanOptions {
  readonly kind: Range['kind'];
  readonly rowsMax: number;
  readonly bytesMax: number;
}

/**
 * Takes rows as bytes, in the row stream of src/row/stream.ts, without a copy where the source allows: the connector
 * puts bytes into `space()` and says how many.
 */
export interface RowSink {
  /** Where the next bytes go: never empty; valid until the next `take`. */
  space(): Uint8Array;
  /**
   * Takes `length` bytes just written to `space()`. Returns the first message that is not a row, whole (a view, valid
   * until the next call), or null when every complete row so far is taken. After a message call again with 0.
   */
  take(length: number): Uint8Array | null;
}

export interface RangeRead {
  readonly shape: RowShape;
  readonly range: Range;
  /** Called once, when the snapshot of the read is fixed and before rows arrive. */
  readonly onSnapshot?: () => void;
}

/** A row found by readRows: identity and row as they stand in the row stream (fields, each with its length). */
export interface FoundRow {
  readonly key: Uint8Array;
  readonly row: Uint8Array;
  /** Changes with every write of the row; null where the engine does not tell. Comparable on physical pairs. */
  readonly version: string | null;
  /** The transactions that wrote or are deleting this version, for commitsPending. Absent: unknown. */
  readonly writers?: readonly string[];
}

export interface Connector {
  readonly engine: string;
  readonly capabilities: Capabilities;
  identify(signal: AbortSignal): Promise<Identity>;
  /** How this site, as the candidate, stands to `primary`. */
  relateTo(primary: Connector, signal: AbortSignal): Promise<Relation>;
  preflight(signal: AbortSignal, options?: PreflightOptions): Promise<readonly Finding[]>;
  describeTables(selection: TableSelection, signal: AbortSignal): Promise<readonly TableDescription[]>;
  /** The primary's head. Throws on a candidate. */
  head(signal: AbortSignal): Promise<HeadReading>;
  /** What a candidate has applied of the primary's log. */
  applied(signal: AbortSignal): Promise<AppliedReading>;
  comparePositions(a: Position, b: Position): PositionOrder;
  planRanges(shape: RowShape, options: PlanOptions, signal: AbortSignal): Promise<readonly Range[]>;
  /** Splits a range that proved too large; an empty answer means that it cannot be split. */
  splitRange(shape: RowShape, range: Range, signal: AbortSignal): Promise<readonly Range[]>;
  readRange(read: RangeRead, sink: RowSink, signal: AbortSignal): Promise<void>;
  /**
   * Point reads by identity, in no order; keys that do not exist are absent. `heap`: not through any index. Throws
   * TP-RANGE-TOO-LARGE when the rows of more than one key take too much memory together: ask for fewer.
   */
  readRows(
    shape: RowShape,
    keys: readonly Uint8Array[],
    access: 'index' | 'heap',
    signal: AbortSignal,
  ): Promise<readonly FoundRow[]>;
  /**
   * On the primary: may one of the transactions `writers` still be in progress, or does a commit wait for a
   * synchronous standby? `unknown` when the role may not see that.
   */
  commitsPending(writers: readonly string[], signal: AbortSignal): Promise<'none' | 'pending' | 'unknown'>;
  /** On the primary: a mark in time; every transaction that has not finished yet lies at or behind it. */
  markNow(signal: AbortSignal): Promise<string>;
  /**
   * On the primary: the identities of rows whose present version was written at or behind `mark`, as rows of which the
   * shape's key columns are all; it may give some more. Nothing but their number counts where rows have no key.
   */
  readWrittenSince(shape: RowShape, mark: string, sink: RowSink, signal: AbortSignal): Promise<void>;
  /** A key as a person reads it: column name to text. */
  describeKeys(
    shape: RowShape,
    keys: readonly Uint8Array[],
    signal: AbortSignal,
  ): Promise<readonly Readonly<Record<string, string>>[]>;
  lag(signal: AbortSignal): Promise<LagFacts>;
  readiness(signal: AbortSignal, options?: ReadinessOptions): Promise<ReadinessFacts>;
  close(): Promise<void>;
}
