import { EXIT } from '../error-codes.ts';
import { TwinproofError } from '../errors.ts';
import { checkLedger } from '../ledger/check.ts';
import { contentOf } from '../ledger/content.ts';
import { Ledger } from '../ledger/ledger.ts';
import { ledgerOptions } from '../ledger/options.ts';
import { showLedger } from '../ledger/show.ts';
import { checkJson, checkText, isWhole, ledgerJson, ledgerText } from '../report/ledger-text.ts';
import { terminalJson } from '../report/terminal-text.ts';
import type { SiteIo } from './io.ts';
import { readConfig, systemNamed } from './sites.ts';

export interface LedgerCommandOptions {
  readonly config: string;
  readonly system: string | null;
  readonly format: 'text' | 'json';
  readonly all: boolean;
}

/** `twinproof ledger show`: 0 when every table is complete, 1 when one is not. Throws TP-LEDGER…, TP-CONFIG, TP-USAGE. */
export async function runLedgerShow(options: LedgerCommandOptions, io: SiteIo): Promise<number> {
  const shown = await withLedger(options, io, showLedger);
  io.stdout(
    options.format === 'json'
      ? `${terminalJson(ledgerJson(shown), 2)}\n`
      : ledgerText(shown, { ...io.screen, showAllTables: options.all }),
  );
  return isWhole(shown) ? EXIT.ok : EXIT.warning;
}

/** `twinproof ledger check`: 0 when the store agrees with itself, 2 when it does not. Throws as runLedgerShow. */
export async function runLedgerCheck(options: LedgerCommandOptions, io: SiteIo): Promise<number> {
  const result = await withLedger(options, io, ({ core }) => ({
    ...checkLedger(core),
    content: contentOf(core),
  }));
  io.stdout(
    options.format === 'json'
      ? `${terminalJson(checkJson(result), 2)}\n`
      : checkText(result, { ...io.screen, showAllTables: options.all }),
  );
  return result.problems.length === 0 ? EXIT.ok : EXIT.critical;
}

async function withLedger<T>(
  { config: file, system: typed }: LedgerCommandOptions,
  io: SiteIo,
  work: (ledger: Ledger) => T,
): Promise<T> {
  const config = await readConfig(file, io);
  const { name } = systemNamed(config, typed);
  const ledger = await Ledger.read(
    ledgerOptions(config.ledger, name, { source: null, comparePositions: notCompared, now: io.now }),
  );
  try {
    return work(ledger);
  } finally {
    await ledger.close();
  }
}

/** Neither showing nor checking asks a connector what positions mean. */
function notCompared(): never {
  throw new TwinproofError('TP-BUG', { message: 'positions are compared without a connector' });
}
