import { hostname } from 'node:os';
import type { StateConfig } from '../config/fleet.ts';
import type { LedgerConfig, SiteConfig, SystemConfig } from '../config/schema.ts';
import { messageOf, TwinproofError } from '../errors.ts';
import { Schedule } from '../service/schedule.ts';
import type { WriteLine } from '../service/watch-log.ts';
import { StateFolder, writeState } from '../state/file.ts';
import { isPromotable, lapsing } from '../state/lapse.ts';
import {
  SAMPLES_MAX,
  STATE_SCHEMA,
  type CandidateState,
  type LagPoint,
  type SystemState,
} from '../state/schema.ts';
import { CertificateFolder } from './state-certificates.ts';
import type { SiteIo } from './io.ts';
import { runLine, scheduledRun } from './scheduled-runs.ts';
import {
  judgeSystem,
  lagOfSystem,
  type JudgedSystem,
  type SampledLag,
  type StateQuestion,
} from './state-judge.ts';
import { REAL_TIMING } from './timing.ts';
import { toolVersion } from './version.ts';

/**
 * The rows and the readiness of the candidates are judged at every third writing, lag is looked at for each. While
 * somebody may promote by the verdict it is judged for each, too: what was true before a standby was paused is not then.
 */
const WRITINGS_PER_VERDICT = 3;
/** Writings in which a verdict by which somebody may promote must be confirmed, or it lapses. */
const WRITINGS_TO_CONFIRM = 2;
/** Writings that may be missed before the system counts as not watched. */
const MISSED_MAX = 3;
/** A look at a site that is slow takes longer than the shortest interval. */
const STALE_AFTER_MS_MIN = 5_000;
const STATEMENT_TIMEOUT_MS = 30_000;
/** However long it took: the sites and the ledger have other things to do. */
const REST_MS_MIN = 1_000;

export interface PublisherParts {
  readonly system: SystemConfig;
  readonly ledger: LedgerConfig | null;
  readonly state: StateConfig;
  readonly io: SiteIo;
  readonly write: WriteLine;
  /** The configuration, for what is run at certain times; certificates are kept if it has a key. */
  readonly config: string;
  readonly signed: boolean;
  /** The record of decisions, for what must be kept; null: none is kept. */
  readonly decisions: string | null;
  /** Called with each state that was written down, and the one before it. */
  readonly told?: (state: SystemState, before: SystemState | null) => void;
}

/**
 * Writes down, again and again until aborted, how a system stands: for the board, for metrics, for whoever reads the
 * file. What could not be found out this time is unknown in it; what was is never carried on.
 */
export class StatePublisher {
  readonly #parts: PublisherParts;
  readonly #startedAt: string;
  readonly #samples = new Map<string, LagPoint[]>();
  readonly #certificates: CertificateFolder;
  #judged: JudgedSystem | null = null;
  #judging: Promise<void> | null = null;
  #schedule: Schedule | null = null;
  #problem: SystemState['problem'] = null;
  #told: string | null = null;
  #last: SystemState | null = null;

  constructor(parts: PublisherParts) {
    this.#parts = parts;
    this.#startedAt = parts.io.now().toISOString();
    this.#certificates = new CertificateFolder(parts.state.path, parts.system.name);
  }

  /** Until aborted. Throws nothing: whatever goes wrong here must not end the watch. */
  async run(signal: AbortSignal): Promise<void> {
    this.#schedule = await this.#scheduled();
    await Promise.all([this.#turns(signal), this.#schedule?.run(signal)]);
    await this.#judging;
  }

  /** Null: nothing is to be done at certain times. What was done before this process began is in the state file. */
  async #scheduled(): Promise<Schedule | null> {
    const { system, state, config, signed, decisions, io, write } = this.#parts;
    const { schedules } = system.fleet;
    if (schedules.length === 0) return null;
    const before =
      (await new StateFolder(state.path).read().catch(() => null))?.get(system.name)?.state?.runs ?? [];
    const certificates = signed ? this.#certificates : null;
    const parts = { config, system, state, certificates, decisions, io };
    return new Schedule({
      schedules,
      before,
      certificateValidForMs: system.policy.certificateValidFor,
      run: (schedule, signal) => scheduledRun(parts, schedule, signal),
      tell: (record) => write(runLine(system.name, record)),
      timing: REAL_TIMING,
    });
  }

  async #turns(signal: AbortSignal): Promise<void> {
    const { every } = this.#parts.state;
    for (let turn = 0; !signal.aborted; turn += 1) {
      const startedAt = REAL_TIMING.now();
      if (turn % WRITINGS_PER_VERDICT === 0 || this.#mayPromote()) {
        this.#judging ??= this.#judge(signal).finally(() => (this.#judging = null));
      }
      await this.#publish(startedAt + every, signal);
      const rest = Math.max(REST_MS_MIN, every - (REAL_TIMING.now() - startedAt));
      await REAL_TIMING.sleep(rest, signal).catch(() => undefined);
    }
  }

