import { type StatementTable, Words } from './binlog-words.ts';

/** What a statement of the log means to those who follow rows. */
export type StatementMeaning =
  | { readonly kind: 'begin' | 'commit' | 'rollback' | 'rollback to savepoint' | 'xa end' | 'nothing' }
  /** Rows of an XA transaction follow, or what became of it. The name is the server's own text of it. */
  | { readonly kind: 'xa start' | 'xa commit' | 'xa rollback'; readonly xid: string }
  /** All rows of the table go. */
  | { readonly kind: 'truncate'; readonly tables: readonly StatementTable[] }
  /**
   * These tables are no longer what they were, as far as the statement tells; null: it does not tell which. `foreign`:
   * perhaps neither are the foreign keys that lead to them.
   */
  | {
      readonly kind: 'redefine';
      readonly tables: readonly StatementTable[] | null;
      readonly foreign?: boolean;
    }
  /** These tables are new, or have other keys; no row of a table changes that was there before. */
  | { readonly kind: 'define'; readonly tables: readonly StatementTable[] | null }
  /** All of its tables go. */
  | { readonly kind: 'drop database'; readonly schema: string }
  /**
   * Rows may have changed that the log does not show: a statement in place of its rows, or one that is not understood.
   */
  | { readonly kind: 'unseen'; readonly verb: string };

/**
 * Statements that write no row of any table: what they make, change or drop is no table. Others are in `meaningOf`, and
 * whatever is in neither is not understood.
 */
const HARMLESS_VERBS: ReadonlySet<string> = new Set([
  'SAVEPOINT',
  'RELEASE',
  'GRANT',
  'REVOKE',
  'FLUSH',
  'CHECK',
  'CHECKSUM',
  'OPTIMIZE',
  'COMMENT',
  'KILL',
  'RESET',
  'INSTALL',
  'UNINSTALL',
  'LOCK',
  'UNLOCK',
]);
const HARMLESS_OBJECTS: ReadonlySet<string> = new Set([
  'VIEW',
  'PROCEDURE',
  'FUNCTION',
  'TRIGGER',
  'EVENT',
  'USER',
  'ROLE',
  'SERVER',
  'TABLESPACE',
  'UNDO',
  'LOGFILE',
  'RESOURCE',
  'SPATIAL REFERENCE',
  'SEQUENCE',
  'PACKAGE',
  'CATALOG',
  'LIBRARY',
  'INSTANCE',
]);
/** Words between CREATE, ALTER or DROP and what the object is. */
const ATTRIBUTES: ReadonlySet<string> = new Set([
  'OR',
  'REPLACE',
  'ONLINE',
  'OFFLINE',
  'IGNORE',
  'UNIQUE',
  'FULLTEXT',
  'SPATIAL',
  'VECTOR',
  'AGGREGATE',
  'TEMPORARY',
  'EXTERNAL',
  'MATERIALIZED',
  'JSON',
  'RELATIONAL',
  'DUALITY',
]);

/** `schema`: the database that the statement was run in. Pure. */
export function meaningOf(text: string, schema: string): StatementMeaning {
  const words = new Words(text, schema);
  const verb = words.word();
  switch (verb) {
    case 'BEGIN':
    case 'START':
      return { kind: 'begin' };
    case 'COMMIT':
      return { kind: 'commit' };
    case 'ROLLBACK':
      return { kind: rollsBackTo(words) ? 'rollback to savepoint' : 'rollback' };
    case 'XA':
      return xaMeaning(words);
    case 'SET':
      return words.accept('STATEMENT') ? wrapped(words, schema) : { kind: 'nothing' };
    case 'ANALYZE':
      if (!words.accept('LOCAL')) words.accept('NO_WRITE_TO_BINLOG');
      return words.accept('TABLE') ? { kind: 'nothing' } : { kind: 'unseen', verb };
    case 'TRUNCATE':
      words.accept('TABLE');
      return truncated(words);
    case 'DELETE':
      return deleted(words);
    case 'RENAME':
      return renamed(words);
    case 'CREATE':
    case 'ALTER':
    case 'DROP':
      return objectMeaning(verb, words);
    default:
      return HARMLESS_VERBS.has(verb) ? { kind: 'nothing' } : { kind: 'unseen', verb };
  }
}

/** MariaDB: `SET STATEMENT variable = value, … FOR statement`. */
function wrapped(words: Words, schema: string): StatementMeaning {
  for (let word = words.word(); word !== ''; word = words.word()) {
    if (word === 'FOR') return meaningOf(words.rest(), schema);
  }
  return { kind: 'unseen', verb: 'SET STATEMENT' };
}

function rollsBackTo(words: Words): boolean {
  words.accept('WORK');
  return words.word() === 'TO';
}

function xaMeaning(words: Words): StatementMeaning {
  const verb = words.word();
  const xid = xidOf(words.rest());
  switch (verb) {
    case 'START':
    case 'BEGIN':
      return { kind: 'xa start', xid };
    case 'END':
    case 'PREPARE':
      return { kind: 'xa end' };
    case 'COMMIT':
      return { kind: 'xa commit', xid };
    case 'ROLLBACK':
      return { kind: 'xa rollback', xid };
    default:
      return { kind: 'unseen', verb: `XA ${verb}` };
  }
}

/** `X'6162',X'',1`, as both servers log it, in one form. */
function xidOf(text: string): string {
  const match = /X'([0-9a-f]*)'\s*(?:,\s*X'([0-9a-f]*)'\s*(?:,\s*(\d+))?)?/i.exec(text);
  if (match === null) return text.trim();
  const [, global = '', branch = '', format = '1'] = match;
  return xidText(Number(format), global, branch);
}

