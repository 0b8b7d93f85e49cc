import { clearLine, cursorTo } from 'node:readline';

/** The part of a tty.WriteStream that is used here. */
export interface TerminalStream extends NodeJS.WritableStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/**
 * What cli-progress (3.12, lib/terminal.js) asks of a terminal. Its own saves the cursor's place on the screen when
 * the bar starts and returns there at the end, over whatever was printed meanwhile; and it turns line wrapping off,
 * which stays off after a crash. This one does neither: the bar is one line, never wider than the screen.
 */
export class BarTerminal {
  readonly #stream: TerminalStream;

  constructor(stream: TerminalStream) {
    this.#stream = stream;
  }

  isTTY(): boolean {
    return this.#stream.isTTY === true;
  }

  getWidth(): number {
    return this.#stream.columns ?? 80;
  }

  write(text: string): void {
    this.#stream.write(text);
  }

  newline(): void {
    this.#stream.write('\n');
  }

  cursorTo(column: number): void {
    cursorTo(this.#stream, column);
  }

  clearRight(): void {
    clearLine(this.#stream, 1);
  }

  clearLine(): void {
    clearLine(this.#stream, 0);
  }

  cursorSave(): void {
    // Not wanted: see above.
  }

  cursorRestore(): void {
    // Not wanted: see above.
  }
}
