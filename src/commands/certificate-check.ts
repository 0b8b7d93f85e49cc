import { readCertificateFile } from '../certificate/chain.ts';
import { checkCertificate, type CertificateCheck } from '../certificate/check.ts';
import { distinctKeys } from '../certificate/envelope.ts';
import { parseEnvelope } from '../certificate/envelope-parse.ts';
import { loadPublicKey } from '../certificate/key.ts';
import { EXIT } from '../error-codes.ts';
import { printable } from '../report/printable.ts';
import { verdictText } from '../report/verdict-text.ts';
import type { CommandIo } from './io.ts';

export interface CertificateCheckOptions {
  readonly file: string;
  /** Paths of trusted public keys, at least one. */
  readonly keys: readonly string[];
  /** How many distinct keys must have signed; null: all that are given. */
  readonly threshold: number | null;
  readonly format: 'text' | 'json';
  readonly width: number;
  readonly colour: boolean;
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
  const json = {
    schema: 'twinproof.certificate-check/v1',
    authentic: check.authentic,
    current: check.current,
    signers: check.signers,
    threshold: check.threshold,
    payloadSha256: check.payloadSha256,
    problems: check.problems,
    statement: check.statement,
  };
  return `${JSON.stringify(json, null, 2)}\n`;
}

function checkText(check: CertificateCheck, options: CertificateCheckOptions): string {
  const lines = [
    headline(check),
    ...check.problems.map((problem) => `  ✖ ${printable(problem.message)} [${problem.code}]`),
    ...check.signers.map((signer) => `  signed by  ${signer}`),
    `  payload    sha256:${check.payloadSha256}`,
  ];
  if (check.statement === null) return `${lines.join('\n')}\n`;
  const { predicate } = check.statement;
  lines.push(
    `  previous   ${predicate.previous === null ? 'none' : `sha256:${predicate.previous.payloadSha256}`}`,
    `  issued     ${predicate.issuedAt}, expires ${predicate.expiresAt}`,
    `  primary    ${siteWords(predicate.primary)}`,
    `  candidate  ${siteWords(predicate.candidate)}`,
    '',
    check.current ? 'The verdict it carries:' : 'The verdict it carried:',
    '',
  );
  return `${lines.join('\n')}\n${verdictText(predicate.verdict, options)}`;
}

function headline(check: CertificateCheck): string {
  if (!check.authentic) return '✖ NOT AUTHENTIC: do not rely on this certificate';
  return check.current ? '✔ authentic and in force' : '? authentic, but NOT IN FORCE';
}

type Site = NonNullable<CertificateCheck['statement']>['predicate']['primary'];

function siteWords({ identity, position }: Site): string {
  if (identity === null) return 'unknown';
  const { engine, version, systemId, database, address } = identity;
  return printable(
    `${engine} ${version}, system ${systemId}, database ${database}, at ${address ?? 'an unknown address'}, position ${position ?? 'unknown'}`,
  );
}
