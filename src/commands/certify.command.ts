import type { Command } from 'commander';
import type { SiteIo } from './io.ts';
import { addComparisonOptions, comparisonOptions, formatOption, type ParsedComparison } from './options.ts';

interface Parsed extends ParsedComparison {
  readonly format: 'text' | 'json';
  readonly out?: string;
  readonly key?: string;
  readonly quiesced: boolean;
}

const HELP = `
Exit codes: 0 SAFE, 1 SAFE_WITH_LOSS, 2 NOT_SAFE, 3 UNKNOWN, 64 wrong usage, 70 a bug.

SAFE for a planned switchover needs a primary that stands still: stop its writers, then give --quiesced. Twinproof
believes that only together with a log position that did not move from before the first read until the end.`;

export function addCertifyCommand(program: Command, io: SiteIo): void {
  addComparisonOptions(program.command('certify'))
    .description('compare two live sites and give a verdict: is the candidate safe to promote?')
    .addOption(formatOption())
    .option('--out <file>', 'write the signed certificate there (a DSSE envelope)')
    .option('--key <file>', 'the private key that signs it (see keygen)')
    .option('--quiesced', 'the writers of the primary are stopped', false)
    .addHelpText('after', HELP)
    .action(async (parsed: Parsed) => {
      const { runCertify } = await import('./certify.ts');
      process.exitCode = await runCertify(
        {
          ...comparisonOptions(parsed),
          format: parsed.format,
          out: parsed.out ?? null,
          key: parsed.key ?? null,
          quiesced: parsed.quiesced,
          mode: 'switchover',
          fence: null,
        },
        io,
      );
    });
}
