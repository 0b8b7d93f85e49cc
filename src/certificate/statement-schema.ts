import { z } from 'zod';
import type { Identity } from '../connector/identity.ts';
import { VERDICT_SCHEMA, type VerdictJson } from '../verdict/json.ts';
import { PREDICATE_TYPE, STATEMENT_TYPE, type Statement } from './statement.ts';

const text = z.string();
const count = z.string().regex(/^\d+$/);
const time = z.iso.datetime();
const hex = z.string().regex(/^[0-9a-f]{64}$/);
const number = z.number();
const outcome = z.enum(['same', 'different', 'unproven']);
const decider = z.enum(['command line', 'configuration', 'twinproof']);

/** A verdict as JSON. */
export const verdictSchema: z.ZodType<VerdictJson> = z.object({
  schema: z.literal(VERDICT_SCHEMA),
  verdict: z.enum(['SAFE', 'SAFE_WITH_LOSS', 'NOT_SAFE', 'UNKNOWN']),
  mode: z.enum(['switchover', 'failover']),
  integrity: outcome,
  loss: z.object({
    kind: z.enum(['none', 'bounded', 'unbounded', 'unknown']),
    basis: z.enum(['head', 'ledger', 'clean-shutdown']).nullable(),
    transactions: count.nullable(),
    changes: count.nullable(),
    keys: count.nullable(),
    firstCommitAt: time.nullable(),
    lastCommitAt: time.nullable(),
    witnessedUntil: time.nullable(),
    tail: z.object({ bytes: count.nullable(), ms: number.nullable() }).nullable(),
    tables: z
      .array(
        z.object({
          table: text,
          inserts: count,
          updates: count,
          deletes: count,
          truncates: count,
          keys: count,
        }),
      )
      .nullable()
      .optional(),
    recoverableBytes: count.nullable().optional(),
    recoverableTransactions: count.nullable().optional(),
    archived: z
      .object({
        folder: text,
        bytes: count.nullable(),
        transactions: count.nullable(),
        problem: text.nullable(),
      })
      .optional(),
    shutDownAt: time.nullable().optional(),
  }),
  rpo: z.object({
    objectiveMs: number.nullable(),
    boundMs: number.nullable(),
    atLeastMs: number.nullable(),
  }),
  coverage: z.object({
    tables: number,
    compared: number,
    excluded: z.array(z.object({ table: text, reason: text, decidedBy: decider })),
  }),
  notProven: z.array(z.object({ code: text, subject: text, message: text, decidedBy: decider.nullable() })),
  reasons: z.array(
    z.object({
      code: text,
      severity: z.enum(['block', 'warn', 'info']),
      effect: z.enum(['not-safe', 'unknown', 'loss', 'none']),
      subject: text,
      message: text,
      hint: text,
    }),
  ),
  decidedAt: time,
  expiresAt: time,
});

/** Who a site is, as JSON. */
export const identitySchema: z.ZodType<Identity> = z.object({
  engine: text,
  version: text,
  systemId: text,
  instance: text,
  timeline: text.nullable(),
  role: z.enum(['primary', 'standby', 'subscriber']),
  writable: z.boolean(),
  database: text,
  databases: z.array(text),
  address: text.nullable(),
  serverTime: text,
});

const site = z.object({
  identity: identitySchema.nullable(),
  position: text.nullable(),
  clockSkewMs: number.nullable(),
});

const predicate = z.object({
  verdict: verdictSchema,
  primary: site,
  candidate: site,
  times: z.object({ startedAt: time, finishedAt: time, provenAt: time.nullable() }),
  method: z.object({
    pair: z.enum(['physical', 'logical', 'cross-engine']),
    encodings: z.array(text),
    digest: z.object({ algorithm: z.enum(['xxh64', 'sha256']), forgeryResistant: z.boolean() }),
    tables: z.array(
      z.object({
        table: text,
        outcome,
        encoding: text,
        method: text,
        rows: z.object({ primary: count, candidate: count.nullable() }),
      }),
    ),
  }),
  policy: z.object({
    rpoMs: number.nullable(),
    maxTailMs: number.nullable(),
    maxProofAgeMs: number,
    certificateValidForMs: number,
    coverageMin: number.nullable(),
    sha256: hex,
  }),
  tool: z.object({ name: z.literal('twinproof'), version: text, sha256: hex.nullable() }),
  issuedAt: time,
  expiresAt: time,
  nonce: text,
  previous: z.object({ payloadSha256: hex }).nullable(),
});

/** Members that a later minor version adds are ignored; a change of meaning takes a new predicate type. */
export const statementSchema: z.ZodType<Statement> = z.object({
  _type: z.literal(STATEMENT_TYPE),
  subject: z.array(z.object({ name: text, digest: z.object({ sha256: hex }) })).min(1),
  predicateType: z.literal(PREDICATE_TYPE),
  predicate,
});
