import type { Command } from 'commander';
import { notes } from './help.ts';
import type { SiteIo } from './io.ts';
import { formatOption } from './options.ts';

interface Parsed {
  readonly config: string;
  readonly format: 'text' | 'json';
}

const HELP = `
Reads a configuration, one file or every *.yaml of a folder, with all that it refers to, and asks no server. What is
wrong is named with file, line and column; what is allowed and will be regretted is a warning.

Exit codes: 0 it is well, 1 there are warnings, 64 it is wrong.`;

export function addConfigCommand(program: Command, io: SiteIo): void {
  program
    .command('config')
    .description('the configuration itself')
    .command('check')
    .description('is it well, and in which order would its systems be promoted?')
    .requiredOption('--config <path>', 'a file (twinproof.yaml), or a folder of them')
    .addOption(formatOption())
    .addHelpText('after', notes(HELP))
    .action(async (parsed: Parsed) => {
      const { runConfigCheck } = await import('./config-check.ts');
      process.exitCode = await runConfigCheck(parsed, io);
    });
}
