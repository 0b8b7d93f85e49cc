import type { RowShape } from '../connector/contract.ts';
import type { PendingLog } from '../connector/ledger-sites.ts';
import type { Position } from '../connector/position.ts';
import type { PairKind, TableSelection } from '../connector/table.ts';
import type { Timing } from '../compare/timing.ts';
import type { TwinproofError } from '../errors.ts';
import { boundaryFor } from '../ledger/candidate-check-places.ts';
import { checkKeys, type CheckedKey, type CheckedSite } from '../ledger/candidate-check-keys.ts';
import type { Candidate } from '../ledger/candidates.ts';
import { RELATION_BYTES, storedKey } from '../ledger/key.ts';
import { boundaryAt, type Boundary } from '../ledger/state.ts';
import {
  candidateTables,
  type CandidateTable,
  rootsSignature,
  type WatchedRoot,
  watchedRoots,
} from './candidate-tables.ts';
import type { Differences, FoundDifference } from './differences.ts';
import type { Pace } from './pace.ts';
import type { WatchedLedger, WatchSite } from './watched-ledger.ts';
import type { WatchLog } from './watch-log.ts';

const CATALOG_EVERY_MS = 30_000;
const TOLD_PER_ROUND = 20;
/** How long a commit is waited for that shows what a read cannot hold; then the candidate has to have stood still. */
const OVERTAKE_MS = 1000;
/** On a primary at rest none comes, and the candidate's own rest has to tell. */
const NEXT_COMMIT_MS = 150;
const OVERTAKE_POLL_MS = 25;
const REST_MS = 250;

/** What stands under the candidate's name is not what was proven: everything is void. */
export class AnotherIncarnation extends Error {}

/** What a candidate has applied of the journal. */
export interface AppliedAt {
  readonly boundary: Boundary;
  readonly position: Position;
}

export interface SessionParts {
  readonly watched: WatchedLedger;
  readonly site: WatchSite;
  readonly name: string;
  readonly bound: Candidate;
  readonly selection: TableSelection;
  readonly pair: PairKind;
  readonly differences: Differences;
  readonly pace: Pace;
  readonly timing: Timing;
  readonly log: WatchLog;
}

/** One connection to one incarnation of a candidate, and what is known of it from round to round. */
export class CandidateSession {
  readonly watched: WatchedLedger;
  readonly site: WatchSite;
  readonly pace: Pace;
  readonly timing: Timing;
  bound: Candidate;
  /** Null: it does not say, or what it says cannot be placed in the ledger. */
  applied: AppliedAt | null = null;
  pending: PendingLog | null = null;
  roots: ReadonlyMap<string, WatchedRoot> = new Map();
  tables: ReadonlyMap<string, CandidateTable> = new Map();
  readonly #parts: SessionParts;
  #reached: number;
  #signature = '';
  #describedAtMs = -Infinity;
  #toTell: { readonly found: FoundDifference; readonly identity: Uint8Array }[] = [];

  constructor(parts: SessionParts) {
    const { watched, bound } = parts;
    this.#parts = parts;
    this.watched = watched;
    this.site = parts.site;
    this.pace = parts.pace;
    this.timing = parts.timing;
    this.bound = bound;
    this.#reached = reachedBefore(watched, bound);
  }

  /** Which tables are watched. */
  get selection(): TableSelection {
    return this.#parts.selection;
  }

