import { buildStatement, type CertifiedSite } from '../certificate/statement.ts';
import { issueCertificate } from '../certificate/issue.ts';
import { previousCertificate } from '../certificate/chain.ts';
import type { VerifyResult } from '../compare/result.ts';
import { DEFAULT_LIMITS } from '../compare/site-pair.ts';
import { StillWindow } from '../compare/still.ts';
import { DEFAULT_POLICY } from '../config/policy.ts';
import type { Connector } from '../connector/contract.ts';
import type { ReadinessFacts } from '../connector/facts.ts';
import type { Identity } from '../connector/identity.ts';
import type { Position } from '../connector/position.ts';
import { TwinproofError } from '../errors.ts';
import { judgeReadiness, type ReadinessResult } from '../readiness/judge.ts';
import { notCheckedOn } from '../readiness/not-checked.ts';
import { terminalJson } from '../report/terminal-text.ts';
import { verdictText } from '../report/verdict-text.ts';
import { writeOutput } from '../report/output-file.ts';
import { verifyJson } from '../report/verify-json.ts';
import type { Fence, HeadEvidence, Policy, VerdictMode } from '../verdict/evidence.ts';
import { verdictJson } from '../verdict/json.ts';
import { judge, type Verdict } from '../verdict/verdict.ts';
import { integrityOf } from '../verdict/verify-evidence.ts';
import { certificateTarget, EXIT_OF, type CertificateTarget } from './certificate-target.ts';
import type { SiteIo } from './io.ts';
import { scopeOf, waiversFor } from './readiness.ts';
import { refusedResult } from './refused.ts';
import { applyWithinOf, compareSites, type ComparisonOptions } from './run-verify.ts';
import type { ChosenSites } from './sites.ts';
import { steadyTiming } from './timing.ts';
import { toolVersion } from './version.ts';

export interface CertifyOptions extends ComparisonOptions {
  readonly format: 'text' | 'json';
  /** The certificate. */
  readonly out: string | null;
  readonly key: string | null;
  readonly quiesced: boolean;
  readonly mode: VerdictMode;
  readonly fence: Fence | null;
}

/** `twinproof certify` on two live sites. The answer is the exit code. */
export async function runCertify(options: CertifyOptions, io: SiteIo): Promise<number> {
  const target = await certificateTarget(options, io);
  return compareSites(
    options,
    io,
    (result, sites, primary, candidate) => certify(options, io, target, result, sites, primary, candidate),
    refusedResult,
  );
}

async function certify(
  options: CertifyOptions,
  io: SiteIo,
  target: CertificateTarget | null,
  result: VerifyResult,
  sites: ChosenSites,
  primary: Connector,
  candidate: Connector,
): Promise<number> {
  const policy = policyOf(sites);
  const facts = await factsOf(result, sites, primary, candidate, io);
  const evidence = {
    mode: options.mode,
    pair: result.pair,
    now: io.now(),
    integrity: integrityOf(result, () => sites.selectedBy),
    head: await headEvidence(options, sites, result, primary, candidate, io),
    ledger: null,
    fence: options.fence,
    primary: facts.primary ?? result.primary.identity,
    candidate: facts.candidate ?? result.candidate.identity,
    readiness: facts.readiness,
    notChecked: notCheckedOn(result.pair, 'xxh64', result.candidate.identity?.engine),
    policy,
  };
  const verdict = judge(evidence);
  const json = verdictJson(verdict);
  // Printed first: a full disk takes the certificate, not the answer.
  io.stdout(options.format === 'json' ? `${terminalJson(json, 2)}\n` : verdictText(json, io.screen));
  if (target !== null) await writeCertificate(target, verdict, policy, result, facts, io);
  return EXIT_OF[verdict.verdict];
}

function policyOf({ candidate, primary }: ChosenSites): Policy {
  const policy = candidate.system?.policy ?? primary.system?.policy ?? DEFAULT_POLICY;
  return {
    rpoMs: policy.rpo,
    maxTailMs: policy.maxTail,
    maxProofAgeMs: policy.maxProofAge,
    certificateValidForMs: policy.certificateValidFor,
    coverageMin: null,
  };
}

interface CurrentFacts {
  readonly primary: Identity | null;
  readonly candidate: Identity | null;
  readonly primarySkewMs: number | null;
  readonly candidateSkewMs: number | null;
  readonly readiness: readonly ReadinessResult[] | null;
}

