import type { Command } from 'commander';
import { notes } from './help.ts';
import type { SiteIo } from './io.ts';
import { duration, formatOption, statementTimeoutOption } from './options.ts';

interface Parsed {
  readonly config: string;
  readonly system?: string;
  readonly candidate?: string;
  readonly interval?: number;
  readonly statementTimeout: number;
  readonly format: 'text' | 'json';
}

const HELP = `
Transport lag is what a candidate has not received, apply lag what it has received and not applied: in bytes of log, in
transactions, and as the age of the oldest one by the primary's own log. What is not known is said to be unknown, and is
never 0: where the ledger has not seen the primary lately, or nothing brings the candidate its changes.

Exit codes: 0 within policy.rpo (or known, where no policy is set), 1 behind by more, or nothing brings it the changes, 3
unknown, 64 wrong usage. With several candidates that of the best one; with --interval that of the last sample, when Ctrl-C ends it.
It needs a ledger that \`twinproof watch\` keeps; the primary is not asked.`;

export function addLagCommand(program: Command, io: SiteIo): void {
  program
    .command('lag')
    .description('how far are the candidates behind, and what would be lost now?')
    .requiredOption('--config <file>', 'configuration with systems and ledger (twinproof.yaml)')
    .option('--system <name>', 'the system of the configuration, if it has several')
    .option('--candidate <name>', 'one candidate (default: all of the system)')
    .option('--interval <duration>', 'a sample every so often, such as 10s, until Ctrl-C', duration)
    .addOption(statementTimeoutOption('10s'))
    .addOption(formatOption())
    .addHelpText('after', notes(HELP))
    .action(async (parsed: Parsed) => {
      const { runLag } = await import('./lag.ts');
      process.exitCode = await runLag(
        {
          config: parsed.config,
          system: parsed.system ?? null,
          candidate: parsed.candidate ?? null,
          intervalMs: parsed.interval ?? null,
          statementTimeoutMs: parsed.statementTimeout,
          format: parsed.format,
        },
        io,
      );
    });
}
