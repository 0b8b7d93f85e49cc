import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { BoardConfig } from '../config/fleet.ts';
import { messageOf, TwinproofError } from '../errors.ts';

type TlsPaths = NonNullable<BoardConfig['tls']>;

export interface TlsFiles {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** Notices when certificate and key were put in place anew. */
export class TlsRenewal {
  readonly #paths: TlsPaths;
  /** Of the files that are served, or were refused. */
  #mark: string;
  /** Of files that could not be used when they were seen first: of two files one is written before the other. */
  #doubted: string | null = null;

  constructor(paths: TlsPaths) {
    this.#paths = paths;
    this.#mark = markOf(paths);
  }

  /**
   * What is to be served from now on; null: nothing else. To be asked again and again. Throws TP-BOARD, once for the same
   * files, when they stay as they cannot be used.
   */
  next(now: Date): TlsFiles | null {
    const mark = markOf(this.#paths);
    if (mark === this.#mark) return null;
    try {
      const files = readTls(this.#paths, now);
      this.#mark = mark;
      this.#doubted = null;
      return files;
    } catch (error) {
      const stays = mark === this.#doubted;
      this.#doubted = mark;
      if (!stays) return null;
      this.#mark = mark;
      throw error;
    }
  }
}

function markOf({ cert, key }: TlsPaths): string {
  return [cert, key].map(fileMark).join(' ');
}

function fileMark(file: string): string {
  try {
    const { ino, size, mtimeMs } = statSync(file);
    return `${ino}/${size}/${mtimeMs}`;
  } catch {
    return 'none';
  }
}

/**
 * The board's certificate and key, looked at before anybody is served: a browser's refusal at three in the morning says
 * less. Throws TP-BOARD when they cannot be read, do not belong together, or do not hold now.
 */
export function readTls({ cert, key }: TlsPaths, now: Date): TlsFiles {
  const files = { cert: read(cert, 'certificate'), key: read(key, 'key') };
  const certificate = parsed(() => new X509Certificate(files.cert), `${cert} is no certificate in PEM`);
  const secret = parsed(
    (): KeyObject => createPrivateKey(files.key),
    `${key} is no private key in PEM without a passphrase`,
  );
  if (!certificate.checkPrivateKey(secret)) {
    throw refused(`${key} is not the key of the certificate ${cert}`);
  }
  const [from, until] = [certificate.validFrom, certificate.validTo].map((time) => new Date(time));
  if (from !== undefined && now < from) {
    throw refused(
      `the certificate ${cert} does not hold before ${from.toISOString()}`,
      'see whether the clock of this machine is right',
    );
  }
  if (until !== undefined && now >= until) {
    throw refused(
      `the certificate ${cert} has expired at ${until.toISOString()}`,
      'renew it: a board that runs takes the new one by itself',
    );
  }
  // What openssl thinks too weak shows here.
  parsed(() => createSecureContext(files), `the certificate ${cert} and its key cannot be used`);
  return files;
}

function read(file: string, what: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw refused(`the ${what} of the board cannot be read: ${messageOf(error)}`, undefined, error);
  }
}

function parsed<T>(parse: () => T, message: string): T {
  try {
    return parse();
  } catch (error) {
    throw refused(`${message}: ${messageOf(error)}`, undefined, error);
  }
}

function refused(
  message: string,
  hint = 'check board.tls of the configuration: a certificate in PEM, with those that lead to its authority behind it, and its key',
  cause?: unknown,
): TwinproofError {
  return new TwinproofError('TP-BOARD', { message, hint, ...(cause === undefined ? {} : { cause }) });
}
