import type { Timing } from '../compare/timing.ts';
import type { LedgerConfig, SiteConfig, SystemConfig } from '../config/schema.ts';
import { ScrubRates } from '../config/scrub.ts';
import type { PairKind } from '../connector/table.ts';
import { TwinproofError } from '../errors.ts';
import { ledgerOptions } from '../ledger/options.ts';
import { Store } from '../ledger/store.ts';
import { pauseBefore } from './backoff.ts';
import { kindOf } from './candidate-tables.ts';
import { CandidateWatch } from './candidate-watch.ts';
import { LedgerMirror, type MirrorTarget } from './ledger-mirror.ts';
import { Pace } from './pace.ts';
import { PrimaryWatch } from './primary-watch.ts';
import { isFinal } from './site-errors.ts';
import { statusLine } from './status.ts';
import { untilFirstEnds, within } from './together.ts';
import { WatchedLedger, type WatchSite } from './watched-ledger.ts';
import { WatchLog, type WriteLine } from './watch-log.ts';

const MAINTENANCE_EVERY_MS = 60_000;
const ONCE_EVERY_MS = 250;

export interface WatchParts {
  readonly ledger: LedgerConfig | null;
  readonly connect: (site: SiteConfig, signal: AbortSignal) => Promise<WatchSite>;
  readonly timing: Timing;
  readonly random: () => number;
  readonly write: WriteLine;
  /** Between two status lines; null: none. */
  readonly statusEveryMs: number | null;
  /** End when everything is proven that can be. */
  readonly once: boolean;
  /** Where the ledger is written to as well; absent or null: nowhere. */
  readonly mirror?: MirrorTarget | null;
}

/** What `once` has come to. */
export interface WatchResult {
  readonly differences: number;
  /** Tables of which not everything is proven, by name, with the candidate's name before it or the primary's. */
  readonly unproven: readonly string[];
}

/** Watches one system until aborted, or until it is through. */
export class SystemWatch {
  readonly #system: SystemConfig;
  readonly #parts: WatchParts;
  readonly #log: WatchLog;

  constructor(system: SystemConfig, parts: WatchParts) {
    this.#system = system;
    this.#parts = parts;
    this.#log = new WatchLog(system.name, parts.write);
  }

  /** Null: it was aborted. Throws what no attempt would mend. */
  async run(signal: AbortSignal): Promise<WatchResult | null> {
    const watched = await this.#open(signal);
    if (watched === null) return null;
    try {
      const pair = await this.#pair(watched, signal);
      return pair === null ? null : await this.#watch(watched, pair, signal);
    } finally {
      await watched.close();
    }
  }

  async #watch(watched: WatchedLedger, pair: PairKind, signal: AbortSignal): Promise<WatchResult | null> {
    const { timing, random, connect, once, statusEveryMs } = this.#parts;
    const { tables: selection, scrub, policy, primary, candidates } = this.#system;
    const common = { watched, selection, pair, timing, random, log: this.#log };
    const source = new PrimaryWatch({
      ...common,
      connect: (own) => connect(primary, own),
      pace: new Pace(scrub, timing),
    });
    const watches = candidates.map(
      (candidate) =>
        new CandidateWatch({
          ...common,
          name: candidate.name,
          connect: (own) => connect(candidate, own),
          scrub,
          maxProofAgeMs: policy.maxProofAge,
        }),
    );
    let result: WatchResult | null = null;
    const tasks = [
      (own: AbortSignal) => source.run(own),
      ...watches.map((watch) => (own: AbortSignal) => watch.run(own)),
      (own: AbortSignal) => this.#maintain(watched, own),
    ];
    const { mirror: target = null } = this.#parts;
    if (target !== null) {
      const mirror = new LedgerMirror({ watched, target, timing, random, log: this.#log });
      tasks.push((own) => mirror.run(own));
    }
    if (statusEveryMs !== null) {
      tasks.push((own) => this.#every(statusEveryMs, own, () => this.#status(watched, watches)));
    }
    if (once) {
      tasks.push(async (own) => {
        result = await this.#through(watched, watches, own);
      });
    }
    await untilFirstEnds(signal, tasks);
    return result;
  }

  /**
   * Opens the ledger. A new one needs the primary, to say whose it is; one that is there opens with any of its sites, so
   * that candidates are proven also while the primary is away.
   */
  async #open(signal: AbortSignal): Promise<WatchedLedger | null> {
    const { ledger, timing } = this.#parts;
    const { name, primary, candidates } = this.#system;
    const now = (): Date => new Date(timing.now());
    const unplaced = { source: null, comparePositions: () => 'incomparable' as const, now };
    const exists = Store.exists(ledgerOptions(ledger, name, unplaced).folder);
    const sites = exists ? [primary, ...candidates] : [primary];
    return this.#withAny(sites, signal, async (site) => {
      const { systemId, database } = await site.identify(signal);
      const options = ledgerOptions(ledger, name, {
        source: exists ? null : `${systemId}/${database}`,
        comparePositions: (a, b) => site.comparePositions(a, b),
        signedKey: (table) => site.signedKey(table),
        now,
      });
      return await WatchedLedger.open(options, site);
    });
  }

