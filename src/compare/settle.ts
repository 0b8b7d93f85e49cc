import type { FoundRow } from '../connector/contract.ts';
import type { Position } from '../connector/position.ts';
import { TwinproofError } from '../errors.ts';
import { fieldsOf } from '../row/stream.ts';
import {
  judge,
  type Judgement,
  type Round,
  sameRowBytes,
  type Sighting,
  strikesNeeded,
} from './judgement.ts';
import { withRetry } from './retry.ts';
import type { ShapePair, SitePair } from './site-pair.ts';
import type { Proven } from './suspect.ts';
import { nameOf } from './suspects.ts';

/** What became of a batch of suspects. */
export interface Settled {
  readonly proven: readonly Proven[];
  /** Rows found equal once both sites stood at one moment. */
  readonly same: number;
  /** Rows for which the rounds ran out, by what stood in the way last. */
  readonly unsettled: readonly { readonly key: Uint8Array; readonly because: 'moving' | 'pending' }[];
  readonly rounds: number;
}

interface Open {
  readonly key: Uint8Array;
  strikes: number;
  because: 'moving' | 'pending';
}

/** Parts of the time to wait after which rows of a timed pair are looked at: most are equal within moments. */
const EARLY_LOOKS = [0.01, 0.1] as const;
/** Rounds of a timed pair, each of which waits: two minutes at the usual ten seconds. */
const TIMED_ROUNDS_MAX = 12;

/**
 * Settles suspects by the sandwich of DESIGN.md section 6: the primary's rows, its position, the candidate once it
 * has applied that position, the primary's rows again; in two rounds, in more where rows carry no versions. The last read of a round is the first of the
 * next. Throws what the connectors throw, and TP-CATCH-UP.
 *
 * Where the candidate cannot tell what it has applied, each round waits as long as a change may take to reach it
 * (`applyWithinMs`), beginning after the primary's first read. What that read saw was committed before the wait, so the
 * candidate's row shows it, or something later; and the primary's row had not changed after the candidate's was read.
 * If the two are not equal then, a change did not arrive in time, or arrived as something else: a strike.
 */
export async function settle(
  pair: SitePair,
  shapes: ShapePair,
  keys: readonly Uint8Array[],
  signal: AbortSignal,
): Promise<Settled> {
  const proven: Proven[] = [];
  // A row that moved from one range to another while they were read is suspected twice and judged once.
  const once = new Map(keys.map((key) => [nameOf(key), key]));
  let open: Open[] = [...once.values()].map((key) => ({ key, strikes: 0, because: 'moving' }));
  let same = 0;
  let rounds = 0;
  let before = await readByKey(pair, 'primary', shapes, open, signal);
  const { applyWithinMs } = pair;
  // A timed round looks several times, far apart: that tells a row that goes back and forth from one that stands still.
  const needed = strikesNeeded(pair.primary.capabilities.rowVersions || applyWithinMs !== null);
  const roundsMax =
    applyWithinMs === null ? pair.limits.roundsMax : Math.min(pair.limits.roundsMax, TIMED_ROUNDS_MAX);
  while (open.length > 0 && rounds < roundsMax) {
    rounds++;
    if (applyWithinMs === null) {
      await waitForCandidate(pair, signal);
    } else {
      const left = await waitLooking(pair, applyWithinMs, shapes, open, signal);
      same += open.length - left.length;
      open = left;
      if (open.length === 0) break;
    }
    const candidate = await readByKey(pair, 'candidate', shapes, open, signal);
    const after = await readByKey(pair, 'primary', shapes, open, signal);
    const writers = pair.kind === 'physical' ? [...writersOf(candidate), ...writersOf(after)] : [];
    const commitsPending = await withRetry(pair, signal, () => pair.primary.commitsPending(writers, signal));
    const next: Open[] = [];
    for (const row of open) {
      const name = nameOf(row.key);
      const [theirs, ours] = [candidate.get(name) ?? [], after.get(name) ?? []];
      const round: Round = {
        primaryBefore: sighting(before.get(name) ?? []),
        candidate: sighting(theirs),
        primaryAfter: sighting(ours),
        commitsPending,
        // VACUUM FULL keeps xmin and moves rows: at one address then stands another row of the same write.
        versionsComparable: pair.kind === 'physical' && shapes.primary.identity === 'key',
      };
      const judgement = judge(round);
      if (judgement === 'same') same++;
      else if (isFinal(row, judgement, needed)) proven.push(provenOf(row.key, ours, theirs, shapes));
      else next.push(row);
    }
    open = next;
    before = after;
    if (open.length > 0) await pair.timing.sleep(pauseMs(pair, rounds), signal);
  }
  return { proven, same, unsettled: open.map(({ key, because }) => ({ key, because })), rounds };
}

/** Waits as long as a change may take, and drops rows that are found equal meanwhile: equality needs no time. */
async function waitLooking(
  pair: SitePair,
  applyWithinMs: number,
  shapes: ShapePair,
  rows: readonly Open[],
  signal: AbortSignal,
): Promise<Open[]> {
  const until = pair.timing.now() + applyWithinMs;
  let open = [...rows];
  for (const part of EARLY_LOOKS) {
    const pause = until - applyWithinMs * (1 - part) - pair.timing.now();
    if (open.length === 0) return open;
    await pair.timing.sleep(Math.max(0, pause), signal);
    const candidate = await readByKey(pair, 'candidate', shapes, open, signal);
    const primary = await readByKey(pair, 'primary', shapes, open, signal);
    open = open.filter(({ key }) => {
      const name = nameOf(key);
      return !sameRowBytes(sighting(candidate.get(name) ?? []), sighting(primary.get(name) ?? []));
    });
  }
  if (open.length > 0) await pair.timing.sleep(Math.max(0, until - pair.timing.now()), signal);
  return open;
}

