import type { Command } from 'commander';
import { inFormat, resultFormatOption, type ResultFormat } from './html-format.ts';
import { notes } from './help.ts';
import type { SiteIo } from './io.ts';
import { addComparisonOptions, comparisonOptions, type ParsedComparison } from './options.ts';

interface Parsed extends ParsedComparison {
  readonly format: ResultFormat;
  readonly out?: string;
  readonly all: boolean;
}

const HELP = `
Exit codes: 0 same, 2 different, 3 unproven (also when a site cannot be reached), 64 wrong usage, 70 a bug.

Example:
  twinproof verify --primary postgres://verifier@db1:5432/bank --candidate postgres://verifier@db2:5432/bank`;

export function addVerifyCommand(program: Command, io: SiteIo): void {
  addComparisonOptions(program.command('verify'))
    .description('compare two live sites row by row: same, different or unproven')
    .addOption(resultFormatOption())
    .option('--out <file>', 'write the result there as JSON as well')
    .option('--all', 'list every table and sample, however many', false)
    .addHelpText('after', notes(HELP))
    .action(async (parsed: Parsed) => {
      const { runVerifyCommand } = await import('./verify.ts');
      const options = { ...comparisonOptions(parsed), out: parsed.out ?? null, all: parsed.all };
      process.exitCode = await inFormat(parsed.format, io, (format, own) =>
        runVerifyCommand({ ...options, format }, own),
      );
    });
}
