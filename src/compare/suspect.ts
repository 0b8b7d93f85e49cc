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
  /** Equal rows counted together, where a table has no key. */
  readonly count: number;
}
