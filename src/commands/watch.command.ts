import type { Command } from 'commander';
import { notes } from './help.ts';
import type { SiteIo } from './io.ts';
import { duration, formatOption, statementTimeoutOption } from './options.ts';

interface Parsed {
  readonly config: string;
  readonly system: readonly string[];
  readonly once: boolean;
  readonly timeout?: number;
  readonly statementTimeout: number;
  readonly quiet: boolean;
  readonly format: 'text' | 'json';
}

const HELP = `
It runs away from the primary's site, keeps the ledger there, and holds the candidates against it all the time. What it
tells goes to standard error, one line for each change. Ctrl-C or SIGTERM ends it; it may be killed at any time.

Exit codes: 0 ended by a signal, or with --once all is proven; with --once also 2 rows differ, 3 something is unproven.
3 also when the ledger cannot be written or is another's; 64 wrong usage or configuration.

Example:
  twinproof watch --config twinproof.yaml --system bank`;

export function addWatchCommand(program: Command, io: SiteIo): void {
  program
    .command('watch')
    .description('keep the ledger of a primary, and prove its candidates against it, until told to stop')
    .requiredOption('--config <file>', 'configuration with systems, ledger and secrets (twinproof.yaml)')
    .option(
      '--system <name>',
      'a system of the configuration; may be given again (default: all)',
      collect,
      [],
    )
    .option('--once', 'end when every row is known and every candidate is proven', false)
    .option('--timeout <duration>', 'end after this time, such as 30m', duration)
    .addOption(statementTimeoutOption('5m'))
    .option('-q, --quiet', 'no status line every minute', false)
    .addOption(formatOption())
    .addHelpText('after', notes(HELP))
    .action(async (parsed: Parsed) => {
      const { runWatch } = await import('./watch.ts');
      process.exitCode = await runWatch(
        {
          config: parsed.config,
          systems: parsed.system,
          once: parsed.once,
          timeoutMs: parsed.timeout ?? null,
          statementTimeoutMs: parsed.statementTimeout,
          quiet: parsed.quiet,
          format: parsed.format,
        },
        io,
      );
    });
}

function collect(name: string, before: readonly string[]): string[] {
  return [...before, name];
}
