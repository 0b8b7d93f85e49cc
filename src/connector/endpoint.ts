import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { TwinproofError, messageOf } from '../errors.ts';

const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;

/** Whether the host of an address is the path of a unix socket, or of its folder. */
export function isSocketPath(host: string): boolean {
  return host.startsWith('/');
}

/** Whether `host` cannot be anything but this machine, so that nobody stands between. */
export function isLocal(host: string): boolean {
  if (isSocketPath(host) || host === 'localhost' || host === '::1') return true;
  return isIP(host) === 4 && host.startsWith('127.');
}

/** The first that is given and not empty; else the empty string. */
export function firstOf(...candidates: readonly (string | null | undefined)[]): string {
  for (const candidate of candidates) {
    if (candidate !== null && candidate !== undefined && candidate !== '') return candidate;
  }
  return '';
}

/** A TCP port. Throws TP-URL. */
export function portOf(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw urlError('the port must be between 1 and 65535');
  return port;
}

/** Seconds as milliseconds; 0 or nothing means our default, for a verifier must not wait for ever. Throws TP-URL. */
export function connectTimeoutOf(text: string): number {
  const seconds = Number(text);
  if (text !== '' && !(seconds >= 0)) throw urlError('connect_timeout must be a number of seconds');
  return seconds > 0 ? seconds * 1000 : DEFAULT_CONNECT_TIMEOUT_MS;
}

/** The text of a certificate or key file. Throws TP-TLS naming the parameter. */
export function readPem(path: string, parameter: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const message = `${parameter} cannot be read: ${messageOf(error)}`;
    throw new TwinproofError('TP-TLS', { message, cause: error });
  }
}

export function urlError(message: string, hint?: string): TwinproofError {
  return new TwinproofError('TP-URL', hint === undefined ? { message } : { message, hint });
}
