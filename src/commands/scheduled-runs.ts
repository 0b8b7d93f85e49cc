import path from 'node:path';
import type { ScheduleConfig, StateConfig } from '../config/fleet.ts';
import { makeFolder } from '../config/made-folder.ts';
import type { SystemConfig } from '../config/schema.ts';
import { ScrubRates } from '../config/scrub.ts';
import { EXIT } from '../error-codes.ts';
import { messageOf, TwinproofError } from '../errors.ts';
import { writeOutput } from '../report/output-file.ts';
import type { RunAnswer, RunOutcome, ScheduleRecord } from '../service/schedule.ts';
import type { WatchLine } from '../service/watch-log.ts';
import { decisionText } from '../board/decision-text.ts';
import { chosenLedger, runLedgerCertify, type LedgerCertifyOptions } from './certify-ledger.ts';
import { inTime } from './in-time.ts';
import type { SiteIo } from './io.ts';
import type { CertificateFolder } from './state-certificates.ts';
import type { ReadinessFolder } from './state-readiness.ts';

const STATEMENT_TIMEOUT_MS = 300_000;
const JOBS = 2;

export interface ScheduledParts {
  readonly config: string;
  readonly system: SystemConfig;
  readonly state: StateConfig;
  /** Where certificates are kept; null: without a key none is. */
  readonly certificates: CertificateFolder | null;
  /** Where what readiness has found is kept. */
  readonly readiness: ReadinessFolder;
  /** The record of decisions, whose certificates are kept for ever; null: none is kept. */
  readonly decisions: string | null;
  readonly io: SiteIo;
}

const OUTCOMES: Readonly<Record<number, RunOutcome>> = {
  [EXIT.ok]: 'ok',
  [EXIT.warning]: 'warning',
  [EXIT.critical]: 'critical',
  [EXIT.unknown]: 'unknown',
};

const RUNS: Readonly<Record<ScheduleConfig['run'], (parts: ScheduledParts, io: SiteIo) => Promise<number>>> =
  { certify, verify, readiness };

/** Behind a server that hangs the next run would never be begun. */
const LONGEST_MS = { certify: 3_600_000, verify: 86_400_000, readiness: 600_000 } as const;

/** One scheduled run. Throws nothing: what goes wrong is its outcome. */
export async function scheduledRun(
  parts: ScheduledParts,
  { run }: ScheduleConfig,
  signal: AbortSignal,
): Promise<RunAnswer> {
  try {
    const code = await inTime({ ms: LONGEST_MS[run], signal }, (own) =>
      RUNS[run](parts, { ...parts.io, signal: own }),
    );
    return { outcome: OUTCOMES[code] ?? 'failed', message: null };
  } catch (error) {
    return {
      outcome: 'failed',
      message: error instanceof TwinproofError ? `${error.code}: ${error.message}` : messageOf(error),
    };
  }
}

/** One line of the log when a run has ended, and when some were missed. */
export function runLine(system: string, { name, outcome, message, missed }: ScheduleRecord): WatchLine {
  const about = { system, site: null, event: `schedule ${name}` } as const;
  if (outcome === null) {
    const hint = 'another run was under way when it was due, or nobody watched the system';
    return { ...about, level: 'warn', message: `${name} was missed, ${missed} times by now`, hint };
  }
  const level = outcome === 'ok' ? 'info' : 'warn';
  return { ...about, level, message: `${name} ended: ${outcome}${message === null ? '' : `, ${message}`}` };
}

/** The certificate of the best candidate. It is written over the last one, whose digest it carries, and kept by date. */
async function certify({ config, system, state, certificates, decisions }: ScheduledParts, io: SiteIo) {
  const options: LedgerCertifyOptions = {
    config,
    system: system.name,
    primary: null,
    candidate: null,
    ledger: true,
    mode: null,
    primaryLost: false,
    fence: null,
    quiesced: false,
    losses: null,
    format: 'json',
    out: (await certificates?.latest()) ?? null,
    key: null,
    jobs: JOBS,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
  };
  const quiet = { ...io, stdout: () => undefined, stderr: () => undefined };
  const chosen = await chosenLedger(options, quiet);
  if (chosen === null) throw new TwinproofError('TP-LEDGER', { message: 'there is no ledger yet' });
  const code = await runLedgerCertify(options, chosen, quiet);
  await certificates?.keepLatest(io.now());
  const named = await decisionText(decisions);
  if (named !== null) await certificates?.prune(state.keepCertificates, (text) => named.includes(text));
  return code;
}

/** Every row of both sites, read now; the result of each candidate is kept beside the state. The gravest counts. */
async function verify({ config, system, state }: ScheduledParts, io: SiteIo): Promise<number> {
  const { runVerifyCommand } = await import('./verify.ts');
  const folder = path.join(state.path, 'verify', system.name);
  await makeFolder(folder);
  let gravest: number = EXIT.ok;
  const rate = new ScrubRates(system.scrub).at(io.now().getTime());
  // Hours in which nothing is scrubbed do not stand against what somebody has put into them.
  const rowsPerSecondMax = rate === 0 ? system.scrub.rowsPerSecond : rate;
  for (const { name } of system.candidates) {
    let result = '';
    const quiet = { ...io, stdout: (text: string) => void (result += text), stderr: () => undefined };
    const code = await runVerifyCommand(
      {
        config,
        system: system.name,
        primary: null,
        candidate: name,
        tables: [],
        exclude: [],
        jobs: JOBS,
        workers: 0,
        differences: null,
        timeoutMs: null,
        statementTimeoutMs: STATEMENT_TIMEOUT_MS,
        rowsPerSecondMax,
        lagMaxMs: null,
        applyWithinMs: null,
        state: null,
        showValues: false,
        quiet: true,
        format: 'json',
        out: null,
        all: false,
      },
      quiet,
    );
    await writeOutput(path.join(folder, `${name}.json`), result);
    gravest = graver(gravest, code);
  }
  return gravest;
}

function graver(one: number, other: number): number {
  return one === EXIT.critical || other === EXIT.critical ? EXIT.critical : Math.max(one, other);
}

/**
 * Everything but the rows, of each candidate; what one comes to stays beside the state until the next. One that cannot be
 * asked keeps none of the others from it.
 */
async function readiness({ config, system, readiness: kept }: ScheduledParts, io: SiteIo): Promise<number> {
  const { runReadiness } = await import('./readiness.ts');
  let gravest: number = EXIT.ok;
  let failure: unknown = null;
  for (const { name } of system.candidates) {
    let result = '';
    const quiet = { ...io, stdout: (text: string) => void (result += text), stderr: () => undefined };
    try {
      const code = await runReadiness(
        {
          config,
          system: system.name,
          primary: null,
          candidate: name,
          mode: null,
          primaryLost: false,
          deep: false,
          statementTimeoutMs: STATEMENT_TIMEOUT_MS,
          format: 'json',
        },
        quiet,
      );
      await kept.keep(name, result);
      gravest = graver(gravest, code);
    } catch (error) {
      if (io.signal.aborted) throw error;
      failure ??= error;
    }
  }
  if (failure !== null) throw failure;
  return gravest;
}
