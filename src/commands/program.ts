import { Command } from 'commander';
import { addBoardCommand } from './board.command.ts';
import { addCertificateCommand } from './certificate-check.command.ts';
import { addCertifyCommand } from './certify.command.ts';
import { addConfigCommand } from './config.command.ts';
import { addDemoCommand } from './demo.command.ts';
import { HELP_LOOK, notes } from './help.ts';
import type { SiteIo } from './io.ts';
import { addKeygenCommand } from './keygen.command.ts';
import { addLagCommand } from './lag.command.ts';
import { addLedgerCommand } from './ledger.command.ts';
import { addMetricsCommand } from './metrics.command.ts';
import { addPreflightCommand } from './preflight.command.ts';
import { addReadinessCommand } from './readiness.command.ts';
import { addVerifyCommand } from './verify.command.ts';
import { toolVersion } from './version.ts';
import { addWatchCommand } from './watch.command.ts';

/** Commands that read rows. */
const READING: ReadonlySet<string> = new Set(['verify', 'certify', 'watch', 'demo']);

const HELP = `
Where to begin: \`twinproof demo\` shows it all on servers of its own. For two sites of yours \`preflight\` says what the
roles need, \`verify\` compares the rows, and \`certify\` comes to a verdict. \`twinproof COMMAND --help\` has the options of
a command, its exit codes and examples.`;

/**
 * The command line, every command of it. Errors are thrown, also those of usage, and nothing of them is printed.
 *
 * @param beforeReading Called before a command that reads rows; what it throws ends the command.
 */
export function buildProgram(io: SiteIo, beforeReading: () => Promise<void>): Command {
  const program = new Command('twinproof')
    .description('Is this DR site safe to promote, and what would be lost?')
    .version(toolVersion())
    .option('--debug', 'show stack traces of errors')
    .configureHelp(HELP_LOOK)
    .showSuggestionAfterError()
    .configureOutput({ outputError: () => undefined })
    .exitOverride();
  program.hook('preAction', async (_, command) => {
    if (READING.has(command.name())) await beforeReading();
  });
  program.commandsGroup('Two sites:');
  addPreflightCommand(program, io);
  addVerifyCommand(program, io);
  addReadinessCommand(program, io);
  addCertifyCommand(program, io);
  program.commandsGroup('For the day when the primary is gone:');
  addWatchCommand(program, io);
  addLagCommand(program, io);
  addLedgerCommand(program, io);
  program.commandsGroup('A fleet of systems:');
  addConfigCommand(program, io);
  addBoardCommand(program, io);
  addMetricsCommand(program, io);
  program.commandsGroup('Besides:');
  addKeygenCommand(program, io);
  addCertificateCommand(program, io);
  addDemoCommand(program, io);
  program.helpCommand(true);
  // Where others have it; the help need not say so.
  program.command('version', { hidden: true }).action(() => io.stdout(`${toolVersion()}\n`));
  for (const command of allCommands(program)) command.exitOverride();
  return program.addHelpText('after', notes(HELP));
}

function allCommands(command: Command): Command[] {
  return command.commands.flatMap((child) => [child, ...allCommands(child)]);
}
