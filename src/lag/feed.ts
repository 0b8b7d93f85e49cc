import type { FeedFacts } from '../connector/facts.ts';
import type { PairKind } from '../connector/table.ts';

/** What brings a candidate the primary's changes. Null is not known. */
export interface Feed {
  /** Whether it gets what the primary logs. */
  readonly receiving: boolean | null;
  /** Whether it gets it and applies it. */
  readonly fed: boolean | null;
  /** What stands in the way, in words. */
  readonly notes: readonly string[];
}

/** Pure. */
export function feedOf({ postgres, mysql, subscriptions }: FeedFacts, pair: PairKind): Feed {
  if (pair === 'physical') {
    const receiver = postgres?.receiver;
    const streaming = receiver?.known === true ? receiver.value?.status === 'streaming' : null;
    return { receiving: streaming, fed: streaming, notes: [] };
  }
  if (mysql !== undefined) return feedOfChannels(mysql);
  const running = (subscriptions ?? []).map(({ workerRunning }) => workerRunning);
  const fed = running.length === 0 || running.includes(null) ? null : !running.includes(false);
  return { receiving: fed, fed, notes: [] };
}

type Channels = NonNullable<FeedFacts['mysql']>;

function feedOfChannels({ channels }: Channels): Feed {
  if (!channels.known || channels.value.length === 0) return { receiving: null, fed: null, notes: [] };
  return {
    receiving: channels.value.every(({ receiving }) => receiving === 'yes'),
    fed: channels.value.every(({ receiving, applying }) => receiving === 'yes' && applying),
    notes: channels.value.flatMap(channelNotes),
  };
}

type Channel = Extract<Channels['channels'], { readonly known: true }>['value'][number];

function channelNotes({
  name,
  receiving,
  applying,
  receiveErrno,
  applyErrno,
  delaySeconds,
  workers,
}: Channel): readonly string[] {
  const error = (errno: number): string => (errno === 0 ? '' : ` (error ${errno})`);
  const notes = workers.map((worker) => `channel ${name}: ${worker}`);
  if (delaySeconds > 0) notes.unshift(`channel ${name} applies ${delaySeconds} s late, as it was told to`);
  if (!applying) notes.unshift(`channel ${name} does not apply${error(applyErrno)}`);
  if (receiving === 'no') notes.unshift(`channel ${name} does not receive${error(receiveErrno)}`);
  if (receiving === 'connecting')
    notes.unshift(`channel ${name} does not reach its source${error(receiveErrno)}`);
  return notes;
}
