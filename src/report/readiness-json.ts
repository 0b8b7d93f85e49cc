import { publicIdentity, type Identity } from '../connector/identity.ts';
import type { PairKind } from '../connector/table.ts';
import type { ReadinessResult } from '../readiness/judge.ts';
import type { ModeSeverity, PromotionMode, ReadinessSite, ReadinessState } from '../readiness/rule.ts';
import { summarise, type ReadinessSummary } from '../readiness/summary.ts';

export const READINESS_SCHEMA = 'twinproof.readiness/v1';

/** What the command has found. */
export interface ReadinessReport {
  readonly pair: PairKind;
  readonly refusal: { readonly code: string; readonly message: string } | null;
  /** What the exit code is about. */
  readonly mode: PromotionMode;
  readonly checkedAt: Date;
  readonly primary: ReportedSite;
  readonly candidate: ReportedSite;
  readonly results: readonly ReadinessResult[];
}

export interface ReportedSite extends ReadinessSite {
  readonly label: string | null;
  readonly silence: string | null;
}

export interface ReadinessJson {
  readonly schema: typeof READINESS_SCHEMA;
  readonly pair: PairKind;
  readonly mode: PromotionMode;
  readonly switchover: ReadinessSummary;
  readonly failover: ReadinessSummary;
  readonly checkedAt: string;
  readonly primary: ReadinessSiteJson;
  readonly candidate: ReadinessSiteJson;
  /** Why the two are no pair; null: they are. */
  readonly refusal: { readonly code: string; readonly message: string } | null;
  readonly results: readonly ReadinessResultJson[];
}

export interface ReadinessSiteJson {
  readonly site: string | null;
  readonly identity: Identity | null;
  /** Why it did not answer; null: it did. */
  readonly silence: string | null;
  /** When what stands in for its answer was read; null: nothing does, or it answered. */
  readonly rememberedAt: string | null;
}

export interface ReadinessResultJson {
  readonly code: string;
  readonly state: ReadinessState;
  readonly severity: ModeSeverity;
  readonly subject: string;
  readonly message: string;
  readonly hint: string;
  readonly docs: readonly string[];
  readonly waiver: {
    readonly by: string;
    readonly reason: string;
    readonly until: string;
  } | null;
}

export function readinessJson(report: ReadinessReport): ReadinessJson {
  const { pair, mode, results, refusal, checkedAt, primary, candidate } = report;
  return {
    schema: READINESS_SCHEMA,
    pair,
    mode,
    switchover: summarise(results, 'switchover'),
    failover: summarise(results, 'failover'),
    checkedAt: checkedAt.toISOString(),
    primary: siteJson(primary),
    candidate: siteJson(candidate),
    refusal,
    results: results.map(resultJson),
  };
}

function resultJson({ waiver, ...result }: ReadinessResult): ReadinessResultJson {
  if (waiver === null) return { ...result, waiver };
  const { by, reason, until } = waiver;
  return { ...result, waiver: { by, reason, until: until.toISOString() } };
}

function siteJson({ label, identity, silence, rememberedAt }: ReportedSite): ReadinessSiteJson {
  return {
    site: label,
    identity: identity === null ? null : publicIdentity(identity),
    silence,
    rememberedAt: rememberedAt?.toISOString() ?? null,
  };
}
