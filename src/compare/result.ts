import type { Identity, Severity } from '../connector/identity.ts';
import type { Position } from '../connector/position.ts';
import type { PairKind } from '../connector/table.ts';

/** Never folded into two: what is not proven is neither same nor different. */
export type Outcome = 'same' | 'different' | 'unproven';

export interface Reason {
  readonly code: string;
  readonly severity: Severity;
  readonly subject: string;
  readonly message: string;
  readonly hint: string;
}

export type DifferenceKind = 'missing' | 'extra' | 'changed';

/** One row that differs. `missing`: the candidate lacks it; `extra`: the primary does. */
export interface Difference {
  readonly table: string;
  readonly kind: DifferenceKind;
  /** Column name to text; for a table without a key its row address or digest under a name in brackets. */
  readonly key: Readonly<Record<string, string>>;
  /** For changed rows, the columns that differ. */
  readonly columns?: readonly string[];
  /** Only when asked for: column to the text on each site, null for NULL. */
  readonly values?: Readonly<Record<string, { primary: string | null; candidate: string | null }>>;
}

export interface TableResult {
  readonly table: string;
  readonly outcome: Outcome;
  readonly encoding: string;
  readonly method: 'block' | 'key' | 'slice' | 'none';
  readonly rows: { readonly primary: bigint; readonly candidate: bigint };
  readonly differences: { readonly missing: bigint; readonly extra: bigint; readonly changed: bigint };
  /** At most the cap; counts above are exact. */
  readonly samples: readonly Difference[];
  readonly reasons: readonly Reason[];
}

export interface SiteResult {
  readonly engine: string;
  readonly identity: Identity | null;
  /** The primary's head at the end; what the candidate had applied at the end. Null: unknown. */
  readonly position: Position | null;
}

export interface VerifyResult {
  readonly outcome: Outcome;
  readonly pair: PairKind;
  readonly startedAt: Date;
  readonly finishedAt: Date;
  readonly primary: SiteResult & { readonly headBefore: Position | null };
  readonly candidate: SiteResult;
  readonly coverage: {
    readonly tables: number;
    readonly compared: number;
    readonly excluded: readonly { readonly table: string; readonly reason: string }[];
  };
  readonly tables: readonly TableResult[];
  readonly reasons: readonly Reason[];
  /** Ranges taken over from a state file, and when they were proven; null: none. */
  readonly resumed: { readonly ranges: number; readonly rows: bigint; readonly provenSince: Date } | null;
  readonly bytesRead: bigint;
}

/** What the progress display is told, about four times a second. */
export interface Progress {
  readonly table: string | null;
  readonly tablesDone: number;
  readonly tablesTotal: number;
  readonly rowsDone: bigint;
  readonly rowsEstimate: bigint;
  readonly rowsPerSecond: number;
  readonly suspects: number;
  readonly differences: bigint;
  readonly paused: string | null;
}
