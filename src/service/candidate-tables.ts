import type { RowShape } from '../connector/contract.ts';
import type { PairKind, TableDescription } from '../connector/table.ts';
import type { Relation } from '../ledger/relation.ts';
import { shapeOf } from '../ledger/shape.ts';
import type { WatchedLedger } from './watched-ledger.ts';

/** A followed table under the name by which candidates are asked for it: the root of its partitions. */
export interface WatchedRoot {
  readonly root: string;
  /** Its leaves that the ledger has, as they are now. */
  readonly relations: readonly Relation[];
  /** Every leaf is followed and known in full: then a row that the ledger has not is no row of the primary. */
  readonly complete: boolean;
  /** The log brings changes of some leaf. */
  readonly followed: boolean;
}

/** The tables of the scope, as the last poll found them: also when the primary is gone. */
export function watchedRoots(watched: WatchedLedger): Map<string, WatchedRoot> {
  const roots = new Map<string, WatchedRoot>();
  const { catalog } = watched.ledger.core;
  for (const { id, root, unfollowed } of watched.known.definitions()?.tables ?? []) {
    const before = roots.get(root) ?? { root, relations: [], complete: true, followed: false };
    const relation = unfollowed === null ? catalog.ofTable(id) : null;
    const complete = before.complete && relation !== null && relation.completeFrom !== null;
    const relations = relation === null ? before.relations : [...before.relations, relation];
    roots.set(root, { root, relations, complete, followed: before.followed || unfollowed === null });
  }
  return roots;
}

/** How a candidate is asked for the rows of one table; `problem`: why it cannot be. */
export interface CandidateTable {
  readonly root: string;
  readonly shape: RowShape | null;
  readonly problem: string | null;
}

/** What a candidate's catalog makes of the tables of the scope. Pure. */
export function candidateTables(
  roots: Iterable<WatchedRoot>,
  described: readonly TableDescription[],
  pair: PairKind,
): Map<string, CandidateTable> {
  const byName = new Map(described.map((table) => [table.name, table]));
  const tables = new Map<string, CandidateTable>();
  for (const { root, relations } of roots)
    tables.set(root, candidateTable(root, relations, byName.get(root), pair));
  return tables;
}

function candidateTable(
  root: string,
  relations: readonly Relation[],
  table: TableDescription | undefined,
  pair: PairKind,
): CandidateTable {
  if (table === undefined) return { root, shape: null, problem: 'the candidate does not have it' };
  let shape: RowShape | null = null;
  for (const relation of relations) {
    const answer = shapeOf(relation, table, pair, 'candidate');
    if (answer.shape === null) return { root, ...answer };
    if (shape !== null && !sameColumns(shape, answer.shape)) {
      return { root, shape: null, problem: 'its partitions have their columns in different orders' };
    }
    shape = answer.shape;
  }
  return { root, shape, problem: shape === null ? 'the ledger has no rows of it yet' : null };
}

function sameColumns(a: RowShape, b: RowShape): boolean {
  return a.keyFields === b.keyFields && JSON.stringify(a.columns) === JSON.stringify(b.columns);
}

/** By what the roots of two moments differ: then the candidate's catalog is read again. */
export function rootsSignature(roots: ReadonlyMap<string, WatchedRoot>): string {
  return [...roots.values()]
    .map(({ root, relations }) => `${root}:${relations.map(({ number }) => number).join()}`)
    .join(';');
}

/**
 * The kind of pair that a candidate of this role makes; null: it has been promoted, which `follow` says better.
 * `crossing`: what it applies is the log of another engine.
 */
export function kindOf(role: 'primary' | 'standby' | 'subscriber', crossing: boolean): PairKind | null {
  if (role === 'standby') return 'physical';
  if (role !== 'subscriber') return null;
  return crossing ? 'cross-engine' : 'logical';
}
