import type { BeginEvent, ChangeEvent, ChangeStream } from '../connector/changes.ts';
import type { Position } from '../connector/position.ts';
import { TwinproofError } from '../errors.ts';
import { rootOf } from '../ledger/candidate-check.ts';
import { entryChangedAt } from '../ledger/entry.ts';
import { portableIdentity } from '../row/portable-key.ts';
import { AnotherIncarnation, type CandidateSession } from './candidate-session.ts';
import { NOWHERE, OriginPlaces } from './origin-places.ts';
import { Arrivals, type Touched } from './own-log-arrivals.ts';
import { stepsOf } from './own-log-keys.ts';
import { OwnLogTables } from './own-log-tables.ts';
import { isFinal } from './site-errors.ts';
import { untilFirstEnds } from './together.ts';
import type { WatchLog } from './watch-log.ts';

/** Keys that wait for the session; then the candidate's server waits too. */
const WAITING_MAX = 50_000;
const POLL_MS = 25;
const RETRY_MS = 5_000;
const ASK_EVERY_MS = 1_000;
const SHOW_EVERY_MS = 100;
/** How long the ledger may take to bring what the candidate has applied already; then its keys are just looked at. */
const PASS_MS = 5_000;

/**
 * Follows the own log of a candidate that can be written to, for what replication did not bring: writes of others, and
 * those of triggers within replicated transactions. A row that the primary changed in the very transaction that the
 * candidate applied, or later, is read and compared when the journal is drained; every other row that its log names goes
 * on its dirty list. The candidate's position in its own log is stored behind the keys, and acknowledged behind that.
 */
export class OwnLog {
  readonly #session: CandidateSession;
  readonly #name: string;
  readonly #log: WatchLog;
  readonly #places: OriginPlaces;
  readonly #tables: OwnLogTables;
  readonly #arrivals = new Arrivals();
  /** What is stored of Arrived.mark. */
  #reachedMark: string | null = null;
  /** Stored; and the watcher's time, microseconds, up to which everything that was written to it is. */
  #reached: Position | null = null;
  #guardedUs = 0n;
  #asked: { readonly position: Position; readonly atMs: number } | null = null;
  #acknowledge: ((position: Position) => void) | null = null;
  #isFirst = false;
  /** Up to here in the journal every key was looked at before its log was followed. */
  #drainedTo = 0;
  /** Something was written of which nothing can be known: the session ends with it. */
  #isLost = false;

  #started: () => void = () => undefined;
  /** Its log is being followed, or cannot be for now: until then what is proven may have to be proven once more. */
  readonly started = new Promise<void>((resolve) => {
    this.#started = resolve;
  });

  constructor(session: CandidateSession, name: string, log: WatchLog) {
    this.#session = session;
    this.#name = name;
    this.#log = log;
    this.#tables = new OwnLogTables(session, name, log);
    const { watched } = session;
    this.#places = new OriginPlaces(watched.ledger.core, watched.compare);
  }

