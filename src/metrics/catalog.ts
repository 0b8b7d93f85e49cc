/** What is exported, and by which labels it is told apart. */
interface Entry {
  readonly help: string;
  readonly labels: readonly string[];
}

const SYSTEM = ['system'] as const;
const CANDIDATE = ['system', 'candidate'] as const;

/**
 * Every metric. Times are timestamps (seconds since 1970), never ages, so that a rule computes the age and a stopped
 * exporter does not look healthy. What is unknown is absent, and `…_known` says 0: no 0 and no −1 stands for it. Of a
 * system whose publisher has stopped only `twinproof_state_*` and the verdict UNKNOWN are left.
 *
 * Series: about 16 a system and 35 a candidate, whatever the number of its tables or rows.
 */
export const METRICS = {
  twinproof_build_info: { help: 'Version of the exporter, as a label; always 1.', labels: ['version'] },
  twinproof_systems: { help: 'Systems in the configuration.', labels: [] },
  twinproof_state_written_timestamp_seconds: {
    help: 'When the process that watches the system last wrote down how it stands.',
    labels: SYSTEM,
  },
  twinproof_state_fresh: {
    help: '1 when that was lately enough to speak of now, 0 when it was not, or was never.',
    labels: SYSTEM,
  },
  twinproof_system_info: {
    help: 'Tier, owner and group of the system, as labels; always 1.',
    labels: ['system', 'tier', 'owner', 'group'],
  },
  twinproof_verdict: {
    help: 'The verdict that holds now: 1 for this word, 0 for the others.',
    labels: ['system', 'candidate', 'verdict'],
  },
  twinproof_system_verdict: {
    help: 'The verdict of the best candidate: 1 for this word, 0 for the others.',
    labels: ['system', 'verdict'],
  },
  twinproof_outlook: {
    help: 'The verdict of a failover if the primary were lost and fenced now: 1 for this word, 0 for the others.',
    labels: ['system', 'candidate', 'verdict'],
  },
  twinproof_verdict_timestamp_seconds: { help: 'When the verdict was reached.', labels: CANDIDATE },
  twinproof_verdict_expiry_timestamp_seconds: { help: 'When the verdict lapses.', labels: CANDIDATE },
  twinproof_integrity: {
    help: 'What is proven of the rows: 1 for this outcome, 0 for the others.',
    labels: ['system', 'candidate', 'integrity'],
  },
  twinproof_primary_alive: {
    help: '1 when the primary answered, 0 when nobody did; absent when it is not known.',
    labels: SYSTEM,
  },
  twinproof_primary_witnessed_timestamp_seconds: {
    help: 'Everything that the primary had committed by then is in the ledger, on the primary’s clock.',
    labels: SYSTEM,
  },
  twinproof_mirror_known: {
    help: '1 when a ledger could be rebuilt from the mirror, else 0; absent when there is to be no mirror.',
    labels: SYSTEM,
  },
  twinproof_mirror_reached_timestamp_seconds: {
    help: 'A ledger as this one was then could be rebuilt from the mirror; absent when none could.',
    labels: SYSTEM,
  },
  twinproof_mirror_behind_bytes: {
    help: 'Journal of the ledger that is not in the mirror yet.',
    labels: SYSTEM,
  },
  twinproof_mirror_missing_tables: {
    help: 'Tables that are complete in the ledger and would not be in one rebuilt from the mirror.',
    labels: SYSTEM,
  },
  twinproof_rpo_objective_seconds: { help: 'Loss that the policy accepts.', labels: SYSTEM },
  twinproof_rto_objective_seconds: { help: 'Within what time the system is to run again.', labels: SYSTEM },
  twinproof_candidate_up: { help: '1 when the candidate answered, 0 when it did not.', labels: CANDIDATE },
  twinproof_recovery_point_timestamp_seconds: {
    help: 'Everything that the primary had committed by then is on the candidate, on the primary’s clock.',
    labels: CANDIDATE,
  },
  twinproof_recovery_point_known: { help: '1 when the recovery point is known, else 0.', labels: CANDIDATE },
  twinproof_transport_lag_bytes: { help: 'Log that the candidate has not received.', labels: CANDIDATE },
  twinproof_apply_lag_bytes: { help: 'Log that it has received and not applied.', labels: CANDIDATE },
  twinproof_lag_transactions: {
    help: 'Transactions in scope that it has not applied; absent when unknown.',
    labels: CANDIDATE,
  },
  twinproof_loss_known: {
    help: '1 when the verdict says that nothing is lost, or at most how much; else 0.',
    labels: CANDIDATE,
  },
  twinproof_loss_bound_seconds: {
    help: 'At most so many seconds of commits are lost; absent when no bound is known.',
    labels: CANDIDATE,
  },
  twinproof_loss_transactions: { help: 'Transactions that are known to be lost.', labels: CANDIDATE },
  twinproof_oldest_proof_timestamp_seconds: {
    help: 'When the oldest proof of a row was begun; absent unless all rows in scope are proven.',
    labels: CANDIDATE,
  },
  twinproof_proof_age_objective_seconds: { help: 'Oldest proof that the policy accepts.', labels: SYSTEM },
  twinproof_proof_known: { help: '1 when every row in scope is proven, else 0.', labels: CANDIDATE },
  twinproof_unproven_tables: { help: 'Tables of which something is not proven.', labels: CANDIDATE },
  twinproof_dirty_rows: {
    help: 'Rows that changed and were not looked at on the candidate yet.',
    labels: CANDIDATE,
  },
  twinproof_different_rows: { help: 'Rows that are known to differ; a lower bound.', labels: CANDIDATE },
  twinproof_coverage_tables: { help: 'Tables in scope.', labels: CANDIDATE },
  twinproof_coverage_compared_tables: { help: 'Tables in scope that were compared.', labels: CANDIDATE },
  twinproof_readiness_blocking: {
    help: 'Readiness checks that stand against a promotion.',
    labels: ['system', 'candidate', 'mode'],
  },
  twinproof_readiness_unknown: {
    help: 'Readiness checks that would block and could not be made.',
    labels: ['system', 'candidate', 'mode'],
  },
  twinproof_readiness_run_timestamp_seconds: {
    help: 'When the last scheduled run of readiness looked at the candidate; absent when none did.',
    labels: CANDIDATE,
  },
  twinproof_schedule_last_start_timestamp_seconds: {
    help: 'When the last scheduled run was begun.',
    labels: ['system', 'schedule'],
  },
  twinproof_schedule_next_timestamp_seconds: {
    help: 'When the next scheduled run is due.',
    labels: ['system', 'schedule'],
  },
  twinproof_schedule_failed: {
    help: '1 when the last scheduled run could not be made; absent when none was.',
    labels: ['system', 'schedule'],
  },
  twinproof_schedule_missed_runs: {
    help: 'Scheduled runs that were due and were not begun.',
    labels: ['system', 'schedule'],
  },
  twinproof_group_verdict: {
    help: 'The verdict of a consistency group: 1 for this word, 0 for the others.',
    labels: ['group', 'verdict'],
  },
  twinproof_group_skew_seconds: {
    help: 'From the oldest to the newest recovery point of a consistency group as they were seen; absent when unknown.',
    labels: ['group'],
  },
  twinproof_group_skew_at_least_seconds: {
    help: 'What is left of the skew if points that were seen earlier have gone on since; absent when unknown.',
    labels: ['group'],
  },
  twinproof_group_skew_known: { help: '1 when the skew of the group is known, else 0.', labels: ['group'] },
  twinproof_group_skew_objective_seconds: { help: 'Skew that the policy accepts.', labels: ['group'] },
  twinproof_group_common_point_timestamp_seconds: {
    help: 'The newest moment that every member of the group has reached.',
    labels: ['group'],
  },
  twinproof_group_consumers_ahead: {
    help: 'How many times a member stands ahead of another one that it depends on.',
    labels: ['group'],
  },
} as const satisfies Readonly<Record<string, Entry>>;

export type MetricName = keyof typeof METRICS;
