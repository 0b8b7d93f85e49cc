import { Baseline } from './baseline.ts';
import { Candidates } from './candidates.ts';
import { unprovenRanges } from './coverage.ts';
import { entryState, STATE } from './entry.ts';
import { relationOf } from './key.ts';
import { Known } from './known.ts';
import type { Ledger } from './ledger.ts';
import type { Relation } from './relation.ts';
import { isWholeMirror, MirrorStates, type MirrorTrouble } from './mirror-state.ts';
import { rebuiltFrom, type RebuiltFrom } from './rebuilt.ts';
import { Witness, type WitnessSample } from './witness.ts';

export interface ShownTable {
  readonly table: string;
  readonly root: string | null;
  /** Why its present generation began. */
  readonly cause: Relation['cause'];
  readonly rows: number;
  /** Rows that must be read before their digest is known. */
  readonly unread: number;
  readonly state: 'complete' | 'reading' | 'not read' | 'without key';
  readonly pieces: { readonly valid: number; readonly expected: number } | null;
}

export interface ShownCandidate {
  readonly name: string;
  readonly incarnation: string;
  readonly dirtyListed: number;
  /** Bytes of journal whose keys were not looked at yet. */
  readonly bytesBehind: number;
  /** Tables of which some range is not proven. */
  readonly tablesUnproven: number;
  /** Microseconds; null: nothing is proven. */
  readonly oldestProofUs: bigint | null;
}

/** How far a ledger is mirrored. Times in microseconds. */
export interface ShownMirror {
  /** Null: it has not begun. */
  readonly progress: MirrorProgress | null;
  readonly trouble: MirrorTrouble | null;
}

export interface MirrorProgress {
  readonly topic: string;
  /** A ledger could be rebuilt from it. */
  readonly whole: boolean;
  /** Everything that the ledger had by then could be rebuilt, if only from an earlier beginning; null: nothing could. */
  readonly reachedAtUs: bigint | null;
  /** Bytes of journal that are not in it yet. */
  readonly bytesBehind: number;
  readonly sentAtUs: bigint;
  readonly begunAtUs: bigint;
  readonly reason: string;
  /** Tables that are complete here and would not be in a rebuilt ledger: a copy of the index is due. */
  readonly tablesMissing: number;
}

/** What a person wants to know of a ledger. */
export interface ShownLedger {
  readonly system: string;
  readonly source: string;
  readonly digest: string;
  readonly position: string | null;
  readonly newestCommitUs: bigint | null;
  readonly journal: {
    readonly bytes: number;
    readonly files: number;
    readonly start: number;
    readonly end: number;
  };
  /** Bytes of a torn end that the last opening found and dropped. */
  readonly tornBytes: number;
  readonly witness: WitnessSample | null;
  readonly tables: readonly ShownTable[];
  /** Tables of the selection that the log does not bring, and why; as the primary was asked last. */
  readonly unfollowed: readonly { readonly table: string; readonly reason: string }[];
  /** Tables that a gap in the log voided and that are not complete again. */
  readonly gaps: readonly string[];
  readonly candidates: readonly ShownCandidate[];
  /** Null: it is not mirrored. */
  readonly mirror: ShownMirror | null;
  /** Null: it was never rebuilt. */
  readonly rebuilt: RebuiltFrom | null;
}

export function showLedger(ledger: Ledger): ShownLedger {
  const { core, identity, torn } = ledger;
  const { journal, committed } = core;
  const current = core.catalog.current().sort((a, b) => (a.leaf < b.leaf ? -1 : 1));
  const waiting = rowsWaiting(ledger);
  const tables = current.map((relation) => shownTable(ledger, relation, waiting));
  return {
    system: identity.system,
    source: identity.source,
    digest: identity.digest,
    position: committed.position,
    newestCommitUs: committed.newestUs,
    journal: {
      bytes: journal.bytes,
      files: journal.files.segments.length,
      start: journal.start.at,
      end: journal.end.at,
    },
    tornBytes: torn,
    witness: new Witness(core).read(),
    tables,
    unfollowed: unfollowedTables(ledger),
    gaps: current
      .filter(({ cause, completeFrom }) => cause === 'gap' && completeFrom === null)
      .map(({ leaf }) => leaf),
    candidates: shownCandidates(ledger, current),
    mirror: shownMirror(ledger),
    rebuilt: rebuiltFrom(core.store),
  };
}

