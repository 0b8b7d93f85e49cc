import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Fence, VerdictMode } from '../verdict/evidence.ts';
import { TwinproofError } from '../errors.ts';
import { inFormat, resultFormatOption, type ResultFormat } from './html-format.ts';
import { notes } from './help.ts';
import type { SiteIo } from './io.ts';
import { addComparisonOptions, comparisonOptions, type ParsedComparison } from './options.ts';

interface Parsed extends ParsedComparison {
  readonly format: ResultFormat;
  readonly out?: string;
  readonly key?: string;
  readonly quiesced: boolean;
  readonly mode?: VerdictMode;
  readonly primaryLost: boolean;
  readonly fencedAt?: Date;
  readonly fencedBy?: string;
  readonly losses?: string;
  readonly ledger: boolean;
  readonly afterPromotion?: string;
}

const HELP = `
Exit codes: 0 SAFE, 1 SAFE_WITH_LOSS, 2 NOT_SAFE, 3 UNKNOWN, 64 wrong usage, 70 a bug.

With a ledger (see watch): give --config, and --system if it has several. The primary is tried for a few seconds; if
nobody answers, or with --primary-lost, the verdict is about a failover: the rows as of where the candidate stands, and
what is lost behind it. Without a fence (--fenced-at, --fenced-by) a loss has no bound. All candidates of the system are
judged unless one is named with --candidate; the best is named first, and the exit code is the best one's.

Without a ledger two live sites are compared: stop the primary's writers, then give --quiesced. Twinproof believes that
only together with a log position that did not move from before the first read until the end.

--after-promotion compares the place at which a promoted server left the old timeline with the certified position; of a
replica of MySQL or MariaDB the transactions that it has of the primary, and names those of its own:
0 the same, 2 not what was certified, 3 it applied more before, was not promoted, or it cannot be told.

Examples:
  twinproof certify --config twinproof.yaml --system bank --out gasan.cert
  twinproof certify --config twinproof.yaml --system bank --primary-lost \\
    --fenced-at 2026-03-01T03:04:05Z --fenced-by "power cut, J. Kim" --losses lost.jsonl`;

export function addCertifyCommand(program: Command, io: SiteIo): void {
  addComparisonOptions(program.command('certify'))
    .description('a verdict: is the candidate safe to promote, and what would be lost?')
    .addOption(resultFormatOption())
    .option('--out <file>', 'write the signed certificate there (a DSSE envelope)')
    .option('--key <file>', 'the private key that signs it (see keygen)')
    .option('--quiesced', 'the writers of the primary are stopped', false)
    .addOption(
      new Option('--mode <mode>', 'what is planned (default: by whether the primary answers)').choices([
        'switchover',
        'failover',
      ]),
    )
    .option('--primary-lost', 'the primary is gone: do not try to reach it', false)
    .option('--fenced-at <time>', 'since when the primary can commit nothing, by its clock (ISO 8601)', time)
    .option('--fenced-by <text>', 'what cut it off, and who answers for that')
    .option('--losses <file>', 'write every lost change to a file, one JSON object a line')
    .option('--no-ledger', 'compare two live sites even where there is a ledger')
    .option('--after-promotion <certificate>', 'was the server promoted where it was certified?')
    .addHelpText('after', notes(HELP))
    .action(async (parsed: Parsed) => {
      process.exitCode = await inFormat(parsed.format, io, (format, own) => run(parsed, format, own));
    });
}

async function run(parsed: Parsed, format: 'text' | 'json', io: SiteIo): Promise<number> {
  const fence = fenceOf(parsed);
  const comparison = comparisonOptions(parsed);
  const shared = { ...comparison, format, out: parsed.out ?? null, key: parsed.key ?? null };
  if (parsed.afterPromotion !== undefined) {
    if (parsed.format === 'html') {
      throw new TwinproofError('TP-USAGE', { message: '--after-promotion has no html: text or json' });
    }
    const { runAfterPromotion } = await import('./certify-promoted.ts');
    return runAfterPromotion({ ...shared, certificate: parsed.afterPromotion }, io);
  }
  const options = {
    ...shared,
    ledger: parsed.ledger,
    mode: parsed.mode ?? null,
    primaryLost: parsed.primaryLost,
    fence,
    quiesced: parsed.quiesced,
    losses: parsed.losses ?? null,
  };
  const alone = options.config === null && !options.primaryLost && fence === null && options.losses === null;
  // The store is loaded only where there may be one.
  if (!alone || options.mode === 'failover') {
    const { chosenLedger, runLedgerCertify } = await import('./certify-ledger.ts');
    const chosen = await chosenLedger(options, io);
    if (chosen !== null) return runLedgerCertify(options, chosen, io);
  }
  const { runCertify } = await import('./certify.ts');
  return runCertify({ ...shared, quiesced: parsed.quiesced, mode: 'switchover', fence: null }, io);
}

/** A fence is a time and somebody who answers for it. */
function fenceOf({ fencedAt, fencedBy }: Parsed): Fence | null {
  if (fencedAt === undefined && fencedBy === undefined) return null;
  if (fencedAt !== undefined && fencedBy !== undefined && fencedBy.trim() !== '') {
    return { at: fencedAt, by: fencedBy };
  }
  throw new TwinproofError('TP-USAGE', {
    message: '--fenced-at and --fenced-by belong together',
    hint: 'say since when the primary can commit nothing, and what cut it off',
  });
}

/** With its zone: a fence by somebody's local time is off by hours. */
function time(text: string): Date {
  const date = new Date(text);
  const match = /^(\d{4})-(\d{2})-(\d{2})T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})$/.exec(text);
  if (match === null || Number.isNaN(date.getTime()) || !isDay(match.slice(1, 4).map(Number))) {
    throw new InvalidArgumentError('a time with its zone is wanted, such as 2026-03-01T03:04:05Z');
  }
  return date;
}

/** JavaScript takes the 30th of February for the 2nd of March. */
function isDay([year = 0, month = 0, day = 0]: readonly number[]): boolean {
  return new Date(Date.UTC(year, month - 1, day)).getUTCDate() === day;
}
