import type { DifferenceKind } from './result.ts';

/** A row whose two reads did not agree. Not yet a difference: the sites may stand at different moments. */
export interface Suspect {
  readonly kind: DifferenceKind;
  readonly key: Uint8Array;
}

/** A difference that is proven. `columns`: null where they have not been compared one by one. */
export interface Proven {
  readonly kind: DifferenceKind;
  readonly key: Uint8Array;
  readonly columns: readonly string[] | null;
  /** Rows counted together: equal ones where a table has no key, or those that a unique index let in twice. */
  readonly count: number;
}
