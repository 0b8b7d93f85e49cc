import { KIND } from './change-record.ts';
import { rootOf, type View } from './candidate-check.ts';
import { Candidates, type Candidate } from './candidates.ts';
import type { Core } from './core.ts';
import { unprovenRanges, type ProvenRange } from './coverage.ts';
import { entryLongKey } from './entry.ts';
import { identityOf, RELATION_BYTES, relationOf, storedFromFields } from './key.ts';
import { changesOf, RECORD } from './record.ts';
import type { Relation } from './relation.ts';
import { boundaryAt, type Boundary } from './state.ts';

const KEYS_PER_PAGE = 16_384;

/** Why rows of a table are not known to be those of the primary, apart from those that are dirty. */
export type ProofProblem =
  /** The ledger has no such table, or had none at the candidate's position. */
  | 'no table'
  | 'no key'
  | 'gap'
  /** Its rows were not all read on the primary by then. */
  | 'not read'
  | 'never compared'
  /** It was emptied or redefined while the candidate was looked at. */
  | 'redefined';

/** What was proven of one table of a candidate: under the name by which candidates are read. */
export interface ProvenTable {
  readonly root: string;
  /** The generations of its leaves that the candidate's position falls into. */
  readonly relations: readonly Relation[];
  readonly problems: readonly ProofProblem[];
  /** Microseconds; null: there is none. */
  readonly oldestProofUs: bigint | null;
}

/**
 * All that was proven of a candidate, as it stood when this was taken. To be taken before the candidate is asked where it
 * stands: a proof of a later commit than that is one of another candidate.
 */
export interface Proofs {
  readonly candidate: Candidate;
  readonly ranges: ReadonlyMap<number, readonly ProvenRange[]>;
}

/** Null: the ledger has never seen a candidate of this name. */
export function takeProofs(core: Core, name: string): Proofs | null {
  const candidates = new Candidates(core);
  const candidate = candidates.byName(name);
  if (candidate === null) return null;
  const ranges = new Map(
    core.catalog.all().map(({ number }) => [number, candidates.proofs(candidate, number)]),
  );
  return { candidate, ranges };
}

/**
 * The latest commit as of which something was proven of it, a range or the keys before its cursor: it has reached that.
 * Not behind the head of this reading: a `watch` beside it goes on. Null: nothing was proven.
 */
export function reachedBy(core: Core, { ranges, candidate }: Proofs): Boundary | null {
  const { cursor, since } = candidate;
  let reached = cursor > since ? cursor : 0;
  for (const some of ranges.values()) for (const { boundary } of some) reached = Math.max(reached, boundary);
  return reached === 0 ? null : boundaryAt(Math.min(reached, core.committed.mark.at));
}

/** Whether something was proven of it as of a later commit than it has now: then it is not what was proven. */
export function wentBack(core: Core, proofs: Proofs, { high }: View): boolean {
  const reached = reachedBy(core, proofs);
  return reached !== null && reached > high;
}

/** What is proven of a table, dirty keys apart, as of `view.low`. */
export function provenTable(core: Core, { ranges }: Proofs, root: string, { low, high }: View): ProvenTable {
  const all = core.catalog.all().filter((relation) => rootOf(relation) === root);
  const relations = all.filter(
    ({ beganAt, endedAt }) => beganAt < low && (endedAt === null || endedAt >= low),
  );
  const problems = new Set<ProofProblem>();
  if (relations.length === 0) problems.add('no table');
  if (all.some(({ beganAt }) => beganAt >= low && beganAt < high)) problems.add('redefined');
  let oldest: bigint | null = null;
  for (const relation of relations) {
    const proven = ranges.get(relation.number) ?? [];
    const problem = problemOf(relation, proven, low);
    if (problem !== null) problems.add(problem);
    for (const { provenAtUs } of proven) {
      const at = BigInt(provenAtUs);
      if (oldest === null || at < oldest) oldest = at;
    }
  }
  return { root, relations, problems: [...problems], oldestProofUs: oldest };
}

function problemOf(relation: Relation, proven: readonly ProvenRange[], low: number): ProofProblem | null {
  if (relation.keyFields === null) return 'no key';
  if (relation.completeFrom === null || relation.completeFrom > low) {
    return relation.cause === 'gap' ? 'gap' : 'not read';
  }
  return unprovenRanges(proven).length > 0 ? 'never compared' : null;
}

/** A key whose row may not be the primary's, under the name by which the candidate is read. */
export interface DirtyIdentity {
  readonly root: string;
  readonly identity: Uint8Array;
}

/**
 * The keys that may differ as of `view.high`: those of the dirty list, and those that the journal changed behind the
 * candidate's cursor up to there. Keys may come more than once where a row has moved between leaves. What was changed
 * later may be among them.
 */
export function* dirtyAsOf(core: Core, { candidate }: Proofs, { high }: View): Generator<DirtyIdentity> {
  const candidates = new Candidates(core);
  const seen = new Set<string>();
  let after: Buffer | null = null;
  for (;;) {
    const page = candidates.listed(candidate, after, KEYS_PER_PAGE);
    for (const { stored } of page) {
      seen.add(stored.toString('latin1'));
      const key = dirtyIdentity(core, stored, null);
      if (key !== null) yield key;
    }
    after = page.at(-1)?.stored ?? null;
    if (after === null || page.length < KEYS_PER_PAGE) break;
  }
  // What has left the window was written into the list before.
  for (const record of core.journal.scan(Math.max(candidate.cursor, core.journal.start.at), high)) {
    if (record.kind !== RECORD.part && record.kind !== RECORD.commit) continue;
    for (const change of changesOf(record)) {
      if (change.kind === KIND.truncate || change.kind === KIND.keyless) continue;
      const { stored } = storedFromFields(change.relation, change.fields);
      const name = stored.toString('latin1');
      if (seen.has(name)) continue;
      seen.add(name);
      const key = dirtyIdentity(core, stored, change.fields);
      if (key !== null) yield key;
    }
  }
}

/** Null: of a relation that has left the window, with its rows. */
function dirtyIdentity(core: Core, stored: Buffer, fields: Buffer | null): DirtyIdentity | null {
  const relation = core.catalog.byNumber(relationOf(stored));
  if (relation === null) return null;
  const entry = fields === null ? core.entry(stored) : undefined;
  const long = entry === undefined ? null : entryLongKey(entry);
  const whole = fields ?? Buffer.from(long ?? stored.subarray(RELATION_BYTES));
  return { root: rootOf(relation), identity: identityOf(whole, relation.signed) };
}
