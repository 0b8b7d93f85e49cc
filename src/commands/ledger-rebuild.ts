import type { LedgerConfig } from '../config/schema.ts';
import { parseUrl, redactAddress } from '../config/url.ts';
import type { MirrorLog } from '../connector/mirror-log.ts';
import { EXIT } from '../error-codes.ts';
import { TwinproofError } from '../errors.ts';
import { Ledger } from '../ledger/ledger.ts';
import { ledgerOptions } from '../ledger/options.ts';
import { rebuildLedger } from '../ledger/rebuild.ts';
import { showLedger } from '../ledger/show.ts';
import { isWhole, ledgerJson, ledgerText, momentText } from '../report/ledger-text.ts';
import { countText } from '../report/quantity.ts';
import { terminalJson, terminalText } from '../report/terminal-text.ts';
import type { SiteIo } from './io.ts';
import { mirrorTopic } from './mirror-target.ts';
import { readConfig, systemNamed } from './sites.ts';

const TELL_EVERY_MS = 5000;

export interface LedgerRebuildOptions {
  readonly config: string | null;
  readonly system: string | null;
  /** Address of the topic; null: the configuration says it. */
  readonly from: string | null;
  /** As `ledger.path`; null: the configuration says it. */
  readonly ledger: string | null;
  readonly format: 'text' | 'json';
}

interface Plan {
  readonly system: string;
  readonly ledger: LedgerConfig;
  readonly from: string;
  readonly open: () => Promise<MirrorLog>;
}

/**
 * `twinproof ledger rebuild`: 0 when every table of what was rebuilt is complete, 1 when one is not. Throws
 * TP-LEDGER-REBUILD, TP-USAGE, TP-CONFIG, and what the brokers say.
 */
export async function runLedgerRebuild(options: LedgerRebuildOptions, io: SiteIo): Promise<number> {
  const { system, ledger, from, open } = await planOf(options, io);
  const context = { source: null, comparePositions: notCompared, now: io.now };
  const made = ledgerOptions(ledger, system, context);
  const log = await open();
  try {
    const progress = teller(io);
    const { folder } = made;
    const rebuilt = await rebuildLedger(log, { folder, system, from, now: io.now, progress }, io.signal);
    const { unfinishedAtUs, begunAtUs, strange } = rebuilt;
    if (strange !== null)
      io.stderr(`warning: something else stands in the mirror: ${terminalText(strange)}\n`);
    if (unfinishedAtUs !== null) {
      const when = `begun at ${momentText(unfinishedAtUs)}`;
      io.stderr(
        `warning: the mirror was ${when} anew and is not whole since: this is what was mirrored before\n`,
      );
    }
    io.stderr(`rebuilt in ${folder}, from what was mirrored since ${momentText(begunAtUs)}\n`);
  } finally {
    await log.close();
  }
  const rebuilt = await Ledger.read(made);
  try {
    const shown = showLedger(rebuilt);
    io.stdout(
      options.format === 'json' ? `${terminalJson(ledgerJson(shown), 2)}\n` : ledgerText(shown, io.screen),
    );
    return isWhole(shown) ? EXIT.ok : EXIT.warning;
  } finally {
    await rebuilt.close();
  }
}

async function planOf(options: LedgerRebuildOptions, io: SiteIo): Promise<Plan> {
  const config = options.config === null ? null : await readConfig(options.config, io);
  const system = config === null ? options.system : systemNamed(config, options.system).name;
  const path = options.ledger ?? config?.ledger?.path ?? null;
  if (system === null || path === null) {
    throw usage('give --config with a ledger; or --system, --ledger and --from');
  }
  const ledger = { path, retention: { time: null, size: null } };
  if (options.from !== null) return { system, ledger, ...openAt(options.from, io) };
  const mirror = config?.ledger?.mirror;
  const { openMirror } = io;
  if (config === null || mirror === undefined || openMirror === undefined) {
    throw usage('the configuration has no ledger.mirror: give --from kafka://host:9092/topic');
  }
  const topic = mirrorTopic(mirror, system, config.systems.length);
  const from = `kafka://${mirror.brokers[0] ?? ''}/${topic}`;
  return { system, ledger, from, open: () => openMirror(mirror, topic) };
}

function openAt(typed: string, io: SiteIo): Pick<Plan, 'from' | 'open'> {
  const { address, warnings } = parseUrl(typed, 'argument');
  const { openMirrorAt } = io;
  if (address.engine !== 'kafka' || openMirrorAt === undefined) {
    throw usage('--from is an address such as kafka://host:9092/topic');
  }
  for (const warning of warnings) io.stderr(`warning: ${warning}\n`);
  return { from: redactAddress(address), open: () => openMirrorAt(address) };
}

/** A line now and then, where it takes long. */
function teller(io: SiteIo): (read: bigint, all: bigint) => void {
  let toldMs = io.now().getTime();
  return (read, all) => {
    const nowMs = io.now().getTime();
    if (nowMs - toldMs < TELL_EVERY_MS) return;
    toldMs = nowMs;
    io.stderr(`read ${countText(read)} of ${countText(all)} records\n`);
  };
}

function usage(hint: string): TwinproofError {
  return new TwinproofError('TP-USAGE', { message: 'what is to be rebuilt, and where, is not said', hint });
}

/** Neither rebuilding nor showing asks a connector what positions mean. */
function notCompared(): never {
  throw new TwinproofError('TP-BUG', { message: 'positions are compared without a connector' });
}
