import type { ReadState, StateFolder } from '../state/file.ts';
import {
  fleetPlan,
  fleetView,
  type FleetConfig,
  type FleetPlan,
  type FleetSystem,
  type FleetView,
} from '../state/fleet-view.ts';
import { messageOf } from '../errors.ts';
import type { Html } from '../report/html.ts';
import { countsOf, summary, systemRow } from './overview-page.ts';
import { WORDS } from './languages.ts';
import { LANGUAGES, type Language } from './words.ts';

export interface LiveParts {
  readonly config: FleetConfig;
  readonly folder: Pick<StateFolder, 'read' | 'reread'>;
  readonly now: () => Date;
}

/** What an open page is told. */
export interface LiveEvent {
  readonly name: 'change' | 'beat';
  /** When it was so, ISO 8601: whoever comes back names the last that it has. */
  readonly at: string;
  readonly data: string;
}

type Listener = (event: LiveEvent) => void;
type States = ReadonlyMap<string, ReadState>;

/** A view that is older is judged anew by whoever asks for it: a look that hangs must not leave yesterday's verdicts. */
const VIEW_AGE_MS_MAX = 3_000;
/** A look that takes longer hangs. */
const LOOK_MS_MAX = 15_000;

/** What looks different from what was shown before. */
interface Change {
  readonly systems: readonly FleetSystem[];
  /** There are more or less of some verdict. */
  readonly counted: boolean;
}

/** One look at the fleet, and the rows that the overview is made of. */
export class Live {
  readonly #parts: LiveParts;
  readonly #plan: FleetPlan;
  readonly #listeners = new Map<Listener, Language | null>();
  /** Rows as they are now, of those that somebody has asked for. */
  readonly #rows = new Map<Language, Map<string, Html>>(LANGUAGES.map((one) => [one, new Map()]));
  /** What each row shows, to tell whether it has changed. */
  readonly #shown = new Map<string, string>();
  /** When that was, in milliseconds. */
  readonly #shownAt = new Map<string, number>();
  /** Told apart by identity: a state that is read again is another one. */
  readonly #numbers = new WeakMap<object, number>();
  #count = 0;
  /** What the last look has found. */
  #states: States = new Map();
  #view: FleetView;
  /** When a look came to its end last, in milliseconds. */
  #lookedAt: number;
  /** What the summary counts. */
  #counts = '';
  #problem: string | null = null;

  constructor(parts: LiveParts) {
    this.#parts = parts;
    this.#plan = fleetPlan(parts.config);
    this.#view = fleetView(this.#plan, this.#states, parts.now());
    this.#lookedAt = this.#view.at.getTime();
  }

  /** As it stands now: what was read last grows old although nobody can read it again. */
  get view(): FleetView {
    if (Math.abs(this.#parts.now().getTime() - this.#view.at.getTime()) > VIEW_AGE_MS_MAX) {
      const change = this.#show(this.#states);
      if (change.systems.length > 0) this.#tell(change);
    }
    return this.#view;
  }

  /** Why what is shown is not up to date; null: it is. */
  get problem(): string | null {
    if (this.#problem !== null) return this.#problem;
    const ms = this.#parts.now().getTime() - this.#lookedAt;
    return ms > LOOK_MS_MAX ? 'reading the states does not come to an end' : null;
  }

  /** Of every system. */
  rows(language: Language): ReadonlyMap<string, Html> {
    return new Map(this.view.systems.map((system) => [system.config.name, this.#row(system, language)]));
  }

  /** Reads what is new and tells every open page, also that nothing is. Never throws: what cannot be read is UNKNOWN. */
  async look(): Promise<void> {
    let states: States;
    try {
      states = await this.#parts.folder.read();
      this.#problem = null;
    } catch (error) {
      const problem = messageOf(error);
      states = new Map(this.#plan.systems.map(({ name }) => [name, { state: null, problem }]));
      this.#problem = problem;
    }
    this.#lookedAt = this.#parts.now().getTime();
    this.#tell(this.#show(states));
  }

  /** The same of these files alone, which are known to have changed; pages are told if something has. */
  async hear(files: readonly string[]): Promise<void> {
    const change = this.#show(await this.#parts.folder.reread(files));
    if (change.systems.length > 0) this.#tell(change);
  }

  /**
   * What a page has to be told first that was made at `since`, milliseconds: what has changed between then and now. One
   * that was made later than now, for the clock was set back, is told of everything.
   */
  news(since: number, language: Language | null): LiveEvent {
    const from = since > this.#parts.now().getTime() ? 0 : since;
    const systems = this.view.systems.filter(({ config }) => (this.#shownAt.get(config.name) ?? 0) >= from);
    return this.#event({ systems, counted: true }, language);
  }

  /** Until the answer is called. Null: names of what has changed are enough. */
  listen(listener: Listener, language: Language | null): () => void {
    this.#listeners.set(listener, language);
    return () => void this.#listeners.delete(listener);
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  #show(states: States): Change {
    this.#states = states;
    this.#view = fleetView(this.#plan, states, this.#parts.now());
    const systems = this.#view.systems.filter((system) => this.#isNew(system));
    for (const { config } of systems) {
      this.#shownAt.set(config.name, this.#view.at.getTime());
      for (const rows of this.#rows.values()) rows.delete(config.name);
    }
    const counts = countsOf(this.#view).join();
    const counted = counts !== this.#counts;
    this.#counts = counts;
    return { systems, counted };
  }

  #isNew({ config, standing, blockers, group }: FleetSystem): boolean {
    const { verdict, doubt, fresh, candidates, state } = standing;
    const words = [verdict, doubt, fresh, ...candidates.map((one) => `${one.name}/${one.doubt}`)];
    const mark = JSON.stringify([
      words,
      blockers,
      group?.verdict,
      group?.why,
      state === null ? null : this.#numberOf(state),
    ]);
    if (this.#shown.get(config.name) === mark) return false;
    this.#shown.set(config.name, mark);
    return true;
  }

  #numberOf(state: object): number {
    const known = this.#numbers.get(state);
    if (known !== undefined) return known;
    this.#count += 1;
    this.#numbers.set(state, this.#count);
    return this.#count;
  }

  #row(system: FleetSystem, language: Language): Html {
    const rows = this.#rows.get(language);
    const known = rows?.get(system.config.name);
    if (known !== undefined) return known;
    const row = systemRow(system, this.#view.at, WORDS[language]);
    rows?.set(system.config.name, row);
    return row;
  }

  #tell(change: Change): void {
    const events = new Map<Language | null, LiveEvent>();
    for (const [listener, language] of this.#listeners) {
      const event = events.get(language) ?? this.#event(change, language);
      events.set(language, event);
      listener(event);
    }
  }

  #event({ systems, counted }: Change, language: Language | null): LiveEvent {
    const at = this.#view.at.toISOString();
    if (systems.length === 0) return { name: 'beat', at, data: JSON.stringify({ at }) };
    const names = systems.map(({ config }) => config.name);
    if (language === null) return { name: 'change', at, data: JSON.stringify({ at, names }) };
    const rows = systems.map((system) => [system.config.name, this.#row(system, language).text]);
    const counts = counted ? summary(this.#view, WORDS[language]).text : null;
    return { name: 'change', at, data: JSON.stringify({ at, names, summary: counts, rows }) };
  }
}
