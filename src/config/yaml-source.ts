import { LineCounter, isMap, isNode, isPair, isScalar, parseDocument, visit, type Document } from 'yaml';
import type { z } from 'zod';
import { CODES } from '../error-codes.ts';
import { TwinproofError } from '../errors.ts';

const PROBLEMS_SHOWN_MAX = 5;

/** What is wrong at one place of one file. No message holds a value of the file. */
export interface Problem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly path: string;
  readonly message: string;
  readonly hint: string | null;
  readonly secret: boolean;
}

/** A YAML file whose values can be found again by their keys. */
export class YamlSource {
  readonly file: string;
  readonly value: unknown;
  readonly #document: Document.Parsed;
  readonly #lines = new LineCounter();

  /** Throws TP-CONFIG with the line and column of what is no YAML. */
  constructor(text: string, file: string) {
    this.file = file;
    // Pretty errors quote the line, and the line may hold a secret.
    this.#document = parseDocument(text, {
      lineCounter: this.#lines,
      prettyErrors: false,
      uniqueKeys: true,
    });
    const faults = [...this.#document.errors, ...this.#document.warnings];
    if (faults.length > 0) {
      throw failure(faults.map((fault) => this.#problem(fault.pos[0], '', yamlProblem(fault.code))));
    }
    this.value = this.#plainValue();
  }

  /** Where the value at `keys` stands; its key when the value is empty; the nearest block around it when it is missing. */
  problemAt(keys: readonly PropertyKey[], message: string): Problem {
    return this.#problem(offsetOf(keys, this.#document), pathText(keys), message);
  }

  /** What a schema does not like. */
  problemsOf(issue: z.core.$ZodIssue): Problem[] {
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => this.problemAt([...issue.path, key], 'is not a known key'));
    }
    const params = issue.code === 'custom' ? issue.params : undefined;
    const isMissing = issue.code === 'invalid_type' && !this.#document.hasIn(issue.path);
    const message = isMissing
      ? 'is missing'
      : issue.code === 'invalid_type'
        ? wanted(issue.expected)
        : issue.message;
    const hint: unknown = params?.['hint'];
    return [
      {
        ...this.problemAt(issue.path, message),
        hint: typeof hint === 'string' && hint !== CODES['TP-CONFIG'].hint ? hint : null,
        secret: params?.['code'] === 'TP-SECRET',
      },
    ];
  }

  #problem(offset: number, path: string, message: string): Problem {
    const { line, col } = this.#lines.linePos(offset);
    return { file: this.file, line, column: col, path, message, hint: null, secret: false };
  }

  #plainValue(): unknown {
    visit(this.#document, {
      Alias: (_key, alias) => {
        if (alias.resolve(this.#document) !== undefined) return;
        throw failure([this.#problem(alias.range?.[0] ?? 0, '', yamlProblem('BAD_ALIAS'))]);
      },
    });
    try {
      // Few aliases: a small file that expands into a huge value is an attack or an accident.
      return this.#document.toJS({ maxAliasCount: 100 });
    } catch {
      throw new TwinproofError('TP-CONFIG', {
        message: `${this.file} cannot be read: its aliases expand too far`,
      });
    }
  }
}

/** The parser's own messages quote the source, so they are told anew. */
function yamlProblem(code: string): string {
  switch (code) {
    case 'DUPLICATE_KEY':
      return 'this key stands here twice';
    case 'TAB_AS_INDENT':
      return 'a tab is used to indent; YAML wants spaces';
    case 'BAD_INDENT':
      return 'the indentation is wrong';
    case 'BAD_ALIAS':
      return 'this alias has no anchor before it; put text that starts with * in quotes';
    case 'MULTIPLE_DOCS':
      return 'the file holds more than one document';
    case 'MISSING_CHAR':
      return 'a quote, bracket, brace, comma or colon is missing';
    default:
      return `not valid YAML (${code.toLowerCase().replaceAll('_', ' ')})`;
  }
}

function wanted(expected: string): string {
  switch (expected) {
    case 'object':
    case 'record':
      return 'a block of keys is wanted';
    case 'array':
      return 'a list is wanted';
    case 'string':
      return 'text is wanted; put quotes around it';
    case 'int':
      return 'a whole number is wanted';
    default:
      return `a value of type ${expected} is wanted`;
  }
}

function offsetOf(keys: readonly PropertyKey[], document: Document.Parsed): number {
  for (let depth = keys.length; depth > 0; depth -= 1) {
    const parent = document.getIn(keys.slice(0, depth - 1), true);
    const key = keys[depth - 1];
    if (isMap(parent)) {
      const pair = parent.items.find(
        (item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(key),
      );
      const position = startOf(pair?.value) ?? startOf(pair?.key);
      if (position !== null) return position;
    } else {
      const position = startOf(document.getIn(keys.slice(0, depth), true));
      if (position !== null) return position;
    }
  }
  return startOf(document.contents) ?? 0;
}

function startOf(node: unknown): number | null {
  if (!isNode(node) || node.range === undefined || node.range === null) return null;
  const [start, end] = node.range;
  return end > start ? start : null;
}

function pathText(keys: readonly PropertyKey[]): string {
  return keys
    .map((key, index) =>
      typeof key === 'number' ? `[${key}]` : `${index === 0 ? '' : '.'}${keyText(String(key))}`,
    )
    .join('');
}

function keyText(key: string): string {
  return /^[\p{L}\p{N}_-]+$/u.test(key) ? key : JSON.stringify(key.slice(0, 60));
}

/** All problems in one error: TP-SECRET when all that is wrong are secrets that cannot be had, else TP-CONFIG. */
export function failure(problems: readonly Problem[]): TwinproofError {
  const sorted = [...problems].sort(
    (a, b) => (a.file === b.file ? 0 : a.file < b.file ? -1 : 1) || a.line - b.line || a.column - b.column,
  );
  const shown = sorted.slice(0, PROBLEMS_SHOWN_MAX).map((problem) => {
    const subject = problem.path === '' ? '' : `${problem.path}: `;
    return `${problem.file}:${problem.line}:${problem.column}: ${subject}${problem.message}`;
  });
  const more = sorted.length - shown.length;
  const hint = sorted.find((problem) => problem.hint !== null)?.hint;
  return new TwinproofError(sorted.every((problem) => problem.secret) ? 'TP-SECRET' : 'TP-CONFIG', {
    message: shown.join('; ') + (more > 0 ? `; and ${more} more` : ''),
    ...(typeof hint === 'string' ? { hint } : {}),
  });
}
