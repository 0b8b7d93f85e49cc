import type { SystemConfig } from '../config/schema.ts';
import { publicIdentity } from '../connector/identity.ts';
import { TwinproofError } from '../errors.ts';
import { Candidates } from '../ledger/candidates.ts';
import type { Known } from '../ledger/known.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { summarise } from '../readiness/summary.ts';
import { boundedVerdict, type CandidateState, LISTED_MAX, type SystemState } from '../state/schema.ts';
import type { Evidence } from '../verdict/evidence.ts';
import { verdictJson } from '../verdict/json.ts';
import { rankCandidates } from '../verdict/ranking.ts';
import { judge, type Verdict } from '../verdict/verdict.ts';
import type { CandidateFindings } from './certify-candidate.ts';
import { evidenceOf, type SystemFacts } from './certify-evidence.ts';
import {
  headAfter,
  type HeadBefore,
  NO_HEAD,
  type PrimaryState,
  redefinedTables,
} from './certify-primary.ts';
import type { SiteIo } from './io.ts';
import { listedDifferences } from './state-differences.ts';
import type { OfSite } from './state-question.ts';

/** What judging finds out of a candidate. */
export type JudgedCandidate = Pick<
  CandidateState,
  'silence' | 'identity' | 'position' | 'verdict' | 'outlook' | 'rows' | 'readiness'
>;

/** What judging a system has come to, as its state file has it. */
export interface JudgedSystem {
  readonly pair: SystemState['pair'];
  readonly primary: Pick<
    SystemState['primary'],
    'state' | 'message' | 'identity' | 'position' | 'witnessedUntil'
  >;
  readonly best: SystemState['best'];
  readonly candidates: ReadonlyMap<string, JudgedCandidate>;
}

/** Everything that was asked of the sites. They are open still. */
export interface Found {
  readonly system: SystemConfig;
  readonly ledger: Ledger;
  readonly known: Known;
  readonly ofSite: OfSite;
  readonly primary: PrimaryState;
  readonly before: HeadBefore | null;
  readonly findings: readonly CandidateFindings[];
}

interface CandidateVerdict {
  readonly name: string;
  readonly findings: CandidateFindings;
  readonly evidence: Evidence;
  /** That of a failover, if the primary took no more commits from now on. */
  readonly outlook: Verdict;
  readonly verdict: Verdict;
}

/** Verdicts of what was found. Throws TP-TIMEOUT when the primary falls silent while its tables are read. */
export async function judged(found: Found, io: SiteIo): Promise<JudgedSystem> {
  const { ledger, known, primary, findings } = found;
  const now = io.now();
  const common: SystemFacts = {
    system: found.system,
    ledger,
    known,
    now,
    mode: 'failover',
    fence: null,
    primary: null,
    primaryAnswers: null,
    redefined: [],
  };
  const facts = await factsOf(found, common, io);
  // On the primary's clock, as every time of its log is; a fence of a time to come would bound nothing.
  const fence = { at: new Date(now.getTime() + (known.primary()?.skewMs ?? 0)), by: 'an assumption' };
  const moment = new Date(Math.max(now.getTime(), fence.at.getTime()));
  const assumed: SystemFacts = { ...common, fence, now: moment };
  const certified = await Promise.all(
    findings.map(async (one): Promise<CandidateVerdict> => {
      const evidence = evidenceOf(facts, one, await headEvidence(found, one, io));
      const outlook = judge(evidenceOf(assumed, one, NO_ANSWER));
      return { name: one.name, findings: one, evidence, outlook, verdict: judge(evidence) };
    }),
  );
  const ranking = rankCandidates(certified);
  const [best] = ranking.candidates;
  const identity = primary.kind === 'alive' ? primary.identity : (known.primary()?.identity ?? null);
  const candidates = await Promise.all(
    certified.map(async (one) => [one.name, await candidateOf(found, one, io)] as const),
  );
  return {
    pair: known.stream()?.pair ?? null,
    primary: {
      state: primary.kind === 'answers' ? 'other' : primary.kind,
      message: primary.kind === 'answers' ? primary.message : null,
      identity: identity === null ? null : publicIdentity(identity),
      position: ledger.position,
      witnessedUntil: certified[0]?.verdict.loss.witnessedUntil?.toISOString() ?? null,
    },
    best: best === undefined ? null : { candidate: best.name, why: ranking.why ?? '' },
    candidates: new Map(candidates),
  };
}

