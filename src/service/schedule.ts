import type { Timing } from '../compare/timing.ts';
import type { ScheduleConfig } from '../config/fleet.ts';
import { type Times, timesOf } from './schedule-times.ts';

/** However far ahead the next run is, the clock is looked at so often: it may be set, or the machine may have slept. */
const LOOK_EVERY_MS = 30_000;
/** More missed runs than this are not counted. */
const MISSED_MAX = 1_000;

export type RunOutcome = 'ok' | 'warning' | 'critical' | 'unknown' | 'failed';

/** What became of the runs of one schedule. Times in ISO 8601, UTC. */
export interface ScheduleRecord extends ScheduleConfig {
  /** When the last run that was begun was due; null: none was. */
  readonly dueAt: string | null;
  readonly startedAt: string | null;
  /** Null: it is under way, or none was begun. */
  readonly endedAt: string | null;
  readonly outcome: RunOutcome | null;
  /** Why it failed; null: it did not. */
  readonly message: string | null;
  /** Runs that were due and were not begun: another was under way, or nobody was there. */
  readonly missed: number;
  readonly nextAt: string | null;
}

export interface RunAnswer {
  readonly outcome: RunOutcome;
  readonly message: string | null;
}

export interface ScheduleParts {
  readonly schedules: readonly ScheduleConfig[];
  /** What is known from before; by name. */
  readonly before: readonly ScheduleRecord[];
  readonly certificateValidForMs: number;
  readonly run: (schedule: ScheduleConfig, signal: AbortSignal) => Promise<RunAnswer>;
  /** Called when a run has ended otherwise than the one before, and with outcome null when some were missed. */
  readonly tell: (record: ScheduleRecord) => void;
  readonly timing: Timing;
}

/** Runs what is due, one after the other: runs never overlap, and one that was missed is counted and not made up for. */
export class Schedule {
  readonly #parts: ScheduleParts;
  readonly #times = new Map<string, Times>();
  readonly #records = new Map<string, ScheduleRecord>();

  constructor(parts: ScheduleParts) {
    this.#parts = parts;
    const now = new Date(parts.timing.now());
    for (const schedule of parts.schedules) {
      const { name, at } = schedule;
      const times = timesOf(schedule, parts.certificateValidForMs);
      this.#times.set(name, times);
      const known = parts.before.find((record) => record.name === name && record.at === at);
      const away = known?.nextAt == null ? 0 : countDue(times, new Date(Date.parse(known.nextAt) - 1), now);
      this.#records.set(name, {
        ...NOTHING,
        ...known,
        ...schedule,
        // What was under way when the process ended has no end.
        missed: (known?.missed ?? 0) + away,
        nextAt: times.after(now)?.toISOString() ?? null,
      });
      if (away > 0) parts.tell({ ...NOTHING, ...schedule, missed: (known?.missed ?? 0) + away });
    }
  }

  get records(): readonly ScheduleRecord[] {
    return [...this.#records.values()];
  }

  /** Until aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { timing } = this.#parts;
    while (!signal.aborted) {
      const next = this.#next();
      const waitMs = next === null ? LOOK_EVERY_MS : Date.parse(next.nextAt) - timing.now();
      if (next !== null && waitMs <= 0) await this.#runOne(next.record, next.nextAt, signal);
      else await timing.sleep(Math.min(LOOK_EVERY_MS, waitMs), signal).catch(() => undefined);
    }
  }

  #next(): { readonly record: ScheduleRecord; readonly nextAt: string } | null {
    let found: { record: ScheduleRecord; nextAt: string } | null = null;
    for (const record of this.#records.values()) {
      const { nextAt } = record;
      if (nextAt !== null && (found === null || nextAt < found.nextAt)) found = { record, nextAt };
    }
    return found;
  }

  async #runOne(before: ScheduleRecord, dueAt: string, signal: AbortSignal): Promise<void> {
    const { timing, run, tell } = this.#parts;
    const { name } = before;
    const startedAt = new Date(timing.now()).toISOString();
    this.#records.set(name, { ...before, dueAt, startedAt, endedAt: null, outcome: null, message: null });
    const { outcome, message } = await run(before, signal);
    const now = new Date(timing.now());
    const times = this.#times.get(name);
    const overtaken = times === undefined ? 0 : countDue(times, new Date(dueAt), now);
    const record = {
      ...before,
      dueAt,
      startedAt,
      endedAt: now.toISOString(),
      outcome,
      message,
      missed: before.missed + overtaken,
      nextAt: times?.after(now)?.toISOString() ?? null,
    };
    this.#records.set(name, record);
    if (signal.aborted) return;
    if (outcome !== before.outcome || message !== before.message) tell(record);
    if (overtaken > 0) tell({ ...record, outcome: null });
  }
}

const NOTHING = {
  dueAt: null,
  startedAt: null,
  endedAt: null,
  outcome: null,
  message: null,
  missed: 0,
  nextAt: null,
} as const;

/** How often it was due after `from` and up to `until`. */
function countDue(times: Times, from: Date, until: Date): number {
  let count = 0;
  for (
    let due = times.after(from);
    due !== null && due <= until && count < MISSED_MAX;
    due = times.after(due)
  ) {
    count += 1;
  }
  return count;
}
