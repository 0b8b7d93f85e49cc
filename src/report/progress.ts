import { SingleBar, type Options } from 'cli-progress';
import type { Progress } from '../compare/result.ts';
import { BarTerminal, type TerminalStream } from './bar-terminal.ts';
import { barLine, logLine } from './progress-line.ts';

/** Shows how far a run is. Call `stop` at the end, whatever the end: the bar holds a timer. */
export interface ProgressDisplay {
  update(progress: Progress): void;
  /** Prints a line of its own above the bar; nothing that is printed while a bar shows may go around this. */
  log(line: string): void;
  stop(): void;
}

export interface ProgressOptions {
  /** Standard error: results go to standard output and may be piped. */
  readonly stream: TerminalStream;
  readonly quiet: boolean;
  readonly unicode: boolean;
  /** Milliseconds between two lines where there is no terminal. */
  readonly intervalMs: number;
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number;
}

/** A bar on a terminal, a plain line now and then elsewhere, nothing when quiet. */
export function showProgress(options: ProgressOptions): ProgressDisplay {
  if (options.quiet) return new SilentDisplay(options.stream);
  return options.stream.isTTY === true ? new BarDisplay(options) : new LineDisplay(options);
}

/** Quiet is about progress: what is worth a line of its own is still printed. */
class SilentDisplay implements ProgressDisplay {
  readonly #stream: TerminalStream;

  constructor(stream: TerminalStream) {
    this.#stream = stream;
  }

  update(): void {
    // Nothing to show.
  }

  log(line: string): void {
    this.#stream.write(`${line}\n`);
  }

  stop(): void {
    // Nothing to end.
  }
}

class LineDisplay implements ProgressDisplay {
  readonly #options: ProgressOptions;
  #printedAt: number;
  #printed = false;
  #unprinted: Progress | null = null;
  #paused: string | null = null;

  constructor(options: ProgressOptions) {
    this.#options = options;
    this.#printedAt = options.now();
  }

  update(progress: Progress): void {
    this.#unprinted = progress;
    // A pause explains why nothing moves, so it does not wait for its turn.
    const changed = progress.paused !== this.#paused;
    if (changed || this.#options.now() - this.#printedAt >= this.#options.intervalMs) this.#print(progress);
  }

  log(line: string): void {
    this.#options.stream.write(`${line}\n`);
  }

  /** A short run stays silent; a longer one ends with its last state. */
  stop(): void {
    if (this.#printed && this.#unprinted !== null) this.#print(this.#unprinted);
  }

  #print(progress: Progress): void {
    this.log(logLine(progress, this.#options.unicode));
    this.#printedAt = this.#options.now();
    this.#printed = true;
    this.#unprinted = null;
    this.#paused = progress.paused;
  }
}

interface BarPayload {
  readonly progress?: Progress;
}

class BarDisplay implements ProgressDisplay {
  readonly #stream: TerminalStream;
  readonly #terminal: BarTerminal;
  readonly #bar: SingleBar;
  #started = false;

  constructor({ stream, unicode }: ProgressOptions) {
    this.#stream = stream;
    this.#terminal = new BarTerminal(stream);
    // `terminal` is read by cli-progress but missing from its types.
    const options: Options & { terminal: BarTerminal } = {
      terminal: this.#terminal,
      format: (_options, _params, payload: BarPayload) =>
        payload.progress === undefined ? '' : barLine(payload.progress, this.#terminal.getWidth(), unicode),
      fps: 5,
      // After a log line the bar is drawn again within 200 ms, though nothing in it has changed.
      forceRedraw: true,
      // The line says nothing any more when the report is there.
      clearOnComplete: true,
      // True leaves the terminal's own wrapping as it is.
      linewrap: true,
      // Signals are for the command: it has more to end than a bar.
      gracefulExit: false,
    };
    this.#bar = new SingleBar(options);
  }

  update(progress: Progress): void {
    const payload: BarPayload = { progress };
    if (this.#started) {
      this.#bar.update(0, payload);
    } else {
      this.#started = true;
      this.#bar.start(1, 0, payload);
    }
  }

  log(line: string): void {
    this.#terminal.cursorTo(0);
    this.#terminal.clearLine();
    this.#stream.write(`${line}\n`);
  }

  stop(): void {
    if (!this.#started) return;
    this.#started = false;
    this.#bar.stop();
  }
}
