/** One line of what a watch tells, for people and for machines alike. */
export interface WatchLine {
  readonly level: 'info' | 'warn' | 'error';
  readonly system: string;
  /** The candidate's name, or `primary`; null: the system as a whole. */
  readonly site: string | null;
  /** What it is about, stable: `stream`, `baseline`, `definition`, `gap`, `difference`, `status`, … */
  readonly event: string;
  readonly message: string;
  /** Of an error: its code, and what to do. */
  readonly code?: string;
  readonly hint?: string;
}

export type WriteLine = (line: WatchLine) => void;

/** The log of one system. A state that is told again is not written again, so a server that is down is one line. */
export class WatchLog {
  readonly #system: string;
  readonly #write: WriteLine;
  readonly #states = new Map<string, string>();

  constructor(system: string, write: WriteLine) {
    this.#system = system;
    this.#write = write;
  }

  /** Something that happened once. */
  tell(line: Omit<WatchLine, 'system'>): void {
    this.#write({ system: this.#system, ...line });
  }

  /** How something is from now on: written when it is another than it was. */
  state(line: Omit<WatchLine, 'system'>): void {
    const subject = `${line.site ?? ''}/${line.event}`;
    const state = `${line.code ?? ''}/${line.message}`;
    if (this.#states.get(subject) === state) return;
    this.#states.set(subject, state);
    this.tell(line);
  }

  /** That a state of trouble is over: nothing is written where there was none. */
  over(line: Omit<WatchLine, 'system'>): void {
    if (this.#states.has(`${line.site ?? ''}/${line.event}`)) this.state(line);
  }
}
