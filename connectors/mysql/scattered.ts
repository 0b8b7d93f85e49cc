import type { Contains, Scattered } from '../../src/connector/ledger-sites.ts';
import type { Position } from '../../src/connector/position.ts';
import { parsePosition, positionOfList, positionOfSet } from './gtid.ts';
import {
  domainsOfPrimary,
  ofPrimary,
  type PrimaryHistory,
  upToFirstHole,
  withHolesFilled,
} from './gtid-history.ts';
import { type GtidList, joinLists, parseGtids } from './gtid-list.ts';
import { type GtidSet, isSubset, parseGtidSet } from './gtid-set.ts';

/** What a candidate's own words are translated by into the primary's. */
export interface Translation {
  readonly history: PrimaryHistory;
  /** The candidate's own server_uuid (MySQL) or server_id. */
  readonly own: string;
  /** It replicates from nobody else. */
  readonly single: boolean;
  readonly lineage: { readonly ownPast: GtidList };
}

/** Where a set of MySQL stands: both ends are equal, and `scattered` null, where nothing is applied out of order. */
export interface SetPlace {
  readonly atLeast: Position;
  readonly atMost: Position;
  readonly scattered: Scattered | null;
}

/** What a set of MySQL says, in the primary's order. Pure. */
export function placeOfSet(set: GtidSet, { history, own, single }: Translation): SetPlace {
  const theirs = ofPrimary(set, history, { own, single });
  const atLeast = positionOfSet(upToFirstHole(theirs, history));
  const atMost = positionOfSet(withHolesFilled(theirs, history));
  if (atLeast === atMost) return { atLeast, atMost, scattered: null };
  const contains: Contains = (transaction) => isSubset(parseGtidSet(transaction), theirs);
  return { atLeast, atMost, scattered: { position: positionOfSet(theirs), atMost, contains } };
}

/** Where a list of MariaDB stands. */
export interface ListPlace {
  readonly position: Position;
  readonly scattered: Scattered | null;
}

/**
 * A list of MariaDB's in the primary's terms: with what the candidate wrote when it was the primary itself. Domains are
 * applied side by side, each in its own order (knowledge base, "Parallel Replication"), so of several of them one may
 * have come further than the other had when the primary wrote it. Pure.
 */
export function placeOfList(list: GtidList, { lineage, history, single }: Translation): ListPlace {
  const theirs = domainsOfPrimary(joinLists(list, lineage.ownPast), history, single);
  const position = positionOfList(theirs);
  if (theirs.size < 2) return { position, scattered: null };
  const contains: Contains = (transaction) =>
    parseGtids(transaction).every(({ domain, sequence }) => (theirs.get(domain)?.sequence ?? 0n) >= sequence);
  return { position, scattered: { position, atMost: position, contains } };
}

/** A position that the candidate told, in the primary's order: the end before which it has everything. Pure. */
export function translated(
  position: Position,
  translation: Translation | null,
): { readonly atLeast: Position; readonly atMost: Position; readonly scattered: Scattered | null } {
  const unchanged = { atLeast: position, atMost: position, scattered: null };
  if (translation === null) return unchanged;
  const parsed = parsePosition(position);
  if (parsed.kind === 'set') return placeOfSet(parsed.set, translation);
  if (parsed.kind !== 'list') return unchanged;
  const { position: place, scattered } = placeOfList(parsed.list, translation);
  return { atLeast: place, atMost: place, scattered };
}
