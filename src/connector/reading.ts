/**
 * A fact that was read, or why not. All of it is plain data without `bigint`, `Date` and `undefined`, so that it can be
 * kept as JSON and read again.
 */
export type Reading<T> =
  | { readonly known: true; readonly value: T }
  | {
      readonly known: false;
      /** A clause in plain words; names the missing privilege where that is the reason. */
      readonly reason: string;
      /** SQL that would make it readable, for a DBA to read and run. */
      readonly sql?: string;
    };
