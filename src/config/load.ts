import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { LineCounter, isMap, isNode, isPair, isScalar, parseDocument, visit, type Document } from 'yaml';
import type { z } from 'zod';
import { CODES } from '../error-codes.ts';
import { TwinproofError } from '../errors.ts';
import { configSchema, type ConfigContent } from './schema.ts';
import type { Environment } from './secret.ts';

const CONFIG_BYTES_MAX = 1024 * 1024;
const PROBLEMS_SHOWN_MAX = 5;

export interface Config extends ConfigContent {
  /** The file, as it was named. */
  readonly file: string;
  /** Lowercase, one line each, safe to print. */
  readonly warnings: readonly string[];
}

interface Problem {
  readonly line: number;
  readonly column: number;
  readonly path: string;
  readonly message: string;
  readonly hint: string | null;
  readonly secret: boolean;
}

/**
 * Reads `twinproof.yaml`. Relative paths in it start at its own folder.
 *
 * @throws TwinproofError TP-CONFIG with file, line, column and path of what is wrong; TP-SECRET when all that is wrong
 *   are secrets that cannot be had. No message holds a value of the file.
 */
export function loadConfig(file: string, environment: Environment): Config {
  return parseConfig(readConfigFile(file), file, environment);
}

/** As loadConfig, for text that was read from `file`. */
export function parseConfig(text: string, file: string, environment: Environment): Config {
  const lines = new LineCounter();
  // Pretty errors quote the line, and the line may hold a secret.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0) {
    throw failure(
      file,
      faults.map((fault) => {
        const { line, col } = lines.linePos(fault.pos[0]);
        return { line, column: col, path: '', message: yamlProblem(fault.code), hint: null, secret: false };
      }),
    );
  }
  const schema = configSchema({ folder: path.dirname(path.resolve(file)), environment });
  const outcome = schema.safeParse(plainValue(document, lines, file));
  if (!outcome.success) {
    throw failure(
      file,
      outcome.error.issues.flatMap((issue) => problemsOf(issue, document, lines)),
    );
  }
  const content = outcome.data;
  return { ...content, file, warnings: warningsOf(content) };
}

function readConfigFile(file: string): string {
  try {
    if (statSync(file).size > CONFIG_BYTES_MAX) {
      throw new TwinproofError('TP-CONFIG', { message: `${file} is larger than 1 MiB` });
    }
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file));
  } catch (error) {
    if (error instanceof TwinproofError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new TwinproofError('TP-CONFIG', {
      message:
        code === 'ERR_ENCODING_INVALID_ENCODED_DATA'
          ? `${file} is not UTF-8 text`
          : `${file} cannot be read (${code})`,
      hint: 'check the path given to --config and its permissions',
    });
  }
}

function plainValue(document: Document.Parsed, lines: LineCounter, file: string): unknown {
  visit(document, {
    Alias: (_key, alias) => {
      if (alias.resolve(document) !== undefined) return;
      const { line, col } = lines.linePos(alias.range?.[0] ?? 0);
      const message = yamlProblem('BAD_ALIAS');
      throw failure(file, [{ line, column: col, path: '', message, hint: null, secret: false }]);
    },
  });
  try {
    // Few aliases: a small file that expands into a huge value is an attack or an accident.
    return document.toJS({ maxAliasCount: 100 });
  } catch {
    throw new TwinproofError('TP-CONFIG', { message: `${file} cannot be read: its aliases expand too far` });
  }
}

function warningsOf(content: ConfigContent): readonly string[] {
  return content.systems.flatMap((system) =>
    [system.primary, ...system.candidates].flatMap((site) =>
      site.warnings.map((warning) => `${system.name}/${site.name}: ${warning}`),
    ),
  );
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

function problemsOf(issue: z.core.$ZodIssue, document: Document.Parsed, lines: LineCounter): Problem[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => problemAt([...issue.path, key], 'is not a known key', document, lines));
  }
  const params = issue.code === 'custom' ? issue.params : undefined;
  const isMissing = issue.code === 'invalid_type' && !document.hasIn(issue.path);
  const message = isMissing
    ? 'is missing'
    : issue.code === 'invalid_type'
      ? wanted(issue.expected)
      : issue.message;
  const problem = problemAt(issue.path, message, document, lines);
  const hint: unknown = params?.['hint'];
  return [
    {
      ...problem,
      hint: typeof hint === 'string' && hint !== CODES['TP-CONFIG'].hint ? hint : null,
      secret: params?.['code'] === 'TP-SECRET',
    },
  ];
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

function problemAt(
  keys: readonly PropertyKey[],
  message: string,
  document: Document.Parsed,
  lines: LineCounter,
): Problem {
  const { line, col } = lines.linePos(offsetOf(keys, document));
  return { line, column: col, path: pathText(keys), message, hint: null, secret: false };
}

/** Where the value at `keys` stands; its key when the value is empty; the nearest block around it when it is missing. */
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

function failure(file: string, problems: readonly Problem[]): TwinproofError {
  const sorted = [...problems].sort((a, b) => a.line - b.line || a.column - b.column);
  const shown = sorted.slice(0, PROBLEMS_SHOWN_MAX).map((problem) => {
    const subject = problem.path === '' ? '' : `${problem.path}: `;
    return `${file}:${problem.line}:${problem.column}: ${subject}${problem.message}`;
  });
  const more = sorted.length - shown.length;
  const hint = sorted.find((problem) => problem.hint !== null)?.hint;
  return new TwinproofError(sorted.every((problem) => problem.secret) ? 'TP-SECRET' : 'TP-CONFIG', {
    message: shown.join('; ') + (more > 0 ? `; and ${more} more` : ''),
    ...(typeof hint === 'string' ? { hint } : {}),
  });
}
