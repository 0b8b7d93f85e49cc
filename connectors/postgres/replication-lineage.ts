import type { Position } from '../../src/connector/position.ts';
import { TwinproofError } from '../../src/errors.ts';
import { formatLsn, type Lsn, parseLsn, parsePosition } from './lsn.ts';
import type { Session } from './session.ts';

/** Where the log of a server comes from. */
export interface Lineage {
  readonly systemId: string;
  readonly timeline: string;
  /** Timelines that this one descends from, and where each was left. */
  readonly ancestors: readonly { readonly timeline: string; readonly end: Lsn }[];
}

interface SystemRow {
  readonly systemid: string;
  /** int4 up to version 15, then int8, which comes as a string. */
  readonly timeline: number | string;
}

/** Asks a walsender. Its replication commands take no parameters (manual, "Streaming Replication Protocol"). */
export async function readLineage(session: Session, signal: AbortSignal): Promise<Lineage> {
  const { systemId, timeline } = await readTimeline(session, signal);
  // The first timeline of a server has no history file.
  if (timeline === '1') return { systemId, timeline, ancestors: [] };
  const [history] = await session.rows<{ content: unknown }>(`TIMELINE_HISTORY ${timeline}`, [], signal);
  return { systemId, timeline, ancestors: parseHistory(String(history?.content)) };
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
  const ancestor = lineage.ancestors.find((candidate) => candidate.timeline === timeline);
  if (ancestor !== undefined && lsn <= ancestor.end) return lsn;
  const where = ancestor === undefined ? 'does not descend from it' : `left it at ${formatLsn(ancestor.end)}`;
  throw new TwinproofError('TP-GAP', {
    message: `the stored position is ${formatLsn(lsn)} on timeline ${timeline}; the server is on ${lineage.timeline}, which ${where}`,
  });
}