function unfollowedTables({ core }: Ledger): ShownLedger['unfollowed'] {
  const tables = new Known(core.store).definitions()?.tables ?? [];
  return tables.flatMap(({ leaf, unfollowed }) =>
    unfollowed === null ? [] : [{ table: leaf, reason: unfollowed }],
  );
}

/** Null: it is not mirrored. */
export function shownMirror({ core }: Ledger): ShownMirror | null {
  const states = new MirrorStates(core.store);
  const state = states.read();
  const trouble = states.trouble();
  if (state === null) return trouble === null ? null : { progress: null, trouble };
  const { topic, at, sentAtUs, reachedAtUs, begunAtUs, reason } = state;
  const copied = new Set(states.copy()?.complete);
  const missing = core.catalog
    .current()
    .filter(({ number, completeFrom }) => completeFrom !== null && !copied.has(number));
  const progress = {
    topic,
    whole: isWholeMirror(state),
    bytesBehind: Math.max(0, core.committed.mark.at - at),
    sentAtUs,
    reachedAtUs,
    begunAtUs,
    reason,
    tablesMissing: missing.length,
  };
  return { progress, trouble };
}

function shownTable(
  ledger: Ledger,
  relation: Relation,
  waiting: ReadonlyMap<number, { rows: number; unread: number }>,
): ShownTable {
  const progress = new Baseline(ledger.core, () => ledger.settle()).progress(relation.number);
  const extra = waiting.get(relation.number) ?? { rows: 0, unread: 0 };
  const valid = Object.values(progress?.pieces ?? {}).filter(({ validFrom }) => validFrom !== null).length;
  return {
    table: relation.leaf,
    root: relation.root,
    cause: relation.cause,
    rows: relation.rows + extra.rows,
    unread: relation.unread + extra.unread,
    state: stateOf(relation, progress !== null),
    pieces: progress === null ? null : { valid, expected: progress.expected.length },
  };
}

function stateOf(relation: Relation, begun: boolean): ShownTable['state'] {
  if (relation.keyFields === null) return 'without key';
  if (relation.completeFrom !== null) return 'complete';
  return begun ? 'reading' : 'not read';
}

/** How rows differ by what is not yet in the index. */
function rowsWaiting(ledger: Ledger): Map<number, { rows: number; unread: number }> {
  const found = new Map<number, { rows: number; unread: number }>();
  const { pending, store } = ledger.core;
  for (const { stored, entry } of pending) {
    const number = relationOf(stored);
    const extra = found.get(number) ?? { rows: 0, unread: 0 };
    found.set(number, extra);
    const old = store.index.getBinaryFast(stored);
    const before = old === undefined ? STATE.absent : entryState(old);
    const now = entryState(entry);
    extra.rows += Number(now === STATE.present) - Number(before === STATE.present);
    extra.unread += Number(now === STATE.unknown) - Number(before === STATE.unknown);
  }
  return found;
}

function shownCandidates(ledger: Ledger, current: readonly Relation[]): ShownCandidate[] {
  const candidates = new Candidates(ledger.core);
  return candidates.list().map((candidate) => {
    const { listed, bytesBehind } = candidates.dirtyCounts(candidate);
    const proofs = current.map(({ number }) => candidates.proofs(candidate, number));
    const times = proofs.flat().map(({ provenAtUs }) => BigInt(provenAtUs));
    return {
      name: candidate.name,
      incarnation: candidate.incarnation,
      dirtyListed: listed,
      bytesBehind,
      tablesUnproven: proofs.filter((ranges) => unprovenRanges(ranges).length > 0).length,
      oldestProofUs: times.reduce<bigint | null>((a, b) => (a === null || b < a ? b : a), null),
    };
  });
}
