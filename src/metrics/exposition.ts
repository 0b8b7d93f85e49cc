import { Gauge, Registry, type OpenMetricsContentType } from 'prom-client';
import type { SystemConfig } from '../config/schema.ts';
import type { FleetView } from '../state/fleet-view.ts';
import type { GroupStanding } from '../state/groups.ts';
import type { MirrorStanding } from '../state/schema.ts';
import type { CandidateStanding, SystemStanding } from '../state/standing.ts';
import type { VerdictWord } from '../verdict/verdict.ts';
import { METRICS, type MetricName } from './catalog.ts';

const WORDS: readonly VerdictWord[] = ['SAFE', 'SAFE_WITH_LOSS', 'NOT_SAFE', 'UNKNOWN'];
const INTEGRITIES = ['same', 'different', 'unproven'] as const;
const MODES = ['switchover', 'failover'] as const;

/** Text format of Prometheus, or OpenMetrics 1.0. */
export type MetricsFormat = 'prometheus' | 'openmetrics';

export interface Exposition {
  readonly contentType: string;
  readonly text: string;
}

/** Every metric of a fleet as it stands. */
export async function exposition(
  view: Pick<FleetView, 'systems' | 'groups'>,
  version: string,
  format: MetricsFormat,
): Promise<Exposition> {
  const sheet = new Sheet(format);
  sheet.set('twinproof_build_info', { version }, 1);
  sheet.set('twinproof_systems', {}, view.systems.length);
  for (const { config, standing } of view.systems) writeSystem(sheet, config, standing);
  for (const group of view.groups) writeGroup(sheet, group);
  return await sheet.end();
}

type AnyRegistry = Registry | Registry<OpenMetricsContentType>;

function openMetrics(): Registry<OpenMetricsContentType> {
  const registry = new Registry<OpenMetricsContentType>();
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  return registry;
}

/** Gauges of one scrape: nothing of the last one is left in them. */
class Sheet {
  readonly #registry: AnyRegistry;
  readonly #gauges = new Map<MetricName, Gauge>();

  constructor(format: MetricsFormat) {
    this.#registry = format === 'openmetrics' ? openMetrics() : new Registry();
  }

