import { Option, type Command } from 'commander';
import { notes } from './help.ts';
import type { SiteIo } from './io.ts';

interface Parsed {
  readonly config: string;
  readonly out?: string;
  readonly format: 'prometheus' | 'openmetrics';
}

const HELP = `
The same as /metrics of the board, for those who have node_exporter already: name a file in its textfile folder, such as
/var/lib/node_exporter/twinproof.prom, and run this every minute. The file is replaced as a whole.

Rules and a dashboard for Grafana are in the folder ops of the repository.

Exit codes: 0 written, 3 the file cannot be written, 64 wrong usage or configuration.`;

export function addMetricsCommand(program: Command, io: SiteIo): void {
  program
    .command('metrics')
    .description('metrics of every system, for Prometheus')
    .requiredOption('--config <path>', 'configuration: a file, or a folder of them')
    .option('--out <file>', 'write them to a file in place of standard output')
    .addOption(
      new Option('--format <format>', 'text format')
        .choices(['prometheus', 'openmetrics'])
        .default('prometheus'),
    )
    .addHelpText('after', notes(HELP))
    .action(async (parsed: Parsed) => {
      const { runMetrics } = await import('./metrics.ts');
      process.exitCode = await runMetrics(
        { config: parsed.config, out: parsed.out ?? null, format: parsed.format },
        io,
      );
    });
}
