import type { LedgerConfig, SiteConfig, SystemConfig } from '../config/schema.ts';
import { publicIdentity } from '../connector/identity.ts';
import { TwinproofError } from '../errors.ts';
import { Candidates } from '../ledger/candidates.ts';
import { Known } from '../ledger/known.ts';
import { Ledger } from '../ledger/ledger.ts';
import { ledgerOptions } from '../ledger/options.ts';
import { summarise } from '../readiness/summary.ts';
import { lagJson } from '../report/lag-text.ts';
import {
  boundedVerdict,
  LISTED_MAX,
  type LagPoint,
  type LagState,
  type SystemState,
} from '../state/schema.ts';
import type { Evidence } from '../verdict/evidence.ts';
import { verdictJson } from '../verdict/json.ts';
import { rankCandidates } from '../verdict/ranking.ts';
import { judge } from '../verdict/verdict.ts';
import { askCandidate, type CandidateFindings, openCandidate } from './certify-candidate.ts';
import { evidenceOf, type SystemFacts } from './certify-evidence.ts';
import {
  askPrimary,
  headAfter,
  type HeadBefore,
  type LedgerConnector,
  NO_HEAD,
  type PrimaryState,
  redefinedTables,
} from './certify-primary.ts';
import type { SiteIo } from './io.ts';
import { sampleLag } from './lag.ts';
import { REAL_TIMING } from './timing.ts';

export interface StateQuestion {
  readonly system: SystemConfig;
  readonly ledger: LedgerConfig | null;
  readonly statementTimeoutMs: number;
}

type StateCandidate = SystemState['candidates'][number];

/** What judging a system has come to, as its state file has it. */
export interface JudgedSystem {
  readonly pair: SystemState['pair'];
  readonly primary: Pick<
    SystemState['primary'],
    'state' | 'message' | 'identity' | 'position' | 'witnessedUntil'
  >;
  readonly best: SystemState['best'];
  readonly candidates: ReadonlyMap<
    string,
    Pick<StateCandidate, 'silence' | 'identity' | 'position' | 'verdict' | 'outlook' | 'rows' | 'readiness'>
  >;
}

/** What a look at the lag has come to. */
export interface SampledLag {
  readonly lag: LagState;
  readonly sample: LagPoint;
  readonly recoveryPointAt: string | null;
  readonly witnessedUntil: string | null;
}

/** How far every candidate is behind. Throws TP-LEDGER-…. */
export async function lagOfSystem(
  { system, ledger: config, statementTimeoutMs }: StateQuestion,
  io: SiteIo,
): Promise<ReadonlyMap<string, SampledLag>> {
  const ledger = await openLedger(config, system, io);
  try {
    const skewMs = new Known(ledger.core.store).primary()?.skewMs ?? 0;
    const sampled = await Promise.all(
      system.candidates.map(async (site): Promise<[string, SampledLag]> => {
        const taken = await sampleLag({ statementTimeoutMs }, system, site, ledger, io);
        const { at, lag, state, notes, witnessedUntil } = taken;
        const { transport, apply, total } = lagJson(taken);
        return [
          site.name,
          {
            lag: { at: at.toISOString(), state, transport, apply, total, notes: [...notes] },
            sample: { at: at.toISOString(), ms: lag.total.ms, transportMs: lag.transport.ms },
            recoveryPointAt: recoveryPoint(lag.total.ms, at.getTime() + skewMs, witnessedUntil),
            witnessedUntil: witnessedUntil?.toISOString() ?? null,
          },
        ];
      }),
    );
    return new Map(sampled);
  } finally {
    await ledger.close();
  }
}

/**
 * Everything that was committed by then is on the candidate: the witness where nothing is pending, and just before the
 * oldest commit that is. Never later than the witness: beyond it nobody knows what was committed.
 */
function recoveryPoint(lagMs: number | null, nowMs: number, witnessedUntil: Date | null): string | null {
  if (lagMs === null || witnessedUntil === null) return null;
  const oldestMs = lagMs === 0 ? Number.POSITIVE_INFINITY : Math.floor(nowMs - lagMs) - 1;
  return new Date(Math.min(oldestMs, witnessedUntil.getTime())).toISOString();
}

/** Verdicts of every candidate, as `certify` would reach them now, without waiting for anybody. Throws TP-LEDGER-…. */
export async function judgeSystem(question: StateQuestion, io: SiteIo): Promise<JudgedSystem> {
  const { system, statementTimeoutMs } = question;
  const ledger = await openLedger(question.ledger, system, io);
  const open: LedgerConnector[] = [];
  try {
    const { source } = ledger.identity;
    const asking = { system, lost: false, source, jobs: 1, statementTimeoutMs, sleep };
    const primary = await askPrimary(asking, io);
    if (primary.kind === 'alive') open.push(primary.site);
    const before = primary.kind === 'alive' ? await headOf(primary.site, io) : null;
    const known = new Known(ledger.core.store);
    const findings = await Promise.all(
      system.candidates.map((candidate) => ask(candidate, { question, ledger, known, open }, io)),
    );
    return await judged({ system, ledger, known, primary, before, findings }, io);
  } finally {
    await Promise.all(open.map((site) => site.close()));
    await ledger.close();
  }
}

