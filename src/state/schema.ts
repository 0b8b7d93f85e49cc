import { z } from 'zod';
import { SCHEDULED } from '../config/fleet.ts';
import { identitySchema, verdictSchema } from '../certificate/statement-schema.ts';
import type { VerdictJson } from '../verdict/json.ts';

export const STATE_SCHEMA = 'twinproof.state/v1';

/** What a state file may hold of each list; the whole number stands beside it. */
export const LISTED_MAX = 50;
/** Rows that differ and are named; how many there are stands beside them. */
export const DIFFERENCES_MAX = 20;
/** Lag samples that are kept: half an hour at one every ten seconds. */
export const SAMPLES_MAX = 180;

const text = z.string();
const count = z.string().regex(/^\d+$/);
const time = z.iso.datetime();
const whole = z.int().nonnegative();
/** Milliseconds; null is unknown and never zero. */
const span = z.number().nonnegative().nullable();

const figure = z.object({ bytes: count.nullable(), transactions: count.nullable(), ms: span });

const lag = z.object({
  at: time,
  state: z.enum(['ok', 'late', 'unknown']),
  transport: figure,
  apply: figure,
  total: figure,
  notes: z.array(text),
});

/** Of one moment: how far behind the candidate was in milliseconds, all in all and on the way. */
const sample = z.object({ at: time, ms: span, transportMs: span });

const rows = z.object({
  /** When the oldest of the proofs was begun; null: not every row in scope is proven. */
  provenAt: time.nullable(),
  /** Tables of which something is not proven: the first of them by name, and how many they are. */
  unproven: z.array(text),
  unprovenTables: whole,
  /** Keys that changed and were not looked at yet. */
  dirty: count,
  /** Rows that differ, of those that were told by name; `more`: there are others. */
  differences: whole,
  more: z.boolean(),
  tables: z.array(z.object({ table: text, differences: whole })),
  /** The first of them: the key as the candidate writes it, and what the primary's row is told by. */
  listed: z
    .array(
      z.object({
        table: text,
        kind: z.enum(['missing', 'extra', 'changed']),
        key: text,
        /** Of the primary's row in the ledger, hexadecimal; null: it has none, or it is not known. */
        digest: z
          .string()
          .regex(/^[0-9a-f]+$/)
          .nullable(),
        firstSeenAt: time,
      }),
    )
    .max(DIFFERENCES_MAX)
    .default([]),
});

const severity = z.enum(['block', 'warn', 'info']);

const readiness = z.object({
  word: z.enum(['ready', 'not-ready', 'unknown']),
  blocking: whole,
  unknown: whole,
  warnings: whole,
});

const modes = z.object({ switchover: readiness, failover: readiness });

/** What a scheduled run of `readiness` has found. */
export const checkedSchema = modes.extend({
  at: time,
  /** What was found, the gravest first, and how many there are. */
  findings: z.array(
    z.object({
      code: text,
      state: z.enum(['fail', 'unknown']),
      severity: z.object({ switchover: severity, failover: severity }),
      subject: text,
      message: text,
      hint: text,
    }),
  ),
  count: whole,
});

const candidate = z.object({
  name: text,
  site: text.nullable(),
  faultDomain: text.nullable(),
  /** Why it did not answer; null: it did. */
  silence: text.nullable(),
  identity: identitySchema.nullable(),
  position: text.nullable(),
  /** Everything that the primary had committed by then is on the candidate, on the primary's clock; null: unknown. */
  recoveryPointAt: time.nullable(),
  /** The last that was reached, and when; null: none was. */
  verdict: verdictSchema.nullable(),
  /**
   * What the verdict of a failover would be if the primary took no more commits from the moment of `verdict` on. An
   * assumption, and no ground for a promotion without a fence.
   */
  outlook: verdictSchema.nullable(),
  lag: lag.nullable(),
  samples: z.array(sample).max(SAMPLES_MAX),
  rows: rows.nullable(),
  /** As the verdict has it, so of its time. */
  readiness: modes.nullable(),
  /** By the schedule, with a time of its own; null: it is not scheduled, or has not come to an end yet. */
  checked: checkedSchema.nullable().default(null),
});

