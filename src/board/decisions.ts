import { randomUUID, type KeyObject } from 'node:crypto';
import { mkdir, open, readFile, truncate } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { signersOf, signPayload, writeEnvelopeLine, type Envelope } from '../certificate/envelope.ts';
import { parseEnvelope } from '../certificate/envelope-parse.ts';
import { publicKeyOf } from '../certificate/key.ts';
import { sha256 } from '../certificate/statement.ts';
import { messageOf, TwinproofError } from '../errors.ts';
import type { SystemStanding } from '../state/standing.ts';

export const DECISION_TYPE = 'application/vnd.twinproof.decision+json';
export const DECISION_SCHEMA = 'twinproof.decision/v1';
const RECORD_BYTES_MAX = 64 * 1024 * 1024;

export const CHOICES = ['promote', 'wait', 'do-not-promote'] as const;
export type Choice = (typeof CHOICES)[number];

const text = z.string().trim();

/** What an approver fills in. */
export const proposalSchema = z.strictObject({
  system: text.min(1),
  candidate: text.max(200),
  decision: z.enum(CHOICES),
  lossAccepted: text.max(500),
  reason: text.min(1).max(4000),
  /** Since when the primary provably takes no more commits, and who answers for that. */
  fencedAt: z.iso.datetime({ offset: true }).nullable().default(null),
  fencedBy: text.max(200).nullable().default(null),
});
export type Proposal = z.infer<typeof proposalSchema>;

/** What the board showed when a decision was taken. */
export const shownSchema = z.object({
  verdict: z.string(),
  doubt: z.string().nullable(),
  /** When the verdict was reached; null: there was none. */
  decidedAt: z.string().nullable(),
  loss: z.string(),
  candidate: z.string().nullable(),
  /** sha256 of the published state as the board had it; null: it had none. */
  stateSha256: z.string().nullable(),
  /** The newest certificate that was handed out then, with the digest of its payload; null: there was none. */
  certificate: z.object({ file: z.string(), sha256: z.string() }).nullable().default(null),
});

const head = {
  schema: z.literal(DECISION_SCHEMA),
  at: z.iso.datetime(),
  by: z.string(),
  /** sha256 of the payload of the line before; null: this is the first. A line that was taken out shows. */
  previous: z.string().nullable(),
};
const recordSchema = z.discriminatedUnion('kind', [
  z.object({
    ...head,
    kind: z.literal('proposed'),
    id: z.string(),
    proposal: proposalSchema,
    shown: shownSchema,
  }),
  z.object({ ...head, kind: z.literal('approved'), id: z.string() }),
]);
type DecisionRecord = z.infer<typeof recordSchema>;

type MakeRecord = (common: Pick<DecisionRecord, 'schema' | 'at' | 'by' | 'previous'>) => DecisionRecord;

/** A decision with whoever stands behind it. */
export interface Decision extends Proposal {
  readonly id: string;
  readonly at: string;
  readonly proposedBy: string;
  /** Null: a second person has not approved it yet. */
  readonly approvedBy: string | null;
  readonly approvedAt: string | null;
  readonly shown: z.infer<typeof shownSchema>;
}

/** What the board showed when the decision was taken. */
export function shownOf({ verdict, doubt, best, state }: SystemStanding): z.infer<typeof shownSchema> {
  const held = doubt === null ? (best?.candidate.verdict ?? null) : null;
  const [newest] = state?.certificates ?? [];
  return {
    verdict,
    doubt,
    decidedAt: held?.decidedAt ?? null,
    loss: held === null ? 'unknown' : JSON.stringify(held.loss),
    candidate: best?.name ?? null,
    stateSha256: state === null ? null : sha256(JSON.stringify(state)),
    certificate: newest === undefined ? null : { file: newest.file, sha256: newest.sha256 },
  };
}

/**
 * The record of decisions: one signed envelope a line (DSSE, Ed25519), only ever appended to, each naming the one
 * before. One process writes it.
 */
export class DecisionFile {
  readonly #file: string;
  readonly #key: KeyObject;
  readonly #now: () => Date;
  #records: DecisionRecord[] = [];
  #last: string | null = null;
  #writing: Promise<unknown> = Promise.resolve();

  private constructor(file: string, key: KeyObject, now: () => Date) {
    this.#file = file;
    this.#key = key;
    this.#now = now;
  }

  /** Throws TP-CERTIFICATE when a line is no record of ours, was altered, or is missing. */
  static async open(file: string, key: KeyObject, now: () => Date): Promise<DecisionFile> {
    const decisions = new DecisionFile(file, key, now);
    await decisions.#load();
    return decisions;
  }

