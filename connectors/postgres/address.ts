import { existsSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import type { ConnectionOptions } from 'node:tls';
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

/** Where and how to connect. `label` is what messages may show. */
export interface ConnectTarget {
  /** A host name, an address, or the folder of a unix socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  /** Null: the password file is asked, and only when the server wants a password. */
  readonly password: Secret | null;
  readonly passfile: string;
  /** Null: a plain connection. */
  readonly tls: ConnectionOptions | null;
  readonly connectTimeoutMs: number;
  /** `host:port`, or the path of the socket. */
  readonly label: string;
}

export type SslMode = 'disable' | 'require' | 'verify-ca' | 'verify-full';

const DEFAULT_PORT = '5432';

/** Parameters of libpq that change nothing here; any other unknown one is an error, as a typo in `sslmode` must be. */
const IGNORED = new Set([
  'application_name',
  'fallback_application_name',
  'channel_binding',
  'client_encoding',
  'gssencmode',
  'keepalives',
  'keepalives_idle',
  'keepalives_interval',
  'keepalives_count',
  'target_session_attrs',
]);
const KNOWN = new Set([
  'port',
  'user',
  'dbname',
  'passfile',
  'connect_timeout',
  'sslmode',
  'sslrootcert',
  'sslcert',
  'sslkey',
]);

/**
 * Completes an address as libpq does (manual, "Parameter Key Words" and "Environment Variables"), but for two things:
 * without `sslmode`, TLS with the host name verified is the rule for every host that is not this machine; and
 * `prefer` and `allow`, which fall back to plain text without a word, are refused. Throws TP-URL.
 */
export function connectTarget(address: SiteAddress, env: Environment = process.env): ConnectTarget {
  const { host, parameters } = address;
  for (const name of Object.keys(parameters)) {
    if (!KNOWN.has(name) && !IGNORED.has(name))
      throw urlError(`unknown parameter "${name}" in the connection URL`);
  }
  const port = portOf(firstOf(address.port?.toString(), parameters['port'], env['PGPORT'], DEFAULT_PORT));
  const user = firstOf(address.user, parameters['user'], env['PGUSER'], userInfo().username);
  const fromEnvironment = env['PGPASSWORD'] ?? '';
  return {
    host,
    port,
    user,
    database: firstOf(address.database, parameters['dbname'], env['PGDATABASE'], user),
    password: address.password ?? (fromEnvironment === '' ? null : new Secret(fromEnvironment)),
    passfile: firstOf(parameters['passfile'], env['PGPASSFILE'], join(homedir(), '.pgpass')),
    tls: tlsOptions(host, parameters, env),
    connectTimeoutMs: connectTimeoutOf(firstOf(parameters['connect_timeout'], env['PGCONNECT_TIMEOUT'])),
    label: isSocketPath(host) ? `${host}/.s.PGSQL.${port}` : `${host}:${port}`,
  };
}

function tlsOptions(
  host: string,
  parameters: SiteAddress['parameters'],
  env: Environment,
): ConnectionOptions | null {
  const given = firstOf(parameters['sslmode'], env['PGSSLMODE']);
  const mode = given === '' ? (isLocal(host) ? 'disable' : 'verify-full') : sslMode(given);
  // The server offers no TLS on a unix socket.
  if (mode === 'disable' || isSocketPath(host)) return null;
  const home = join(homedir(), '.postgresql');
  const rootCert = fileOf(parameters['sslrootcert'], env['PGSSLROOTCERT'], join(home, 'root.crt'));
  const cert = fileOf(parameters['sslcert'], env['PGSSLCERT'], join(home, 'postgresql.crt'));
  const key = fileOf(parameters['sslkey'], env['PGSSLKEY'], join(home, 'postgresql.key'));
  const options: ConnectionOptions = { minVersion: 'TLSv1.2' };
  if (rootCert !== null && rootCert !== 'system') options.ca = readPem(rootCert, 'sslrootcert');
  if (cert !== null && key !== null) {
    options.cert = readPem(cert, 'sslcert');
    options.key = readPem(key, 'sslkey');
  }
  // As libpq: `require` verifies the chain when there is a root certificate to verify it with.
  if (mode === 'require' && rootCert === null) options.rejectUnauthorized = false;
  else if (mode !== 'verify-full') options.checkServerIdentity = () => undefined;
  return options;
}

function sslMode(text: string): SslMode {
  if (text === 'disable' || text === 'require' || text === 'verify-ca' || text === 'verify-full') return text;
  if (text === 'prefer' || text === 'allow') {
    throw urlError(
      `sslmode "${text}" may fall back to plain text unseen`,
      'use disable, require, verify-ca or verify-full',
    );
  }
  throw urlError('unknown sslmode', 'use disable, require, verify-ca or verify-full');
}

/** A file named by the user must exist; a default one may be missing. */
function fileOf(
  named: string | undefined,
  fromEnvironment: string | undefined,
  byDefault: string,
): string | null {
  const path = firstOf(named, fromEnvironment);
  if (path !== '') return path;
  return existsSync(byDefault) ? byDefault : null;
}
