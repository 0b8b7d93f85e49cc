import { z } from 'zod';
import type { FollowedSource } from '../../src/connector/ledger-sites.ts';
import type { Position, PositionOrder } from '../../src/connector/position.ts';
import { historyName } from '../../src/connector/source-history.ts';
import { TwinproofError } from '../../src/errors.ts';
import {
  compareLsns,
  comparePositions,
  formatLsn,
  type Lsn,
  parseLsn,
  parsePosition,
  positionOf,
} from './lsn.ts';
import type { Session } from './session.ts';

/** Where the log of a server comes from. */
export interface Lineage {
  readonly systemId: string;
  readonly timeline: string;
  /** Timelines that this one descends from, and where each was left. */
  readonly ancestors: readonly { readonly timeline: string; readonly end: Lsn }[];
}

/** Its log was never left for another: it has no history file. */
export const FIRST_TIMELINE = '1';

interface SystemRow {
  readonly systemid: string;
  /** int4 up to version 15, then int8, which comes as a string. */
  readonly timeline: number | string;
}

/** Asks a walsender. Its replication commands take no parameters (manual, "Streaming Replication Protocol"). */
export async function readLineage(session: Session, signal: AbortSignal): Promise<Lineage> {
  const { systemId, timeline } = await readTimeline(session, signal);
  return { systemId, timeline, ancestors: await readAncestors(session, timeline, signal) };
}

/** What a timeline that the server knows descends from. Asks a walsender. Throws TP-CORRUPT where the history file is gone. */
export async function readAncestors(
  session: Session,
  timeline: string,
  signal: AbortSignal,
): Promise<Lineage['ancestors']> {
  if (timeline === FIRST_TIMELINE) return [];
  try {
    const [history] = await session.rows<{ content: unknown }>(`TIMELINE_HISTORY ${timeline}`, [], signal);
    return parseHistory(String(history?.content));
  } catch (error) {
    if (!(error instanceof TwinproofError) || error.code !== 'TP-CORRUPT') throw error;
    throw new TwinproofError('TP-CORRUPT', {
      message: `${session.target.label} has lost the history file of its timeline ${timeline}: where that began cannot be told`,
      hint: 'put it into pg_wal again, from the archive or from another server of that timeline',
      cause: error,
    });
  }
}

/** The server, and the timeline that it writes or replays now. Asks a walsender. */
export async function readTimeline(
  session: Session,
  signal: AbortSignal,
): Promise<Pick<Lineage, 'systemId' | 'timeline'>> {
  const [system] = await session.rows<SystemRow>('IDENTIFY_SYSTEM', [], signal);
  if (system === undefined)
    throw new TwinproofError('TP-BUG', { message: 'the server told nothing of itself' });
  return { systemId: system.systemid, timeline: String(system.timeline) };
}

/** Lines of timeline, place where it was left, and reason; comments start with #. */
export function parseHistory(text: string): Lineage['ancestors'] {
  return text
    .split('\n')
    .map((line) => /^\s*(\d+)\s+([0-9A-F]+\/[0-9A-F]+)/i.exec(line))
    .flatMap((match) =>
      match === null ? [] : [{ timeline: match[1] ?? '', end: parseLsn(match[2] ?? '') }],
    );
}

/**
 * Where a stored position lies in this server's log. Pure. Throws TP-UNRELATED for another server's position, TP-GAP
 * for one on a branch that this server's log does not contain.
 */
export function placeIn(lineage: Lineage, after: Position): Lsn {
  const { systemId, timeline, lsn } = parsePosition(after);
  if (systemId !== lineage.systemId) {
    throw new TwinproofError('TP-UNRELATED', {
      message: `the stored position is of server ${systemId}, and this is ${lineage.systemId}`,
      hint: 'a ledger belongs to one system: name the right server, or another ledger',
    });
  }
  if (timeline === lineage.timeline) return lsn;
  const ancestor = ancestorOf(lineage, timeline);
  if (ancestor !== undefined && lsn <= ancestor.end) return lsn;
  const where = ancestor === undefined ? 'does not descend from it' : `left it at ${formatLsn(ancestor.end)}`;
  throw new TwinproofError('TP-GAP', {
    message: `the stored position is ${formatLsn(lsn)} on timeline ${timeline}; the server is on ${lineage.timeline}, which ${where}`,
  });
}

