import { createInterface } from 'node:readline';
import { isatty } from 'node:tty';
import { Command, Option } from 'commander';
import type { CommandResult, CommandRunner } from '../demo/demo-io.ts';
import { EXIT } from '../error-codes.ts';
import { addBoardCommand } from './board.command.ts';
import { addCertificateCommand } from './certificate-check.command.ts';
import { addCertifyCommand } from './certify.command.ts';
import { notes } from './help.ts';
import type { SiteIo } from './io.ts';
import { addKeygenCommand } from './keygen.command.ts';
import { addLedgerCommand } from './ledger.command.ts';
import { addPreflightCommand } from './preflight.command.ts';
import { addVerifyCommand } from './verify.command.ts';
import { addWatchCommand } from './watch.command.ts';

const HELP = `
It starts PostgreSQL servers of its own on this machine, proves a copy the same, breaks two copies in ways that happen,
finds every broken row, and issues certificates. On a terminal it ends with the board of a pair that lives, until Enter.
Needs no network and no installed PostgreSQL. With --engine mariadb it shows the fire on two servers of the MariaDB that is
installed here: a replica that applies rows, what was lost with the primary, and rows changed where no log tells of it.

Exit codes: 0 everything came out as it must, 3 interrupted, 70 it cannot run here, or something did not.`;

interface DemoParsed {
  readonly engine: 'postgres' | 'mariadb';
  readonly keep: boolean;
  readonly board?: boolean;
}

export function addDemoCommand(program: Command, io: SiteIo): void {
  program
    .command('demo')
    .description('show it all on real servers, started for this and removed at the end (about a minute)')
    .addOption(
      new Option('--engine <name>', 'whose servers are shown')
        .choices(['postgres', 'mariadb'])
        .default('postgres'),
    )
    .option('--keep', 'keep the servers running at the end, until Ctrl-C', false)
    .option('--board', 'end with the board also where there is no terminal, until Ctrl-C')
    .option('--no-board', 'end without the board')
    .addHelpText('after', notes(HELP))
    .action(async (parsed: DemoParsed) => {
      forgetOtherServers();
      const { runDemo } = await import('../demo/demo.ts');
      const { wantsBoard } = await import('../demo/board-act.ts');
      const { screen, progress, signal, stdout } = io;
      const board = wantsBoard(parsed.board, isatty(0) && isatty(1));
      const run = commandRunner(io);
      await runDemo(
        { engine: parsed.engine, keep: parsed.keep, board },
        { stdout, progress, screen, signal, run, typed: typedLines },
      );
      process.exitCode = EXIT.ok;
    });
}

/** Of standard input. As lines and not as keys, so that Ctrl-C stays what it is. */
async function* typedLines(signal: AbortSignal): AsyncIterable<string> {
  const reader = createInterface({ input: process.stdin, terminal: false });
  const end = (): void => reader.close();
  signal.addEventListener('abort', end);
  try {
    yield* reader;
  } finally {
    signal.removeEventListener('abort', end);
    end();
  }
}

/** PGPASSWORD, PGSSLMODE, MYSQL_PWD and the like are about the user's own servers; this process is about the demo's alone. */
function forgetOtherServers(): void {
  for (const name of Object.keys(process.env)) {
    if (/^(?:PG|MYSQL_)/.test(name)) Reflect.deleteProperty(process.env, name);
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
    addBoardCommand(program, inner);
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