  /** Until aborted. What it finds is for `settle`. */
  async run(signal: AbortSignal): Promise<void> {
    const { timing } = this.#session;
    while (!signal.aborted) {
      try {
        if (await this.#follow(signal)) continue;
        this.#started();
        return await sleepOn(timing, signal);
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof TwinproofError) || (isFinal(error) && error.code !== 'TP-STREAM-SETUP'))
          throw error;
        if (error.code === 'TP-GAP') this.#isLost = true;
        const { code, message, hint } = error;
        const text = `what is written to it by others is not seen: ${message}`;
        this.#log.state({ level: 'warn', site: this.#name, event: 'own log', code, message: text, hint });
        this.#started();
      }
      await timing.sleep(RETRY_MS, signal).catch(() => undefined);
    }
  }

  /**
   * To be called by the session between two reads, so that a read of before is not taken for one of after. Throws
   * AnotherIncarnation when something may have been written unseen, or a table was emptied.
   */
  settle(): void {
    if (this.#isLost) this.#void('its own log has a gap', null);
    const { watched, bound, roots } = this.#session;
    const arrived = this.#arrivals.take();
    if (arrived === null) {
      this.#guard();
      return;
    }
    const { touched, position } = arrived;
    const emptied = arrived.emptied.find(({ root }) => roots.has(root));
    if (emptied !== undefined) this.#void(`${emptied.root} was emptied on it`, position);
    if (this.#isFirst) {
      this.#isFirst = false;
      // Nobody looked at its log until now: what was proven before may have been written over since.
      if (bound.cursor !== bound.since || watched.candidates.hasProofs(bound))
        this.#void('its own log is followed from now on', position);
    }
    const keys = touched.flatMap((one) => this.#suspect(one) ?? []);
    if (keys.length > 0) watched.candidates.suspect(bound, keys);
    this.#reachedMark = arrived.mark ?? this.#reachedMark;
    this.#store(bound.incarnation, position);
    this.#reached = position;
    this.#acknowledge?.(position);
    this.#guard();
  }

  /** Everything written to it before it was asked for its head is known once its log has brought us there. */
  #guard(): void {
    const { site, bound } = this.#session;
    const [asked, reached] = [this.#asked, this.#reached];
    if (asked === null || reached === null) return;
    // Positions of its own log, which need not be of the primary's engine.
    const order = site.comparePositions(reached, asked.position);
    if (order !== 'equal' && order !== 'after') return;
    this.#asked = null;
    if (!this.#tables.tellsAll()) return;
    this.#guardedUs = BigInt(Math.round(asked.atMs * 1000));
    this.#store(bound.incarnation, reached);
  }

  /** What was proven is void before the position is stored: whatever happens between, nothing is forgotten. */
  #void(why: string, position: Position | null): never {
    const { watched, bound } = this.#session;
    watched.candidates.bind(this.#name, '');
    const known = position ?? watched.known.ownLog(this.#name)?.position ?? null;
    // Without a position of its own it begins anew where the server stands.
    if (known !== null) this.#store(position === null ? '' : bound.incarnation, known);
    throw new AnotherIncarnation(why);
  }

  #store(incarnation: string, position: Position): void {
    const { watched } = this.#session;
    const mark = this.#reachedMark;
    watched.known.writeOwnLog(this.#name, { incarnation, position, atUs: this.#guardedUs, mark });
  }

  /** False: nobody can write to this candidate. */
  async #follow(signal: AbortSignal): Promise<boolean> {
    const { site, watched, bound } = this.#session;
    const stored = watched.known.ownLog(this.#name);
    const own = stored?.incarnation === bound.incarnation ? stored : null;
    const after = own?.position ?? null;
    this.#reached = after;
    this.#guardedUs = own?.atUs ?? 0n;
    this.#reachedMark = own?.mark ?? null;
    const stream = await site.ownChanges({ after, pair: 'logical', mark: this.#reachedMark }, signal);
    if (stream === null) return false;
    try {
      this.#acknowledge = (position) => stream.acknowledge(position);
      this.#log.over({
        level: 'info',
        site: this.#name,
        event: 'own log',
        message: 'its own log is followed',
      });
      this.#isFirst = after === null;
      this.#drainedTo = bound.cursor;
      this.#tables.forget();
      await untilFirstEnds(signal, [
        (one) => this.#read(stream, one),
        (one) => this.#show(one),
        (one) => this.#ask(stream, one),
      ]);
    } finally {
      this.#acknowledge = null;
      this.#asked = null;
      this.#arrivals.forget();
      await stream.close();
    }
    return true;
  }

  async #read(stream: ChangeStream, signal: AbortSignal): Promise<void> {
    let since = NOWHERE;
    let isLocal = true;
    let id = '';
    signal.addEventListener('abort', () => void stream.close(), { once: true });
    for await (const events of stream.batches) {
      for (const event of events) {
        if (event.type === 'gap') this.#isLost = true;
        if (event.type === 'begin') {
          id = event.id;
          isLocal = this.#session.site.originPosition(event.origin) === null;
          since = await this.#startOf(event, signal);
        } else this.#take(event, { transaction: id, since, isLocal });
      }
      this.#arrivals.mark(stream.mark?.() ?? null);
      await this.#room(signal);
    }
  }

  /** What its log has told counts once readers of its rows see it; of tables not watched yet, too, which are read soon. */
  async #show(signal: AbortSignal): Promise<void> {
    const { site, timing } = this.#session;
    const isStrange = (one: Touched): boolean =>
      one.since === NOWHERE || !this.#session.roots.has(rootOf(one.table)) || this.#suspect(one) !== null;
    while (!signal.aborted) {
      const hasCome = this.#arrivals.coming.position !== null;
      await this.#arrivals.show((only) => site.commitsVisible(signal, only), isStrange);
      if (hasCome) this.#started();
      await timing.sleep(SHOW_EVERY_MS, signal).catch(() => undefined);
    }
  }

  /** Its own head from time to time; one question at a time, until its log has answered it. */
  async #ask(stream: ChangeStream, signal: AbortSignal): Promise<void> {
    const { site, timing } = this.#session;
    while (!signal.aborted) {
      if (this.#asked === null) {
        await this.#tables.read(signal);
        const atMs = timing.now();
        const { position } = await site.witness(signal);
        await stream.stands?.(signal);
        this.#asked = { position, atMs };
      }
      await timing.sleep(this.#tables.isBlind ? RETRY_MS : ASK_EVERY_MS, signal).catch(() => undefined);
    }
  }

  #take(
    event: ChangeEvent,
    { transaction, since, isLocal }: { transaction: string; since: number; isLocal: boolean },
  ): void {
    const { coming } = this.#arrivals;
    if (event.type === 'commit' || event.type === 'idle') coming.position = event.position;
    // One that the primary emptied begins anew in the ledger too.
    if (event.type === 'truncate' && isLocal)
      coming.emptied.push(...event.tables.map((one) => ({ transaction, root: rootOf(one) })));
    if (event.type !== 'insert' && event.type !== 'update' && event.type !== 'delete') return;
    const { table, key, oldKey } = event;
    for (const identity of [key, oldKey])
      if (identity !== null) coming.touched.push({ transaction, table, identity, since });
  }

  /**
   * Where the transaction begins in the journal, if it is the primary's. What was looked at before its log was followed is
   * not looked at again for such a one: it may be applied a second time, over later ones.
   */
  async #startOf({ origin }: BeginEvent, signal: AbortSignal): Promise<number> {
    const { site, watched, timing } = this.#session;
    const position = site.originPosition(origin);
    if (position === null) return NOWHERE;
    for (let leftMs = PASS_MS; !watched.hasPassed(position); leftMs -= POLL_MS) {
      if (leftMs <= 0) return NOWHERE;
      await timing.sleep(POLL_MS, signal);
    }
    const start = this.#places.startOf(position);
    return start < this.#drainedTo ? NOWHERE : start;
  }

  async #room(signal: AbortSignal): Promise<void> {
    while (this.#arrivals.size > WAITING_MAX) await this.#session.timing.sleep(POLL_MS, signal);
  }

  /** The key as it stands in the store; null: of no table in scope, or it is looked at anyway. */
  #suspect({ table, identity, since }: Touched): Buffer | null {
    const root = this.#session.roots.get(rootOf(table));
    const relation = root?.relations[0];
    if (root === undefined || relation === undefined) return null;
    const steps = stepsOf(table, relation);
    // Told as a table that its own log does not tell of.
    if (steps === null) return null;
    const { stored } = this.#session.placeOf(root, portableIdentity(identity, steps));
    const entry = this.#session.watched.ledger.core.entry(stored);
    return entry !== undefined && entryChangedAt(entry) >= since ? null : stored;
  }
}

async function sleepOn(timing: CandidateSession['timing'], signal: AbortSignal): Promise<void> {
  while (!signal.aborted) await timing.sleep(RETRY_MS, signal).catch(() => undefined);
}
