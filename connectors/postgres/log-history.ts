import type { FollowedSource } from '../../src/connector/ledger-sites.ts';
import type { Position, PositionOrder } from '../../src/connector/position.ts';
import type { ConnectTarget } from './address.ts';
import {
  type Branches,
  compareAlong,
  type Lineage,
  readLineage,
  rememberedBranches,
} from './replication-lineage.ts';
import { openSession } from './session.ts';

/** Its log was never left for another: it has no history file. */
const FIRST_TIMELINE = '1';

/** What a connector knows of logs that went over from timeline to timeline: the primary's, and its own server's. */
export class LogHistory {
  readonly #target: ConnectTarget;
  #branches: Branches = [];
  #own: Lineage | null = null;

  constructor(target: ConnectTarget) {
    this.#target = target;
  }

  /** As LedgerCandidate.recall. */
  recall(source: FollowedSource): void {
    this.#branches = rememberedBranches(source);
  }

  /** By the primary's log. Pure but for what was recalled. */
  compare(a: Position, b: Position): PositionOrder {
    return compareAlong(this.#branches, a, b);
  }

  /** The timelines that this server's own log came over, up to one; none where it is on another meanwhile. */
  async ancestorsOf(timeline: string, signal: AbortSignal): Promise<Lineage['ancestors']> {
    if (timeline === FIRST_TIMELINE) return [];
    const known = this.#own?.timeline === timeline ? this.#own : await this.own(signal);
    return known.timeline === timeline ? known.ancestors : [];
  }

  /** Asked of a walsender, for nobody else tells. Throws as openSession does. */
  async own(signal: AbortSignal): Promise<Lineage> {
    const sender = await openSession(this.#target, signal, { purpose: 'watch', replication: true });
    try {
      this.#own = await readLineage(sender, signal);
      return this.#own;
    } finally {
      await sender.close();
    }
  }
}