/** Both sites as they are now, after the comparison; null what cannot be had. */
async function factsOf(
  result: VerifyResult,
  sites: ChosenSites,
  primary: Connector,
  candidate: Connector,
  io: SiteIo,
): Promise<CurrentFacts> {
  const read = async (
    site: Connector,
    as: 'primary' | 'candidate',
  ): Promise<{ identity: Identity; facts: ReadinessFacts; skewMs: number } | null> => {
    try {
      const asked = io.now().getTime();
      const identity = await site.identify(io.signal);
      const middle = (asked + io.now().getTime()) / 2;
      const facts = await site.readiness(io.signal, { pair: result.pair, as });
      return { identity, facts, skewMs: Math.round(Date.parse(identity.serverTime) - middle) };
    } catch (error) {
      if (error instanceof TwinproofError) return null;
      throw error;
    }
  };
  const [ours, theirs] = await Promise.all([read(primary, 'primary'), read(candidate, 'candidate')]);
  return {
    primary: ours?.identity ?? null,
    candidate: theirs?.identity ?? null,
    primarySkewMs: ours?.skewMs ?? null,
    candidateSkewMs: theirs?.skewMs ?? null,
    readiness:
      ours === null || theirs === null
        ? null
        : judgeReadiness({
            pair: result.pair,
            primary: { identity: ours.identity, facts: ours.facts },
            candidate: { identity: theirs.identity, facts: theirs.facts },
            inScope: scopeOf(sites.selection),
            waiving: { waivers: waiversFor(sites), now: io.now() },
          }),
  };
}

/** Whether the primary stood still from before the first read until now, and the candidate has everything. */
async function headEvidence(
  options: CertifyOptions,
  sites: ChosenSites,
  result: VerifyResult,
  primary: Connector,
  candidate: Connector,
  io: SiteIo,
): Promise<HeadEvidence> {
  const { headBefore } = result.primary;
  try {
    const stood =
      result.pair === 'cross-engine'
        ? await stoodStill(options, sites, result, primary, candidate, io)
        : null;
    const { head, quiet } = await primary.head(io.signal);
    const order = headBefore === null ? 'incomparable' : primary.comparePositions(headBefore, head);
    return {
      quiesced: options.quiesced,
      moved: order === 'incomparable' ? null : order !== 'equal',
      quiet,
      applied: stood ?? (await hasApplied(result, head, candidate, io)),
    };
  } catch (error) {
    if (!(error instanceof TwinproofError)) throw error;
    return { quiesced: options.quiesced, moved: null, quiet: null, applied: null };
  }
}

/** Whether the candidate has applied the primary's log up to `head`. Null: it does not say. */
async function hasApplied(
  { pair }: VerifyResult,
  head: Position,
  candidate: Connector,
  io: SiteIo,
): Promise<boolean | null> {
  if (pair === 'cross-engine') return null;
  const { applied } = await candidate.applied(io.signal);
  const reached = applied === null ? 'incomparable' : candidate.comparePositions(applied, head);
  return reached === 'incomparable' ? null : reached !== 'before';
}

/**
 * A candidate of another engine does not say what it has applied. But where every row was equal, and both sites then
 * stood still for as long as a change may take, nothing is left on the way: true. Null: not shown, which is unknown.
 * Waits only when the answer can matter.
 */
async function stoodStill(
  options: CertifyOptions,
  sites: ChosenSites,
  result: VerifyResult,
  primary: Connector,
  candidate: Connector,
  io: SiteIo,
): Promise<true | null> {
  if (!options.quiesced || result.outcome !== 'same') return null;
  const applyWithinMs = applyWithinOf(options, sites);
  const still = new StillWindow({
    primary,
    candidate,
    applyWithinMs,
    limits: DEFAULT_LIMITS,
    timing: steadyTiming(),
  });
  await still.open(io.signal);
  return (await still.holds(still.current, io.signal)) ? true : null;
}

async function writeCertificate(
  { out, key }: CertificateTarget,
  verdict: Verdict,
  policy: Policy,
  result: VerifyResult,
  facts: CurrentFacts,
  io: SiteIo,
): Promise<void> {
  const previous = await previousCertificate(out);
  const site = (
    identity: Identity | null,
    position: string | null,
    clockSkewMs: number | null,
  ): CertifiedSite => ({
    identity,
    position,
    clockSkewMs,
  });
  const statement = buildStatement({
    verdict,
    policy,
    primary: site(result.primary.identity, result.primary.position, facts.primarySkewMs),
    candidate: site(result.candidate.identity, result.candidate.position, facts.candidateSkewMs),
    startedAt: result.startedAt,
    finishedAt: result.finishedAt,
    provenAt: result.resumed?.provenSince ?? result.startedAt,
    pair: result.pair,
    digest: 'xxh64',
    tables: result.tables.map(({ table, outcome, encoding, method, rows }) => ({
      table,
      outcome,
      encoding,
      method,
      rows: { primary: rows.primary.toString(), candidate: rows.candidate.toString() },
    })),
    resultJson: verifyJson(result),
    tool: { version: toolVersion(), sha256: null },
    previous: previous?.payloadSha256 ?? null,
    issuedAt: io.now(),
    randomBytes: io.randomBytes,
  });
  await writeOutput(out, issueCertificate(statement, key));
}
