import { createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { open } from 'node:fs/promises';
import { messageOf, TwinproofError } from '../errors.ts';

/** A key in PEM has about 120 bytes; what is far larger is another file. */
const KEY_BYTES_MAX = 64 * 1024;
const READABLE_BY_OTHERS = 0o077;

export function isEd25519(key: KeyObject): boolean {
  return key.asymmetricKeyType === 'ed25519';
}

export function publicKeyOf(privateKey: KeyObject): KeyObject {
  return createPublicKey(privateKey);
}

/**
 * SHA-256 of the public key in its SubjectPublicKeyInfo form, as `sha256:<hex>`. Stock tools give the same:
 * `openssl pkey -pubin -in key.pub -outform DER | sha256sum`.
 */
export function fingerprintOf(publicKey: KeyObject): string {
  return `sha256:${createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex')}`;
}

/** Reads a private key in PKCS#8 PEM. Throws TP-KEY, also when anyone but the owner may read the file. */
export async function loadPrivateKey(path: string): Promise<KeyObject> {
  const pem = await readKeyFile(path, 'private');
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: pem, format: 'pem' });
  } catch (error) {
    throw unusable(path, 'holds no private key that can be read (PKCS#8 PEM without a passphrase)', error);
  }
  if (!isEd25519(key)) throw unusable(path, 'holds no Ed25519 key');
  return key;
}

/** Reads a public key in PEM. Throws TP-KEY, also for a private key: it has no place where certificates are checked. */
export async function loadPublicKey(path: string): Promise<KeyObject> {
  const pem = await readKeyFile(path, 'public');
  if (pem.includes('PRIVATE KEY')) {
    throw new TwinproofError('TP-KEY', {
      message: `${path} holds a private key where a public one is wanted`,
      hint: 'give the .pub file that `twinproof keygen` wrote beside it',
    });
  }
  let key: KeyObject;
  try {
    key = createPublicKey({ key: pem, format: 'pem' });
  } catch (error) {
    throw unusable(path, 'holds no public key that can be read (PEM)', error);
  }
  if (!isEd25519(key)) throw unusable(path, 'holds no Ed25519 key');
  return key;
}

/** Mode and content are taken from one open file, so that nobody can exchange it in between. */
async function readKeyFile(path: string, kind: 'private' | 'public'): Promise<string> {
  try {
    const file = await open(path, 'r');
    try {
      const status = await file.stat();
      if (!status.isFile() || status.size > KEY_BYTES_MAX) throw unusable(path, 'is not a key file');
      // Windows has no such bits: node reports 0666 there.
      const exposed = (status.mode & READABLE_BY_OTHERS) !== 0 && process.platform !== 'win32';
      if (kind === 'private' && exposed) {
        throw new TwinproofError('TP-KEY', {
          message: `${path} may be used by others than its owner (mode ${(status.mode & 0o777).toString(8)})`,
          hint: `chmod 600 ${path}; if others could read it, make a new key`,
        });
      }
      return await file.readFile('utf8');
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof TwinproofError) throw error;
    const why = error instanceof Error && 'code' in error ? String(error.code) : messageOf(error);
    throw new TwinproofError('TP-KEY', {
      message: `the ${kind} key ${path} cannot be read (${why})`,
      ...(kind === 'public' ? { hint: 'give the .pub file that `twinproof keygen` wrote' } : {}),
      cause: error,
    });
  }
}

function unusable(path: string, what: string, cause?: unknown): TwinproofError {
  return new TwinproofError('TP-KEY', {
    message: `${path} ${what}`,
    ...(cause === undefined ? {} : { cause }),
  });
}
