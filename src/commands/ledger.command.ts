import type { Command } from 'commander';
import { notes } from './help.ts';
import type { SiteIo } from './io.ts';
import { formatOption } from './options.ts';

interface Parsed {
  readonly config: string;
  readonly system?: string;
  readonly format: 'text' | 'json';
  readonly all?: boolean;
}

interface ParsedRebuild {
  readonly config?: string;
  readonly system?: string;
  readonly from?: string;
  readonly ledger?: string;
  readonly format: 'text' | 'json';
}

const SHOW_HELP = `
Exit codes: 0 every table that is followed is complete, 1 some are not (yet), 3 the ledger cannot be read, 64 wrong
usage. Tables that cannot be followed are listed with the reason. It may be shown while \`watch\` is writing to it.`;

const CHECK_HELP = `
Exit codes: 0 the ledger agrees with itself, 2 it is damaged, 3 it cannot be read, 64 wrong usage.
It reads all of journal and index, writes nothing, and may run beside \`watch\`. The digests that it prints are the same
for every ledger with the same content, so for one that was rebuilt from the mirror.`;

const REBUILD_HELP = `
It reads what \`ledger.mirror\` has written, makes the ledger anew, checks all of it, and puts it where --config (or
--ledger) says, where there must be none. Whatever ends it leaves nothing that looks whole. What was proven of candidates
does not count there: run \`twinproof watch\`, which proves them anew by the ledger, also while the primary is gone.

Exit codes: 0 every table is complete, 1 some are not, 3 no whole ledger stands in the topic, 64 wrong usage.

Examples:
  twinproof ledger rebuild --config twinproof.yaml --system bank
  twinproof ledger rebuild --from kafka://broker:9092/dr.ledger.bank --system bank --ledger ./ledger`;

export function addLedgerCommand(program: Command, io: SiteIo): void {
  const ledger = program.command('ledger').description('what `watch` has gathered of a primary');
  addOptions(ledger.command('show'))
    .description('what the ledger holds, how far it is, and what of it is not proven')
    .option('--all', 'list every table, however many', false)
    .addHelpText('after', notes(SHOW_HELP))
    .action(async (parsed: Parsed) => {
      const { runLedgerShow } = await import('./ledger.ts');
      process.exitCode = await runLedgerShow(optionsOf(parsed), io);
    });
  addOptions(ledger.command('check'))
    .description('check the ledger against itself: chain, journal and index')
    .addHelpText('after', notes(CHECK_HELP))
    .action(async (parsed: Parsed) => {
      const { runLedgerCheck } = await import('./ledger.ts');
      process.exitCode = await runLedgerCheck(optionsOf(parsed), io);
    });
  ledger
    .command('rebuild')
    .description('make a ledger anew from what was mirrored of it')
    .option('--config <file>', 'configuration with systems and ledger (twinproof.yaml)')
    .option('--system <name>', 'the system, if the configuration has several or there is none')
    .option('--from <url>', 'the topic, as kafka://host:9092/topic (default: ledger.mirror)')
    .option('--ledger <folder>', 'where ledgers are kept (default: ledger.path)')
    .addOption(formatOption())
    .addHelpText('after', notes(REBUILD_HELP))
    .action(async ({ config, system, from, ledger: folder, format }: ParsedRebuild) => {
      const { runLedgerRebuild } = await import('./ledger-rebuild.ts');
      const places = { config: config ?? null, from: from ?? null, ledger: folder ?? null };
      process.exitCode = await runLedgerRebuild({ ...places, system: system ?? null, format }, io);
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
