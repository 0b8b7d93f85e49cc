import type { PairKind } from './table.ts';
import type { MysqlFacts } from './facts-mysql.ts';
import type { PostgresFacts } from './facts-postgres.ts';

/** What a caller of `readiness` may leave out or add. */
export interface ReadinessOptions {
  /** Facts that no rule of this kind of pair looks at are not read. Absent: all but the deep ones are. */
  readonly pair?: PairKind;
  /** What the site is taken for, likewise: the largest values in columns are looked for on a candidate only. */
  readonly as?: 'primary' | 'candidate';
  /** Also what takes long: indexes are checked against their tables. */
  readonly deep?: boolean;
}

/** Raw readiness facts of one site; the rules over them are pure functions in src/readiness. Null is unknown. */
export interface ReadinessFacts {
  readonly inRecovery: boolean | null;
  readonly writable: boolean | null;
  readonly replayPaused: boolean | null;
  readonly systemId: string | null;
  readonly timeline: string | null;
  /** Tables that are empty after a promotion, `schema.table`. */
  readonly unloggedTables: readonly string[] | null;
  readonly sequences: readonly SequenceFact[] | null;
  readonly subscriptions: readonly SubscriptionFact[] | null;
  /** Facts that could not be read, with the reason in plain words. */
  readonly unread: readonly { readonly fact: string; readonly reason: string }[];
  /** What only rules of one engine look at. Absent on sites of other engines. */
  readonly postgres?: PostgresFacts;
  readonly mysql?: MysqlFacts;
}

/** Of these facts what brings a candidate the primary's changes; the engine's own part is there where it has one. */
export interface FeedFacts extends Pick<ReadinessFacts, 'subscriptions'> {
  readonly postgres?: Pick<PostgresFacts, 'receiver'>;
  readonly mysql?: Pick<MysqlFacts, 'channels'>;
}

export interface SequenceFact {
  /** `schema.sequence`. */
  readonly name: string;
  readonly lastValue: bigint | null;
  readonly increment: bigint;
  /** The column that the sequence feeds and the largest value in it (smallest for a descending one); null: none. */
  readonly ownedBy: string | null;
  readonly dataExtreme: bigint | null;
}

export interface SubscriptionFact {
  readonly name: string;
  readonly enabled: boolean;
  readonly workerRunning: boolean | null;
  readonly applyErrors: bigint | null;
  /** What is set to be left out, in words (`the transaction at 0/16B3748`); empty: nothing; null: it does not tell. */
  readonly skip: string | null;
  /** Tables whose initial copy is not finished, `schema.table`. */
  readonly tablesNotReady: readonly string[];
}
