import { middlesOf } from './middles.ts';
import { type Bound, type BoundColumn, cutOf } from './ranges.ts';

/** Values of the bound columns of one row, as the wire has them. */
export type KeyValues = readonly Uint8Array[];

/** Keys from one that exists (null: from the start) up to one that exists (null: to the end). */
export interface Interval {
  readonly from: KeyValues | null;
  readonly to: KeyValues | null;
}

/** Two neighbouring keys with a cut between them. */
export interface Neighbours {
  readonly below: KeyValues;
  readonly above: KeyValues;
}

/** What a table can be asked without being read. */
export interface KeyProbe {
  /** The first key and the last one; null: no rows. */
  ends(): Promise<{ readonly first: KeyValues; readonly last: KeyValues } | null>;
  /** About how many rows lie in each interval. */
  estimate(intervals: readonly Interval[]): Promise<readonly number[]>;
  /** For each, the keys on both sides of `at` within the interval; null where a side is empty. */
  neighbours(
    asked: readonly { readonly interval: Interval; readonly at: Bound }[],
  ): Promise<readonly (Neighbours | null)[]>;
  /** Steps over `rows` rows of an interval, which reads them; null: there are no more. */
  step(interval: Interval, rows: number): Promise<Neighbours | null>;
}

interface Part extends Interval {
  /** Keys that exist: of the first row and the last one. */
  readonly first: KeyValues;
  readonly last: KeyValues;
  readonly rows: number;
}

export interface Cuts {
  readonly cuts: readonly string[];
  /** One more than there are cuts. */
  readonly rows: readonly number[];
}

/**
 * InnoDB doubles what it counted on the few pages that it looked at (btr_estimate_n_rows_in_range), so a part's share
 * of what is known of the whole counts, and half of its own estimate where that is more.
 */
const DOUBLED = 2;
/** Estimates say half or twice as much as there is; a plan may come out finer than wanted, but not without end. */
const PARTS_FACTOR = 4;
const PARTS_MORE = 64;

/**
 * Cuts a table along its key into parts of about `rowsMax` rows: every part that holds more is cut in the middle of its
 * values, at a row that exists, again and again. Only index dives and single rows are read; where no middle can be
 * guessed, the part is walked. All parts of one level are asked about at once, so that a plan takes few round trips.
 * Every cut leaves rows on both sides, and the number of parts is bounded, so it ends.
 */
export async function planCuts(
  probe: KeyProbe,
  columns: readonly BoundColumn[],
  rowsTotal: number,
  rowsMax: number,
): Promise<Cuts> {
  const whole: Interval = { from: null, to: null };
  const ends = columns.length === 0 ? null : await probe.ends();
  const [counted = 0] = ends === null ? [] : await probe.estimate([whole]);
  const rows = Math.max(rowsTotal, counted);
  if (ends === null || rows <= rowsMax) return { cuts: [], rows: [rows] };
  const partsMax = PARTS_FACTOR * Math.ceil(rows / rowsMax) + PARTS_MORE;
  let parts: readonly Part[] = [{ ...whole, ...ends, rows }];
  for (let open = true; open && parts.length < partsMax;) {
    const next = await cutLevel(probe, columns, parts, rowsMax);
    open = next.length > parts.length;
    parts = next;
  }
  return joined(parts, rowsMax);
}

/** Cuts every part that is too large into two. */
async function cutLevel(
  probe: KeyProbe,
  columns: readonly BoundColumn[],
  parts: readonly Part[],
  rowsMax: number,
): Promise<Part[]> {
  const large = parts.filter(({ rows }) => rows > rowsMax);
  const found = new Map<Part, Neighbours>();
  let asking = large.map((part) => ({ part, middles: middlesOf(columns, part.first, part.last) }));
  while (asking.length > 0) {
    const turn = asking.flatMap(({ part, middles }) => {
      const [at, ...others] = middles;
      return at === undefined ? [] : [{ part, at, others }];
    });
    const answers = await probe.neighbours(turn.map(({ part, at }) => ({ interval: part, at })));
    asking = [];
    for (const [index, { part, others }] of turn.entries()) {
      const answer = answers[index] ?? null;
      if (answer === null) asking.push({ part, middles: others });
      else found.set(part, answer);
    }
  }
  for (const part of large) {
    if (found.has(part)) continue;
    const answer = await probe.step(part, rowsMax);
    if (answer !== null) found.set(part, answer);
  }
  return estimated(probe, parts, found);
}

async function estimated(
  probe: KeyProbe,
  parts: readonly Part[],
  cuts: ReadonlyMap<Part, Neighbours>,
): Promise<Part[]> {
  const halves = parts.flatMap((part) => {
    const cut = cuts.get(part);
    if (cut === undefined) return [];
    return [
      { from: part.from, to: cut.above, first: part.first, last: cut.below },
      { from: cut.above, to: part.to, first: cut.above, last: part.last },
    ];
  });
  const estimates = await probe.estimate(halves);
  const next: Part[] = [];
  let taken = 0;
  for (const part of parts) {
    if (!cuts.has(part)) {
      next.push(part);
      continue;
    }
    const [left = 0, right = 0] = estimates.slice(taken, taken + 2);
    const share = left + right === 0 ? 0.5 : left / (left + right);
    const shares = [share, 1 - share];
    for (const [at, half] of halves.slice(taken, taken + 2).entries()) {
      const rows = Math.max(part.rows * (shares[at] ?? 0), (at === 0 ? left : right) / DOUBLED);
      next.push({ ...half, rows: Math.round(rows) });
    }
    taken += 2;
  }
  return next;
}

/** Neighbours that are small enough together become one. */
function joined(parts: readonly Part[], rowsMax: number): Cuts {
  const cuts: string[] = [];
  const rows: number[] = [];
  for (const part of parts) {
    const last = rows.at(-1);
    if (last !== undefined && last + part.rows <= rowsMax) {
      rows[rows.length - 1] = last + part.rows;
      continue;
    }
    if (part.from !== null) cuts.push(cutOf(part.from));
    rows.push(part.rows);
  }
  return { cuts, rows };
}