const primary = z.object({
  site: text.nullable(),
  faultDomain: text.nullable(),
  /** `alive`, `gone`: nobody answers at its address, `other`: somebody does who is no living primary. */
  state: z.enum(['alive', 'gone', 'other', 'unknown']),
  message: text.nullable(),
  identity: identitySchema.nullable(),
  /** The ledger's position, and until when everything is in it. */
  position: text.nullable(),
  witnessedUntil: time.nullable(),
});

const mirror = z.object({
  /** Null: it has not begun, or nothing is known of it. */
  topic: text.nullable(),
  /** A ledger as this one was then could be rebuilt, on the clock of the publisher; null: none could, as far as is known. */
  reachedAt: time.nullable(),
  /** Of the journal, what is not in it yet; null: unknown. */
  bytesBehind: count.nullable(),
  /** Tables that are complete in the ledger and would not be in a rebuilt one; null: unknown. */
  tablesMissing: whole.nullable(),
  /** Why it does not go on, and since when; null: it does. */
  trouble: z.object({ code: text, message: text, since: time }).nullable(),
});

const certificate = z.object({
  file: text,
  candidate: text.nullable(),
  verdict: text,
  issuedAt: time,
  expiresAt: time,
  sha256: text,
});

const run = z.object({
  name: text,
  run: z.enum(SCHEDULED),
  at: text,
  zone: text.nullable(),
  dueAt: time.nullable(),
  startedAt: time.nullable(),
  endedAt: time.nullable(),
  outcome: z.enum(['ok', 'warning', 'critical', 'unknown', 'failed']).nullable(),
  message: text.nullable(),
  missed: whole,
  nextAt: time.nullable(),
});

/**
 * How one system stands, as the process that watches it knew it at `writtenAt`. Fields may be added; these stay. By
 * `staleAfterMs` after that the next one is written: who finds none then knows nothing of the present any more.
 */
export const stateSchema = z.object({
  schema: z.literal(STATE_SCHEMA),
  system: text,
  publisher: z.object({ host: text, pid: whole, version: text, startedAt: time }),
  writtenAt: time,
  everyMs: whole,
  staleAfterMs: whole,
  /** What kept the last attempt from a verdict; null: nothing did. */
  problem: z.object({ code: text, message: text, hint: text }).nullable(),
  pair: z.enum(['physical', 'logical', 'cross-engine']).nullable(),
  primary,
  /** Which candidate to take, and why; null: it is not known. */
  best: z.object({ candidate: text, why: text }).nullable(),
  candidates: z.array(candidate),
  certificates: z.array(certificate),
  /** What is done at certain times, and what came of it. */
  runs: z.array(run).default([]),
  /** How far the ledger is mirrored; null: it is not to be. */
  mirror: mirror.nullable().default(null),
});

export type SystemState = z.infer<typeof stateSchema>;
export type CandidateState = SystemState['candidates'][number];
export type CheckedState = NonNullable<CandidateState['checked']>;
export type MirrorStanding = NonNullable<SystemState['mirror']>;
export type LagState = NonNullable<CandidateState['lag']>;
export type LagPoint = CandidateState['samples'][number];

/** The same verdict with its lists cut to what a state file may hold. */
export function boundedVerdict(verdict: VerdictJson): z.infer<typeof verdictSchema> {
  const { loss, coverage, notProven, reasons } = verdict;
  return {
    ...verdict,
    loss: { ...loss, tables: loss.tables?.slice(0, LISTED_MAX) ?? null },
    coverage: { ...coverage, excluded: coverage.excluded.slice(0, LISTED_MAX) },
    notProven: notProven.slice(0, LISTED_MAX),
    reasons: reasons.slice(0, LISTED_MAX),
  };
}