  #mayPromote(): boolean {
    const verdicts = [...(this.#judged?.candidates.values() ?? [])].map(({ verdict }) => verdict);
    return verdicts.some((verdict) => verdict !== null && isPromotable(verdict.verdict));
  }

  /** A verdict may take its time, and nobody is to look unwatched meanwhile. */
  async #judgedBy(time: number): Promise<void> {
    if (this.#judging === null) return;
    const enough = new AbortController();
    const rest = Math.max(0, time - REAL_TIMING.now());
    await Promise.race([this.#judging, REAL_TIMING.sleep(rest, enough.signal).catch(() => undefined)]);
    enough.abort();
  }

  /** Waits until `time` for a verdict that is under way. */
  async #publish(time: number, signal: AbortSignal): Promise<void> {
    const { state, io } = this.#parts;
    try {
      let lag: ReadonlyMap<string, SampledLag> = new Map();
      try {
        lag = await lagOfSystem(this.#question(), { ...io, signal });
      } catch (error) {
        // Without a ledger there is none yet: judging tells.
        if (signal.aborted || !(error instanceof TwinproofError)) throw error;
      }
      for (const [name, { sample }] of lag) this.#keep(name, sample);
      await this.#judgedBy(time);
      const now = await this.#stateOf(lag);
      await writeState(state.path, now);
      this.#parts.told?.(now, this.#last);
      this.#last = now;
      this.#tell(null);
    } catch (error) {
      if (!signal.aborted) this.#tell(known(error));
    }
  }

  /** A failure takes the last verdict away with it: nothing that was is carried on. */
  async #judge(signal: AbortSignal): Promise<void> {
    const startedAt = REAL_TIMING.now();
    const { every } = this.#parts.state;
    try {
      const judged = await judgeSystem(this.#question(), { ...this.#parts.io, signal });
      const confirmMs = Math.max(STALE_AFTER_MS_MIN, every * WRITINGS_TO_CONFIRM);
      this.#judged = confirmedFor(judged, confirmMs + REAL_TIMING.now() - startedAt);
      this.#problem = null;
    } catch (error) {
      if (signal.aborted) return;
      const { code, message, hint } = known(error);
      this.#judged = null;
      this.#problem = { code, message, hint };
    }
  }

  #question(): StateQuestion {
    const { system, ledger } = this.#parts;
    return { system, ledger, statementTimeoutMs: STATEMENT_TIMEOUT_MS };
  }

  #keep(name: string, sample: LagPoint): void {
    const samples = this.#samples.get(name) ?? [];
    samples.push(sample);
    this.#samples.set(name, samples.slice(-SAMPLES_MAX));
  }

  async #stateOf(lag: ReadonlyMap<string, SampledLag>): Promise<SystemState> {
    const { system, state, io } = this.#parts;
    const judged = this.#judged;
    return {
      schema: STATE_SCHEMA,
      system: system.name,
      publisher: {
        host: hostname(),
        pid: process.pid,
        version: toolVersion(),
        startedAt: this.#startedAt,
      },
      writtenAt: io.now().toISOString(),
      everyMs: state.every,
      staleAfterMs: Math.max(STALE_AFTER_MS_MIN, state.every * MISSED_MAX),
      problem: this.#problem,
      pair: judged?.pair ?? null,
      primary: {
        site: system.primary.site,
        faultDomain: system.primary.faultDomain ?? null,
        ...(judged?.primary ?? UNKNOWN_PRIMARY),
        ...witnessOf(lag),
      },
      best: judged?.best ?? null,
      candidates: system.candidates.map((candidate) => this.#candidate(candidate, lag)),
      certificates: await this.#certificates.newest(),
      runs: [...(this.#schedule?.records ?? [])],
    };
  }

  #candidate({ name, site, faultDomain }: SiteConfig, lag: ReadonlyMap<string, SampledLag>): CandidateState {
    return {
      name,
      site,
      faultDomain: faultDomain ?? null,
      ...(this.#judged?.candidates.get(name) ?? UNKNOWN_CANDIDATE),
      recoveryPointAt: lag.get(name)?.recoveryPointAt ?? null,
      lag: lag.get(name)?.lag ?? null,
      samples: this.#samples.get(name) ?? [],
    };
  }

  /** Once for each trouble: a full disk is one line. */
  #tell(error: TwinproofError | null): void {
    const { system, write } = this.#parts;
    const message = error?.message ?? null;
    if (message === this.#told) return;
    const about = { system: system.name, site: null, event: 'state' } as const;
    if (error !== null) {
      const { code, hint } = error;
      write({
        ...about,
        level: 'warn',
        code,
        message: `how it stands could not be written down: ${error.message}`,
        hint,
      });
    } else if (this.#told !== null) {
      write({ ...about, level: 'info', message: 'how it stands is written down again' });
    }
    this.#told = message;
  }
}

function known(error: unknown): TwinproofError {
  if (error instanceof TwinproofError) return error;
  return new TwinproofError('TP-BUG', { message: messageOf(error), cause: error });
}

function confirmedFor(judged: JudgedSystem, ms: number): JudgedSystem {
  const candidates = [...judged.candidates].map(([name, one]) => {
    const verdict = one.verdict === null ? null : lapsing(one.verdict, ms);
    return [name, { ...one, verdict }] as const;
  });
  return { ...judged, candidates: new Map(candidates) };
}

const UNKNOWN_PRIMARY = {
  state: 'unknown',
  message: null,
  identity: null,
  position: null,
  witnessedUntil: null,
} as const;

const UNKNOWN_CANDIDATE = {
  silence: null,
  identity: null,
  position: null,
  verdict: null,
  outlook: null,
  rows: null,
  readiness: null,
} as const;

/** The newest witness: that of a lag sample is later than that of the verdict. */
function witnessOf(lag: ReadonlyMap<string, SampledLag>): { witnessedUntil?: string } {
  const times = [...lag.values()].flatMap(({ witnessedUntil }) =>
    witnessedUntil === null ? [] : [witnessedUntil],
  );
  const last = times.sort().at(-1);
  return last === undefined ? {} : { witnessedUntil: last };
}
