#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { randomBytes } from 'node:crypto';
import {
  connectSite,
  demandModules,
  openMirror,
  openMirrorAt,
  openOutlet,
  openTopic,
} from '../connectors/registry.ts';
import { addBoardCommand } from './commands/board.command.ts';
import { addCertificateCommand } from './commands/certificate-check.command.ts';
import { addCertifyCommand } from './commands/certify.command.ts';
import { addConfigCommand } from './commands/config.command.ts';
import { addDemoCommand } from './commands/demo.command.ts';
import type { SiteIo } from './commands/io.ts';
import { addKeygenCommand } from './commands/keygen.command.ts';
import { addLagCommand } from './commands/lag.command.ts';
import { addLedgerCommand } from './commands/ledger.command.ts';
import { addMetricsCommand } from './commands/metrics.command.ts';
import { addPreflightCommand } from './commands/preflight.command.ts';
import { addReadinessCommand } from './commands/readiness.command.ts';
import { addVerifyCommand } from './commands/verify.command.ts';
import { addWatchCommand } from './commands/watch.command.ts';
import { toolVersion } from './commands/version.ts';
import { EXIT } from './error-codes.ts';
import { messageOf, TwinproofError } from './errors.ts';
import { colourWanted, unicodeWanted } from './report/colour.ts';
import { terminalText } from './report/terminal-text.ts';

const WIDTH_WITHOUT_TERMINAL = 100;
/** Commands that read rows. */
const READING = new Set(['verify', 'certify', 'watch', 'demo']);
/** Why a run ends when `| head` has what it wants. */
const NOT_READ = new TwinproofError('TP-INTERRUPTED', { message: 'nobody reads the output any more' });

/** Runs a command line. The answer is the exit code; nothing is thrown. */
async function main(argv: readonly string[]): Promise<number> {
  const stop = new AbortController();
  const onInterrupt = (): void => {
    // A second one means it: the connections die with the process.
    if (stop.signal.aborted) process.exit(EXIT.unknown);
    stop.abort(new TwinproofError('TP-INTERRUPTED'));
  };
  process.on('SIGINT', onInterrupt);
  process.on('SIGTERM', onInterrupt);
  // What is done by then keeps its exit code; what goes on for ever ends.
  const onClosed = (error: unknown): void => {
    if (!isClosedPipe(error)) throw error;
    stop.abort(NOT_READ);
  };
  process.stdout.on('error', onClosed);
  process.stderr.on('error', onClosed);
  const program = buildProgram(siteIo(stop.signal));
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return Number(process.exitCode ?? EXIT.ok);
  } catch (error) {
    return stop.signal.reason === NOT_READ ? EXIT.unknown : report(error, argv.includes('--debug'));
  }
}

function isClosedPipe(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  return code === 'EPIPE' || code === 'ERR_STREAM_DESTROYED';
}

function buildProgram(io: SiteIo): Command {
  const program = new Command('twinproof')
    .description('Is this DR site safe to promote, and what would be lost?')
    .version(toolVersion())
    .option('--debug', 'show stack traces of errors')
    .configureHelp({ showGlobalOptions: true })
    .showSuggestionAfterError()
    // Errors are printed below, all in one form.
    .configureOutput({ outputError: () => undefined })
    .exitOverride();
  program.hook('preAction', async (_, command) => {
    if (READING.has(command.name())) await demandModules();
  });
  addVerifyCommand(program, io);
  addCertifyCommand(program, io);
  addWatchCommand(program, io);
  addReadinessCommand(program, io);
  addPreflightCommand(program, io);
  addCertificateCommand(program, io);
  addLagCommand(program, io);
  addLedgerCommand(program, io);
  addBoardCommand(program, io);
  addMetricsCommand(program, io);
  addConfigCommand(program, io);
  addKeygenCommand(program, io);
  addDemoCommand(program, io);
  for (const command of allCommands(program)) command.exitOverride();
  return program;
}

function allCommands(command: Command): Command[] {
  return command.commands.flatMap((child) => [child, ...allCommands(child)]);
}

function siteIo(signal: AbortSignal): SiteIo {
  const { stdout, stderr, env } = process;
  return {
    stdout: (text) => void stdout.write(text),
    stderr: (text) => void stderr.write(text),
    now: () => new Date(),
    randomBytes,
    connect: connectSite,
    openMirror,
    openMirrorAt,
    openOutlet,
    openTopic,
    registry: new URL('../connectors/registry.js', import.meta.url).href,
    environment: env,
    progress: stderr,
    screen: {
      width: stdout.isTTY ? stdout.columns : WIDTH_WITHOUT_TERMINAL,
      colour: colourWanted(env, stdout.isTTY),
      unicode: unicodeWanted(env),
    },
    signal,
  };
}

/** One line and a hint on standard error; a stack trace only when asked for. */
function report(error: unknown, debug: boolean): number {
  // Help and version are no errors; help is also what a command line without a command gets.
  if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
  if (error instanceof CommanderError && error.code === 'commander.help') return EXIT.usage;
  const known = knownError(error);
  process.stderr.write(
    `error ${known.code}: ${terminalText(known.message)}\n  hint: ${terminalText(known.hint)}\n`,
  );
  if (debug) process.stderr.write(`${terminalText(stackOf(error))}\n`);
  return known.exitCode;
}

function knownError(error: unknown): TwinproofError {
  if (error instanceof TwinproofError) return error;
  const code = error instanceof CommanderError ? 'TP-USAGE' : 'TP-BUG';
  return new TwinproofError(code, { message: messageOf(error).replace(/^error: /, ''), cause: error });
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `\ncaused by ${stackOf(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}

process.exitCode = await main(process.argv.slice(2));
