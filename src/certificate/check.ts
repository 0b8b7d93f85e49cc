import type { KeyObject } from 'node:crypto';
import { messageOf, TwinproofError } from '../errors.ts';
import { distinctKeys, PAYLOAD_TYPE, signersOf, type Envelope } from './envelope.ts';
import { firstIssue } from './envelope-parse.ts';
import { fingerprintOf } from './key.ts';
import { statementSchema } from './statement-schema.ts';
import { PREDICATE_TYPE, sha256, STATEMENT_TYPE, type Statement } from './statement.ts';

/** The issuer's clock may be ahead of ours by this much. Expiry is given no such allowance. */
export const ISSUE_SKEW_MS = 60_000;

export interface CheckOptions {
  /** Trusted beforehand, from a place other than the certificate. */
  readonly keys: readonly KeyObject[];
  /** How many distinct keys must have signed. */
  readonly threshold: number;
  readonly now: Date;
}

export interface CertificateProblem {
  readonly code:
    | 'TP-C-SIGNATURES'
    | 'TP-C-PAYLOAD-TYPE'
    | 'TP-C-PAYLOAD'
    | 'TP-C-STATEMENT-TYPE'
    | 'TP-C-PREDICATE-TYPE'
    | 'TP-C-EXPIRED'
    | 'TP-C-FUTURE';
  readonly message: string;
}

export interface CertificateCheck {
  /** Enough trusted keys signed it and it is a certificate of a version known here. */
  readonly authentic: boolean;
  /** Authentic, issued, and not expired. */
  readonly current: boolean;
  /** Fingerprints of the given keys that signed. */
  readonly signers: readonly string[];
  readonly threshold: number;
  /** sha256 of the signed payload: what the next certificate names as the previous one. */
  readonly payloadSha256: string;
  readonly problems: readonly CertificateProblem[];
  /** Null unless authentic: what an unauthenticated certificate says is not repeated. */
  readonly statement: Statement | null;
}

/** Checks a certificate offline. Throws TP-USAGE for a threshold that the keys cannot reach. */
export function checkCertificate(envelope: Envelope, options: CheckOptions): CertificateCheck {
  const { threshold, now } = options;
  const keys = distinctKeys(options.keys);
  if (!Number.isInteger(threshold) || threshold < 1 || threshold > keys.length) {
    throw new TwinproofError('TP-USAGE', {
      message: `the threshold must be a whole number from 1 to the ${keys.length} distinct keys given`,
    });
  }
  const signers = signersOf(envelope, keys).map(fingerprintOf);
  const problems: CertificateProblem[] = [];
  if (signers.length < threshold) {
    const were =
      signers.length === 1 ? '1 of the keys given has' : `${signers.length} of the keys given have`;
    problems.push({
      code: 'TP-C-SIGNATURES',
      message: `${were} signed these bytes, ${threshold} must: it was altered, or signed by someone else`,
    });
  }
  const read = readStatement(envelope);
  if ('problem' in read) problems.push(read.problem);
  const authentic = problems.length === 0;
  const statement = authentic && 'statement' in read ? read.statement : null;
  if (statement !== null) problems.push(...timeProblems(statement, now));
  return {
    authentic,
    current: problems.length === 0,
    signers,
    threshold,
    payloadSha256: sha256(envelope.payload),
    problems,
    statement,
  };
}

type ReadStatement = { readonly statement: Statement } | { readonly problem: CertificateProblem };

/** The types are looked at first, one by one, so that a newer version is told apart from a damaged payload. */
function readStatement({ payloadType, payload }: Envelope): ReadStatement {
  if (payloadType !== PAYLOAD_TYPE) {
    return refuse('TP-C-PAYLOAD-TYPE', `its payload type is ${payloadType}, not ${PAYLOAD_TYPE}`);
  }
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  } catch (error) {
    return refuse('TP-C-PAYLOAD', `its payload is not JSON: ${messageOf(error)}`);
  }
  if (memberOf(json, '_type') !== STATEMENT_TYPE) {
    return refuse('TP-C-STATEMENT-TYPE', 'its payload is not an in-toto statement of version 1');
  }
  if (memberOf(json, 'predicateType') !== PREDICATE_TYPE) {
    return refuse(
      'TP-C-PREDICATE-TYPE',
      'it states something other than a verdict, or in a version not known here',
    );
  }
  const parsed = statementSchema.safeParse(json);
  return parsed.success
    ? { statement: parsed.data }
    : refuse('TP-C-PAYLOAD', `its payload is not complete: ${firstIssue(parsed.error)}`);
}

function memberOf(json: unknown, name: string): unknown {
  return typeof json === 'object' && json !== null
    ? Object.getOwnPropertyDescriptor(json, name)?.value
    : undefined;
}

function refuse(code: CertificateProblem['code'], message: string): ReadStatement {
  return { problem: { code, message } };
}

/** Written so that a date that is none fails. */
function timeProblems({ predicate }: Statement, now: Date): readonly CertificateProblem[] {
  const problems: CertificateProblem[] = [];
  if (!(now.getTime() < Date.parse(predicate.expiresAt))) {
    problems.push({ code: 'TP-C-EXPIRED', message: `it expired at ${predicate.expiresAt}` });
  }
  if (!(Date.parse(predicate.issuedAt) <= now.getTime() + ISSUE_SKEW_MS)) {
    problems.push({
      code: 'TP-C-FUTURE',
      message: `it was issued at ${predicate.issuedAt}, which is in the future: check the clocks`,
    });
  }
  return problems;
}
