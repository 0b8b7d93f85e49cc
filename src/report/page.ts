import { painter, type Paint, type Style } from './colour.ts';
import { terminalText } from './terminal-text.ts';
import { widthOf, wrap } from './text-width.ts';

export interface TextOptions {
  readonly colour: boolean;
  /** Columns of the terminal; text is never wider, except a terminal below 24 columns. */
  readonly width: number;
  /** False: nothing but ASCII. Default true. */
  readonly unicode?: boolean;
  /** List every table and every sample, however many. */
  readonly showAllTables?: boolean;
}

export interface ParagraphOptions {
  /** Before the first line; what stands here is trusted and may be painted. */
  readonly first?: string;
  /** Before the other lines; spaces as wide as `first` unless given. */
  readonly rest?: string;
  readonly style?: Style;
}

const WIDTH_MIN = 24;
/** Longer lines of prose are hard to follow. */
const PROSE_WIDTH_MAX = 110;

const UNICODE = {
  same: '✔',
  different: '✖',
  unproven: '?',
  block: '✖',
  warn: '!',
  info: '·',
  next: '→',
} as const;
const ASCII = {
  same: 'OK',
  different: 'XX',
  unproven: '??',
  block: 'X',
  warn: '!',
  info: '-',
  next: '->',
} as const;

/** A text report under way: lines of a known width. All untrusted text gets in by `safe`, `paragraph` or `fact`. */
export class Page {
  readonly width: number;
  readonly unicode: boolean;
  readonly paint: Paint;
  readonly icons: Readonly<Record<keyof typeof UNICODE, string>>;
  readonly #lines: string[] = [];

  constructor(options: TextOptions) {
    this.width = Math.max(WIDTH_MIN, Math.floor(options.width));
    this.unicode = options.unicode ?? true;
    this.paint = painter(options.colour);
    this.icons = this.unicode ? UNICODE : ASCII;
  }

  /** Untrusted text as it may stand in a line. */
  safe(text: string): string {
    return terminalText(text, this.unicode);
  }

  /** A line that is safe and fits. */
  line(text = ''): void {
    this.#lines.push(text);
  }

  heading(text: string): void {
    this.line();
    this.paragraph(text, { style: 'bold' });
  }

  /** Untrusted text, wrapped. */
  paragraph(text: string, options: ParagraphOptions = {}): void {
    const first = options.first ?? '';
    const rest = options.rest ?? ' '.repeat(widthOf(first));
    const right = Math.min(this.width, PROSE_WIDTH_MAX);
    const room = (before: string) => Math.max(8, right - widthOf(before));
    const style = options.style;
    for (const [index, part] of wrap(this.safe(text), room(rest), room(first)).entries()) {
      this.line((index === 0 ? first : rest) + (style === undefined ? part : this.paint(style, part)));
    }
  }

  /** `name  value`, the value wrapped beside its name, or below it when there is little room. */
  fact(name: string, value: string): void {
    const label = this.paint('dim', name.padEnd(10));
    if (this.width >= 50) {
      this.paragraph(value, { first: `${label} ` });
    } else {
      if (name !== '') this.line(this.paint('dim', name));
      this.paragraph(value, { first: '  ' });
    }
  }

  toString(): string {
    return `${this.#lines.join('\n')}\n`;
  }
}
