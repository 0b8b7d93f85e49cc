import { TwinproofError } from '../errors.ts';
import { Secret } from './secret.ts';

/** Where a site is and who logs in there, apart from any engine's own notation. */
export interface SiteAddress {
  /** `mysql` stands for MariaDB too: which of the two it is the server tells. */
  readonly engine: 'postgres' | 'mysql' | 'kafka';
  /** A host name, an IP address without brackets, or the folder of a Unix socket (starts with a slash). */
  readonly host: string;
  /** Null: the engine's default. */
  readonly port: number | null;
  /** Null: as the environment says (PGUSER, the operating system's user). */
  readonly user: string | null;
  /** Null: as the environment says (PGPASSWORD, a password file). */
  readonly password: Secret | null;
  readonly database: string | null;
  /** The query part, decoded, such as `sslmode` and `sslrootcert`. Judged by the connector; holds no secret. */
  readonly parameters: Readonly<Record<string, string>>;
}

export interface ParsedUrl {
  readonly address: SiteAddress;
  /** Lowercase, one line each, safe to print. */
  readonly warnings: readonly string[];
}

/** In place of an address that is nobody's business here. */
export const UNREAD_URL: ParsedUrl = {
  address: {
    engine: 'postgres',
    host: '',
    port: null,
    user: null,
    password: null,
    database: null,
    parameters: {},
  },
  warnings: [],
};

/** `argument`: typed on a command line, where every user of the machine can read it. */
export type UrlSource = 'argument' | 'file' | 'secret';

const SCHEMES: Readonly<Record<string, SiteAddress['engine']>> = {
  postgres: 'postgres',
  postgresql: 'postgres',
  mysql: 'mysql',
  mariadb: 'mysql',
  kafka: 'kafka',
};

const ENCODING_HINT =
  'in user and password write %40 for @, %2F for /, %3A for :, %3F for ?, %23 for # and %25 for %';

/** True when `text` is meant as a connection URL and not as a name from the configuration. */
export function looksLikeUrl(text: string): boolean {
  return text.includes('://');
}

/**
 * Reads a connection URL such as `postgres://user@host:5432/database?sslmode=verify-full`.
 *
 * @throws TwinproofError TP-URL. Neither the URL nor a part that may be a piece of the password is in any message: a
 *   URL with an unescaped character splits in unexpected places.
 */
export function parseUrl(text: string, source: UrlSource): ParsedUrl {
  const engine = engineOf(text);
  const { authority, rest } = split(text);
  const at = authority.lastIndexOf('@');
  const login = at < 0 ? null : authority.slice(0, at);
  const { host, port } = readHost(authority.slice(at + 1));
  const { user, password } = readLogin(login);
  const { database, parameters } = readRest(rest);
  const { password: queryPassword, host: queryHost, ...others } = parameters;
  if (host === '' && queryHost === undefined) throw refusal('it names no host');
  if (host !== '' && queryHost !== undefined) throw refusal('it names the host twice');
  if (password !== null && queryPassword !== undefined) throw refusal('it holds the password twice');
  if ('sslpassword' in others)
    throw refusal('sslpassword is not supported', 'use a key file without a passphrase');
  const secret = password ?? queryPassword ?? null;
  return {
    address: {
      engine,
      host: host === '' ? (queryHost ?? '') : host,
      port,
      user,
      password: secret === null ? null : new Secret(secret),
      database,
      parameters: others,
    },
    warnings: secret === null ? [] : PASSWORD_WARNINGS[source],
  };
}

/** The address as it may be printed anywhere: no password, no parameters. */
export function redactAddress(address: SiteAddress): string {
  const user = address.user === null ? '' : `${encodeURIComponent(address.user)}@`;
  const host = address.host.startsWith('/')
    ? encodeURIComponent(address.host)
    : address.host.includes(':')
      ? `[${address.host}]`
      : address.host;
  const port = address.port === null ? '' : `:${address.port}`;
  const database = address.database === null ? '' : `/${encodeURIComponent(address.database)}`;
  return `${address.engine}://${user}${host}${port}${database}`;
}

