import { tmpdir } from 'node:os';
import { connectTarget } from '../../../connectors/postgres/address.ts';
import { openChangeStream, type StreamOptions } from '../../../connectors/postgres/stream.ts';
import { parseUrl } from '../../../src/config/url.ts';
import {
  type ChangeEvent,
  type ChangeRequest,
  type ChangeStream,
  type CommitEvent,
  type RowChange,
  UNCHANGED_LENGTH,
  UNREAD_LENGTH,
} from '../../../src/connector/changes.ts';
import type { Position } from '../../../src/connector/position.ts';
import type { PairKind } from '../../../src/connector/table.ts';
import type { Cluster } from '../../../src/demo/cluster.ts';
import { WATCHER } from './watcher.ts';

/** A transaction as it came out of the stream. */
export interface StreamedTransaction {
  readonly commit: CommitEvent;
  readonly events: readonly ChangeEvent[];
}

export interface FollowOptions extends Partial<StreamOptions> {
  readonly after?: Position | null;
  readonly pair?: PairKind;
  readonly held?: ChangeRequest['held'];
  readonly user?: string;
  readonly signal?: AbortSignal;
}

const MEGABYTES_100 = 100 * 1024 * 1024;

/** A slot and a publication, both called `twinproof`. `tables` as in CREATE PUBLICATION, such as `table a, b`. */
export async function prepareStream(cluster: Cluster, tables: string): Promise<void> {
  await cluster.sql(`CREATE PUBLICATION twinproof FOR ${tables}`);
  await cluster.sql(`SELECT pg_create_logical_replication_slot('twinproof', 'pgoutput')`);
}

/** A stream that a test reads transaction by transaction. */
export class Follower {
  readonly stream: ChangeStream;
  /** Every event so far. */
  readonly events: ChangeEvent[] = [];
  readonly #iterator: AsyncIterator<readonly ChangeEvent[]>;
  readonly #transactions: StreamedTransaction[] = [];
  #open: ChangeEvent[] | null = null;
  #position: Position | null = null;
  #newest: Position | null = null;

  private constructor(stream: ChangeStream) {
    this.stream = stream;
    this.#iterator = stream.batches[Symbol.asyncIterator]();
  }

  static async open(cluster: Cluster, options: FollowOptions = {}): Promise<Follower> {
    const { after = null, pair = 'physical', held, user = WATCHER, signal, ...given } = options;
    const target = connectTarget(parseUrl(cluster.url('postgres', user), 'secret').address, {});
    const stream = await openChangeStream(
      target,
      {
        slot: 'twinproof',
        publication: 'twinproof',
        allowUnboundedWal: true,
        early: true,
        spoolFolder: tmpdir(),
        spoolBytesMax: MEGABYTES_100,
        now: Date.now,
        paceMs: 0,
        ...given,
      },
      { after, pair, held },
      signal ?? new AbortController().signal,
    );
    return new Follower(stream);
  }

  /** Over a stream that is open already. */
  static over(stream: ChangeStream): Follower {
    return new Follower(stream);
  }

  /** Behind the transaction that was read last, and the idle time after it. */
  get position(): Position {
    if (this.#position === null) throw new Error('nothing was read yet');
    return this.#position;
  }

  /** Behind everything that came out of the stream, read by the test or not. */
  get newest(): Position {
    return this.#newest ?? this.position;
  }

  /** The next transaction; the test's own time limit bounds the wait. */
  async transaction(): Promise<StreamedTransaction> {
    for (;;) {
      const found = this.#transactions.shift();
      if (found !== undefined) {
        this.#position = found.commit.position;
        return found;
      }
      await this.batch();
    }
  }

  /** The row changes of the next transaction, in short form. */
  async changes(): Promise<readonly string[]> {
    const { events } = await this.transaction();
    return events.flatMap((event) => (isRowChange(event) || event.type === 'truncate' ? [short(event)] : []));
  }

  async batch(): Promise<readonly ChangeEvent[]> {
    const { done, value } = await this.#iterator.next();
    if (done === true) throw new Error('the stream ended');
    for (const event of value) this.#sort(event);
    return value;
  }

  #sort(event: ChangeEvent): void {
    this.events.push(event);
    if (event.type === 'begin') this.#open = [];
    else if (event.type === 'commit') {
      this.#transactions.push({ commit: event, events: this.#open ?? [] });
      this.#open = null;
    } else this.#open?.push(event);
    if (event.type === 'commit' || event.type === 'idle') this.#newest = event.position;
    if (event.type === 'idle' && this.#transactions.length === 0) this.#position = event.position;
  }
}

export function isRowChange(event: ChangeEvent): event is RowChange {
  return event.type === 'insert' || event.type === 'update' || event.type === 'delete';
}

/** `update t 1>2 [1|a] [2|·]`: old key, new key, row before, row after; text of values, `·` unchanged, `?` unread. */
export function short(event: ChangeEvent): string {
  if (event.type === 'truncate') return `truncate ${event.tables.map(({ leaf }) => leaf).join()}`;
  if (!isRowChange(event)) return event.type;
  const { oldKey, key, before, after, table } = event;
  const parts: string[] = [event.type, table.leaf];
  const keyText = key === null ? 'no key' : fieldTexts(key).join();
  parts.push(oldKey === null ? keyText : `${fieldTexts(oldKey).join()}>${keyText}`);
  if (before !== null) parts.push(`before[${fieldTexts(before.subarray(2)).join('|')}]`);
  if (after !== null) parts.push(`[${fieldTexts(after.subarray(2)).join('|')}]`);
  return parts.join(' ');
}

/** Fields with their lengths, as text where it is short ASCII, integers of 4 bytes as such. */
function fieldTexts(bytes: Uint8Array): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const texts: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = view.getInt32(at);
    at += 4;
    if (length === -1) texts.push('null');
    else if (length === UNCHANGED_LENGTH) texts.push('·');
    else if (length === UNREAD_LENGTH) texts.push('?');
    if (length < 0) continue;
    const value = bytes.subarray(at, at + length);
    const isInteger = length === 4 && value[0] === 0;
    texts.push(isInteger ? String(view.getInt32(at)) : Buffer.from(value).toString('utf8'));
    at += length;
  }
  return texts;
}
