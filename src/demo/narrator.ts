import { clearLine, cursorTo } from 'node:readline';
import { stripVTControlCharacters } from 'node:util';
import { Page } from '../report/page.ts';
import { durationText } from '../report/quantity.ts';
import { truncateMiddle, widthOf } from '../report/text-width.ts';
import type { CommandResult, DemoIo } from './demo-io.ts';

const INDENT = '   ';
/** Wider lines of output would not be read as one picture with the prose. */
const WIDTH_MAX = 110;

/** Prints the demo: numbered acts, what is done and how long it took, and command lines with what they print. */
export class Narrator {
  readonly #io: DemoIo;
  #acts = 0;

  constructor(io: DemoIo) {
    this.#io = io;
  }

  /** Columns for what is printed below a command line. */
  get width(): number {
    return Math.min(this.#io.screen.width, WIDTH_MAX) - INDENT.length - 2;
  }

  /** Prints what `write` puts on a page. */
  print(write: (page: Page) => void): void {
    const page = new Page({ ...this.#io.screen, width: Math.min(this.#io.screen.width, WIDTH_MAX) });
    write(page);
    this.#io.stdout(page.toString());
  }

  /** An act: its title, one sentence on why it matters, whatever `work` prints, and the time it took. */
  async act<T>(title: string, why: string, work: () => Promise<T>): Promise<T> {
    this.#acts += 1;
    const startedAt = performance.now();
    this.print((page) => {
      page.line();
      page.line(page.paint('bold', `${this.#acts}  ${title}`));
      page.paragraph(why, { first: INDENT, style: 'dim' });
      page.line();
    });
    const result = await work();
    this.print((page) => {
      page.line(page.paint('dim', `${INDENT}took ${durationText(performance.now() - startedAt)}`));
    });
    return result;
  }

  /** Something that takes a moment; `done` says what became of it. */
  async step<T>(doing: string, work: () => Promise<T>, done: (result: T) => string): Promise<T> {
    this.#showUnderWay(doing);
    try {
      const result = await work();
      this.#clearUnderWay();
      this.check(true, done(result));
      return result;
    } catch (error) {
      this.#clearUnderWay();
      throw error;
    }
  }

  /** A line with a mark before it. */
  check(good: boolean, text: string): void {
    this.print((page) => {
      const mark = good ? page.paint('green', page.icons.same) : page.paint('red', page.icons.different);
      page.paragraph(text, { first: `${INDENT}${mark} ` });
    });
  }

  note(text: string): void {
    this.print((page) => page.paragraph(text, { first: INDENT }));
  }

  gap(): void {
    this.#io.stdout('\n');
  }

  /** A command line as one would type it. */
  commandLine(words: readonly string[]): void {
    this.print((page) => {
      for (const line of commandLines(words, this.width)) page.line(INDENT + page.paint('bold', line));
    });
  }

  /** Prints the command line, runs it, and prints of what it said the first block and those that `blocks` names. */
  async command(args: readonly string[], blocks: readonly string[]): Promise<CommandResult> {
    this.commandLine(['twinproof', ...args]);
    const result = await this.#io.run(args, this.width);
    this.quote(excerpt(result.stdout, blocks, this.#io.screen.unicode ? '…' : '...'));
    return result;
  }

  /** Prints the command line and runs it; gives its exit code. */
  async silentCommand(args: readonly string[]): Promise<number> {
    this.commandLine(['twinproof', ...args]);
    return (await this.#io.run(args, this.width)).exitCode;
  }

  /** What another program said. */
  quote(lines: readonly string[]): void {
    this.print((page) => {
      const bar = page.paint('dim', page.unicode ? '│' : '|');
      for (const line of lines) page.line(`${INDENT}${bar}${line === '' ? '' : ` ${line}`}`);
    });
  }

  #showUnderWay(text: string): void {
    const { progress, screen } = this.#io;
    if (progress.isTTY !== true) return;
    const room = (progress.columns ?? screen.width) - INDENT.length - 4;
    progress.write(`${INDENT}${screen.unicode ? '·' : '-'} ${truncateMiddle(text, room, screen.unicode)}`);
  }

  #clearUnderWay(): void {
    const { progress } = this.#io;
    if (progress.isTTY !== true) return;
    cursorTo(progress, 0);
    clearLine(progress, 0);
  }
}

/** On one line where it fits, else one long option a line, and as many short ones as fit; a shell takes either. */
function commandLines(typed: readonly string[], width: number): readonly string[] {
  const words = typed.map((word) => (word.includes(' ') ? `"${word}"` : word));
  const whole = `$ ${words.join(' ')}`;
  if (widthOf(whole) <= width) return [whole];
  const lines: string[] = [];
  let line = '$';
  for (const word of words) {
    if (word.startsWith('--') || widthOf(line) + widthOf(word) + 3 > width) {
      lines.push(`${line} \\`);
      line = `    ${word}`;
    } else {
      line += ` ${word}`;
    }
  }
  return [...lines, line];
}

/** Blocks are parted by empty lines; a block is named by how its first line begins. */
function excerpt(text: string, names: readonly string[], omitted: string): readonly string[] {
  const blocks = text
    .trimEnd()
    .split('\n\n')
    .map((block) => block.split('\n'));
  const lines: string[] = [];
  let hidden = false;
  for (const [index, block] of blocks.entries()) {
    const first = stripVTControlCharacters(block[0] ?? '');
    if (index > 0 && !names.some((name) => first.startsWith(name))) {
      hidden = true;
      continue;
    }
    if (index > 0) lines.push('');
    lines.push(...block);
  }
  return hidden ? [...lines, omitted] : lines;
}
