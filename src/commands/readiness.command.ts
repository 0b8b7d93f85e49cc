import { Option, type Command } from 'commander';
import type { PromotionMode } from '../readiness/rule.ts';
import { inFormat, resultFormatOption, type ResultFormat } from './html-format.ts';
import { notes } from './help.ts';
import type { SiteIo } from './io.ts';
import { statementTimeoutOption } from './options.ts';

interface Parsed {
  readonly primary?: string;
  readonly candidate?: string;
  readonly config?: string;
  readonly system?: string;
  readonly mode?: PromotionMode;
  readonly primaryLost: boolean;
  readonly deep: boolean;
  readonly rules: boolean;
  readonly statementTimeout: number;
  readonly format: ResultFormat;
}

const HELP = `
Exit codes: 0 nothing found, 1 warnings, 2 something blocks, 3 a blocking check could not be made, or the candidate
cannot be reached, 64 wrong usage. They are about the mode: switchover when the primary answers, else failover.

Rows are not compared here: that is \`verify\` and \`certify\`, which take these checks into their verdict. Every check is
described in docs/readiness-rules.md, which --rules prints.`;

export function addReadinessCommand(program: Command, io: SiteIo): void {
  program
    .command('readiness')
    .description('everything but the rows: what would break if the candidate were promoted now?')
    .option('--primary <url|name>', 'the site that takes writes: a URL, or a system of the configuration')
    .option(
      '--candidate <url|name>',
      'the site that could be promoted: a URL, or a candidate of the configuration',
    )
    .option('--config <file>', 'configuration with systems and secrets (twinproof.yaml)')
    .option('--system <name>', 'the system of the configuration, if it has several')
    .addOption(new Option('--mode <mode>', 'what the exit code is about').choices(['switchover', 'failover']))
    .option(
      '--primary-lost',
      'do not ask the primary; what the ledger remembers of it stands in its place',
      false,
    )
    .option('--deep', 'also check every index against its table (reads them all)', false)
    .option('--rules', 'print every rule, as Markdown, and end', false)
    .addOption(statementTimeoutOption('5m'))
    .addOption(resultFormatOption())
    .addHelpText('after', notes(HELP))
    .action(async (parsed: Parsed) => {
      const { printRules, runReadiness } = await import('./readiness.ts');
      if (parsed.rules) {
        printRules(io);
        return;
      }
      const options = {
        primary: parsed.primary ?? null,
        candidate: parsed.candidate ?? null,
        config: parsed.config ?? null,
        system: parsed.system ?? null,
        mode: parsed.mode ?? null,
        primaryLost: parsed.primaryLost,
        deep: parsed.deep,
        statementTimeoutMs: parsed.statementTimeout,
      };
      process.exitCode = await inFormat(parsed.format, io, (format, own) =>
        runReadiness({ ...options, format }, own),
      );
    });
}