/** Notes the judgement on the row; true when the difference is final. */
function isFinal(row: Open, judgement: Exclude<Judgement, 'same'>, needed: number): boolean {
  switch (judgement) {
    case 'different':
      return true;
    case 'strike':
      row.strikes++;
      return row.strikes >= needed;
    case 'moving':
      row.strikes = 0;
      row.because = 'moving';
      return false;
    default:
      row.because = 'pending';
      return false;
  }
}

/** Waits longer the longer rows keep moving: a hot row settles when its writer pauses. */
function pauseMs(pair: SitePair, rounds: number): number {
  return Math.min(pair.limits.pollMs * rounds, 500);
}

/** What a site shows under one identity: one row, or where a unique index has failed several, told as one. */
function sighting(rows: readonly FoundRow[]): Sighting | null {
  const [only, ...more] = rows;
  if (only === undefined || more.length === 0) return only ?? null;
  return {
    row: Buffer.concat(rows.map(({ row }) => row)),
    version: rows.every(({ version }) => version !== null)
      ? rows.map(({ version }) => version).join(' ')
      : null,
  };
}

function provenOf(
  key: Uint8Array,
  primary: readonly FoundRow[],
  candidate: readonly FoundRow[],
  shapes: ShapePair,
): Proven {
  const [ours, theirs] = [primary[0], candidate[0]];
  if (ours === undefined) return { kind: 'extra', key, columns: null, count: candidate.length };
  if (theirs === undefined) return { kind: 'missing', key, columns: null, count: primary.length };
  const excess = candidate.length - primary.length;
  // No index hides a row whose twin it shows: there are no columns left to ask for.
  if (excess !== 0)
    return { kind: excess > 0 ? 'extra' : 'missing', key, columns: [], count: Math.abs(excess) };
  return { kind: 'changed', key, columns: columnsThatDiffer(ours.row, theirs.row, shapes), count: 1 };
}

/** The names of the columns in which two rows differ. An address is no column and never differs. */
export function columnsThatDiffer(primary: Uint8Array, candidate: Uint8Array, shapes: ShapePair): string[] {
  const ours = fieldsOf(primary);
  const theirs = fieldsOf(candidate);
  const skip = shapes.primary.identity === 'address' ? 1 : 0;
  return shapes.primary.columns
    .filter((_, index) => !sameField(ours[index + skip] ?? null, theirs[index + skip] ?? null))
    .map(({ name }) => name);
}

function sameField(a: Uint8Array | null, b: Uint8Array | null): boolean {
  if (a === null || b === null) return a === b;
  return Buffer.compare(a, b) === 0;
}

async function readByKey(
  pair: SitePair,
  site: 'primary' | 'candidate',
  shapes: ShapePair,
  open: readonly Open[],
  signal: AbortSignal,
): Promise<Map<string, FoundRow[]>> {
  const keys = open.map(({ key }) => key);
  const rows = await withRetry(pair, signal, () => pair[site].readRows(shapes[site], keys, 'index', signal));
  const found = new Map<string, FoundRow[]>();
  for (const row of rows) {
    const name = nameOf(row.key);
    const others = found.get(name);
    if (others === undefined) found.set(name, [row]);
    else others.push(row);
  }
  for (const group of found.values()) group.sort((a, b) => Buffer.compare(a.row, b.row));
  return found;
}

function writersOf(found: ReadonlyMap<string, readonly FoundRow[]>): string[] {
  const writers = new Set<string>();
  for (const rows of found.values())
    for (const row of rows) for (const writer of row.writers ?? []) writers.add(writer);
  return [...writers];
}

/** A candidate that moves is waited for so many times as long as one that stands still: busy servers lag by minutes. */
const MOVING_FACTOR = 10;

/**
 * Waits until the candidate has applied the primary's present head, by its position or by the time that changes take.
 * Throws TP-CATCH-UP when the candidate has stood still before it for `catchUpMs`, or has not come there in ten times
 * that.
 */
export async function waitForCandidate(pair: SitePair, signal: AbortSignal): Promise<void> {
  if (pair.applyWithinMs !== null) return pair.timing.sleep(pair.applyWithinMs, signal);
  const { head } = await withRetry(pair, signal, () => pair.primary.head(signal));
  const { catchUpMs, pollMs } = pair.limits;
  let movedAt = pair.timing.now();
  const last = movedAt + catchUpMs * (pair.learnt.isTooSlow ? 1 : MOVING_FACTOR);
  let seen: Position | null = null;
  for (let polls = 0; ; polls++) {
    const { applied } = await withRetry(pair, signal, () => pair.candidate.applied(signal));
    const now = pair.timing.now();
    if (applied !== null) {
      const order = pair.candidate.comparePositions(applied, head);
      if (order === 'equal' || order === 'after') return;
      // Sets of transactions are incomparable while each side has some that the other lacks: that passes.
      if (order === 'incomparable' && pair.candidate.capabilities.totalOrder) {
        throw new TwinproofError('TP-CATCH-UP', {
          message: `the candidate's position ${applied} is not on the primary's lineage (${head})`,
          hint: 'one of the sites was promoted or replaced during the run: check which server is which',
        });
      }
      if (applied !== seen) movedAt = now;
      seen = applied;
    }
    if (now >= last) pair.learnt.isTooSlow = true;
    if (now >= Math.min(last, movedAt + catchUpMs)) throw new TwinproofError('TP-CATCH-UP');
    await pair.timing.sleep(Math.min(pollMs * (1 + polls / 10), 250), signal);
  }
}
