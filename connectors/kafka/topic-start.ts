import { setTimeout as sleep } from 'node:timers/promises';
import type { Position } from '../../src/connector/position.ts';
import { TwinproofError } from '../../src/errors.ts';
import type { Brokers } from './brokers.ts';
import { parsePosition, type Places, type Snapshots } from './position.ts';
import { startingPlaces, type TopicLog, topicOf } from './topic-log.ts';

/** Where a stream of topics begins. */
export interface StreamStart {
  readonly clusterId: string;
  readonly logs: readonly TopicLog[];
  readonly snapshots: Snapshots;
  /** Of topics that were read and are read no more: they stay in positions, so that these go on in order. */
  readonly left: Places;
  /** Those of them that are not there any more. */
  readonly gone: ReadonlySet<string>;
}

export interface WantedStream {
  readonly topics: readonly string[];
  /** Topics that say something of the others. */
  readonly beside: readonly string[];
  readonly after: Position | null;
}

/** A broker that has just started may not know of every topic yet: it is asked again before one counts as deleted. */
const LOOKS = 10;
const LOOK_EVERY_MS = 2000;

/** Throws as startingPlaces does, TP-GAP for a position of another cluster, and the signal's reason. */
export async function startOfStream(
  brokers: Brokers,
  { topics, beside, after }: WantedStream,
  signal: AbortSignal,
): Promise<StreamStart> {
  const facts = await brokers.facts();
  const { clusterId } = facts;
  const stored = after === null ? null : parsePosition(after);
  if (after !== null && stored === null)
    throw new TwinproofError('TP-BUG', { message: 'no position of topics' });
  if (stored !== null && stored.clusterId !== clusterId) {
    throw new TwinproofError('TP-GAP', {
      message: 'these brokers are another cluster than the ledger was fed from',
    });
  }
  const all = [...topics, ...beside];
  const places = stored?.places ?? null;
  const logs = await startingPlaces(brokers, facts, { topics: all, stored: places, beside: new Set(beside) });
  const left = new Map([...(places ?? [])].filter(([name]) => !all.includes(topicOf(name))));
  const gone = await goneOf(brokers, new Set([...left.keys()].map(topicOf)), signal);
  return { clusterId, logs, snapshots: stored?.snapshots ?? new Map(), left, gone };
}

async function goneOf(
  brokers: Brokers,
  topics: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  let gone = topics;
  for (let looks = 0; gone.size > 0 && looks < LOOKS; looks += 1) {
    if (looks > 0) await sleep(LOOK_EVERY_MS, undefined, { signal });
    const facts = await brokers.facts();
    gone = new Set([...gone].filter((topic) => !facts.topics.has(topic)));
  }
  return gone;
}