/** Any text that may be a connection URL as it may be printed; what does not parse is hidden whole. */
export function redactUrl(text: string): string {
  try {
    return redactAddress(parseUrl(text, 'argument').address);
  } catch {
    return '[unreadable connection URL]';
  }
}

function engineOf(text: string): SiteAddress['engine'] {
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined) throw refusal('it does not start with postgres:// or mysql://');
  const engine = SCHEMES[scheme];
  // The scheme itself stays out of the message: it may be the user of a URL whose own scheme was forgotten.
  if (engine === undefined) throw refusal('its scheme is not known');
  return engine;
}

function split(text: string): { authority: string; rest: string } {
  if (/[\s\p{Cc}]/u.test(text)) throw refusal('it holds a space or a control character', ENCODING_HINT);
  const after = text.slice(text.indexOf('://') + 3);
  const end = after.search(/[/?#]/);
  const authority = end < 0 ? after : after.slice(0, end);
  const rest = end < 0 ? '' : after.slice(end);
  // An @ further on means that the password held an unescaped / ? or #, and that what follows is a piece of it.
  if (rest.includes('@') || rest.includes('#')) {
    throw refusal('user or password hold a character that must be percent-encoded', ENCODING_HINT);
  }
  return { authority, rest };
}

function readHost(text: string): { host: string; port: number | null } {
  if (text.includes(',')) {
    throw refusal(
      'it names more than one host',
      'give the one host of this site: evidence is about one server',
    );
  }
  const match = /^(\[[0-9A-Fa-f:.]+(?:%25[A-Za-z0-9]+)?\]|[^:[\]]*)(?::([0-9]*))?$/.exec(text);
  if (match === null) throw refusal('host and port cannot be read');
  const host = decoded(match[1] ?? '').replace(/^\[|\]$/g, '');
  if (!host.startsWith('/') && /[\s/@?#\p{Cc}]/u.test(host)) throw refusal('host and port cannot be read');
  const port = match[2] === undefined || match[2] === '' ? null : Number(match[2]);
  if (port !== null && (port < 1 || port > 65_535)) throw refusal('the port is not between 1 and 65535');
  return { host, port };
}

function readLogin(login: string | null): { user: string | null; password: string | null } {
  if (login === null) return { user: null, password: null };
  const colon = login.indexOf(':');
  const user = decoded(colon < 0 ? login : login.slice(0, colon));
  const password = colon < 0 ? '' : decoded(login.slice(colon + 1));
  return { user: user === '' ? null : user, password: password === '' ? null : password };
}

function readRest(rest: string): { database: string | null; parameters: Record<string, string> } {
  const question = rest.indexOf('?');
  const path = question < 0 ? rest : rest.slice(0, question);
  const name = path.replace(/^\//, '');
  if (name.includes('/')) throw refusal('the database name holds a slash', ENCODING_HINT);
  const parameters: Record<string, string> = {};
  const query = question < 0 ? '' : rest.slice(question + 1);
  for (const pair of query.split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    if (equals < 1) throw refusal('a parameter has no value');
    const key = decoded(pair.slice(0, equals));
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(key)) throw refusal('a parameter has a strange name');
    if (Object.hasOwn(parameters, key)) throw refusal('a parameter is given twice');
    parameters[key] = decoded(pair.slice(equals + 1));
  }
  return { database: name === '' ? null : decoded(name), parameters };
}

function decoded(text: string): string {
  let plain: string;
  try {
    plain = decodeURIComponent(text);
  } catch {
    throw refusal('a % is not followed by two digits of a UTF-8 byte', ENCODING_HINT);
  }
  if (plain.includes('\0')) throw refusal('it holds a zero byte');
  return plain;
}

const PASSWORD_WARNINGS: Readonly<Record<UrlSource, readonly string[]>> = {
  argument: [
    'the password on the command line can be read by every user of this machine: use PGPASSWORD, MYSQL_PWD or a password file',
  ],
  file: ['the configuration holds a password in plain text: use ${ENV} or { file: … } instead'],
  secret: [],
};

/** No cause: the text that failed to parse would come along with it. */
function refusal(problem: string, hint?: string): TwinproofError {
  return new TwinproofError('TP-URL', {
    message: `the connection URL is not valid: ${problem}`,
    ...(hint === undefined ? {} : { hint }),
  });
}
