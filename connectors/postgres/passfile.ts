import { readFile, stat } from 'node:fs/promises';
import { TwinproofError } from '../../src/errors.ts';
import { isSocketPath } from '../../src/connector/endpoint.ts';
import type { ConnectTarget } from './address.ts';

/**
 * The password for `target`: the one that was given, else the first matching line of the password file (manual,
 * "The Password File": host:port:database:user:password, `*` matches anything, `\` escapes `:` and `\`). A file that
 * others may read is not used, as in libpq.
 * Throws TP-AUTH when there is none, TP-SECRET when the file is open to others.
 */
export async function passwordFor(target: ConnectTarget): Promise<string> {
  if (target.password !== null) return target.password.reveal();
  const text = await readPassfile(target.passfile);
  const password = text === null ? null : matchPassfile(text, target);
  if (password === null) {
    throw new TwinproofError('TP-AUTH', {
      message: `${target.label} asks for a password of user "${target.user}" and none is configured`,
    });
  }
  return password;
}

async function readPassfile(path: string): Promise<string | null> {
  let mode: number;
  try {
    const found = await stat(path);
    if (!found.isFile()) return null;
    mode = found.mode;
  } catch {
    return null;
  }
  if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
    throw new TwinproofError('TP-SECRET', {
      message: `the password file ${path} may be read by others`,
      hint: `run chmod 600 ${path}`,
    });
  }
  return readFile(path, 'utf8');
}

/** Pure part of the look-up. A unix socket is called `localhost` in the file, or by its folder. */
export function matchPassfile(
  text: string,
  target: Pick<ConnectTarget, 'host' | 'port' | 'database' | 'user'>,
): string | null {
  const hosts = isSocketPath(target.host) ? [target.host, 'localhost'] : [target.host];
  for (const line of text.split(/\r?\n/)) {
    if (line === '' || line.startsWith('#')) continue;
    const fields = splitLine(line);
    const [host, port, database, user, password] = fields;
    if (password === undefined || password === '') continue;
    const matches =
      (host === '*' || hosts.includes(host ?? '')) &&
      (port === '*' || port === String(target.port)) &&
      (database === '*' || database === target.database) &&
      (user === '*' || user === target.user);
    if (matches) return password;
  }
  return null;
}

/** Five fields; the fifth takes the rest of the line. */
function splitLine(line: string): string[] {
  const fields: string[] = [''];
  for (let at = 0; at < line.length; at += 1) {
    const char = line.charAt(at);
    const last = fields.length - 1;
    if (char === '\\' && at + 1 < line.length) {
      at += 1;
      fields[last] = `${fields[last] ?? ''}${line.charAt(at)}`;
    } else if (char === ':' && fields.length < 5) {
      fields.push('');
    } else {
      fields[last] = `${fields[last] ?? ''}${char}`;
    }
  }
  return fields;
}
