import { z } from 'zod';
import type { SystemConfig } from '../config/schema.ts';
import type { ReadinessFacts } from '../connector/facts.ts';
import type { Identity } from '../connector/identity.ts';
import type { Known, KnownPrimary } from '../ledger/known.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { lossBetween, type Loss as JournalLoss } from '../ledger/loss.ts';
import { parseStored } from '../ledger/stored.ts';
import { Witness } from '../ledger/witness.ts';
import { judgeReadiness } from '../readiness/judge.ts';
import { type NotChecked, notCheckedOn } from '../readiness/not-checked.ts';
import type { ReadinessSite } from '../readiness/rule.ts';
import type {
  Evidence,
  Fence,
  HeadEvidence,
  KnownSynchrony,
  LedgerEvidence,
  Policy,
  VerdictMode,
} from '../verdict/evidence.ts';
import { downSince } from '../verdict/clean-shutdown.ts';
import { ledgerDoubts } from '../verdict/ledger-doubts.ts';
import { integrityByLedger } from '../verdict/ledger-integrity.ts';
import { type CountedLoss, lossByLedger } from '../verdict/ledger-loss.ts';
import type { CandidateFindings } from './certify-candidate.ts';
import { archivedLoss, recoverableTransactions } from './certify-recoverable.ts';
import { scopeOf } from './readiness.ts';

/** What all candidates of a system share. */
export interface SystemFacts {
  readonly mode: VerdictMode;
  readonly system: SystemConfig;
  readonly ledger: Ledger;
  readonly known: Known;
  readonly fence: Fence | null;
  /** Of a living primary; null: what is remembered stands for it. */
  readonly primary: { readonly identity: Identity; readonly readiness: ReadinessFacts | null } | null;
  /** After a loss: why the primary may not be gone, in words; null: it is. */
  readonly primaryAnswers: string | null;
  /** Of a living primary: tables that it has otherwise than the ledger knows them. */
  readonly redefined: readonly string[];
  readonly now: Date;
}

/** Everything that a verdict about one candidate rests on. Pure over the ledger and the findings. */
export function evidenceOf(
  facts: SystemFacts,
  findings: CandidateFindings,
  head: { readonly evidence: HeadEvidence; readonly ledgerReached: boolean },
): Evidence {
  const { mode, system, known, fence, now } = facts;
  const pair = known.stream()?.pair ?? 'physical';
  const remembered = known.primary();
  const proofsHold =
    findings.incarnation === 'same' &&
    !findings.wentBack &&
    findings.stranger === null &&
    findings.unreachable === null &&
    findings.place?.view !== null;
  return {
    mode,
    pair,
    now,
    integrity: integrityByLedger({ tables: findings.tables, excluded: findings.excluded, proofsHold }),
    head: head.evidence,
    ledger: ledgerEvidence(facts, findings, head),
    fence,
    primary: facts.primary?.identity ?? remembered?.identity ?? null,
    candidate: findings.identity,
    readiness:
      findings.readiness === null
        ? null
        : judgeReadiness({
            pair,
            primary: primarySite(facts),
            candidate: { identity: findings.identity, facts: findings.readiness },
            inScope: scopeOf(system.tables),
            waiving: { waivers: waiversOf(system, findings.name), now },
          }),
    notChecked: [
      ...notCheckedOn(pair, facts.ledger.identity.digest, findings.identity?.engine),
      ...ledgerNotChecked(known, findings),
    ],
    policy: policyOf(system),
  };
}

export function policyOf({ policy }: SystemConfig): Policy {
  return {
    rpoMs: policy.rpo,
    maxTailMs: policy.maxTail,
    maxProofAgeMs: policy.maxProofAge,
    certificateValidForMs: policy.certificateValidFor,
    coverageMin: null,
  };
}

function waiversOf({ waivers }: SystemConfig, name: string): SystemConfig['waivers'] {
  return waivers.filter(({ candidate }) => candidate === null || candidate === name);
}

function primarySite({ primary, known }: SystemFacts): ReadinessSite {
  if (primary !== null) return { identity: primary.identity, facts: primary.readiness };
  const remembered = known.primary();
  if (remembered === null) return { identity: null, facts: null };
  const { identity, readiness, readinessAtUs, atUs } = remembered;
  return { identity, facts: readiness, rememberedAt: dateOf(readinessAtUs ?? atUs) ?? new Date(Number.NaN) };
}

