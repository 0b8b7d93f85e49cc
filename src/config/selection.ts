import { TwinproofError } from '../errors.ts';

/**
 * Which tables to look at. A pattern is `table` (in any schema) or `schema.table`. `*` stands for any characters, `?`
 * for one. In double quotes every character stands for itself, dots and stars too, and `""` for a quote:
 * `"My.Schema"."My Table"`. Letters are compared as the catalog has them: `Orders` is not `orders`. Exclusion wins.
 */
export interface TablePatterns {
  /** Empty selects nothing; `*` selects all. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

export interface Decision {
  readonly selected: boolean;
  /** The pattern that decided; null: no pattern names the table, so it is not selected. */
  readonly by: string | null;
}

export const PATTERN_HINT =
  'write table or schema.table; * and ? are wildcards; put names with dots in double quotes: "My.Schema"."My Table"';

const PATTERN_LENGTH_MAX = 1_024;
const ANY = Symbol('any characters');
const ONE = Symbol('one character');

/** A pattern of one name: characters (code points) and wildcards. */
type Glob = readonly (string | typeof ANY | typeof ONE)[];

interface TablePattern {
  readonly text: string;
  /** Null: any schema. */
  readonly schema: Glob | null;
  readonly table: Glob;
}

/** Decides table after table; the patterns are read once. @throws TwinproofError TP-USAGE on a pattern that is wrong. */
export function compileSelection(selection: TablePatterns): (schema: string, table: string) => Decision {
  const include = selection.include.map(readPattern);
  const exclude = selection.exclude.map(readPattern);
  return (schema, table) => {
    const matching = (pattern: TablePattern) => patternMatches(pattern, schema, table);
    const excludedBy = exclude.find(matching);
    if (excludedBy !== undefined) return { selected: false, by: excludedBy.text };
    const includedBy = include.find(matching);
    return { selected: includedBy !== undefined, by: includedBy?.text ?? null };
  };
}

/** Which tables are in; without a selection all are. The patterns are read once. */
export function selecting(selection?: TablePatterns): (schema: string, table: string) => boolean {
  if (selection === undefined) return () => true;
  const decide = compileSelection(selection);
  return (schema, table) => decide(schema, table).selected;
}

/** Inclusions that name none of `tables`: most often a slip that would shrink the scope unseen. */
export function unmatchedPatterns(
  selection: TablePatterns,
  tables: readonly { readonly schema: string; readonly table: string }[],
): readonly string[] {
  return selection.include.filter((text) => {
    const pattern = readPattern(text);
    return !tables.some(({ schema, table }) => patternMatches(pattern, schema, table));
  });
}

/** What is wrong with a pattern, as in "the pattern …", without quoting it; null: nothing. */
export function patternProblem(text: string): string | null {
  const pattern = tryPattern(text);
  return typeof pattern === 'string' ? pattern : null;
}

/** A pattern that matches exactly this table. */
export function quotedPattern(schema: string, table: string): string {
  return [schema, table].map((name) => `"${name.replaceAll('"', '""')}"`).join('.');
}

function readPattern(text: string): TablePattern {
  const pattern = tryPattern(text);
  if (typeof pattern === 'string') {
    throw new TwinproofError('TP-USAGE', {
      message: `the table pattern ${JSON.stringify(text.slice(0, 80))} ${pattern}`,
      hint: PATTERN_HINT,
    });
  }
  return pattern;
}

/** The pattern, or what is wrong with it. */
function tryPattern(text: string): TablePattern | string {
  if (text.length > PATTERN_LENGTH_MAX) return 'is too long';
  const names: Glob[] = [];
  let name: (string | typeof ANY | typeof ONE)[] = [];
  let quoted = false;
  const characters = Array.from(text);
  for (let at = 0; at < characters.length; at += 1) {
    const character = characters[at] ?? '';
    if (character === '"') {
      if (quoted && characters[at + 1] === '"') {
        name.push('"');
        at += 1;
      } else {
        quoted = !quoted;
      }
    } else if (quoted) {
      name.push(character);
    } else if (character === '.') {
      names.push(name);
      name = [];
    } else {
      name.push(wildcard(character));
    }
  }
  names.push(name);
  return assemble(text, names, quoted);
}

function wildcard(character: string): string | typeof ANY | typeof ONE {
  if (character === '*') return ANY;
  return character === '?' ? ONE : character;
}

function assemble(text: string, names: readonly Glob[], quoteOpen: boolean): TablePattern | string {
  if (quoteOpen) return 'has a quote that is not closed';
  if (names.some((name) => name.length === 0)) return 'has an empty name';
  const [first, second] = names;
  if (first === undefined || names.length > 2) return 'has more than two names';
  return second === undefined ? { text, schema: null, table: first } : { text, schema: first, table: second };
}

function patternMatches(pattern: TablePattern, schema: string, table: string): boolean {
  return (
    (pattern.schema === null || globMatches(pattern.schema, schema)) && globMatches(pattern.table, table)
  );
}

/**
 * Whether the whole of `text` fits. After a mismatch only the last `*` takes one character more, which is enough, so
 * the time is at most pattern length × text length, whatever the pattern; a regular expression would explode.
 */
function globMatches(glob: Glob, text: string): boolean {
  const characters = Array.from(text);
  let inGlob = 0;
  let inText = 0;
  let star = -1;
  let starTook = 0;
  while (inText < characters.length) {
    const wanted = glob[inGlob];
    if (wanted === ANY) {
      star = inGlob;
      starTook = inText;
      inGlob += 1;
    } else if (wanted !== undefined && (wanted === ONE || wanted === characters[inText])) {
      inGlob += 1;
      inText += 1;
    } else if (star >= 0) {
      starTook += 1;
      inText = starTook;
      inGlob = star + 1;
    } else {
      return false;
    }
  }
  while (glob[inGlob] === ANY) inGlob += 1;
  return inGlob === glob.length;
}