  /** The newest first. */
  list(system?: string): readonly Decision[] {
    const approvals = new Map(
      this.#records.flatMap((record) => (record.kind === 'approved' ? [[record.id, record] as const] : [])),
    );
    const found = this.#records.flatMap((record): Decision[] => {
      if (record.kind !== 'proposed') return [];
      const { id, at, by, proposal, shown: board } = record;
      const approval = approvals.get(id);
      return [
        {
          ...proposal,
          id,
          at,
          proposedBy: by,
          approvedBy: approval?.by ?? null,
          approvedAt: approval?.at ?? null,
          shown: board,
        },
      ];
    });
    return found.filter((one) => system === undefined || one.system === system).toReversed();
  }

  /** The answer is the decision's id. Throws TP-OUTPUT. */
  async propose(proposal: Proposal, by: string, board: Decision['shown']): Promise<string> {
    const id = randomUUID();
    await this.#append((common) => ({ ...common, kind: 'proposed', id, proposal, shown: board }), by);
    return id;
  }

  /** Throws TP-USAGE unless it waits for this very person; TP-OUTPUT. */
  async approve(id: string, by: string): Promise<void> {
    await this.#append((common) => {
      const decision = this.list().find((one) => one.id === id);
      const problem =
        decision === undefined
          ? 'there is no such decision'
          : decision.approvedBy !== null
            ? 'it is approved already'
            : decision.proposedBy === by
              ? 'the second approver must be another person'
              : null;
      if (problem !== null) throw new TwinproofError('TP-USAGE', { message: problem });
      return { ...common, kind: 'approved', id };
    }, by);
  }

  /** One after the other: each names the one before. */
  #append(make: MakeRecord, by: string): Promise<void> {
    const run = this.#after(this.#writing, make, by);
    this.#writing = run.catch(() => undefined);
    return run;
  }

  async #after(before: Promise<unknown>, make: MakeRecord, by: string): Promise<void> {
    await before;
    const record = make({
      schema: DECISION_SCHEMA,
      at: this.#now().toISOString(),
      by,
      previous: this.#last,
    });
    const payload = Buffer.from(JSON.stringify(record));
    const envelope = {
      payloadType: DECISION_TYPE,
      payload,
      signatures: [signPayload(DECISION_TYPE, payload, this.#key)],
    };
    await this.#write(`${writeEnvelopeLine(envelope)}\n`);
    this.#records.push(record);
    this.#last = sha256(payload);
  }

  async #write(line: string): Promise<void> {
    try {
      await mkdir(path.dirname(this.#file), { recursive: true });
      const handle = await open(this.#file, 'a', 0o600);
      try {
        await handle.writeFile(line);
        await handle.sync();
      } finally {
        await handle.close();
      }
    } catch (error) {
      throw new TwinproofError('TP-OUTPUT', {
        message: `the decision could not be recorded in ${this.#file}: ${messageOf(error)}`,
        hint: 'nobody has decided anything yet: mend the disk and record it again',
        cause: error,
      });
    }
  }

  async #load(): Promise<void> {
    for (const [index, line] of (await this.#read()).split('\n').entries()) {
      if (line === '') continue;
      const envelope = parseEnvelope(line);
      const parsed = this.#verified(envelope);
      if (parsed === null || parsed.previous !== this.#last) {
        throw new TwinproofError('TP-CERTIFICATE', {
          message: `line ${index + 1} of ${this.#file} was altered, was signed with another key, or the one before it is missing`,
          hint: 'keep the file as evidence, find out who changed it, and name a new one in board.decisions',
        });
      }
      this.#records.push(parsed);
      this.#last = sha256(envelope.payload);
    }
  }

  /** Null: it is no record that our key has signed. */
  #verified(envelope: Envelope): DecisionRecord | null {
    if (signersOf(envelope, [publicKeyOf(this.#key)]).length === 0) return null;
    const json: unknown = JSON.parse(envelope.payload.toString('utf8'));
    return recordSchema.safeParse(json).data ?? null;
  }

  async #read(): Promise<string> {
    try {
      const content = await readFile(this.#file);
      if (content.length > RECORD_BYTES_MAX) throw new Error('it is too large');
      // A line without its end is a writing that a crash cut off: nobody was told that it is recorded.
      const end = content.lastIndexOf('\n') + 1;
      if (end < content.length) await truncate(this.#file, end);
      return content.toString('utf8', 0, end);
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
      throw new TwinproofError('TP-CERTIFICATE', {
        message: `${this.#file} cannot be read: ${messageOf(error)}`,
        cause: error,
      });
    }
  }
}
