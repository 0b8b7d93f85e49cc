/** A table that a statement names. */
export interface StatementTable {
  readonly schema: string;
  readonly table: string;
}

type Token =
  | { readonly kind: 'word'; readonly text: string }
  | { readonly kind: 'quoted'; readonly text: string }
  | { readonly kind: 'text' }
  | { readonly kind: 'sign'; readonly text: string }
  | { readonly kind: 'end' };

// Comments are passed over; but those with a ! are run by the server, so they are read (manual, "Comments").
const SPACE = /(?:\s+|#[^\n]*|--(?=\s|$)[^\n]*|\/\*M?!\d*|\*\/|\/\*(?!M?!)[\s\S]*?\*\/)+/y;
const WORD = /[0-9A-Za-z$_\u0080-\uffff]+/y;
const BACKTICKED = /`((?:[^`]|``)*)`/y;
const DOUBLE_QUOTED = /"((?:[^"\\]|""|\\[\s\S])*)"/y;
const SINGLE_QUOTED = /'(?:[^'\\]|''|\\[\s\S])*'/y;

/** A statement, word by word. */
export class Words {
  readonly #text: string;
  readonly #schema: string;
  #at = 0;

  constructor(text: string, schema: string) {
    this.#text = text;
    this.#schema = schema;
  }

  get atEnd(): boolean {
    const at = this.#at;
    let token = this.#next();
    if (token.kind === 'sign' && token.text === ';') token = this.#next();
    this.#at = at;
    return token.kind === 'end';
  }

  /** The next thing, in capitals where it is a bare word; something else where not; nothing at the end. */
  word(): string {
    const token = this.#next();
    if (token.kind === 'word') return token.text.toUpperCase();
    return token.kind === 'end' ? '' : '?';
  }

  peek(): string {
    const at = this.#at;
    const word = this.word();
    this.#at = at;
    return word;
  }

  rest(): string {
    return this.#text.slice(this.#at);
  }

  accept(word: string): boolean {
    if (this.peek() !== word) return false;
    this.word();
    return true;
  }

  /** All of them in order, or none. */
  acceptAll(...words: readonly string[]): boolean {
    return this.tries(() => words.every((word) => this.accept(word)));
  }

  /** Goes back to where it was if the answer is no. */
  tries(attempt: () => boolean): boolean {
    const at = this.#at;
    if (attempt()) return true;
    this.#at = at;
    return false;
  }

  acceptSign(sign: string): boolean {
    const at = this.#at;
    const token = this.#next();
    if (token.kind === 'sign' && token.text === sign) return true;
    this.#at = at;
    return false;
  }

  /** A table's name, with its database or without; null: none stands here. */
  name(): StatementTable | null {
    const first = this.#next();
    if (first.kind !== 'word' && first.kind !== 'quoted') return null;
    if (!this.acceptSign('.')) return { schema: this.#schema, table: first.text };
    const second = this.#next();
    if (second.kind !== 'word' && second.kind !== 'quoted') return null;
    return { schema: first.text, table: second.text };
  }

  #next(): Token {
    this.#match(SPACE);
    if (this.#at >= this.#text.length) return { kind: 'end' };
    const word = this.#match(WORD);
    if (word !== null) return { kind: 'word', text: word[0] };
    const backticked = this.#match(BACKTICKED);
    if (backticked !== null) return { kind: 'quoted', text: (backticked[1] ?? '').replaceAll('``', '`') };
    // With ANSI_QUOTES a name; else a text, and no name can stand there.
    const quoted = this.#match(DOUBLE_QUOTED);
    if (quoted !== null) return { kind: 'quoted', text: (quoted[1] ?? '').replaceAll('""', '"') };
    if (this.#match(SINGLE_QUOTED) !== null) return { kind: 'text' };
    const sign = this.#text[this.#at] ?? '';
    this.#at += 1;
    return { kind: 'sign', text: sign };
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match !== null) this.#at = pattern.lastIndex;
    return match;
  }
}
