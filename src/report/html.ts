import { terminalText } from './terminal-text.ts';

/** Text that is HTML already: nothing else gets past the escaping. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** Null is nothing; a list is its parts one after the other. */
export type HtmlValue = Html | string | number | null | readonly HtmlValue[];

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/**
 * A template whose values are text: what is HTML in them is shown and not obeyed, in elements and in quoted attributes.
 * Characters that cannot be seen or turn the line around are written as escapes, as on a terminal.
 */
export function html(strings: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  const between = flush(strings);
  let text = between[0] ?? '';
  for (const [index, value] of values.entries()) text += textOf(value) + (between[index + 1] ?? '');
  return new Html(text);
}

const FLUSH = new WeakMap<TemplateStringsArray, readonly string[]>();

/** A template without the indentation of our source, which would be half of a page: a line break says the same. */
function flush(strings: TemplateStringsArray): readonly string[] {
  const known = FLUSH.get(strings);
  if (known !== undefined) return known;
  const lines = strings.map((text) => text.replaceAll(/\s*\n\s*/g, '\n'));
  FLUSH.set(strings, lines);
  return lines;
}

function textOf(value: HtmlValue): string {
  if (value === null) return '';
  if (value instanceof Html) return value.text;
  if (typeof value === 'string' || typeof value === 'number') return escaped(String(value));
  return value.map(textOf).join('');
}

const PLAIN = /^[\w ./:,;+=()#%-]*$/;

function escaped(text: string): string {
  // Most of what is shown, such as the path of a drawing, has nothing to escape.
  if (PLAIN.test(text)) return text;
  return terminalText(text).replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}