function ledgerEvidence(
  { mode, ledger, known, fence, primaryAnswers, redefined, now }: SystemFacts,
  findings: CandidateFindings,
  { evidence, ledgerReached }: { readonly evidence: HeadEvidence; readonly ledgerReached: boolean },
): LedgerEvidence {
  const { place } = findings;
  const remembered = known.primary();
  const feed =
    remembered === null
      ? null
      : { role: remembered.identity.role, heldBackBy: remembered.followed.details['heldBackBy'] ?? '' };
  const witness = new Witness(ledger.core).read();
  const counted =
    place?.view === null || place === null || feed?.role !== 'primary' || feed.heldBackBy !== ''
      ? null
      : lossBetween(ledger.core, place.view.low, ledger.head(), place.view.contains);
  const atHead =
    mode === 'switchover' &&
    ledgerReached &&
    evidence.moved === false &&
    evidence.quiet === true &&
    evidence.applied === true;
  const newestCommitAt = dateOf(ledger.core.committed.newestUs);
  const witnessedUntil = dateOf(witness?.timeUs ?? null);
  const appliedCommitAt = dateOf(place?.pending.appliedCommitUs ?? null);
  const loss = lossByLedger({
    mode,
    counted: counted === null ? null : countedOf(counted),
    gaps: counted !== null && counted.gaps.length > 0,
    ahead: place?.ahead ?? null,
    newestCommitAt,
    appliedCommitAt,
    witnessedUntil,
    recoverableBytes: place?.pending.bytes ?? null,
    recoverableTransactions: recoverableTransactions(ledger, findings),
    archived: archivedLoss(ledger, findings),
    // One of a time to come bounds nothing: it is told as what it is.
    fence: fence !== null && fence.at.getTime() <= now.getTime() ? fence : null,
    shutDownAt: shutDownAt(ledger, known, findings, [newestCommitAt, appliedCommitAt]),
    atHead,
  });
  return {
    loss,
    synchrony: synchronyOf(remembered),
    there: BigInt(counted?.there ?? 0),
    appliedCommitAt,
    gaps: (counted?.gaps ?? []).map(({ reason }) => reason),
    doubts: ledgerDoubts({
      mode,
      unreachable: findings.unreachable,
      stranger: findings.stranger,
      incarnation: findings.incarnation,
      wentBack: findings.wentBack,
      unguarded: findings.incarnation === 'same' && isWritable(known) && !isGuarded(findings),
      strays: place?.strays ?? false,
      unplaced: place?.unplaced ?? null,
      feed,
      definitionsKnownUntil: dateOf(known.definitions()?.knownUntilUs ?? null),
      seenUntil: loss.witnessedUntil,
      redefined,
      primaryAnswers,
      behindHead: mode === 'switchover' && !ledgerReached,
    }),
  };
}

/** Null: the primary has never told. */
export function synchronyOf(remembered: KnownPrimary | null): KnownSynchrony | null {
  const synchrony = remembered?.followed.synchrony ?? null;
  const askedAt = dateOf(remembered?.atUs ?? null);
  return synchrony === null || askedAt === null ? null : { ...synchrony, askedAt };
}

/** As downSince says, by what the candidate shows and the ledger remembers of the primary. */
function shutDownAt(
  ledger: Ledger,
  known: Known,
  { site, place }: CandidateFindings,
  commits: readonly (Date | null)[],
): Date | null {
  if (site === null || place === null) return null;
  const witness = new Witness(ledger.core).read();
  const definitions = known.definitions();
  const readings = [
    ...(witness === null ? [] : [{ position: witness.position, us: witness.timeUs }]),
    ...(definitions === null ? [] : [{ position: definitions.position, us: definitions.knownUntilUs }]),
  ];
  return downSince({
    record: place.pending.shutDown,
    applied: place.position,
    ledgerEnd: ledger.position,
    signs: readings.map(({ position, us }) => ({ position, at: new Date(Number(us / 1000n)) })),
    commits,
    compare: (a, b) => site.comparePositions(a, b),
  });
}

function countedOf(loss: JournalLoss): CountedLoss {
  return {
    transactions: BigInt(loss.transactions),
    changes: BigInt(loss.changes),
    keys: BigInt(loss.keys),
    tables: [...loss.tables.values()].map(({ table, inserts, updates, deletes, truncates, keys }) => ({
      table,
      inserts: BigInt(inserts),
      updates: BigInt(updates),
      deletes: BigInt(deletes),
      truncates: BigInt(truncates),
      keys: BigInt(keys),
    })),
    firstCommitAt: dateOf(loss.firstCommitUs),
    lastCommitAt: dateOf(loss.lastCommitUs),
  };
}

/** What the log that feeds the ledger leaves out, by its connector's word: code, subject, message. */
const notToldSchema = z.array(z.tuple([z.string(), z.string(), z.string()]));

/** What a ledger cannot see, beside what no comparison looks at. */
function ledgerNotChecked(known: Known, { guardedUntil }: CandidateFindings): readonly NotChecked[] {
  const guarded: NotChecked = {
    code: 'TP-N-LATE-LOCAL-WRITES',
    subject: 'local writes',
    message: `writes of others to the candidate were last looked for in its own log at ${guardedUntil?.toISOString() ?? 'no time'}: later ones are not seen`,
  };
  const until = dateOf(known.definitions()?.knownUntilUs ?? null);
  const notTold = parseStored(
    notToldSchema,
    Buffer.from(known.primary()?.followed.details['notTold'] ?? '[]'),
  );
  return [
    ...notTold.map(([code, subject, message]) => ({ code, subject, message })),
    ...(isWritable(known) ? [guarded] : []),
    {
      code: 'TP-N-SILENT-DEFINITIONS',
      subject: 'definitions',
      message: `redefinitions of tables that leave no trace in the log were looked for until ${until?.toISOString() ?? 'an unknown time'}`,
    },
    {
      code: 'TP-N-SINCE-PROOF',
      subject: 'unchanged rows',
      message:
        'rows that the primary did not change since they were proven were not read again: what else changed them since is not seen',
    },
  ];
}

/** Whether whatever others wrote to it before it was asked is among the rows that were read. */
function isGuarded({ guardedUntil, startedAt }: CandidateFindings): boolean {
  return guardedUntil !== null && guardedUntil.getTime() >= startedAt.getTime();
}

/** Where rows are applied others can write too; a standby takes no writes. */
function isWritable(known: Known): boolean {
  return known.stream()?.pair !== 'physical';
}

/** Whole milliseconds. Nothing happened in 1970: a clock that was never read says so. */
export function dateOf(us: bigint | null): Date | null {
  return us === null || us === 0n ? null : new Date(Number(us / 1000n));
}
