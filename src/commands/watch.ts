import type { Config } from '../config/load.ts';
import type { LedgerConfig, SiteConfig, SystemConfig } from '../config/schema.ts';
import { ledgerSite } from '../connector/ledger-sites.ts';
import { EXIT } from '../error-codes.ts';
import { TwinproofError } from '../errors.ts';
import { terminalJson, terminalText } from '../report/terminal-text.ts';
import { stateMessages } from '../service/published-messages.ts';
import { SystemWatch, type WatchParts, type WatchResult } from '../service/system-watch.ts';
import type { WatchLine, WriteLine } from '../service/watch-log.ts';
import type { SystemState } from '../state/schema.ts';
import type { SiteIo } from './io.ts';
import { mirrorTarget } from './mirror-target.ts';
import { startPublishing } from './publishing.ts';
import { readConfig } from './sites.ts';
import { REAL_TIMING } from './timing.ts';

const STATUS_EVERY_MS = 60_000;
/** Connections that read rows: the primary and each candidate are read in small portions, one after the other. */
const JOBS = 2;

export interface WatchOptions {
  readonly config: string;
  /** Empty: all of the configuration. */
  readonly systems: readonly string[];
  readonly once: boolean;
  /** Milliseconds for the whole run; null: no limit. */
  readonly timeoutMs: number | null;
  readonly statementTimeoutMs: number;
  readonly quiet: boolean;
  readonly format: 'text' | 'json';
}

/** `twinproof watch`. The answer is the exit code. */
export async function runWatch(options: WatchOptions, io: SiteIo): Promise<number> {
  const config = await readConfig(options.config, io);
  for (const warning of config.warnings) io.stderr(`warning: ${warning}\n`);
  const systems = chosenSystems(config.systems, options.systems);
  const timer = new AbortController();
  const timeout =
    options.timeoutMs === null ? null : setTimeout(() => timer.abort(), options.timeoutMs).unref();
  const signal = AbortSignal.any([io.signal, timer.signal]);
  const write = writer(options.format, io);
  const common = watchParts(options, config.ledger, io, write);
  const watched = systems.map((system) => ({
    system,
    parts: {
      ...common,
      mirror: mirrorTarget(config.ledger, system.name, config.systems.length, io),
    },
  }));
  try {
    const ended = await Promise.allSettled(
      watched.map(({ system, parts }) =>
        publishing({ config, system, once: options.once, io, write }, signal, () =>
          watchOne(system, parts, write, systems.length > 1, signal),
        ),
      ),
    );
    if (timer.signal.aborted && !io.signal.aborted) throw outOfTime();
    return exitCode(ended);
  } finally {
    if (timeout !== null) clearTimeout(timeout);
  }
}

interface Published {
  readonly config: Pick<Config, 'file' | 'signing' | 'ledger' | 'state' | 'kafka' | 'board'>;
  readonly system: SystemConfig;
  readonly once: boolean;
  readonly io: SiteIo;
  readonly write: WriteLine;
}

/** As long as a system is watched, how it stands is written down beside the ledger, and told to a topic. */
async function publishing<T>(
  { config, system, once, io, write }: Published,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  const { state, ledger, kafka } = config;
  if (state === null || once) return await work();
  const { StatePublisher } = await import('./state-publisher.ts');
  const stop = new AbortController();
  const topic = startPublishing(kafka, io, ({ failing, code, message, hint }) => {
    const level = failing ? 'warn' : 'info';
    const detail = { ...(code === null ? {} : { code }), ...(hint === null ? {} : { hint }) };
    write({ level, system: system.name, site: null, event: 'publish', message, ...detail });
  });
  const told = (now: SystemState, before: SystemState | null): void =>
    topic?.publish(stateMessages(now, before, system.policy.rpo));
  const publisher = new StatePublisher({
    system,
    ledger,
    state,
    io,
    write,
    config: config.file,
    signed: config.signing !== null,
    decisions: config.board?.decisions ?? null,
    told,
  });
  const published = publisher.run(AbortSignal.any([signal, stop.signal]));
  try {
    return await work();
  } finally {
    stop.abort();
    await published;
    await topic?.close();
  }
}

function outOfTime(): TwinproofError {
  const hint = 'run it again: what the ledger holds and what is proven stays; or raise --timeout';
  return new TwinproofError('TP-TIMEOUT', { hint });
}

/** With several systems the end of one is told at once: the others go on. */
async function watchOne(
  system: SystemConfig,
  parts: WatchParts,
  write: WriteLine,
  tell: boolean,
  signal: AbortSignal,
): Promise<WatchResult | null> {
  try {
    return await new SystemWatch(system, parts).run(signal);
  } catch (error) {
    if (tell && error instanceof TwinproofError) {
      const { code, message, hint } = error;
      write({ level: 'error', system: system.name, site: null, event: 'end', code, message, hint });
    }
    throw error;
  }
}

function watchParts(
  options: WatchOptions,
  ledger: LedgerConfig | null,
  io: SiteIo,
  write: WriteLine,
): WatchParts {
  const { statementTimeoutMs, quiet, once } = options;
  return {
    ledger,
    connect: async (site: SiteConfig, own: AbortSignal) =>
      ledgerSite(
        await io.connect(site.address, { jobs: JOBS, statementTimeoutMs, stream: site.stream }, own),
      ),
    timing: REAL_TIMING,
    random: Math.random,
    write,
    statusEveryMs: quiet ? null : STATUS_EVERY_MS,
    once,
  };
}

function chosenSystems(all: readonly SystemConfig[], names: readonly string[]): readonly SystemConfig[] {
  if (names.length === 0) return all;
  const unknown = names.find((name) => all.every((system) => system.name !== name));
  if (unknown !== undefined) {
    const known = all.map(({ name }) => name).join(', ');
    throw new TwinproofError('TP-USAGE', {
      message: `the configuration has no such system; it has ${known}`,
    });
  }
  return all.filter(({ name }) => names.includes(name));
}

/** The gravest end of all systems; the only one's error is thrown. */
function exitCode(ended: readonly PromiseSettledResult<WatchResult | null>[]): number {
  let code: number = EXIT.ok;
  for (const one of ended) {
    if (one.status === 'rejected') {
      if (ended.length === 1) throw one.reason;
      code = Math.max(code, one.reason instanceof TwinproofError ? one.reason.exitCode : EXIT.bug);
    } else if (one.value !== null) {
      const { differences, unproven } = one.value;
      const own = unproven.length > 0 ? EXIT.unknown : EXIT.ok;
      code = Math.max(code, differences > 0 ? EXIT.critical : own);
    }
  }
  return code;
}

function writer(format: 'text' | 'json', io: SiteIo): WriteLine {
  return (line) => {
    const time = io.now().toISOString();
    io.stderr(format === 'json' ? `${terminalJson({ time, ...line })}\n` : textLine(time, line));
  };
}

function textLine(time: string, { level, system, site, code, message, hint }: WatchLine): string {
  const subject = site === null ? system : `${system}/${site}`;
  const head = `${time} ${level} ${subject}: ${code === undefined ? '' : `${code}: `}${terminalText(message)}`;
  return hint === undefined ? `${head}\n` : `${head}\n  hint: ${terminalText(hint)}\n`;
}
