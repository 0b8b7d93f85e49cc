import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { access } from 'node:fs/promises';
import { fingerprintOf, publicKeyOf } from '../certificate/key.ts';
import { EXIT } from '../error-codes.ts';
import { TwinproofError } from '../errors.ts';
import { PRIVATE_MODE, writeOutput } from '../report/output-file.ts';
import { terminalText } from '../report/terminal-text.ts';
import type { CommandIo } from './io.ts';

/** Whatever the umask: others check certificates with it. */
const PUBLIC_KEY_MODE = 0o644;

export interface KeygenOptions {
  /** Of the private key; the public key goes beside it, with `.pub` added. */
  readonly out: string;
  readonly force: boolean;
}

/**
 * Makes a signing key: the private key in PKCS#8 PEM, for its owner only, and the public key in PEM.
 * Throws TP-OUTPUT, also when either file exists and `force` is not set.
 */
export async function runKeygen(options: KeygenOptions, io: CommandIo): Promise<number> {
  const { out, force } = options;
  const publicPath = `${out}.pub`;
  // A public key that others already trust is not replaced either. Asked first, so that no private key is left alone.
  if (!force && (await exists(publicPath))) {
    throw new TwinproofError('TP-OUTPUT', {
      message: `${publicPath} exists already`,
      hint: 'name another file, or give --force to replace it',
    });
  }
  const pem = generateKeyPairSync('ed25519', {
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const existing = force ? 'replace' : 'refuse';
  await writeOutput(out, pem.privateKey, { mode: PRIVATE_MODE, existing });
  await writeOutput(publicPath, pem.publicKey, { mode: PUBLIC_KEY_MODE, existing });
  io.stdout(
    [
      `private key  ${terminalText(out)}  (keep it off both sites; whoever holds it can sign)`,
      `public key   ${terminalText(publicPath)}  (give it to whoever checks certificates)`,
      `fingerprint  ${fingerprintOf(publicKeyOf(createPrivateKey(pem.privateKey)))}`,
      '',
    ].join('\n'),
  );
  return EXIT.ok;
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
