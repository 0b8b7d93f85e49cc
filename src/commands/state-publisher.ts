import type { StateConfig } from '../config/fleet.ts';
import type { LedgerConfig, SystemConfig } from '../config/schema.ts';
import { messageOf, TwinproofError } from '../errors.ts';
import { Schedule } from '../service/schedule.ts';
import type { WriteLine } from '../service/watch-log.ts';
import { StateFolder, writeState } from '../state/file.ts';
import { isPromotable, lapsing } from '../state/lapse.ts';
import { type Rhythm, rhythmOf } from '../state/rhythm.ts';
import { type LagPoint, SAMPLES_MAX, type SystemState } from '../state/schema.ts';
import type { SiteIo } from './io.ts';
import { runLine, scheduledRun } from './scheduled-runs.ts';
import { Silences } from './silences.ts';
import { CertificateFolder } from './state-certificates.ts';
import { contentOf, withoutSilent } from './state-content.ts';
import { judgeSystem } from './state-judge.ts';
import { lookAt, type Look } from './state-look.ts';
import type { StateQuestion } from './state-question.ts';
import { ReadinessFolder } from './state-readiness.ts';
import type { JudgedSystem } from './state-verdicts.ts';
import { REAL_TIMING, steadyMs } from './timing.ts';

/**
 * The rows and the readiness of the candidates are judged in every third interval. While somebody may promote by the
 * verdict they are judged in each: what was true before a standby was paused is not then.
 */
const INTERVALS_PER_VERDICT = 3;
/** Intervals in which a verdict by which somebody may promote must be confirmed, or it lapses. */
const INTERVALS_TO_CONFIRM = 2;
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
  /** Called once an interval with the state that was written down, and the one that it was called with before. */
  readonly told?: (state: SystemState, before: SystemState | null) => void;
}

/**
 * Writes down, again and again until aborted, how a system stands: for the board, for metrics, for whoever reads the
 * file. What could not be found out this time is unknown in it; what was is never carried on.
 */
export class StatePublisher {
  readonly #parts: PublisherParts;
  readonly #rhythm: Rhythm;
  readonly #startedAt: string;
  readonly #samples = new Map<string, LagPoint[]>();
  readonly #certificates: CertificateFolder;
  readonly #readiness: ReadinessFolder;
  readonly #silences = new Silences();
  #judged: JudgedSystem | null = null;
  #judging: Promise<void> | null = null;
  /** Something has happened that makes another verdict likely. */
  #judgeSoon = false;
  #schedule: Schedule | null = null;
  #problem: SystemState['problem'] = null;
  #told: string | null = null;
  #last: SystemState | null = null;

