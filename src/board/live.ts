import type { FleetConfig, FleetSystem, FleetView } from '../state/fleet-view.ts';
import { fleetView } from '../state/fleet-view.ts';
import type { ReadState, StateFolder } from '../state/file.ts';
import type { Html } from '../report/html.ts';
import { summary, systemRow } from './overview-page.ts';
import { LANGUAGES, WORDS, type Language } from './words.ts';

export interface LiveParts {
  readonly config: FleetConfig;
  readonly folder: Pick<StateFolder, 'read'>;
  readonly now: () => Date;
}

/** What an open page is told. */
export interface LiveEvent {
  readonly name: 'change' | 'beat';
  readonly data: string;
}

type Listener = (event: LiveEvent) => void;

/** One look at the fleet, and the rows that the overview is made of. */
export class Live {
  readonly #parts: LiveParts;
  readonly #listeners = new Map<Listener, Language>();
  readonly #rows = new Map<Language, Map<string, Html>>(LANGUAGES.map((one) => [one, new Map()]));
  /** What each row shows, to tell whether it has changed. */
  readonly #shown = new Map<string, string>();
  /** Told apart by identity: a state that is read again is another one. */
  readonly #numbers = new WeakMap<object, number>();
  #count = 0;
  #view: FleetView;
  #problem: string | null = null;

  constructor(parts: LiveParts) {
    this.#parts = parts;
    this.#view = fleetView(parts.config, new Map(), parts.now());
  }

  get view(): FleetView {
    return this.#view;
  }

  /** Why the states cannot be read; null: they can. */
  get problem(): string | null {
    return this.#problem;
  }

  rows(language: Language): ReadonlyMap<string, Html> {
    return this.#rows.get(language) ?? new Map();
  }

  /** Reads what is new and tells every open page. Never throws: what cannot be read is UNKNOWN. */
  async look(): Promise<void> {
    let states: ReadonlyMap<string, ReadState> = new Map();
    try {
      states = await this.#parts.folder.read();
      this.#problem = null;
    } catch (error) {
      this.#problem = error instanceof Error ? error.message : String(error);
    }
    this.#view = fleetView(this.#parts.config, states, this.#parts.now());
    const changed = this.#view.systems.filter((system) => this.#isNew(system));
    for (const system of changed) this.#draw(system);
    this.#tell(changed.map(({ config }) => config.name));
  }

  /** Until the answer is called. */
  listen(listener: Listener, language: Language): () => void {
    this.#listeners.set(listener, language);
    return () => void this.#listeners.delete(listener);
  }

  get listeners(): number {
    return this.#listeners.size;
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

  #draw(system: FleetSystem): void {
    for (const language of LANGUAGES) {
      this.#rows.get(language)?.set(system.config.name, systemRow(system, this.#view.at, WORDS[language]));
    }
  }

  #tell(names: readonly string[]): void {
    const at = this.#view.at.toISOString();
    const events = new Map<Language, LiveEvent>();
    for (const [listener, language] of this.#listeners) {
      const event = events.get(language) ?? this.#event(names, at, language);
      events.set(language, event);
      listener(event);
    }
  }

  #event(names: readonly string[], at: string, language: Language): LiveEvent {
    if (names.length === 0) return { name: 'beat', data: JSON.stringify({ at }) };
    const rows = this.rows(language);
    return {
      name: 'change',
      data: JSON.stringify({
        at,
        names,
        summary: summary(this.#view, WORDS[language]).text,
        rows: names.map((name) => [name, rows.get(name)?.text ?? '']),
      }),
    };
  }
}
