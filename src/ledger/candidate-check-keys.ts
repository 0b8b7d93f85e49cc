import type { FoundRow, RangeRead, RowShape } from '../connector/contract.ts';
import type { Bracket, LedgerCandidate } from '../connector/ledger-sites.ts';
import type { Position, PositionOrder } from '../connector/position.ts';
import { TwinproofError } from '../errors.ts';
import { BodySink } from '../row/body-sink.ts';
import { int32At, NULL_LENGTH } from '../row/stream.ts';
import {
  atLeast,
  rootOf,
  TableCheck,
  viewOf,
  type Judgement,
  type ReadRow,
  type UnknownWhy,
} from './candidate-check.ts';
import { sameBytes } from './bytes.ts';
import { STATE } from './entry.ts';
import type { Ledger } from './ledger.ts';
import type { RowDigester } from './row-digest.ts';
import type { Boundary } from './state.ts';
import { Witness } from './witness.ts';

/** Keys of one point read. */
const KEYS_PER_READ = 10_000;
/** What the rows of one range may take in memory. */
const RANGE_BYTES_MAX = 64 * 1024 * 1024;
/** Rows of a range that are told one by one; whoever meets more looks at the range as a whole. */
const SUSPECTS_MAX = 10_000;

/** Several rows of one key. */
const REPEATED = 'repeated';
type Repeated = typeof REPEATED;
const EXTRA: Judgement = { kind: 'different', difference: 'extra' };

/** What of a candidate is needed here. */
export type CheckedSite = Pick<
  LedgerCandidate,
  'readRowsBracketed' | 'readRangeBracketed' | 'writtenWhen'
> & {
  comparePositions(a: Position, b: Position): PositionOrder;
};

/** One table of a candidate: `root` as the ledger calls it, `shape` by shapeOf with the candidate's description. */
export interface CheckedTable {
  readonly root: string;
  readonly shape: RowShape;
}

export interface CheckedKey {
  /** As FoundRow.key. */
  readonly identity: Uint8Array;
  readonly judgement: Judgement;
}

