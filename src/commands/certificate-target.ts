import type { KeyObject } from 'node:crypto';
import { previousCertificate } from '../certificate/chain.ts';
import { loadPrivateKey } from '../certificate/key.ts';
import { EXIT } from '../error-codes.ts';
import { TwinproofError } from '../errors.ts';
import type { VerdictWord } from '../verdict/verdict.ts';
import type { SiteIo } from './io.ts';
import { warnOfOutput } from './output-warning.ts';
import { readConfig } from './sites.ts';

export const EXIT_OF: Readonly<Record<VerdictWord, number>> = {
  SAFE: EXIT.ok,
  SAFE_WITH_LOSS: EXIT.warning,
  NOT_SAFE: EXIT.critical,
  UNKNOWN: EXIT.unknown,
};

export interface CertificateTarget {
  readonly out: string;
  readonly key: KeyObject;
}

/** Where the certificate goes and who signs it, before hours of reading are spent on what cannot be written. */
export async function certificateTarget(
  options: { readonly out: string | null; readonly key: string | null; readonly config: string | null },
  io: SiteIo,
): Promise<CertificateTarget | null> {
  const { out, config } = options;
  if (out === null) return null;
  const named =
    options.key ?? (config === null ? null : ((await readConfig(config, io)).signing?.key ?? null));
  if (named === null) {
    throw new TwinproofError('TP-USAGE', {
      message: 'a certificate has to be signed: no key was given',
      hint: 'make one with `twinproof keygen` and give it with --key, or name it in the configuration',
    });
  }
  const key = await loadPrivateKey(named);
  try {
    await previousCertificate(out);
  } catch (error) {
    if (!(error instanceof TwinproofError)) throw error;
    const message = `--out would overwrite ${out}: ${error.message}`;
    throw new TwinproofError(error.code, { message, hint: 'name another file for --out', cause: error });
  }
  await warnOfOutput(out, io);
  return { out, key };
}
