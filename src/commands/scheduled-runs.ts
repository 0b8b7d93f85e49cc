import { copyFile, mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { ScheduleConfig, StateConfig } from '../config/fleet.ts';
import type { SystemConfig } from '../config/schema.ts';
import { EXIT } from '../error-codes.ts';
import { messageOf, TwinproofError } from '../errors.ts';
import { writeOutput } from '../report/output-file.ts';
import type { RunAnswer, RunOutcome } from '../service/schedule.ts';
import { chosenLedger, runLedgerCertify, type LedgerCertifyOptions } from './certify-ledger.ts';
import type { SiteIo } from './io.ts';
import { certificateFolder, LATEST } from './state-certificates.ts';

const STATEMENT_TIMEOUT_MS = 300_000;
const JOBS = 2;

export interface ScheduledParts {
  readonly config: string;
  readonly system: SystemConfig;
  readonly state: StateConfig;
  /** Certificates are signed and kept only with a key. */
  readonly signed: boolean;
  readonly io: SiteIo;
}

const OUTCOMES: Readonly<Record<number, RunOutcome>> = {
  [EXIT.ok]: 'ok',
  [EXIT.warning]: 'warning',
  [EXIT.critical]: 'critical',
  [EXIT.unknown]: 'unknown',
};

/** One scheduled run. Throws nothing: what goes wrong is its outcome. */
export async function scheduledRun(
  parts: ScheduledParts,
  { run }: ScheduleConfig,
  signal: AbortSignal,
): Promise<RunAnswer> {
  const io = { ...parts.io, signal };
  try {
    const code = run === 'certify' ? await certify(parts, io) : await verify(parts, io);
    return { outcome: OUTCOMES[code] ?? 'failed', message: null };
  } catch (error) {
    return {
      outcome: 'failed',
      message: error instanceof TwinproofError ? `${error.code}: ${error.message}` : messageOf(error),
    };
  }
}

/** The certificate of the best candidate. It is written over the last one, whose digest it carries, and kept by date. */
async function certify({ config, system, state, signed }: ScheduledParts, io: SiteIo): Promise<number> {
  const folder = certificateFolder(state.path, system.name);
  const latest = path.join(folder, LATEST);
  if (signed) await mkdir(folder, { recursive: true });
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
    out: signed ? latest : null,
    key: null,
    jobs: JOBS,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
  };
  const quiet = { ...io, stdout: () => undefined, stderr: () => undefined };
  const chosen = await chosenLedger(options, quiet);
  if (chosen === null) throw new TwinproofError('TP-LEDGER', { message: 'there is no ledger yet' });
  const code = await runLedgerCertify(options, chosen, quiet);
  if (signed)
    await copyFile(latest, path.join(folder, `${io.now().toISOString().replaceAll(/[:.]/g, '-')}.json`));
  return code;
}

/** Every row of both sites, read now; the result of each candidate is kept beside the state. The gravest counts. */
async function verify({ config, system, state }: ScheduledParts, io: SiteIo): Promise<number> {
  const { runVerifyCommand } = await import('./verify.ts');
  const folder = path.join(state.path, 'verify', system.name);
  await mkdir(folder, { recursive: true });
  let gravest: number = EXIT.ok;
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
        rowsPerSecondMax: system.scrub.rowsPerSecond,
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
    if (gravest !== EXIT.critical) gravest = code === EXIT.critical ? code : Math.max(gravest, code);
  }
  return gravest;
}