  constructor(parts: PublisherParts) {
    const { state, system } = parts;
    this.#parts = parts;
    this.#rhythm = rhythmOf(state.every);
    this.#startedAt = parts.io.now().toISOString();
    this.#certificates = new CertificateFolder(state.path, system.name);
    this.#readiness = new ReadinessFolder(state.path, system.name);
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
    const parts = { config, system, state, certificates, readiness: this.#readiness, decisions, io };
    return new Schedule({
      schedules,
      before,
      certificateValidForMs: system.policy.certificateValidFor,
      run: async (schedule, signal) => {
        const answer = await scheduledRun(parts, schedule, signal);
        if (schedule.run === 'readiness') this.#judgeSoon = true;
        return answer;
      },
      tell: (record) => write(runLine(system.name, record)),
      timing: REAL_TIMING,
    });
  }

  async #turns(signal: AbortSignal): Promise<void> {
    const { turnMs, turnsPerInterval } = this.#rhythm;
    for (let turn = 0; !signal.aborted; turn += 1) {
      const startedAt = steadyMs();
      const interval = turn / turnsPerInterval;
      const isWhole = Number.isInteger(interval);
      const isDue = isWhole && (this.#mayPromote() || interval % INTERVALS_PER_VERDICT === 0);
      if ((isDue || this.#judgeSoon) && this.#judging === null) {
        this.#judgeSoon = false;
        this.#judging = this.#judge(signal).finally(() => (this.#judging = null));
      }
      await this.#publish(startedAt + turnMs - REST_MS_MIN, isWhole, signal);
      const rest = Math.max(REST_MS_MIN, turnMs - (steadyMs() - startedAt));
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
    const rest = Math.max(0, time - steadyMs());
    await Promise.race([this.#judging, REAL_TIMING.sleep(rest, enough.signal).catch(() => undefined)]);
    enough.abort();
  }

  /** Waits until `time` for a verdict that is under way. `isWhole`: an interval begins. */
  async #publish(time: number, isWhole: boolean, signal: AbortSignal): Promise<void> {
    const { state, told } = this.#parts;
    try {
      const look = await this.#look(signal);
      if (isWhole) this.#keepSamples(look);
      await this.#judgedBy(time);
      const now = await this.#stateNow(look);
      await writeState(state.path, now);
      if (isWhole) {
        told?.(now, this.#last);
        this.#last = now;
      }
      this.#tell(null);
    } catch (error) {
      if (!signal.aborted) this.#tell(known(error));
    }
  }

  /** Null: there is no ledger yet, which judging tells. A verdict of a site that does not answer is withdrawn. */
  async #look(signal: AbortSignal): Promise<Look | null> {
    const { system, io } = this.#parts;
    const primary = this.#mayPromote();
    let look: Look;
    try {
      look = await lookAt(this.#question(), { answerMs: this.#rhythm.answerMs, primary }, { ...io, signal });
    } catch (error) {
      if (signal.aborted || !(error instanceof TwinproofError)) throw error;
      return null;
    }
    const silences = [...look.candidates].map(([name, { silence }]) => [name, silence] as const);
    for (const [name, silence] of [...silences, [system.primary.name, look.primarySilence] as const]) {
      if (this.#silences.heard(name, silence)) this.#judgeSoon = true;
    }
    this.#withdraw();
    return look;
  }

  #withdraw(): void {
    if (this.#judged === null) return;
    this.#judged = withoutSilent(this.#judged, this.#parts.system, this.#silences);
  }

  /** A failure takes the last verdict away with it: nothing that was is carried on. */
  async #judge(signal: AbortSignal): Promise<void> {
    const startedAt = steadyMs();
    const { every } = this.#parts.state;
    try {
      const judged = await judgeSystem(this.#question(), { ...this.#parts.io, signal });
      const confirmMs = Math.max(this.#rhythm.freshMs, every * INTERVALS_TO_CONFIRM);
      const tookMs = steadyMs() - startedAt;
      const outlookMs = confirmMs + every * INTERVALS_PER_VERDICT;
      this.#judged = confirmedFor(judged, { verdict: confirmMs + tookMs, outlook: outlookMs + tookMs });
      this.#problem = null;
      this.#withdraw();
    } catch (error) {
      if (signal.aborted) return;
      const { code, message, hint } = known(error);
      this.#judged = null;
      this.#problem = { code, message, hint };
    }
  }

  #question(): StateQuestion {
    const { system, ledger } = this.#parts;
    return { system, ledger, statementTimeoutMs: STATEMENT_TIMEOUT_MS, silences: this.#silences };
  }

  #keepSamples(look: Look | null): void {
    for (const [name, { sampled }] of look?.candidates ?? []) {
      if (sampled === null) continue;
      const samples = this.#samples.get(name) ?? [];
      samples.push(sampled.sample);
      this.#samples.set(name, samples.slice(-SAMPLES_MAX));
    }
  }

  async #stateNow(look: Look | null): Promise<SystemState> {
    const { system, ledger, state, io } = this.#parts;
    return contentOf({
      system,
      state,
      mirrored: ledger?.mirror !== undefined,
      startedAt: this.#startedAt,
      writtenAt: io.now().toISOString(),
      problem: this.#problem,
      judged: this.#judged,
      look,
      samples: this.#samples,
      checked: await this.#readiness.newest(system.candidates.map(({ name }) => name)),
      certificates: await this.#certificates.newest(),
      runs: [...(this.#schedule?.records ?? [])],
    });
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

/** An outlook is judged in every third interval, whatever it says; it lapses, too, where judging does not end. */
function confirmedFor(
  judged: JudgedSystem,
  ms: { readonly verdict: number; readonly outlook: number },
): JudgedSystem {
  const candidates = [...judged.candidates].map(([name, one]) => {
    const verdict = one.verdict === null ? null : lapsing(one.verdict, ms.verdict);
    const outlook = one.outlook === null ? null : lapsing(one.outlook, ms.outlook);
    return [name, { ...one, verdict, outlook }] as const;
  });
  return { ...judged, candidates: new Map(candidates) };
}
