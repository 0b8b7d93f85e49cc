import { InvalidArgumentError, type Command } from 'commander';
import { findSite } from '../config/site.ts';
import { DEFAULT_STREAM } from '../config/stream.ts';
import type { Connector } from '../connector/contract.ts';
import { findingFor, type Finding } from '../connector/identity.ts';
import { type LedgerSetup, ledgerSite } from '../connector/ledger-sites.ts';
import { SITE_COMMANDS, type SiteCommand } from '../connector/preflight.ts';
import type { TableSelection } from '../connector/table.ts';
import { EXIT } from '../error-codes.ts';
import { TwinproofError } from '../errors.ts';
import { countOf } from '../report/quantity.ts';
import { terminalJson, terminalText } from '../report/terminal-text.ts';
import { notes } from './help.ts';
import type { SiteIo } from './io.ts';
import { formatOption } from './options.ts';
import { readConfig } from './sites.ts';

interface Parsed {
  readonly config?: string;
  readonly format: 'text' | 'json';
  readonly sql: boolean;
  readonly role?: string;
  readonly for?: readonly SiteCommand[];
}

const HELP = `
Without --for it is about verify, certify and readiness, and nothing that any command needs is called too much; with it
about the commands that are named, and what none of them needs is called too much. Nothing is changed: what is printed is
for somebody to read and run.

Exit codes: 0 nothing found, 1 warnings, 2 something blocks, 3 cannot be reached.`;

export function addPreflightCommand(program: Command, io: SiteIo): void {
  program
    .command('preflight <site>')
    .description(
      'can sound evidence be gathered at this site? what is missing or too much, and the SQL for it',
    )
    .option('--config <file>', 'configuration with systems and secrets (twinproof.yaml)')
    .addOption(formatOption())
    .option('--sql', 'print the SQL of role, publication and slot that watch needs, for psql', false)
    .option('--role <name>', 'with --sql: the role that watch logs in as (default: that of the connection)')
    .option('--for <commands>', `what the role is for: any of ${SITE_COMMANDS.join(', ')}`, commandsOf)
    .addHelpText('after', notes(HELP))
    .action(async (site: string, parsed: Parsed) => {
      process.exitCode = await runPreflight(site, parsed, io);
    });
}

/** With commas between them. */
function commandsOf(value: string): readonly SiteCommand[] {
  return value.split(',').map((part) => {
    const command = SITE_COMMANDS.find((name) => name === part.trim());
    if (command === undefined) {
      throw new InvalidArgumentError(
        `any of ${SITE_COMMANDS.join(', ')} are wanted, with commas between them`,
      );
    }
    return command;
  });
}

async function runPreflight(typed: string, parsed: Parsed, io: SiteIo): Promise<number> {
  const config = parsed.config === undefined ? null : await readConfig(parsed.config, io);
  const { address, label, warnings, system, site } = findSite(config, typed, 'site');
  for (const warning of warnings) io.stderr(`warning: ${warning}\n`);
  const stream = site?.stream ?? DEFAULT_STREAM;
  const connector = await io.connect(address, { jobs: 1, statementTimeoutMs: 60_000, stream }, io.signal);
  const selection = system?.tables ?? { include: ['*'], exclude: [] };
  try {
    if (parsed.sql) {
      const setup = await ledgerSite(connector).ledgerSetup(selection, parsed.role ?? null, io.signal);
      io.stdout(scriptOf(label, setup));
      return setup.sql === '' ? exitOf(setup.findings) : Math.max(EXIT.warning, exitOf(setup.findings));
    }
    const asking = parsed.for === undefined ? { selection } : { selection, commands: parsed.for };
    const findings = [
      ...(await connector.preflight(io.signal, asking)),
      ...(parsed.for?.includes('watch') === true ? await watchFindings(connector, selection, io.signal) : []),
    ];
    io.stdout(
      parsed.format === 'json'
        ? `${terminalJson({ site: label, for: parsed.for ?? null, findings }, 2)}\n`
        : textOf(label, findings),
    );
    return exitOf(findings);
  } finally {
    await connector.close();
  }
}

/** What `watch` lacks, as `--sql` prints it. A subscriber can do without a slot of its own; a primary cannot. */
async function watchFindings(
  connector: Connector,
  selection: TableSelection,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const { role } = await connector.identify(signal);
  try {
    const { sql, findings } = await ledgerSite(connector).ledgerSetup(selection, null, signal);
    const found = [...findings];
    if (sql !== '') {
      found.push({
        code: 'TP-P-WATCH',
        severity: role === 'primary' ? 'block' : 'warn',
        subject: 'watch',
        message: 'what `watch` needs to follow the changes of this site is not all there',
        hint: 'to be run as a superuser in this database; `preflight --sql --role NAME` prints it for another role',
        sql,
      });
    }
    return found.map((finding) => findingFor(finding, ['watch']));
  } catch (error) {
    if (!(error instanceof TwinproofError) || error.code !== 'TP-STREAM-SETUP') throw error;
    const { code, message, hint } = error;
    return [{ code, severity: 'block', subject: 'watch', message, hint, commands: ['watch'] }];
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
  for (const { code, severity, subject, message, hint, sql, commands } of findings) {
    const of = commands === undefined ? '' : ` (${commands.join(', ')})`;
    lines.push(
      '',
      `${severity.padEnd(5)} ${code} ${terminalText(subject)}: ${terminalText(message)}${of}`,
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
