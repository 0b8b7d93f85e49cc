import { createHash } from 'node:crypto';
import type { Outcome } from '../compare/result.ts';
import { type Identity, publicIdentity } from '../connector/identity.ts';
import type { PairKind } from '../connector/table.ts';
import type { Policy } from '../verdict/evidence.ts';
import { verdictJson, type VerdictJson } from '../verdict/json.ts';
import type { Verdict } from '../verdict/verdict.ts';

/** in-toto Statement v1: https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md */
export const STATEMENT_TYPE = 'https://in-toto.io/Statement/v1';
export const PREDICATE_TYPE = 'https://twinproof.dev/verdict/v1';

const NONCE_BYTES = 16;

/** One site as the certificate names it. */
export interface CertifiedSite {
  /** Null: it could not be established, or the site is gone and nothing remembers it. */
  readonly identity: Identity | null;
  readonly position: string | null;
  /** The site's clock minus this machine's, in milliseconds; null: unknown. */
  readonly clockSkewMs: number | null;
}

export interface CertifiedTable {
  readonly table: string;
  readonly outcome: Outcome;
  readonly encoding: string;
  readonly method: string;
  /** Of the candidate null: they were not counted, for only some were read. */
  readonly rows: { readonly primary: string; readonly candidate: string | null };
}

/** The predicate of a certificate: what is claimed, about whom, on what grounds, and what is not claimed. */
export interface VerdictPredicate {
  readonly verdict: VerdictJson;
  readonly primary: CertifiedSite;
  readonly candidate: CertifiedSite;
  readonly times: {
    readonly startedAt: string;
    readonly finishedAt: string;
    /** When the oldest proof was begun; null: unknown. */
    readonly provenAt: string | null;
  };
  readonly method: {
    readonly pair: PairKind;
    readonly encodings: readonly string[];
    readonly digest: { readonly algorithm: 'xxh64' | 'sha256'; readonly forgeryResistant: boolean };
    readonly tables: readonly CertifiedTable[];
  };
  /** The values as they were applied; sha256 of their JSON, so that two certificates are compared at a glance. */
  readonly policy: Policy & { readonly sha256: string };
  readonly tool: { readonly name: 'twinproof'; readonly version: string; readonly sha256: string | null };
  readonly issuedAt: string;
  readonly expiresAt: string;
  readonly nonce: string;
  /** sha256 of the payload of the certificate before this one; null: there was none. */
  readonly previous: { readonly payloadSha256: string } | null;
}

export interface Statement {
  readonly _type: typeof STATEMENT_TYPE;
  readonly subject: readonly { readonly name: string; readonly digest: { readonly sha256: string } }[];
  readonly predicateType: typeof PREDICATE_TYPE;
  readonly predicate: VerdictPredicate;
}

export interface StatementInput {
  readonly verdict: Verdict;
  readonly policy: Policy;
  readonly primary: CertifiedSite;
  readonly candidate: CertifiedSite;
  readonly startedAt: Date;
  readonly finishedAt: Date;
  readonly provenAt: Date | null;
  readonly pair: PairKind;
  readonly digest: 'xxh64' | 'sha256';
  readonly tables: readonly CertifiedTable[];
  /** The result of the comparison exactly as printed or kept: whoever has that text can check that it is the one. */
  readonly resultJson: string;
  /** sha256 of the program's own package, where it is known. */
  readonly tool: { readonly version: string; readonly sha256: string | null };
  readonly previous: string | null;
  readonly issuedAt: Date;
  readonly randomBytes: (size: number) => Uint8Array;
}

/** The subjects are the comparison's result and both sites: a certificate about other sites has other digests. */
export function buildStatement(input: StatementInput): Statement {
  const { verdict } = input;
  const primary = publicSite(input.primary);
  const candidate = publicSite(input.candidate);
  return {
    _type: STATEMENT_TYPE,
    subject: [
      { name: 'verify-result', digest: { sha256: sha256(input.resultJson) } },
      { name: 'primary', digest: { sha256: sha256(JSON.stringify(primary.identity)) } },
      { name: 'candidate', digest: { sha256: sha256(JSON.stringify(candidate.identity)) } },
    ],
    predicateType: PREDICATE_TYPE,
    predicate: {
      verdict: verdictJson(verdict),
      primary,
      candidate,
      times: {
        startedAt: input.startedAt.toISOString(),
        finishedAt: input.finishedAt.toISOString(),
        provenAt: input.provenAt === null ? null : input.provenAt.toISOString(),
      },
      method: {
        pair: input.pair,
        encodings: [...new Set(input.tables.map((table) => table.encoding))].sort(),
        // xxh64 finds accidents; rows that collide under it can be made (DESIGN.md section 4).
        digest: { algorithm: input.digest, forgeryResistant: input.digest === 'sha256' },
        tables: input.tables,
      },
      policy: { ...input.policy, sha256: sha256(JSON.stringify(input.policy)) },
      tool: { name: 'twinproof', version: input.tool.version, sha256: input.tool.sha256 },
      issuedAt: input.issuedAt.toISOString(),
      expiresAt: verdict.expiresAt.toISOString(),
      nonce: Buffer.from(input.randomBytes(NONCE_BYTES)).toString('hex'),
      previous: input.previous === null ? null : { payloadSha256: input.previous },
    },
  };
}

function publicSite({ identity, position, clockSkewMs }: CertifiedSite): CertifiedSite {
  return { identity: identity === null ? null : publicIdentity(identity), position, clockSkewMs };
}

export function statementPayload(statement: Statement): Buffer {
  return Buffer.from(JSON.stringify(statement), 'utf8');
}

/** Lower-case hex; text is taken as UTF-8. */
export function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}
