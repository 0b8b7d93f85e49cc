import type { Command } from 'commander';
import { notes } from './help.ts';
import type { SiteIo } from './io.ts';
import { count, formatOption } from './options.ts';

interface Parsed {
  readonly key: readonly string[];
  readonly threshold?: number;
  readonly format: 'text' | 'json';
}

const HELP = `
Exit codes: 0 authentic and in force, 2 not authentic, 3 authentic but expired or not yet in force, 64 unreadable. The
verdict that it carries is printed; the exit code is about the certificate.`;

export function addCertificateCommand(program: Command, io: SiteIo): void {
  program
    .command('certificate')
    .description('certificates of verdicts')
    .command('check <file>')
    .description('check a certificate against trusted public keys, offline')
    .requiredOption('--key <file...>', 'trusted public keys')
    .option('--threshold <n>', 'how many of the keys must have signed (default: all)', count)
    .addOption(formatOption())
    .addHelpText('after', notes(HELP))
    .action(async (file: string, parsed: Parsed) => {
      const { runCertificateCheck } = await import('./certificate-check.ts');
      process.exitCode = await runCertificateCheck(
        { file, keys: parsed.key, threshold: parsed.threshold ?? null, format: parsed.format, ...io.screen },
        io,
      );
    });
}
