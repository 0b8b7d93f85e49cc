import type { FollowedSource } from '../../src/connector/ledger-sites.ts';
import type { Position, PositionOrder } from '../../src/connector/position.ts';
import { historyName } from '../../src/connector/source-history.ts';
import type { ConnectTarget } from './address.ts';
import type { PostgresIdentity } from './identity.ts';
import {
  type Branches,
  compareAlong,
  FIRST_TIMELINE,
  type Lineage,
  readAncestors,
  readLineage,
  rememberedBranches,
} from './replication-lineage.ts';
import { openSession, type Session } from './session.ts';

/** A running server, and a timeline of its log. */
type OnTimeline = Pick<PostgresIdentity, 'instance' | 'timeline'>;

/** What a connector knows of logs that went over from timeline to timeline: the primary's, and its own server's. */
export class LogHistory {
  readonly #target: ConnectTarget;
  #branches: Branches = [];
  #seen: string | null = null;
  /** What was asked last. */
  #known: (OnTimeline & Pick<Lineage, 'ancestors'>) | null = null;

  constructor(target: ConnectTarget) {
    this.#target = target;
  }

  /** As LedgerCandidate.recall. */
  recall(source: FollowedSource): void {
    this.#branches = rememberedBranches(source);
  }

  /** The server was looked at as the primary. */
  saw(source: FollowedSource): void {
    this.#seen = historyName(source);
  }

  /** On which history it was then (historyName); null: nobody looked. */
  get seen(): string | null {
    return this.#seen;
  }

  /** By the primary's log. Pure but for what was recalled. */
  compare(a: Position, b: Position): PositionOrder {
    return compareAlong(this.#branches, a, b);
  }

  /** The timelines that one of its server's descends from. Asked of a walsender: throws as openSession does. */
  async ancestorsOf({ instance, timeline }: OnTimeline, signal: AbortSignal): Promise<Lineage['ancestors']> {
    if (timeline === FIRST_TIMELINE) return [];
    if (this.#known?.instance === instance && this.#known.timeline === timeline) return this.#known.ancestors;
    const ancestors = await this.#asked(signal, (sender) => readAncestors(sender, timeline, signal));
    this.#known = { instance, timeline, ancestors };
    return ancestors;
  }

  /** That of the server's own log. Likewise. */
  own(signal: AbortSignal): Promise<Lineage> {
    return this.#asked(signal, (sender) => readLineage(sender, signal));
  }

  async #asked<T>(signal: AbortSignal, ask: (sender: Session) => Promise<T>): Promise<T> {
    const sender = await openSession(this.#target, signal, { purpose: 'watch', replication: true });
    try {
      return await ask(sender);
    } finally {
      await sender.close();
    }
  }
}
