import type { Command } from 'commander';
import type { SiteIo } from './io.ts';
import { formatOption } from './options.ts';

interface Parsed {
  readonly config: string;
  readonly system?: string;
  readonly format: 'text' | 'json';
  readonly all?: boolean;
}

const SHOW_HELP = `
Exit codes: 0 every table is complete, 1 some are not (yet), 3 the ledger cannot be read, 64 wrong usage.
It may be shown while \`watch\` is writing to it.`;

const CHECK_HELP = `
Exit codes: 0 the ledger agrees with itself, 2 it is damaged, 3 it cannot be read, 64 wrong usage.
It reads all of journal and index, writes nothing, and may run beside \`watch\`.`;

export function addLedgerCommand(program: Command, io: SiteIo): void {
  const ledger = program.command('ledger').description('what `watch` has gathered of a primary');
  addOptions(ledger.command('show'))
    .description('what the ledger holds, how far it is, and what of it is not proven')
    .option('--all', 'list every table, however many', false)
    .addHelpText('after', SHOW_HELP)
    .action(async (parsed: Parsed) => {
      const { runLedgerShow } = await import('./ledger.ts');
      process.exitCode = await runLedgerShow(optionsOf(parsed), io);
    });
  addOptions(ledger.command('check'))
    .description('check the ledger against itself: chain, journal and index')
    .addHelpText('after', CHECK_HELP)
    .action(async (parsed: Parsed) => {
      const { runLedgerCheck } = await import('./ledger.ts');
      process.exitCode = await runLedgerCheck(optionsOf(parsed), io);
    });
}

function addOptions(command: Command): Command {
  return command
    .requiredOption('--config <file>', 'configuration with systems and ledger (twinproof.yaml)')
    .option('--system <name>', 'the system of the configuration, if it has several')
    .addOption(formatOption());
}

function optionsOf({ config, system, format, all }: Parsed): {
  config: string;
  system: string | null;
  format: 'text' | 'json';
  all: boolean;
} {
  return { config, system: system ?? null, format, all: all ?? false };
}