/** How long a candidate must stand still before it cannot hold anything of a commit behind its position any more. */
export interface Rest {
  readonly ms: number;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

/**
 * Reads rows of a candidate by key and holds them against the ledger. The answers are in the order of `keys`. With `rest`,
 * rows that do not match and may lie behind the ledger's end are judged again after a rest in which the candidate stood
 * still. `floor`: a boundary that the candidate is known to have reached. Throws what the reads throw.
 */
export async function checkKeys(
  ledger: Ledger,
  site: CheckedSite,
  { root, shape }: CheckedTable,
  keys: readonly Uint8Array[],
  signal: AbortSignal,
  rest: Rest | null = null,
  floor: Boundary | null = null,
): Promise<CheckedKey[]> {
  const checked: CheckedKey[] = [];
  for (let start = 0; start < keys.length; start += KEYS_PER_READ) {
    const some = keys.slice(start, start + KEYS_PER_READ);
    checked.push(...(await checkSome(ledger, site, { root, shape }, some, signal, rest, floor)));
  }
  return checked;
}

async function checkSome(
  ledger: Ledger,
  site: CheckedSite,
  { root, shape }: CheckedTable,
  keys: readonly Uint8Array[],
  signal: AbortSignal,
  rest: Rest | null,
  floor: Boundary | null,
): Promise<CheckedKey[]> {
  const read = await readSome(site, shape, keys, signal);
  if (read === null) {
    const middle = Math.ceil(keys.length / 2);
    const first = await checkSome(ledger, site, { root, shape }, keys.slice(0, middle), signal, rest, floor);
    return [
      ...first,
      ...(await checkSome(ledger, site, { root, shape }, keys.slice(middle), signal, rest, floor)),
    ];
  }
  const { rows, bracket } = read;
  const digester = ledger.digester();
  const transactions = new Witness(ledger.core).read()?.transactions ?? null;
  const found = new Map<string, ReadRow | Repeated | null>();
  const repeated = new Set<string>();
  for (const row of rows) {
    const name = nameOf(row.key);
    if (found.has(name)) repeated.add(name);
    found.set(name, readRow(digester, row, site, shape, transactions));
  }
  if (repeated.size > 0 && isInOneTable(ledger, root)) {
    const asked = new Set<string>();
    // What is asked for twice may be answered twice.
    for (const name of keys.map(nameOf))
      if (asked.has(name)) repeated.delete(name);
      else asked.add(name);
    for (const name of repeated) found.set(name, REPEATED);
  }
  const judged = judgeSome(ledger, site, root, bracket, keys, found, false, floor);
  if (rest === null || bracket === null || !judged.some(({ judgement }) => isBeyond(judgement)))
    return judged;
  const stoodStill = await rested(site, shape, keys, bracket, rest, signal);
  return stoodStill ? judgeSome(ledger, site, root, bracket, keys, found, true, floor) : judged;
}

/** Null: the rows are too large together, and there is more than one. */
async function readSome(
  site: CheckedSite,
  shape: RowShape,
  keys: readonly Uint8Array[],
  signal: AbortSignal,
): Promise<Awaited<ReturnType<CheckedSite['readRowsBracketed']>> | null> {
  try {
    return await site.readRowsBracketed(shape, keys, signal);
  } catch (error) {
    const tooLarge = error instanceof TwinproofError && error.code === 'TP-RANGE-TOO-LARGE';
    if (!tooLarge || keys.length < 2) throw error;
    return null;
  }
}

function judgeSome(
  ledger: Ledger,
  site: CheckedSite,
  root: string,
  bracket: Bracket | null,
  keys: readonly Uint8Array[],
  found: ReadonlyMap<string, ReadRow | Repeated | null>,
  hasRested: boolean,
  floor: Boundary | null,
): CheckedKey[] {
  const compare = (a: Position, b: Position): PositionOrder => site.comparePositions(a, b);
  const view = viewOf(ledger.core, bracket, compare, hasRested);
  if (typeof view === 'string') {
    return keys.map((identity) => ({ identity, judgement: { kind: 'unknown', why: view } }));
  }
  const table = new TableCheck(ledger.core, root, atLeast(view, floor));
  return keys.map((identity) => {
    const row = found.get(nameOf(identity));
    // The primary has no two at any commit.
    if (row === REPEATED) return { identity, judgement: EXTRA };
    const judgement: Judgement =
      row === null ? { kind: 'unknown', why: 'not known' } : table.judge(identity, row ?? null);
    return { identity, judgement };
  });
}

function isBeyond(judgement: Judgement): boolean {
  return judgement.kind === 'unknown' && judgement.why === 'beyond';
}

/** Whether the candidate stood where it was for the whole rest. */
async function rested(
  site: CheckedSite,
  shape: RowShape,
  keys: readonly Uint8Array[],
  { atMost }: Bracket,
  { ms, sleep }: Rest,
  signal: AbortSignal,
): Promise<boolean> {
  await sleep(ms, signal);
  const { bracket } = await site.readRowsBracketed(shape, keys.slice(0, 1), signal);
  return bracket !== null && site.comparePositions(bracket.atMost, atMost) === 'equal';
}

/** What reading a range has shown: as of `boundary` every row but the suspects is the primary's, and none is missing. */
export interface CheckedRange {
  readonly boundary: Boundary;
  /** That commit's position, as the candidate told it. */
  readonly position: Position;
  readonly rows: number;
  readonly suspects: readonly CheckedKey[];
  /** There are more suspects than are listed: nothing is shown of the range. */
  readonly more: boolean;
}

/** Key fields in the order of the store; `to` is outside; null: open. */
export interface KeyBounds {
  readonly from: Buffer | null;
  readonly to: Buffer | null;
}

/**
 * Reads a range of a candidate and holds it against the ledger. With `bounds`, which must be those of the range, rows
 * that the ledger has there and the candidate has not are suspects too; without, only what was read is judged. A string:
 * the read cannot be placed in the ledger, or the ledger does not know all rows of the table, so it shows nothing. Throws
 * what the read throws, and TP-RANGE-TOO-LARGE for more than 64 MiB.
 */
export async function checkRange(
  ledger: Ledger,
  site: CheckedSite,
  { root, shape }: CheckedTable,
  range: RangeRead['range'],
  bounds: KeyBounds | null,
  signal: AbortSignal,
): Promise<CheckedRange | UnknownWhy> {
  const sink = new BodySink(RANGE_BYTES_MAX);
  const bracket = await site.readRangeBracketed({ shape, range }, sink, signal);
  const view = viewOf(ledger.core, bracket, (a, b) => site.comparePositions(a, b));
  if (typeof view === 'string') return view;
  if (bracket === null) return 'no position';
  const table = new TableCheck(ledger.core, root, view);
  // What was known of the rows may have become void while they were read.
  if (bounds !== null && !table.complete) return 'not known';
  const suspects: CheckedKey[] = [];
  let more = false;
  const suspect = (checked: CheckedKey): void => {
    if (suspects.length < SUSPECTS_MAX) suspects.push(checked);
    else more = true;
  };
  judgeBodies(ledger, table, { root, shape }, sink.bodies, bounds, suspect);
  return { boundary: view.low, position: bracket.atLeast, rows: sink.bodies.length, suspects, more };
}

function judgeBodies(
  ledger: Ledger,
  table: TableCheck,
  { root, shape }: CheckedTable,
  bodies: readonly Uint8Array[],
  bounds: KeyBounds | null,
  suspect: (checked: CheckedKey) => void,
): void {
  const digester = ledger.digester();
  const waiting = expectedRows(table, bounds);
  for (const body of bodies) {
    const identity = identityIn(body, shape.keyFields);
    const name = nameOf(identity);
    const expected = waiting.get(name);
    if (expected?.met === true && isInOneTable(ledger, root)) {
      suspect({ identity, judgement: EXTRA });
      continue;
    }
    if (expected !== undefined) expected.met = true;
    const isWhole = digester.resolve(body, null);
    // Most rows: going through the ledger's rows in order is much faster than looking each of them up (measured).
    if (isWhole && isDigest(expected?.digest ?? null, digester.result)) continue;
    const judgement: Judgement = isWhole
      ? table.judge(identity, { digest: Buffer.from(digester.result), writer: null })
      : { kind: 'unknown', why: 'not known' };
    if (judgement.kind !== 'clean') suspect({ identity, judgement });
  }
  for (const { identity, met } of waiting.values()) {
    if (met) continue;
    const judgement = table.judge(identity, null);
    if (judgement.kind !== 'clean') suspect({ identity, judgement });
  }
}

/** Partitions with keys of their own may each have a row of one key. */
function isInOneTable({ core }: Ledger, root: string): boolean {
  return core.catalog.current().filter((relation) => rootOf(relation) === root).length === 1;
}

/** A row that the ledger has in a range. `digest` null: its key is to be looked up by itself. */
interface ExpectedRow {
  readonly identity: Uint8Array;
  readonly digest: Uint8Array | null;
  /** The candidate has it. */
  met: boolean;
}

function expectedRows(table: TableCheck, bounds: KeyBounds | null): Map<string, ExpectedRow> {
  const rows = new Map<string, ExpectedRow>();
  if (bounds === null) return rows;
  for (const { identity, row } of table.expected(bounds.from, bounds.to)) {
    const name = nameOf(identity);
    const digest = row.state === STATE.present && !rows.has(name) ? row.digest : null;
    rows.set(name, { identity, digest, met: false });
  }
  return rows;
}

function isDigest(expected: Uint8Array | null, digest: Buffer): boolean {
  return expected !== null && sameBytes(expected, 0, digest, 0, digest.length);
}

/** Null: a value of the row cannot be compared. */
function readRow(
  digester: RowDigester,
  { row, writers }: FoundRow,
  site: CheckedSite,
  { pair }: RowShape,
  transactions: string | null,
): ReadRow | null {
  const { digest } = digester.row(row, null);
  if (digest === null) return null;
  const id = writers?.[0];
  // The transactions of a subscriber have numbers of their own.
  if (id === undefined || pair !== 'physical') return { digest, writer: null };
  const ended = transactions === null ? null : site.writtenWhen(id, transactions);
  return { digest, writer: { id, ended } };
}

function nameOf(identity: Uint8Array): string {
  return Buffer.from(identity.buffer, identity.byteOffset, identity.byteLength).toString('latin1');
}

/** The leading fields of a row body, as FoundRow.key holds them. */
function identityIn(body: Uint8Array, keyFields: number): Uint8Array {
  let end = 2;
  for (let field = 0; field < keyFields; field++) end += 4 + Math.max(NULL_LENGTH + 1, int32At(body, end));
  return body.subarray(2, end);
}
