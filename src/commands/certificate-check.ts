import { readCertificateFile } from '../certificate/chain.ts';
import { checkCertificate, type CertificateCheck } from '../certificate/check.ts';
import { distinctKeys } from '../certificate/envelope.ts';
import { parseEnvelope } from '../certificate/envelope-parse.ts';
import { loadPublicKey } from '../certificate/key.ts';
import type { CertifiedSite } from '../certificate/statement.ts';
import { EXIT } from '../error-codes.ts';
import type { Style } from '../report/colour.ts';
import { Page, type TextOptions } from '../report/page.ts';
import { terminalJson } from '../report/terminal-text.ts';
import { verdictText } from '../report/verdict-text.ts';
import type { CommandIo } from './io.ts';

export interface CertificateCheckOptions extends TextOptions {
  readonly file: string;
  /** Paths of trusted public keys, at least one. */
  readonly keys: readonly string[];
  /** How many distinct keys must have signed; null: all that are given. */
  readonly threshold: number | null;
  readonly format: 'text' | 'json';
}

/**
 * Checks a certificate offline and prints the verdict it carries. The exit code speaks of the certificate, not of its
 * verdict: 0 authentic and in force; 3 authentic but expired (or issued in the future); 2 not authentic.
 * Throws TP-CERTIFICATE or TP-KEY (64) for a file that cannot be read, TP-USAGE (64) for a wrong threshold.
 */
export async function runCertificateCheck(options: CertificateCheckOptions, io: CommandIo): Promise<number> {
  const keys = distinctKeys(await Promise.all(options.keys.map((path) => loadPublicKey(path))));
  const envelope = parseEnvelope(await readCertificateFile(options.file));
  const threshold = options.threshold ?? keys.length;
  const check = checkCertificate(envelope, { keys, threshold, now: io.now() });
  io.stdout(options.format === 'json' ? checkJson(check) : checkText(check, options));
  if (!check.authentic) return EXIT.critical;
  return check.current ? EXIT.ok : EXIT.unknown;
}

function checkJson(check: CertificateCheck): string {
  const { authentic, current, signers, threshold, payloadSha256, problems, statement } = check;
  const schema = 'twinproof.certificate-check/v1';
  return `${terminalJson({ schema, authentic, current, signers, threshold, payloadSha256, problems, statement }, 2)}\n`;
}

function checkText(check: CertificateCheck, options: CertificateCheckOptions): string {
  const page = new Page(options);
  const { icon, style, words } = headline(check);
  page.paragraph(words, { first: `${page.paint(style, page.icons[icon])} `, style: 'bold' });
  for (const problem of check.problems) {
    page.paragraph(`${problem.message} (${problem.code})`, { first: `  ${page.icons.different} ` });
  }
  page.line();
  // Not wrapped: a digest is there to be copied.
  for (const signer of check.signers) page.line(`signed by  ${signer}`);
  page.line(`payload    sha256:${check.payloadSha256}`);
  if (check.statement === null) return page.toString();
  const { predicate } = check.statement;
  page.line(
    `previous   ${predicate.previous === null ? 'none' : `sha256:${predicate.previous.payloadSha256}`}`,
  );
  page.fact('issued', `${predicate.issuedAt}, expires ${predicate.expiresAt}`);
  page.fact('primary', siteWords(predicate.primary));
  page.fact('candidate', siteWords(predicate.candidate));
  page.heading(check.current ? 'The verdict it carries' : 'The verdict it carried');
  return `${page.toString()}\n${verdictText(predicate.verdict, options)}`;
}

interface Headline {
  readonly icon: 'same' | 'different' | 'unproven';
  readonly style: Style;
  readonly words: string;
}

function headline(check: CertificateCheck): Headline {
  if (!check.authentic) {
    return { icon: 'different', style: 'red', words: 'NOT AUTHENTIC: do not rely on this certificate' };
  }
  return check.current
    ? { icon: 'same', style: 'green', words: 'authentic and in force' }
    : { icon: 'unproven', style: 'yellow', words: 'authentic, but NOT IN FORCE' };
}

function siteWords({ identity, position }: CertifiedSite): string {
  if (identity === null) return 'unknown';
  const { engine, version, systemId, database, address } = identity;
  return `${engine} ${version}, system ${systemId}, database ${database}, at ${address ?? 'an unknown address'}, position ${position ?? 'unknown'}`;
}
