#!/usr/bin/env node
import { CommanderError } from 'commander';
import { randomBytes } from 'node:crypto';
import {
  connectSite,
  demandModules,
  openMirror,
  openMirrorAt,
  openOutlet,
  openTopic,
} from '../connectors/registry.ts';
import type { SiteIo } from './commands/io.ts';
import { buildProgram } from './commands/program.ts';
import { EXIT } from './error-codes.ts';
import { messageOf, TwinproofError } from './errors.ts';
import { colourWanted, painter, type Style, unicodeWanted } from './report/colour.ts';
import { terminalText } from './report/terminal-text.ts';
import { wrap } from './report/text-width.ts';

const WIDTH_WITHOUT_TERMINAL = 100;
/** Columns below which there is no room for a sentence beside its label. */
const WRAPPED_FROM = 60;
/** Connections that are being closed get three seconds each. */
const LINGER_MS = 10_000;
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
  const program = buildProgram(siteIo(stop.signal), demandModules);
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
      // A terminal that does not know how wide it is says 0.
      width: stdout.isTTY && stdout.columns > 0 ? stdout.columns : WIDTH_WITHOUT_TERMINAL,
      colour: colourWanted(env, stdout.isTTY),
      unicode: unicodeWanted(env),
    },
    signal,
  };
}

/** One line and a hint on standard error, wrapped on a terminal alone; a stack trace only when asked for. */
function report(error: unknown, debug: boolean): number {
  // Help and version are no errors; help is also what a command line without a command gets.
  if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
  if (error instanceof CommanderError && error.code === 'commander.help') return EXIT.usage;
  const known = knownError(error);
  const { stderr, env } = process;
  const paint = painter(colourWanted(env, stderr.isTTY));
  const width = stderr.isTTY && stderr.columns >= WRAPPED_FROM ? stderr.columns : Infinity;
  const line = (label: string, style: Style, text: string): string =>
    wrap(terminalText(text, unicodeWanted(env)), width - label.length)
      .map((part, index) => `${index === 0 ? paint(style, label) : ' '.repeat(label.length)}${part}\n`)
      .join('');
  stderr.write(line(`error ${known.code}: `, 'red', known.message) + line('  hint: ', 'bold', known.hint));
  if (debug) for (const part of stackOf(error).split('\n')) stderr.write(`${terminalText(part)}\n`);
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
// All is told: a connection behind a cut link, or one that somebody forgot, must not keep the process alive.
setTimeout(() => process.exit(), LINGER_MS).unref();