/** One name of an XA transaction, from its parts, the texts in hexadecimal. */
export function xidText(format: number, global: string, branch: string): string {
  return `${format}:${global.toLowerCase()}:${branch.toLowerCase()}`;
}

function truncated(words: Words): StatementMeaning {
  const table = words.name();
  return table === null ? { kind: 'unseen', verb: 'TRUNCATE' } : { kind: 'truncate', tables: [table] };
}

/** A server that starts empties its tables in memory so; all else is a statement in place of its rows. */
function deleted(words: Words): StatementMeaning {
  const table = words.word() === 'FROM' ? words.name() : null;
  return table !== null && words.atEnd
    ? { kind: 'truncate', tables: [table] }
    : { kind: 'unseen', verb: 'DELETE' };
}

function renamed(words: Words): StatementMeaning {
  const object = words.word();
  if (object === 'USER') return { kind: 'nothing' };
  if (object !== 'TABLE' && object !== 'TABLES') return { kind: 'unseen', verb: `RENAME ${object}` };
  words.acceptAll('IF', 'EXISTS');
  const tables: StatementTable[] = [];
  do {
    const from = words.name();
    // MariaDB: how long to wait for a lock.
    if (words.accept('WAIT')) words.word();
    words.accept('NOWAIT');
    const to = words.accept('TO') ? words.name() : null;
    if (from === null || to === null) return { kind: 'redefine', tables: null };
    tables.push(from, to);
  } while (words.acceptSign(','));
  return { kind: 'redefine', tables };
}

function objectMeaning(verb: string, words: Words): StatementMeaning {
  const before = new Set<string>();
  let object = words.word();
  while (ATTRIBUTES.has(object) || object === 'DEFINER' || object === 'ALGORITHM' || object === 'SQL') {
    if (!ATTRIBUTES.has(object)) return { kind: 'nothing' };
    if (object === 'SPATIAL' && words.peek() === 'REFERENCE') return { kind: 'nothing' };
    before.add(object);
    object = words.word();
  }
  if (HARMLESS_OBJECTS.has(object)) return { kind: 'nothing' };
  switch (object) {
    case 'TABLE':
    case 'TABLES':
      // Seen by one session alone.
      if (before.has('TEMPORARY')) return { kind: 'nothing' };
      if (verb === 'DROP') return dropped(words);
      return verb === 'ALTER' ? altered(words) : created(words, before.has('REPLACE'));
    case 'INDEX':
      return indexed(words);
    case 'DATABASE':
    case 'SCHEMA':
      return verb === 'DROP' ? databaseDropped(words) : { kind: 'nothing' };
    default:
      return { kind: 'unseen', verb: `${verb} ${object}` };
  }
}

/** IF NOT EXISTS changes nothing of a table that is there; and rows that come with a new one are in the log. */
function created(words: Words, replaces: boolean): StatementMeaning {
  words.acceptAll('IF', 'NOT', 'EXISTS');
  const table = words.name();
  return { kind: replaces ? 'redefine' : 'define', tables: table === null ? null : [table] };
}

function altered(words: Words): StatementMeaning {
  words.acceptAll('IF', 'EXISTS');
  const table = words.name();
  if (table === null) return { kind: 'redefine', tables: null };
  if (setsCounter(words)) return { kind: 'nothing' };
  const tables = [table];
  let foreign = false;
  for (let word = words.word(); word !== ''; word = words.word()) {
    if (word === 'FOREIGN' || word === 'CONSTRAINT') foreign = true;
    // Renamed, exchanged with another one, made of a part or into one: whatever name follows such words belongs to it.
    if (word === 'RENAME' && !['COLUMN', 'INDEX', 'KEY'].includes(words.peek())) {
      if (!words.accept('TO')) words.accept('AS');
    } else if (!(word === 'WITH' && words.accept('TABLE')) && !(word === 'CONVERT' && converts(words))) {
      continue;
    }
    const other = words.name();
    if (other === null) return { kind: 'redefine', tables: null };
    tables.push(other);
  }
  return { kind: 'redefine', tables, foreign };
}

/** MariaDB: `CONVERT PARTITION part TO TABLE name`, `CONVERT TABLE name TO PARTITION …`. */
function converts(words: Words): boolean {
  return (
    words.accept('TABLE') ||
    words.tries(
      () => words.accept('PARTITION') && words.word() !== '' && words.accept('TO') && words.accept('TABLE'),
    )
  );
}

/** AUTO_INCREMENT = n, and nothing else. */
function setsCounter(words: Words): boolean {
  return words.tries(() => {
    if (!words.accept('AUTO_INCREMENT')) return false;
    words.acceptSign('=');
    return /^\d+$/.test(words.word()) && words.atEnd;
  });
}

function databaseDropped(words: Words): StatementMeaning {
  words.acceptAll('IF', 'EXISTS');
  const name = words.name();
  return name === null ? { kind: 'redefine', tables: null } : { kind: 'drop database', schema: name.table };
}

function dropped(words: Words): StatementMeaning {
  words.acceptAll('IF', 'EXISTS');
  const tables: StatementTable[] = [];
  do {
    const table = words.name();
    if (table === null) return { kind: 'redefine', tables: null };
    tables.push(table);
  } while (words.acceptSign(','));
  return { kind: 'redefine', tables };
}

/** `… INDEX name [USING …] ON table`. */
function indexed(words: Words): StatementMeaning {
  for (let word = words.word(); word !== ''; word = words.word()) {
    if (word !== 'ON') continue;
    const table = words.name();
    return { kind: 'define', tables: table === null ? null : [table] };
  }
  return { kind: 'define', tables: null };
}
