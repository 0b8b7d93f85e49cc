import { Command } from 'commander';
import type { CommandResult, CommandRunner } from '../demo/demo-io.ts';
import { EXIT } from '../error-codes.ts';
import { addCertificateCommand } from './certificate-check.command.ts';
import { addCertifyCommand } from './certify.command.ts';
import type { SiteIo } from './io.ts';
import { addKeygenCommand } from './keygen.command.ts';
import { addLedgerCommand } from './ledger.command.ts';
import { addPreflightCommand } from './preflight.command.ts';
import { addVerifyCommand } from './verify.command.ts';
import { addWatchCommand } from './watch.command.ts';

const HELP = `
It starts PostgreSQL servers of its own on this machine, proves a copy the same, breaks two copies in ways that happen,
finds every broken row, and issues certificates. Needs no network and no installed PostgreSQL.
Exit codes: 0 everything came out as it must, 3 interrupted, 70 it cannot run here, or something did not.`;

export function addDemoCommand(program: Command, io: SiteIo): void {
  program
    .command('demo')
    .description('show it all on real servers, started for this and removed at the end (about half a minute)')
    .option('--keep', 'keep the servers running at the end, until Ctrl-C', false)
    .addHelpText('after', HELP)
    .action(async (parsed: { readonly keep: boolean }) => {
      forgetOtherServers();
      const { runDemo } = await import('../demo/demo.ts');
      const { screen, progress, signal, stdout } = io;
      await runDemo(parsed, { stdout, progress, screen, signal, run: commandRunner(io) });
      process.exitCode = EXIT.ok;
    });
}

/** PGPASSWORD, PGSSLMODE and the like are about the user's own servers; this process is about the demo's alone. */
function forgetOtherServers(): void {
  for (const name of Object.keys(process.env)) {
    if (name.startsWith('PG')) Reflect.deleteProperty(process.env, name);
  }
}

/** Command lines are run by the same commands that run them for a user; only their output is kept. */
function commandRunner(io: SiteIo): CommandRunner {
  return async (args, width, background): Promise<CommandResult> => {
    let stdout = '';
    const inner: SiteIo = {
      ...io,
      // The demo says itself what matters of it; an error is thrown.
      stderr: () => undefined,
      ...background,
      stdout: (text) => {
        stdout += text;
      },
      screen: { ...io.screen, width },
    };
    const program = new Command('twinproof').exitOverride();
    addVerifyCommand(program, inner);
    addCertifyCommand(program, inner);
    addCertificateCommand(program, inner);
    addKeygenCommand(program, inner);
    addPreflightCommand(program, inner);
    addWatchCommand(program, inner);
    addLedgerCommand(program, inner);
    await program.parseAsync([...args], { from: 'user' });
    return { exitCode: takeExitCode(), stdout };
  };
}

/** What a command left, which is the demo's from here on. */
function takeExitCode(): number {
  const code = Number(process.exitCode ?? EXIT.bug);
  process.exitCode = undefined;
  return code;
}