/** Where this server's log left the timeline of a stored position, if that lies behind it; null: it does not. Pure. */
export function leftBefore(lineage: Lineage, after: Position): Position | null {
  const { systemId, timeline, lsn } = parsePosition(after);
  if (systemId !== lineage.systemId) return null;
  const end = ancestorOf(lineage, timeline)?.end ?? lsn;
  return end < lsn ? positionOf(systemId, timeline, end) : null;
}

function ancestorOf({ ancestors }: Lineage, timeline: string): Lineage['ancestors'][number] | undefined {
  return ancestors.find((candidate) => candidate.timeline === timeline);
}

/** A timeline of a log, as positions on it begin, and where it was left; null: it goes on. */
interface Branch {
  readonly prefix: string;
  readonly end: Position | null;
}

/** The timelines of one server's log. */
export type Branches = readonly Branch[];

function branchesOf({ systemId, timeline, ancestors }: Lineage): Branches {
  const prefixOf = (name: string): string => `${systemId}/${name}/`;
  const left = ancestors.map(({ timeline: name, end }) => ({
    prefix: prefixOf(name),
    end: positionOf(systemId, name, end),
  }));
  return [{ prefix: prefixOf(timeline), end: null }, ...left];
}

/**
 * As comparePositions; those of two timelines can be compared where both lie in the log that the branches are of. Up to
 * where a timeline was left its log is that of the one that came after it; beyond that it has commits that nobody took
 * over. Pure. A ledger compares many, so no large numbers are made.
 */
export function compareAlong(branches: Branches, a: Position, b: Position): PositionOrder {
  const order = comparePositions(a, b);
  return order === 'incomparable' && isOn(branches, a) && isOn(branches, b) ? compareLsns(a, b) : order;
}

function isOn(branches: Branches, position: Position): boolean {
  const branch = branches.find(({ prefix }) => position.startsWith(prefix));
  if (branch === undefined) return false;
  return branch.end === null || compareLsns(position, branch.end) !== 'after';
}

const ancestorsSchema = z.array(z.tuple([z.string(), z.string()]));

/** The timelines that a server descends from, as FollowedSource.details keep them. */
export function ancestorsText(ancestors: Lineage['ancestors']): string {
  return JSON.stringify(ancestors.map(({ timeline, end }) => [timeline, formatLsn(end)]));
}

/** As historyName of what would be remembered of it. */
export function historyNamed({ timeline, ancestors }: Pick<Lineage, 'timeline' | 'ancestors'>): string {
  return historyName({ timeline, details: { ancestors: ancestorsText(ancestors) } });
}

/** What was remembered so. A ledger of an earlier version has none: positions of one timeline are all that is compared. */
export function rememberedBranches(source: FollowedSource): Branches {
  const { systemId, timeline } = source;
  return timeline === null
    ? []
    : branchesOf({ systemId, timeline, ancestors: rememberedAncestors(source) ?? [] });
}

/** Null: an earlier version remembered none. */
function rememberedAncestors({ details }: FollowedSource): Lineage['ancestors'] | null {
  const text = details['ancestors'];
  if (text === undefined) return null;
  return ancestorsSchema.parse(JSON.parse(text)).map(([timeline, end]) => ({ timeline, end: parseLsn(end) }));
}

/**
 * Why a timeline of a server is not the one that goes by its number in the primary’s log; null: it is, or the primary’s log
 * has none of that number. Two standbys of one primary that are promoted without knowing of one another begin timelines of
 * the same number. `ancestors`: what the server’s own descends from. Pure.
 */
export function namesake(
  source: FollowedSource,
  timeline: string,
  ancestors: Lineage['ancestors'],
): string | null {
  const remembered = rememberedAncestors(source);
  if (remembered === null) return null;
  const at = remembered.findIndex((one) => one.timeline === timeline);
  if (at < 0 && timeline !== source.timeline) return null;
  const [ours, theirs] = [ancestors, at < 0 ? remembered : remembered.slice(0, at)].map(historyText);
  if (ours === theirs) return null;
  return `its timeline ${timeline} (${ours}) is not that of the primary (${theirs})`;
}

function historyText(ancestors: Lineage['ancestors']): string {
  const left = ancestors.map(({ timeline, end }) => `left ${timeline} at ${formatLsn(end)}`);
  return left.length === 0 ? 'the first one' : left.join(', ');
}
