import type { Command } from 'commander';
import { findSite } from '../config/site.ts';
import { DEFAULT_STREAM } from '../config/stream.ts';
import type { Finding } from '../connector/identity.ts';
import { type LedgerSetup, ledgerSite } from '../connector/ledger-sites.ts';
import { EXIT } from '../error-codes.ts';
import { countOf } from '../report/quantity.ts';
import { terminalText } from '../report/terminal-text.ts';
import type { SiteIo } from './io.ts';
import { formatOption } from './options.ts';
import { readConfig } from './sites.ts';

interface Parsed {
  readonly config?: string;
  readonly format: 'text' | 'json';
  readonly sql: boolean;
  readonly role?: string;
}

export function addPreflightCommand(program: Command, io: SiteIo): void {
  program
    .command('preflight <site>')
    .description('can sound evidence be gathered at this site? what is missing, and the SQL for it')
    .option('--config <file>', 'configuration with systems and secrets (twinproof.yaml)')
    .addOption(formatOption())
    .option('--sql', 'print the SQL of role, publication and slot that watch needs, for psql', false)
    .option('--role <name>', 'with --sql: the role that watch logs in as (default: that of the connection)')
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
  const { address, label, warnings, system, site } = findSite(config, typed, 'candidate');
  for (const warning of warnings) io.stderr(`warning: ${warning}\n`);
  const stream = site?.stream ?? DEFAULT_STREAM;
  const connector = await io.connect(address, { jobs: 1, statementTimeoutMs: 60_000, stream }, io.signal);
  try {
    if (parsed.sql) {
      const tables = system?.tables ?? { include: ['*'], exclude: [] };
      const setup = await ledgerSite(connector).ledgerSetup(tables, parsed.role ?? null, io.signal);
      io.stdout(scriptOf(label, setup));
      return setup.sql === '' ? exitOf(setup.findings) : Math.max(EXIT.warning, exitOf(setup.findings));
    }
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

/**
 * To be read, and piped into psql. What blocks comes first, with the SQL that mends it: some of it needs a restart, so the
 * slot is for the next run.
 */
function scriptOf(label: string, { sql, findings }: LedgerSetup): string {
  const lines = [
    `-- ${terminalText(label)}: ${sql === '' && findings.length === 0 ? 'nothing is missing' : 'what watch needs, to be run by a superuser in this database'}`,
  ];
  for (const { severity, subject, message, hint, sql: remedy } of findings) {
    lines.push(
      '',
      `-- ${severity}: ${terminalText(subject)}: ${terminalText(message)}`,
      `-- ${terminalText(hint)}`,
    );
    if (remedy !== undefined) lines.push(remedy);
  }
  if (sql !== '') lines.push('', sql);
  if (findings.some(({ severity }) => severity === 'block')) {
    lines.push('', '-- something above blocks: mend it, then ask again for what is left');
  }
  return `${lines.join('\n')}\n`;
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