  /** What is unknown is left out. */
  set(name: MetricName, labels: Readonly<Record<string, string>>, value: number | null | undefined): void {
    if (value === null || value === undefined || !Number.isFinite(value)) return;
    let gauge = this.#gauges.get(name);
    if (gauge === undefined) {
      const { help, labels: labelNames } = METRICS[name];
      gauge = new Gauge({ name, help, labelNames: [...labelNames], registers: [this.#registry] });
      this.#gauges.set(name, gauge);
    }
    gauge.set({ ...labels }, value);
  }

  async end(): Promise<Exposition> {
    return { contentType: this.#registry.contentType, text: await this.#registry.metrics() };
  }
}

function writeSystem(sheet: Sheet, { name, fleet, policy }: SystemConfig, standing: SystemStanding): void {
  const system = { system: name };
  const { state, fresh } = standing;
  sheet.set('twinproof_state_fresh', system, Number(fresh));
  sheet.set('twinproof_state_written_timestamp_seconds', system, secondsAt(state?.writtenAt));
  sheet.set(
    'twinproof_system_info',
    { ...system, tier: fleet.tier ?? '', owner: fleet.owner ?? '', group: fleet.group ?? '' },
    1,
  );
  for (const word of WORDS) {
    sheet.set('twinproof_system_verdict', { ...system, verdict: word }, Number(standing.verdict === word));
  }
  sheet.set('twinproof_rpo_objective_seconds', system, seconds(policy.rpo));
  sheet.set('twinproof_rto_objective_seconds', system, seconds(fleet.rto));
  sheet.set('twinproof_proof_age_objective_seconds', system, seconds(policy.maxProofAge));
  for (const candidate of standing.candidates) {
    const labels = { ...system, candidate: candidate.name };
    for (const word of WORDS) {
      sheet.set('twinproof_verdict', { ...labels, verdict: word }, Number(candidate.verdict === word));
    }
  }
  if (!fresh || state === null) return;
  const alive = { alive: 1, gone: 0, other: 0, unknown: null }[state.primary.state];
  sheet.set('twinproof_primary_alive', system, alive);
  sheet.set('twinproof_primary_witnessed_timestamp_seconds', system, secondsAt(state.primary.witnessedUntil));
  if (state.mirror !== null) writeMirror(sheet, system, state.mirror);
  for (const { name: schedule, startedAt, nextAt, outcome, missed } of state.runs) {
    const labels = { ...system, schedule };
    sheet.set('twinproof_schedule_last_start_timestamp_seconds', labels, secondsAt(startedAt));
    sheet.set('twinproof_schedule_next_timestamp_seconds', labels, secondsAt(nextAt));
    sheet.set('twinproof_schedule_failed', labels, outcome === null ? null : Number(outcome === 'failed'));
    sheet.set('twinproof_schedule_missed_runs', labels, missed);
  }
  for (const candidate of standing.candidates) {
    writeCandidate(sheet, { ...system, candidate: candidate.name }, candidate);
  }
}

function writeMirror(
  sheet: Sheet,
  labels: Readonly<Record<string, string>>,
  { reachedAt, bytesBehind, tablesMissing }: MirrorStanding,
): void {
  sheet.set('twinproof_mirror_known', labels, Number(reachedAt !== null));
  sheet.set('twinproof_mirror_reached_timestamp_seconds', labels, secondsAt(reachedAt));
  sheet.set('twinproof_mirror_behind_bytes', labels, number(bytesBehind));
  sheet.set('twinproof_mirror_missing_tables', labels, tablesMissing);
}

function writeCandidate(
  sheet: Sheet,
  labels: Readonly<Record<string, string>>,
  { candidate, doubt, outlook }: CandidateStanding,
): void {
  const { lag, rows, readiness, checked, recoveryPointAt, silence } = candidate;
  // What is not known to be promotable is UNKNOWN, also while nothing is known.
  const assumed = outlook?.verdict ?? 'UNKNOWN';
  for (const word of WORDS) {
    sheet.set('twinproof_outlook', { ...labels, verdict: word }, Number(assumed === word));
  }
  sheet.set('twinproof_candidate_up', labels, Number(silence === null));
  sheet.set('twinproof_recovery_point_timestamp_seconds', labels, secondsAt(recoveryPointAt));
  sheet.set('twinproof_recovery_point_known', labels, Number(recoveryPointAt !== null));
  sheet.set('twinproof_transport_lag_bytes', labels, number(lag?.transport.bytes));
  sheet.set('twinproof_apply_lag_bytes', labels, number(lag?.apply.bytes));
  sheet.set('twinproof_lag_transactions', labels, number(lag?.total.transactions));
  sheet.set('twinproof_proof_known', labels, Number((rows?.provenAt ?? null) !== null));
  sheet.set('twinproof_oldest_proof_timestamp_seconds', labels, secondsAt(rows?.provenAt));
  sheet.set('twinproof_unproven_tables', labels, rows?.unprovenTables);
  sheet.set('twinproof_dirty_rows', labels, number(rows?.dirty));
  sheet.set('twinproof_different_rows', labels, rows?.differences);
  for (const mode of MODES) {
    sheet.set('twinproof_readiness_blocking', { ...labels, mode }, readiness?.[mode].blocking);
    sheet.set('twinproof_readiness_unknown', { ...labels, mode }, readiness?.[mode].unknown);
  }
  sheet.set('twinproof_readiness_run_timestamp_seconds', labels, secondsAt(checked?.at));
  const verdict = doubt === null ? candidate.verdict : null;
  const lossKnown = verdict?.loss.kind === 'none' || verdict?.loss.kind === 'bounded';
  sheet.set('twinproof_loss_known', labels, Number(lossKnown));
  for (const one of INTEGRITIES) {
    const integrity = verdict?.integrity ?? 'unproven';
    sheet.set('twinproof_integrity', { ...labels, integrity: one }, Number(integrity === one));
  }
  if (verdict === null) return;
  sheet.set('twinproof_verdict_timestamp_seconds', labels, secondsAt(verdict.decidedAt));
  sheet.set('twinproof_verdict_expiry_timestamp_seconds', labels, secondsAt(verdict.expiresAt));
  sheet.set('twinproof_loss_bound_seconds', labels, lossKnown ? seconds(verdict.rpo.boundMs) : null);
  sheet.set('twinproof_loss_transactions', labels, number(verdict.loss.transactions));
  sheet.set('twinproof_coverage_tables', labels, verdict.coverage.tables);
  sheet.set('twinproof_coverage_compared_tables', labels, verdict.coverage.compared);
}

function writeGroup(sheet: Sheet, group: GroupStanding): void {
  const { name, verdict, skewMs, skewAtLeastMs, maxSkewMs, commonPointAt, ahead } = group;
  const labels = { group: name };
  for (const word of WORDS) {
    sheet.set('twinproof_group_verdict', { ...labels, verdict: word }, Number(verdict === word));
  }
  sheet.set('twinproof_group_skew_known', labels, Number(skewMs !== null));
  sheet.set('twinproof_group_skew_seconds', labels, seconds(skewMs));
  sheet.set('twinproof_group_skew_at_least_seconds', labels, seconds(skewAtLeastMs));
  sheet.set('twinproof_group_skew_objective_seconds', labels, seconds(maxSkewMs));
  sheet.set(
    'twinproof_group_common_point_timestamp_seconds',
    labels,
    secondsAt(commonPointAt?.toISOString()),
  );
  sheet.set('twinproof_group_consumers_ahead', labels, ahead.length);
}

function seconds(ms: number | null): number | null {
  return ms === null ? null : ms / 1000;
}

function secondsAt(time: string | null | undefined): number | null {
  return time === null || time === undefined ? null : Date.parse(time) / 1000;
}

/** Counts may pass 2^53: a gauge is a double, and the last digits of such a count are worth nothing. */
function number(count: string | null | undefined): number | null {
  return count === null || count === undefined ? null : Number(count);
}
