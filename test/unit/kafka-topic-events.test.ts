import { describe, expect, it } from 'vitest';
import { DebeziumDecoder } from '../../connectors/kafka/debezium.ts';
import { FeedNotes } from '../../connectors/kafka/feed-notes.ts';
import { positionText } from '../../connectors/kafka/position.ts';
import { whyUnfollowed } from '../../connectors/kafka/topic-facts.ts';
import { TopicEvents } from '../../connectors/kafka/topic-events.ts';
import type { TopicLog } from '../../connectors/kafka/topic-log.ts';
import { feedTopics } from '../../connectors/kafka/topic-names.ts';
import { TopicRecord } from '../../connectors/kafka/topic-record.ts';
import { TopicSnapshots } from '../../connectors/kafka/topic-snapshots.ts';
import type { ChangeEvent } from '../../src/connector/changes.ts';
import {
  recordBytesOf,
  recordOf,
  STATED_COLUMNS,
  type StatedChange,
} from '../servers/harness/kafka-changes.ts';

const NOWHERE = positionText('c', new Map());

function logOf(topic: string): TopicLog {
  const start = { place: { offset: 0n, mark: null }, readFrom: 0n, resumed: false, grown: false, high: 0n };
  return { topic, partitions: [{ partition: 0, ...start }], compacted: false };
}

/** What comes of records that stand one behind the other in a topic of one partition. */
class Topic {
  readonly #topic: string;
  readonly #events: TopicEvents;
  #offset = 0n;

  constructor(topic: string, { known = [], gone = [] }: { known?: string[]; gone?: string[] } = {}) {
    this.#topic = topic;
    const logs = [logOf(topic)];
    const tables = ['public.letters', 'public.주문'].map((name) => [name, STATED_COLUMNS] as const);
    const settings = { decimals: 'precise', times: 'adaptive', binary: 'bytes' } as const;
    const decoder = new DebeziumDecoder({ settings, declared: new Map(tables), beforeImages: false });
    this.#events = new TopicEvents(decoder, () => NOWHERE, {
      notes: new FeedNotes(),
      snapshots: new TopicSnapshots(logs, new Map()),
      logs,
      gone: new Set(gone),
      feed: { prefix: 'p', beside: { transactions: null, schemas: null }, known },
    });
  }

  change(stated: StatedChange, edit = (value: string): string => value): this {
    const { key, value } = recordOf(stated);
    return this.#record(key, edit(value));
  }

  unreadable(): this {
    return this.#record(null, '{');
  }

  gaps(): Extract<ChangeEvent, { type: 'gap' }>[] {
    this.#events.close();
    return this.#events.take().flatMap((event) => (event.type === 'gap' ? [event] : []));
  }

  #record(key: string | null, value: string): this {
    const bytes = recordBytesOf(key === null ? null : Buffer.from(key), Buffer.from(value));
    const place = { name: `${this.#topic}:0`, topic: this.#topic, partition: 0, leaderEpoch: 0 };
    this.#events.next(new TopicRecord(place, this.#offset, { ...bytes, timestamp: 1 }));
    this.#offset += 1n;
    return this;
  }
}

describe('topics of tables whose names topics may not have', () => {
  const all = new Map(['p.public.letters', 'p.public.__', 'p.public.my_table'].map((name) => [name, 1]));
  const chosen = (include: string[], exclude: string[] = []): readonly string[] =>
    feedTopics({ topics: all }, 'p', { include, exclude }).changes;

  it('are read for the tables that they are called after', () => {
    expect(chosen(['public.주문'])).toEqual(['p.public.__']);
    expect(chosen(['public."my table"'])).toEqual(['p.public.my_table']);
    expect(chosen(['public.*'], ['public.고객'])).toHaveLength(3);
    expect(chosen(['*'], ['letters'])).toEqual(['p.public.__', 'p.public.my_table']);
  });

  it('void these when something of them is not to be had, also before any record has named them', () => {
    const known = ['public.주문', 'public.고객', 'public.letters'];
    const [gap] = new Topic('p.public.__', { known }).unreadable().gaps();
    expect(gap?.tables).toEqual(['public.__', 'public.주문', 'public.고객']);
    const [lost] = new Topic('p.public.letters', { known, gone: ['p.public.__'] }).gaps();
    expect(lost?.tables).toEqual(['public.__', 'public.주문', 'public.고객']);
  });

  it('are not followed where the log has other names for them, as that of PostgreSQL has', () => {
    const columns = { columns: [], keyFields: 1, absent: [], fingerprint: 'f' };
    const why = (leaf: string, engine: 'postgres' | 'mysql'): string | null =>
      whyUnfollowed({ table: { id: leaf, leaf, root: leaf, ...columns }, topic: 't', engine });
    expect(why('public.주문', 'postgres')).toMatch(/names of PostgreSQL beyond ASCII/);
    expect(why('bank.주문', 'mysql')).toBeNull();
    expect(why('public.my table', 'postgres')).toBeNull();
  });

  it('void these when they were named by a record before', () => {
    const topic = new Topic('p.public.__').change({ op: 'c', id: 1, tx: 1, lsn: 1, table: '주문' });
    expect(topic.unreadable().gaps()[0]?.tables).toEqual(['public.__', 'public.주문']);
  });
});

describe('a topic with records of two databases', () => {
  const from = (origin: string) => (value: string) => value.replace('"name":"p"', `"name":"${origin}"`);

  it('is a gap wherever it goes over to the other: their rows may hide one another', () => {
    const topic = new Topic('p.public.letters')
      .change({ op: 'c', id: 1, tx: 1, lsn: 101 })
      .change({ op: 'c', id: 2, tx: 2, lsn: 201 });
    expect(topic.gaps()).toEqual([]);
    topic.change({ op: 'u', id: 1, tx: 3, lsn: 301 }, from('q'));
    const [gap, ...more] = topic.gaps();
    expect(gap?.tables).toEqual(['public.letters']);
    expect(gap?.reason).toMatch(/from offset 2 on .* of q, database postgres, and before of p, database/);
    expect(more).toEqual([]);
    expect(topic.change({ op: 'c', id: 3, tx: 4, lsn: 401 }).gaps()).toHaveLength(1);
  });
});
