import { statSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import { type Environment, Secret } from '../../src/config/secret.ts';
import type { SiteAddress } from '../../src/config/url.ts';
import {
  connectTimeoutOf,
  firstOf,
  isLocal,
  isSocketPath,
  portOf,
  readPem,
  urlError,
} from '../../src/connector/endpoint.ts';
import { readOptionFile } from './option-file.ts';

/** Where and how to connect. `label` is what messages may show. */
export interface ConnectTarget {
  /** A host name or an address; of a unix socket, the path of the socket itself. */
  readonly host: string;
  readonly port: number;
  /** Null: over TCP. */
  readonly socketPath: string | null;
  readonly user: string;
  readonly password: Secret | null;
  readonly database: string;
  /** Null: a plain connection. */
  readonly tls: TlsOptions | null;
  /**
   * Without TLS a password for caching_sha2_password or sha256_password is sent encrypted for the server's public key.
   * `ask`: the server is asked for it (nobody can stand between here and this machine); `refuse`: not without a key
   * that is known; or the key itself (PEM).
   */
  readonly serverKey: 'ask' | 'refuse' | { readonly pem: string };
  readonly connectTimeoutMs: number;
  /** `host:port`, or the path of the socket. */
  readonly label: string;
}

/** What the driver takes as `ssl`. */
export interface TlsOptions {
  readonly minVersion: 'TLSv1.2';
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** False: any certificate will do (`require` without a certificate authority). */
  readonly rejectUnauthorized: boolean;
  /** The certificate must name the host. */
  readonly verifyIdentity: boolean;
}

type TlsMode = 'disable' | 'require' | 'verify-ca' | 'verify-full';

const HINT = 'write it as mysql://user@host:3306/database; give the password in MYSQL_PWD or an option file';
const DEFAULT_PORT = '3306';
const SOCKET_NAME = 'mysqld.sock';

/** Names of libpq, of MySQL's `--ssl-mode` options and of MariaDB's, and the mode each of them means. */
const MODES: ReadonlyMap<string, TlsMode> = new Map([
  ['disable', 'disable'],
  ['require', 'require'],
  ['verify-ca', 'verify-ca'],
  ['verify-full', 'verify-full'],
  ['disabled', 'disable'],
  ['required', 'require'],
  ['verify_ca', 'verify-ca'],
  ['verify_identity', 'verify-full'],
]);
const FALLING_BACK = new Set(['prefer', 'preferred', 'allow']);

const KNOWN = new Set([
  'port',
  'user',
  'socket',
  'defaults_file',
  'connect_timeout',
  'sslmode',
  'ssl_mode',
  'sslrootcert',
  'ssl_ca',
  'sslcert',
  'ssl_cert',
  'sslkey',
  'ssl_key',
  'server_public_key_path',
  'get_server_public_key',
]);

/**
 * Completes an address as the stock clients do (MySQL manual, "Command Options for Connecting to the Server" and
 * "Environment Variables"), but for these: without `sslmode`, TLS with the host name verified is the rule for every
 * host that is not this machine; `preferred`, which falls back to plain text without a word, is refused; `localhost`
 * is reached over TCP unless a socket is named; and the database must be named, for it is what is verified.
 * Throws TP-URL, TP-TLS, TP-SECRET.
 */
export function connectTarget(address: SiteAddress, env: Environment = process.env): ConnectTarget {
  const { parameters } = address;
  for (const name of Object.keys(parameters)) {
    if (!KNOWN.has(name)) throw urlError(`unknown parameter "${name}" in the connection URL`, HINT);
  }
  const named = firstOf(parameters['defaults_file']);
  const file = readOptionFile(firstOf(named, join(homedir(), '.my.cnf')), named !== '');
  const socketPath = socketOf(firstOf(parameters['socket'], isSocketPath(address.host) ? address.host : ''));
  const host = socketPath ?? address.host;
  const port = portOf(
    firstOf(address.port?.toString(), parameters['port'], env['MYSQL_TCP_PORT'], DEFAULT_PORT),
  );
  if (address.database === null) {
    throw urlError('the connection URL names no database', HINT);
  }
  const password = firstOf(env['MYSQL_PWD'], file.password?.reveal());
  return {
    host,
    port,
    socketPath,
    user: firstOf(address.user, parameters['user'], file.user, userInfo().username),
    password: address.password ?? (password === '' ? null : new Secret(password)),
    database: address.database,
    tls: socketPath === null ? tlsOptions(host, parameters) : null,
    serverKey: serverKeyOf(host, parameters),
    connectTimeoutMs: connectTimeoutOf(firstOf(parameters['connect_timeout'])),
    label: socketPath ?? `${host}:${port}`,
  };
}

/** The socket itself, or the usual one in the folder that was named. */
function socketOf(path: string): string | null {
  if (path === '') return null;
  const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  return isFolder ? join(path, SOCKET_NAME) : path;
}

function tlsOptions(host: string, parameters: SiteAddress['parameters']): TlsOptions | null {
  const given = firstOf(parameters['sslmode'], parameters['ssl_mode']);
  const mode = given === '' ? (isLocal(host) ? 'disable' : 'verify-full') : modeOf(given);
  if (mode === 'disable') return null;
  const ca = firstOf(parameters['sslrootcert'], parameters['ssl_ca']);
  const cert = firstOf(parameters['sslcert'], parameters['ssl_cert']);
  const key = firstOf(parameters['sslkey'], parameters['ssl_key']);
  if ((cert === '') !== (key === ''))
    throw urlError('sslcert and sslkey belong together', 'name both files, or none');
  const authority = ca === '' || ca === 'system' ? {} : { ca: readPem(ca, 'sslrootcert') };
  return {
    minVersion: 'TLSv1.2',
    ...authority,
    ...(cert === '' ? {} : { cert: readPem(cert, 'sslcert'), key: readPem(key, 'sslkey') }),
    // As libpq: `require` verifies the chain when there is a root certificate to verify it with.
    rejectUnauthorized: mode !== 'require' || ca !== '',
    verifyIdentity: mode === 'verify-full',
  };
}

function modeOf(text: string): TlsMode {
  const name = text.toLowerCase();
  const mode = MODES.get(name);
  if (mode !== undefined) return mode;
  const hint = 'use disable, require, verify-ca or verify-full';
  if (FALLING_BACK.has(name)) throw urlError(`sslmode "${name}" may fall back to plain text unseen`, hint);
  throw urlError('unknown sslmode', hint);
}

function serverKeyOf(host: string, parameters: SiteAddress['parameters']): ConnectTarget['serverKey'] {
  const path = firstOf(parameters['server_public_key_path']);
  if (path !== '') return { pem: readPem(path, 'server_public_key_path') };
  const ask = firstOf(parameters['get_server_public_key']).toLowerCase();
  return isLocal(host) || ask === 'true' || ask === '1' ? 'ask' : 'refuse';
}