  /** Of what kind the ledger is: as it says, or for a new one as its first candidate is. */
  async #pair(watched: WatchedLedger, signal: AbortSignal): Promise<PairKind | null> {
    if (watched.pair !== null) return watched.pair;
    const { candidates, primary } = this.#system;
    const crossing = candidates.some(({ address }) => address.engine !== primary.address.engine);
    const pair = await this.#withAny(candidates, signal, async (site) => {
      const kind = kindOf((await site.identify(signal)).role, crossing);
      if (kind !== null) return kind;
      throw new TwinproofError('TP-ROLES', { message: 'a candidate is neither a standby nor a subscriber' });
    });
    if (pair !== null) watched.known.writeStream({ pair });
    return pair;
  }

  /** Connects to the first of the sites that can be reached; tries them again and again. Null: aborted. */
  async #withAny<T>(
    sites: readonly SiteConfig[],
    signal: AbortSignal,
    action: (site: WatchSite) => Promise<T>,
  ): Promise<T | null> {
    const { timing, random, connect } = this.#parts;
    for (let attempt = 1; !signal.aborted; attempt++) {
      for (const site of sites) {
        try {
          const connected = await connect(site, signal);
          try {
            return await action(connected);
          } finally {
            await within(connected.close());
          }
        } catch (error) {
          if (signal.aborted) return null;
          if (!(error instanceof TwinproofError) || isFinal(error)) throw error;
          const { code, message, hint } = error;
          this.#log.state({ level: 'warn', site: site.name, event: 'start', code, message, hint });
        }
      }
      await timing.sleep(pauseBefore(attempt, random()), signal).catch(() => undefined);
    }
    return null;
  }

  #maintain(watched: WatchedLedger, signal: AbortSignal): Promise<void> {
    const { scrub, policy } = this.#system;
    const rates = new ScrubRates(scrub);
    return this.#every(MAINTENANCE_EVERY_MS, signal, async () => {
      await watched.exclusive.run(() => watched.ledger.prune());
      const rows = watched.ledger.core.catalog.current().reduce((sum, relation) => sum + relation.rows, 0);
      if (rows <= rates.leastRows(policy.maxProofAge / 2, this.#parts.timing.now())) return;
      this.#log.state({
        level: 'warn',
        site: null,
        event: 'scrub',
        message: 'at the rates of scrub not every row can be proven again before policy.maxProofAge is over',
        hint: 'raise scrub.rowsPerSecond, also of its windows, or policy.maxProofAge in the configuration',
      });
    });
  }

  async #status(watched: WatchedLedger, watches: readonly CandidateWatch[]): Promise<void> {
    const nowUs = BigInt(Math.round(this.#parts.timing.now() * 1000));
    const message = statusLine(watched, watches, nowUs);
    this.#log.tell({ level: 'info', site: null, event: 'status', message });
    return Promise.resolve();
  }

  /** Waits until every row is known and every candidate is proven as of what the primary was by then, or later. */
  async #through(
    watched: WatchedLedger,
    watches: readonly CandidateWatch[],
    signal: AbortSignal,
  ): Promise<WatchResult> {
    let from: { readonly head: number; readonly looks: readonly number[] } | null = null;
    await this.#every(ONCE_EVERY_MS, signal, () => {
      if (!watched.baselineDone) return Promise.resolve(false);
      // Each candidate must have been looked at from beginning to end since then.
      from ??= { head: watched.ledger.head(), looks: watches.map(({ state }) => state.looks + 2) };
      const { head, looks } = from;
      const through = watches.every(
        ({ state }, index) =>
          state.proven && state.lookedAtUpTo >= head && state.looks >= (looks[index] ?? Infinity),
      );
      return Promise.resolve(through);
    });
    const sources = watched.sourceTables ?? [];
    const unknown = sources.filter(({ id }) => watched.ledger.core.catalog.ofTable(id)?.completeFrom == null);
    return {
      differences: watches.reduce((sum, { state }) => sum + state.differences, 0),
      unproven: [
        ...unknown.map(({ leaf }) => `primary: ${leaf}`),
        ...watches.flatMap(({ name, state }) => state.unproven.map((table) => `${name}: ${table}`)),
      ],
    };
  }

  /** Until aborted, or until the action says true. */
  async #every(ms: number, signal: AbortSignal, action: () => Promise<boolean | void>): Promise<void> {
    while (!signal.aborted) {
      await this.#parts.timing.sleep(ms, signal).catch(() => undefined);
      if (signal.aborted || (await action()) === true) return;
    }
  }
}
