import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { messageOf, TwinproofError } from '../errors.ts';
import { ENVELOPE_BYTES_MAX, parseEnvelope } from './envelope-parse.ts';
import { PREDICATE_TYPE, sha256 } from './statement.ts';

export interface PreviousCertificate {
  readonly path: string;
  /**
   * Of the payload, not of the file: a signature that is added later does not break the chain.
   * `jq -r .payload FILE | base64 -d | sha256sum` gives the same.
   */
  readonly payloadSha256: string;
  readonly issuedAt: string;
}

/** Just enough to put certificates in order, of whatever version they are. */
const datedSchema = z.object({
  predicateType: z.literal(PREDICATE_TYPE),
  predicate: z.object({ issuedAt: z.iso.datetime() }),
});

/**
 * The certificate that a new one follows. `path` is the file about to be overwritten (`--out`), or a directory of
 * certificates, of which the one issued last counts. Null: nothing is there. Signatures are not checked: whoever could
 * forge a link gains nothing, since the chain shows what is missing and proves nothing else.
 * Throws TP-CERTIFICATE when the file is there and is no certificate: it would be overwritten, and the chain cut.
 */
export async function previousCertificate(path: string): Promise<PreviousCertificate | null> {
  const kind = await kindOf(path);
  if (kind === 'absent') return null;
  if (kind === 'file') return readLink(path);
  let latest: PreviousCertificate | null = null;
  for (const name of (await readdir(path)).sort()) {
    const link = await readLinkIfAny(join(path, name));
    if (link === null) continue;
    if (latest === null || Date.parse(link.issuedAt) >= Date.parse(latest.issuedAt)) latest = link;
  }
  return latest;
}

async function kindOf(path: string): Promise<'absent' | 'file' | 'directory'> {
  try {
    return (await stat(path)).isDirectory() ? 'directory' : 'file';
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return 'absent';
    throw unreadable(path, error);
  }
}

async function readLink(path: string): Promise<PreviousCertificate> {
  const { payload } = parseEnvelope(await readCertificateFile(path));
  const parsed = datedSchema.safeParse(parseJson(path, payload.toString('utf8')));
  if (!parsed.success) {
    throw new TwinproofError('TP-CERTIFICATE', { message: `${path} is not a certificate of twinproof` });
  }
  return { path, payloadSha256: sha256(payload), issuedAt: parsed.data.predicate.issuedAt };
}

/** Other files may lie beside the certificates. */
async function readLinkIfAny(path: string): Promise<PreviousCertificate | null> {
  try {
    return (await kindOf(path)) === 'file' ? await readLink(path) : null;
  } catch (error) {
    if (error instanceof TwinproofError && error.code === 'TP-CERTIFICATE') return null;
    throw error;
  }
}

/** The text of a certificate file, within a bound. Throws TP-CERTIFICATE. */
export async function readCertificateFile(path: string): Promise<string> {
  try {
    const file = await open(path, 'r');
    try {
      const status = await file.stat();
      if (!status.isFile() || status.size > ENVELOPE_BYTES_MAX) {
        throw new TwinproofError('TP-CERTIFICATE', { message: `${path} is not a certificate file` });
      }
      return await file.readFile('utf8');
    } finally {
      await file.close();
    }
  } catch (error) {
    throw error instanceof TwinproofError ? error : unreadable(path, error);
  }
}

function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw unreadable(path, error);
  }
}

function unreadable(path: string, error: unknown): TwinproofError {
  return new TwinproofError('TP-CERTIFICATE', {
    message: `${path} cannot be read: ${messageOf(error)}`,
    cause: error,
  });
}