async function factsOf(
  { system, ledger, known, ofSite, primary }: Found,
  common: SystemFacts,
  { signal }: SiteIo,
): Promise<SystemFacts> {
  if (primary.kind !== 'alive') {
    return { ...common, primaryAnswers: primary.kind === 'answers' ? primary.message : null };
  }
  const { site, identity } = primary;
  const pair = known.stream()?.pair ?? 'physical';
  const readiness = await ofSite(system.primary.name, (own) =>
    site.readiness(own.signal, { pair, as: 'primary' }),
  ).catch((error: unknown) => {
    if (signal.aborted || !(error instanceof TwinproofError)) throw error;
    return null;
  });
  return {
    ...common,
    mode: 'switchover',
    primary: { identity, readiness },
    // Where that is dear, what `watch` polls has to do: this is judged again and again.
    redefined:
      site.fingerprints === undefined
        ? []
        : await ofSite(system.primary.name, (own) => redefinedTables(site, ledger, system, own.signal)),
  };
}

const NO_ANSWER = { evidence: { ...NO_HEAD, quiesced: false }, ledgerReached: false };

async function headEvidence(
  { system, ofSite, primary, before, ledger }: Found,
  { place }: CandidateFindings,
  io: SiteIo,
): Promise<Awaited<ReturnType<typeof headAfter>>> {
  if (primary.kind !== 'alive' || before === null) return NO_ANSWER;
  try {
    return await ofSite(system.primary.name, ({ signal }) =>
      headAfter(primary.site, before, place?.position ?? null, ledger, false, signal),
    );
  } catch (error) {
    if (io.signal.aborted || !(error instanceof TwinproofError)) throw error;
    return NO_ANSWER;
  }
}

async function candidateOf(
  found: Found,
  { findings, evidence, verdict, outlook }: CandidateVerdict,
  io: SiteIo,
): Promise<JudgedCandidate> {
  const { readiness } = evidence;
  return {
    silence: findings.unreachable ?? findings.stranger,
    identity: findings.identity === null ? null : publicIdentity(findings.identity),
    position: findings.place?.position ?? null,
    verdict: boundedVerdict(verdictJson(verdict)),
    outlook: boundedVerdict(verdictJson(outlook)),
    rows: await rowsOf(found, findings, evidence, io),
    readiness:
      readiness === null
        ? null
        : {
            switchover: summarise(readiness, 'switchover'),
            failover: summarise(readiness, 'failover'),
          },
  };
}

async function rowsOf(
  { ledger, known, ofSite }: Found,
  findings: CandidateFindings,
  { integrity }: Evidence,
  io: SiteIo,
): Promise<NonNullable<CandidateState['rows']>> {
  const { name } = findings;
  const candidates = new Candidates(ledger.core);
  const candidate = candidates.byName(name);
  const { found, more } = known.differences(name);
  const byTable = new Map<string, number>();
  for (const { table } of found) byTable.set(table, (byTable.get(table) ?? 0) + 1);
  const unproven = integrity.tables.filter(({ outcome }) => outcome === 'unproven').map(({ table }) => table);
  return {
    provenAt: integrity.outcome === 'same' ? (integrity.provenAt?.toISOString() ?? null) : null,
    unproven: unproven.slice(0, LISTED_MAX),
    unprovenTables: unproven.length,
    dirty: String(candidate === null ? 0 : candidates.dirtyCounts(candidate).listed),
    differences: found.length,
    more,
    tables: [...byTable].slice(0, LISTED_MAX).map(([table, differences]) => ({ table, differences })),
    listed: await listedDifferences({ core: ledger.core, found, findings, ofSite }, io),
  };
}
