import type { Command } from 'commander';
import { findSite } from '../config/site.ts';
import type { Finding } from '../connector/identity.ts';
import { EXIT } from '../error-codes.ts';
import { countOf } from '../report/quantity.ts';
import { terminalText } from '../report/terminal-text.ts';
import type { SiteIo } from './io.ts';
import { formatOption } from './options.ts';
import { readConfig } from './sites.ts';

interface Parsed {
  readonly config?: string;
  readonly format: 'text' | 'json';
}

export function addPreflightCommand(program: Command, io: SiteIo): void {
  program
    .command('preflight <site>')
    .description('can sound evidence be gathered at this site? what is missing, and the SQL for it')
    .option('--config <file>', 'configuration with systems and secrets (twinproof.yaml)')
    .addOption(formatOption())
    .addHelpText(
      'after',
      '\nExit codes: 0 nothing found, 1 warnings, 2 something blocks, 3 cannot be reached.',
    )
    .action(async (site: string, parsed: Parsed) => {
      process.exitCode = await runPreflight(site, parsed, io);
    });
}

async function runPreflight(typed: string, parsed: Parsed, io: SiteIo): Promise<number> {
  const config = parsed.config === undefined ? null : await readConfig(parsed.config, io);
  const { address, label, warnings } = findSite(config, typed, 'candidate');
  for (const warning of warnings) io.stderr(`warning: ${warning}\n`);
  const connector = await io.connect(address, { jobs: 1, statementTimeoutMs: 60_000 }, io.signal);
  try {
    const findings = await connector.preflight(io.signal);
    io.stdout(
      parsed.format === 'json'
        ? `${JSON.stringify({ site: label, findings }, null, 2)}\n`
        : textOf(label, findings),
    );
    return exitOf(findings);
  } finally {
    await connector.close();
  }
}

function textOf(label: string, findings: readonly Finding[]): string {
  const lines = [
    `${terminalText(label)}: ${findings.length === 0 ? 'nothing stands in the way' : countOf(findings.length, 'finding')}`,
  ];
  for (const { code, severity, subject, message, hint, sql } of findings) {
    lines.push(
      '',
      `${severity.padEnd(5)} ${code} ${terminalText(subject)}: ${terminalText(message)}`,
      `      ${terminalText(hint)}`,
    );
    if (sql !== undefined) for (const line of sql.split('\n')) lines.push(`        ${terminalText(line)}`);
  }
  return `${lines.join('\n')}\n`;
}

function exitOf(findings: readonly Finding[]): number {
  if (findings.some(({ severity }) => severity === 'block')) return EXIT.critical;
  return findings.some(({ severity }) => severity === 'warn') ? EXIT.warning : EXIT.ok;
}