async function openLedger(config: LedgerConfig | null, { name }: SystemConfig, io: SiteIo): Promise<Ledger> {
  const unplaced = { source: null, comparePositions: () => 'incomparable' as const, now: io.now };
  return await Ledger.read(ledgerOptions(config, name, unplaced));
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return REAL_TIMING.sleep(ms, signal);
}

async function headOf(site: LedgerConnector, io: SiteIo): Promise<HeadBefore | null> {
  try {
    return await site.head(io.signal);
  } catch (error) {
    if (io.signal.aborted || !(error instanceof TwinproofError)) throw error;
    return null;
  }
}

async function ask(
  candidate: SiteConfig,
  {
    question,
    ledger,
    known,
    open,
  }: {
    readonly question: StateQuestion;
    readonly ledger: Ledger;
    readonly known: Known;
    readonly open: LedgerConnector[];
  },
  io: SiteIo,
): Promise<CandidateFindings> {
  const { system, statementTimeoutMs } = question;
  const asking = { ledger, known, system, candidate, jobs: 1, statementTimeoutMs, sleep };
  const site = await openCandidate(asking, io);
  if (typeof site !== 'string') open.push(site);
  return await askCandidate(asking, site, io);
}

interface Found {
  readonly system: SystemConfig;
  readonly ledger: Ledger;
  readonly known: Known;
  readonly primary: PrimaryState;
  readonly before: HeadBefore | null;
  readonly findings: readonly CandidateFindings[];
}

async function judged(found: Found, io: SiteIo): Promise<JudgedSystem> {
  const { system, ledger, known, primary, findings } = found;
  const now = io.now();
  const common = {
    system,
    ledger,
    known,
    now,
    fence: null,
    primary: null,
    primaryAnswers: null,
    redefined: [],
  };
  const facts: SystemFacts =
    primary.kind === 'alive'
      ? {
          ...common,
          mode: 'switchover',
          primary: { identity: primary.identity, readiness: await readinessOf(primary.site, known, io) },
          // Where that is dear, what `watch` polls has to do: this is judged again and again.
          redefined:
            primary.site.fingerprints === undefined
              ? []
              : await redefinedTables(primary.site, ledger, system, io.signal),
        }
      : {
          ...common,
          mode: 'failover',
          primaryAnswers: primary.kind === 'answers' ? primary.message : null,
        };
  // On the primary's clock, as every time of its log is; a fence of a time to come would bound nothing.
  const fence = { at: new Date(now.getTime() + (known.primary()?.skewMs ?? 0)), by: 'an assumption' };
  const moment = new Date(Math.max(now.getTime(), fence.at.getTime()));
  const assumed: SystemFacts = { ...common, mode: 'failover', fence, now: moment };
  const certified = await Promise.all(
    findings.map(async (one) => {
      const evidence = evidenceOf(facts, one, await headEvidence(found, one, io));
      const outlook = judge(evidenceOf(assumed, one, NO_ANSWER));
      return { name: one.name, findings: one, evidence, outlook, verdict: judge(evidence) };
    }),
  );
  const ranking = rankCandidates(certified);
  const [best] = ranking.candidates;
  const remembered = known.primary();
  const identity = primary.kind === 'alive' ? primary.identity : (remembered?.identity ?? null);
  const candidates = new Candidates(ledger.core);
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
    candidates: new Map(
      certified.map(({ name, findings: own, evidence, verdict, outlook }) => [
        name,
        {
          silence: own.unreachable ?? own.stranger,
          identity: own.identity === null ? null : publicIdentity(own.identity),
          position: own.place?.position ?? null,
          verdict: boundedVerdict(verdictJson(verdict)),
          outlook: boundedVerdict(verdictJson(outlook)),
          rows: rowsOf(name, evidence, candidates, known),
          readiness:
            evidence.readiness === null
              ? null
              : {
                  switchover: summarise(evidence.readiness, 'switchover'),
                  failover: summarise(evidence.readiness, 'failover'),
                },
        },
      ]),
    ),
  };
}

const NO_ANSWER = { evidence: { ...NO_HEAD, quiesced: false }, ledgerReached: false };

async function headEvidence(
  { primary, before, ledger }: Found,
  { place }: CandidateFindings,
  io: SiteIo,
): Promise<Awaited<ReturnType<typeof headAfter>>> {
  if (primary.kind !== 'alive' || before === null) return NO_ANSWER;
  return await headAfter(primary.site, before, place?.position ?? null, ledger, false, io.signal);
}

async function readinessOf(
  site: LedgerConnector,
  known: Known,
  io: SiteIo,
): Promise<NonNullable<SystemFacts['primary']>['readiness']> {
  try {
    const pair = known.stream()?.pair ?? 'physical';
    return await site.readiness(io.signal, { pair, as: 'primary' });
  } catch (error) {
    if (io.signal.aborted || !(error instanceof TwinproofError)) throw error;
    return null;
  }
}

function rowsOf(
  name: string,
  { integrity }: Evidence,
  candidates: Candidates,
  known: Known,
): NonNullable<StateCandidate['rows']> {
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
  };
}
