/** A row that the demo broke, and how it must be found. */
export interface BrokenRow {
  /** As the report names it, such as `public.account`. */
  readonly table: string;
  readonly kind: 'missing' | 'extra' | 'changed';
  readonly key: Readonly<Record<string, string>>;
  /** For a changed row, in the order of the table; otherwise none. */
  readonly columns: readonly string[];
  /** What was done, in a few words. */
  readonly done: string;
}

/** A row that was found to differ. */
export type FoundRow = Omit<BrokenRow, 'done'>;

/** One line of the comparison of both: null where the other side has no such row. */
export interface Match {
  readonly broken: BrokenRow | null;
  readonly found: FoundRow | null;
}

/** Pairs every broken row with the finding that is exactly right about it; the rest stand alone. */
export function matchRows(broken: readonly BrokenRow[], found: readonly FoundRow[]): readonly Match[] {
  const left = new Map<string, FoundRow[]>();
  for (const row of found) left.set(identityOf(row), [...(left.get(identityOf(row)) ?? []), row]);
  const matches: Match[] = broken.map((row) => {
    const rest = left.get(identityOf(row)) ?? [];
    const [first = null, ...others] = rest;
    left.set(identityOf(row), others);
    return { broken: row, found: first };
  });
  return [...matches, ...[...left.values()].flat().map((row) => ({ broken: null, found: row }))];
}

function identityOf({ table, kind, key, columns }: FoundRow): string {
  const sorted = Object.entries(key).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([table, kind, sorted, [...columns].sort()]);
}
