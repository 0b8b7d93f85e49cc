/**
 * What was proven of one relation on one candidate, by ranges of keys in the order of the store (hexadecimal, which
 * keeps that order; null: open). Ranges do not overlap and are in order.
 */
export interface ProvenRange {
  readonly from: string | null;
  readonly to: string | null;
  /** The boundary of the journal as of which the range was equal, and that commit's position and the time of the proof. */
  readonly boundary: number;
  readonly position: string;
  readonly provenAtUs: string;
}

/** The ranges after another proof: it takes the place of what it overlaps. */
export function withProof(ranges: readonly ProvenRange[], proof: ProvenRange): ProvenRange[] {
  const kept: ProvenRange[] = [];
  if (isEmpty(proof)) return [...ranges];
  for (const range of ranges) {
    if (startsBefore(range.from, proof.from)) {
      const part = { ...range, to: endMin(range.to, proof.from) };
      if (!isEmpty(part)) kept.push(part);
    }
    if (endsBehind(range.to, proof.to)) {
      const part = { ...range, from: startMax(range.from, proof.to) };
      if (!isEmpty(part)) kept.push(part);
    }
  }
  kept.push(proof);
  return kept.sort((a, b) => (startsBefore(a.from, b.from) ? -1 : 1));
}

/** The ranges of keys of which nothing is proven. */
export function unprovenRanges(ranges: readonly ProvenRange[]): { from: string | null; to: string | null }[] {
  const open: { from: string | null; to: string | null }[] = [];
  let reached: string | null = null;
  let first = true;
  for (const range of ranges) {
    if (first ? range.from !== null : range.from !== reached) open.push({ from: reached, to: range.from });
    first = false;
    if (range.to === null) return open;
    reached = range.to;
  }
  open.push({ from: reached, to: null });
  return open;
}

function isEmpty(range: ProvenRange): boolean {
  return range.from !== null && range.to !== null && range.from >= range.to;
}

/** `a` begins before `b` does; null is the beginning of all. */
function startsBefore(a: string | null, b: string | null): boolean {
  return b !== null && (a === null || a < b);
}

/** `a` ends behind `b`; null is the end of all. */
function endsBehind(a: string | null, b: string | null): boolean {
  return b !== null && (a === null || a > b);
}

/** The earlier of an end and a beginning that is not open. */
function endMin(end: string | null, other: string | null): string | null {
  return end === null || (other !== null && other < end) ? other : end;
}

/** The later of a beginning and an end that is not open. */
function startMax(start: string | null, other: string | null): string | null {
  return start === null || (other !== null && other > start) ? other : start;
}