  /** Where the candidate stands. Throws AnotherIncarnation for one that has gone back behind what was proven of it. */
  async place(signal: AbortSignal): Promise<void> {
    const { log, name } = this.#parts;
    this.pending = await this.site.pendingLog(signal);
    const { applied, scattered } = this.pending;
    this.applied = null;
    if (applied === null) {
      log.state({
        level: 'warn',
        site: name,
        event: 'place',
        message: 'it does not say what it has applied',
      });
      return;
    }
    const { core } = this.watched.ledger;
    const { compare } = this.watched;
    const answer = boundaryFor(core, { applied, scattered }, compare);
    const boundary = answer.kind === 'ahead' ? boundaryAt(core.committed.mark.at) : null;
    const placed = answer.kind === 'found' ? answer.boundary : boundary;
    // What a subscriber tells may be less when its worker has ended; what a running server has applied it does not undo.
    const before = answer.kind === 'pruned' ? core.journal.start.at - 1 : placed;
    if (before !== null && before < this.#reached && this.#parts.pair !== 'logical')
      throw new AnotherIncarnation('it stands before what was proven of it');
    if (this.watched.ledger.position === null) {
      const message = 'nothing of the primary is known yet: nothing can be proven of it';
      log.state({ level: 'info', site: name, event: 'place', message });
      return;
    }
    if (placed === null) {
      const why =
        answer.kind === 'pruned' ? 'is further behind than the ledger reaches' : 'is on another history';
      log.state({
        level: 'warn',
        site: name,
        event: 'place',
        message: `it ${why}: nothing can be proven of it`,
      });
      return;
    }
    this.#reached = Math.max(this.#reached, placed);
    this.applied = { boundary: boundaryAt(this.#reached), position: applied };
    log.over({ level: 'info', site: name, event: 'place', message: 'it follows the log' });
  }

  /** Brings roots and their shapes up to what the ledger knows now. */
  async refresh(signal: AbortSignal): Promise<void> {
    const { selection, pair, log, name } = this.#parts;
    this.roots = watchedRoots(this.watched);
    const signature = rootsSignature(this.roots);
    const now = this.timing.now();
    // Either way, should the clock be set.
    if (signature === this.#signature && Math.abs(now - this.#describedAtMs) < CATALOG_EVERY_MS) return;
    const described = await this.site.describeTables(selection, signal);
    this.tables = candidateTables(this.roots.values(), described, pair);
    this.#signature = signature;
    this.#describedAtMs = now;
    for (const { root, problem } of this.tables.values()) {
      const about = { site: name, event: `table ${root}` } as const;
      // That nobody follows it is told of the primary.
      if ((this.roots.get(root)?.relations.length ?? 0) === 0) continue;
      if (problem === null) log.over({ ...about, level: 'info', message: `${root}: can be compared` });
      else log.state({ ...about, level: 'warn', message: `${root}: unproven, ${problem}` });
    }
  }

  /** Throws AnotherIncarnation unless it is still the one that the next proof is to be bound to. */
  async demandSame(signal: AbortSignal): Promise<void> {
    if ((await this.site.incarnation(signal)) === this.bound.incarnation) return;
    throw new AnotherIncarnation('another server stands under its address, or it was rebuilt or written to');
  }

  /**
   * As checkKeys, and waits between reading and judging until the ledger has what the read may hold: a candidate is often
   * ahead of it by some milliseconds, and what is missing there could as well be a deletion still to come.
   */
  checkPatiently(
    root: string,
    shape: RowShape,
    identities: readonly Uint8Array[],
    signal: AbortSignal,
  ): Promise<CheckedKey[]> {
    const { site, timing, watched } = this;
    const patient: CheckedSite = {
      comparePositions: (a, b) => site.comparePositions(a, b),
      writtenWhen: (writer, transactions) => site.writtenWhen(writer, transactions),
      readRangeBracketed: (read, sink, own) => site.readRangeBracketed(read, sink, own),
      readRowsBracketed: async (of, keys, own) => {
        const read = await site.readRowsBracketed(of, keys, own);
        if (read.bracket !== null) await this.#overtaken(read.bracket.atMost, own);
        return read;
      },
    };
    const rest = { ms: REST_MS, sleep: (ms: number, own: AbortSignal) => timing.sleep(ms, own) };
    return checkKeys(watched.ledger, patient, { root, shape }, identities, signal, rest);
  }

  /** Ends when the ledger has a commit behind a position, or when none comes. */
  async #overtaken(position: Position, signal: AbortSignal): Promise<void> {
    const { timing, watched } = this;
    let passedAt: number | null = null;
    for (let leftMs = OVERTAKE_MS; leftMs > 0; leftMs -= OVERTAKE_POLL_MS) {
      const head = watched.ledger.head();
      if (passedAt !== null && head > passedAt) return;
      if (passedAt === null && watched.hasPassed(position)) {
        passedAt = head;
        leftMs = Math.min(leftMs, NEXT_COMMIT_MS);
      }
      await timing.sleep(OVERTAKE_POLL_MS, signal);
    }
  }

  /** Looks at suspects once more, by their keys. Returns those that are not equal. */
  async confirm(
    { root, complete }: WatchedRoot,
    shape: RowShape,
    suspects: readonly CheckedKey[],
    signal: AbortSignal,
  ): Promise<CheckedKey[]> {
    if (suspects.length === 0) return [];
    const identities = suspects.map(({ identity }) => identity);
    const checked = await this.checkPatiently(root, shape, identities, signal);
    const left = checked.filter(({ judgement }) => judgement.kind !== 'clean');
    const known = this.roots.get(root);
    for (const { identity, judgement } of left) {
      if (judgement.kind !== 'different' || !complete || known === undefined) continue;
      const { relation, stored } = this.placeOf(known, identity);
      const fields = stored.subarray(RELATION_BYTES);
      this.differs({ table: root, relation, fields, kind: judgement.difference }, identity);
    }
    return left;
  }

  /** Under which leaf a key stands in the store: the one that has it, else the first. */
  placeOf(
    { relations }: WatchedRoot,
    identity: Uint8Array,
  ): { readonly relation: number; readonly stored: Buffer } {
    const { core } = this.watched.ledger;
    const places = relations.map(({ number, signed }) => ({
      relation: number,
      stored: storedKey(number, identity, signed).stored,
    }));
    const place = places.find(({ stored }) => core.entry(stored) !== undefined) ?? places[0];
    if (place === undefined) throw new RangeError('a table without relations');
    return place;
  }

  differs(found: FoundDifference, identity: Uint8Array): void {
    const { differences } = this.#parts;
    if (!differences.seen(found, this.watched.polls, this.timing.now())) return;
    if (this.#toTell.length < TOLD_PER_ROUND) this.#toTell.push({ found, identity });
  }

  resolved(root: string, relation: number, fields: Buffer): void {
    const { differences, log, name } = this.#parts;
    if (!differences.resolved(relation, fields)) return;
    log.tell({ level: 'info', site: name, event: 'resolved', message: `${root}: a row is equal again` });
  }

  tellTable(root: string, { code, message, hint }: TwinproofError): void {
    const { log, name } = this.#parts;
    const text = `${root} cannot be read: ${message}`;
    log.state({ level: 'warn', site: name, event: `table ${root}`, code, message: text, hint });
  }

  /** Writes down and tells what differs. */
  async tellDifferences(signal: AbortSignal): Promise<void> {
    const { differences, log, name } = this.#parts;
    differences.save();
    const told = this.#toTell;
    this.#toTell = [];
    for (const { found, identity } of told) {
      const shape = this.tables.get(found.table)?.shape ?? null;
      const [key] = shape === null ? [] : await this.site.describeKeys(shape, [identity], signal);
      const text = Object.entries(key ?? {}).map(([column, value]) => `${column}=${value}`);
      const message = `${found.table}: a row is ${found.kind} (${text.join(', ')})`;
      log.tell({ level: 'error', site: name, event: 'difference', message });
    }
  }
}

/** The furthest place of the journal that the candidate is known to have applied. */
function reachedBefore({ candidates, ledger }: WatchedLedger, bound: Candidate): number {
  let reached = bound.cursor > bound.since ? bound.cursor : 0;
  for (const { number } of ledger.core.catalog.current()) {
    for (const { boundary } of candidates.proofs(bound, number)) reached = Math.max(reached, boundary);
  }
  return reached;
}
