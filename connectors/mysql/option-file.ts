import { readFileSync, statSync } from 'node:fs';
import { Secret } from '../../src/config/secret.ts';
import { TwinproofError, messageOf } from '../../src/errors.ts';

/** What is taken from an option file; null: not in it. */
export interface ClientOptions {
  readonly user: string | null;
  readonly password: Secret | null;
}

const NOTHING: ClientOptions = { user: null, password: null };
const GROUPS = new Set(['client', 'client-mariadb', 'client-server', 'twinproof']);

/**
 * User and password of an option file's `[client]` group (MySQL manual, "Using Option Files"). A missing file is none,
 * unless it was `demanded`. Throws TP-SECRET when it holds a password and others may read it, or cannot be read.
 */
export function readOptionFile(path: string, demanded: boolean): ClientOptions {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined || !found.isFile()) {
    if (demanded)
      throw new TwinproofError('TP-SECRET', { message: `the option file ${path} does not exist` });
    return NOTHING;
  }
  const options = parseOptions(readText(path));
  if (options.password !== null && process.platform !== 'win32' && (found.mode & 0o077) !== 0) {
    throw new TwinproofError('TP-SECRET', {
      message: `the option file ${path} holds a password and may be read by others`,
      hint: `run chmod 600 ${path}`,
    });
  }
  return options;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const message = `the option file ${path} cannot be read: ${messageOf(error)}`;
    throw new TwinproofError('TP-SECRET', { message, cause: error });
  }
}

/** The last value of an option wins, as with the stock clients. */
export function parseOptions(text: string): ClientOptions {
  let wanted = false;
  let user: string | null = null;
  let password: string | null = null;
  for (const line of text.split(/\r?\n/)) {
    const group = /^\s*\[([^\]]*)\]/.exec(line)?.[1];
    if (group !== undefined) {
      wanted = GROUPS.has(group.trim());
      continue;
    }
    const option = /^\s*(user|password)\s*=\s*(.*?)\s*$/.exec(line);
    if (!wanted || option === null) continue;
    const value = unquoted(option[2] ?? '');
    if (option[1] === 'user') user = value;
    else password = value;
  }
  return { user, password: password === null || password === '' ? null : new Secret(password) };
}

/**
 * Quotes around the whole value are dropped; `\s`, `\\` and the like are what the manual lists. Otherwise `#` ends it.
 */
function unquoted(text: string): string {
  const quoted = /^(['"])(.*)\1\s*(?:#.*)?$/.exec(text);
  const value = quoted === null ? text.replace(/\s+#.*$/, '') : (quoted[2] ?? '');
  const escapes: Readonly<Record<string, string>> = { b: '\b', t: '\t', n: '\n', r: '\r', s: ' ' };
  return value.replace(/\\(.)/g, (whole, letter: string) =>
    letter === '\\' || letter === '"' || letter === "'" ? letter : (escapes[letter] ?? whole),
  );
}
