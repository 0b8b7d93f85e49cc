import type { Command } from 'commander';
import { InvalidArgumentError, Option } from 'commander';
import { availableParallelism } from 'node:os';
import { durationOf } from '../config/duration.ts';
import { PATTERN_HINT, patternProblem } from '../config/selection.ts';
import type { ComparisonOptions } from './run-verify.ts';

const JOBS_MAX = 64;

/** What commander makes of the options that `verify` and `certify` share. */
export interface ParsedComparison {
  readonly primary?: string;
  readonly candidate?: string;
  readonly config?: string;
  readonly system?: string;
  readonly tables: readonly string[];
  readonly exclude: readonly string[];
  readonly jobs: number;
  readonly workers: number;
  readonly differences?: string;
  readonly timeout?: number;
  readonly statementTimeout: number;
  readonly maxRowsPerSecond?: number;
  readonly maxLag?: number;
  readonly applyWithin?: number;
  readonly state?: string;
  readonly showValues: boolean;
  readonly quiet: boolean;
}

/** Two for each core of a small machine: 4 on two cores took 0.75 of the drain's time where 2 took 0.82, measured. */
function usualJobs(): number {
  return Math.min(8, Math.max(4, availableParallelism()));
}

/** On two cores the servers' own work leaves none for a thread more, measured; with more, one of four. */
function usualWorkers(): number {
  const cores = availableParallelism();
  return cores <= 4 ? 0 : Math.min(4, Math.floor(cores / 4));
}

/** Adds the options to a command. */
export function addComparisonOptions(command: Command): Command {
  return command
    .option('--primary <url|name>', 'the site that takes writes: a URL, or a system of the configuration')
    .option(
      '--candidate <url|name>',
      'the site that could be promoted: a URL, or a candidate of the configuration',
    )
    .option('--config <file>', 'configuration with systems and secrets (twinproof.yaml)')
    .option('--system <name>', 'the system of the configuration, if it has several')
    .option('--tables <pattern...>', 'tables to compare, such as public.* (default: all)', collect, [])
    .option('--exclude <pattern...>', 'tables to leave out; exclusion wins', collect, [])
    .option('-j, --jobs <n>', 'reads at once on each site', count, usualJobs())
    .addOption(
      new Option('--workers <n>', 'threads that read and hash')
        .argParser(countOrNone)
        .default(usualWorkers(), `by cores, here ${usualWorkers()}`),
    )
    .option('--differences <file>', 'write every difference to a file, one JSON object a line')
    .option(
      '--timeout <duration>',
      'end the run after this time, such as 30m, with what is known by then',
      duration,
    )
    .addOption(statementTimeoutOption('5m'))
    .option('--max-rows-per-second <n>', 'read no faster than this', count)
    .option(
      '--max-lag <duration>',
      'pause while the candidate is further behind than this, such as 10s',
      duration,
    )
    .option(
      '--apply-within <duration>',
      'between different engines: a change reaches the candidate within this time (default: policy, 10s)',
      duration,
    )
    .option('--state <file>', 'remember what is proven there, and take it over when run again')
    .option('--show-values', 'print values of rows that differ, not only their keys', false)
    .option('-q, --quiet', 'no progress display', false);
}

/** @param usual What is taken where nothing is given, as one would type it. */
export function statementTimeoutOption(usual: string): Option {
  return new Option('--statement-timeout <duration>', 'bound for one statement on the servers')
    .argParser(duration)
    .default(duration(usual), usual);
}

export function formatOption(): Option {
  return new Option('--format <format>', 'how the result is printed')
    .choices(['text', 'json'])
    .default('text');
}

export function comparisonOptions(parsed: ParsedComparison): ComparisonOptions {
  return {
    primary: parsed.primary ?? null,
    candidate: parsed.candidate ?? null,
    config: parsed.config ?? null,
    system: parsed.system ?? null,
    tables: parsed.tables,
    exclude: parsed.exclude,
    jobs: Math.min(parsed.jobs, JOBS_MAX),
    workers: Math.min(parsed.workers, parsed.jobs, JOBS_MAX),
    differences: parsed.differences ?? null,
    timeoutMs: parsed.timeout ?? null,
    statementTimeoutMs: parsed.statementTimeout,
    rowsPerSecondMax: parsed.maxRowsPerSecond ?? null,
    lagMaxMs: parsed.maxLag ?? null,
    applyWithinMs: parsed.applyWithin ?? null,
    state: parsed.state ?? null,
    showValues: parsed.showValues,
    quiet: parsed.quiet,
  };
}

/** Patterns may be given as several words, several options, or with commas between them. */
function collect(value: string, earlier: readonly string[]): string[] {
  const patterns = splitPatterns(value);
  for (const pattern of patterns) {
    const problem = patternProblem(pattern);
    if (problem !== null) throw new InvalidArgumentError(`the pattern ${problem}; ${PATTERN_HINT}`);
  }
  return [...earlier, ...patterns];
}

/** At commas outside double quotes. A quote without its partner stays, for the pattern to be refused. */
export function splitPatterns(text: string): string[] {
  const parts = text.match(/(?:"(?:[^"]|"")*"|[^,])+/g) ?? [];
  return parts.map((part) => part.trim()).filter((part) => part !== '');
}

export function duration(text: string): number {
  const milliseconds = durationOf(text);
  if (milliseconds === null) throw new InvalidArgumentError('a duration is wanted, such as 30s, 5m or 24h');
  return milliseconds;
}

export function count(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1)
    throw new InvalidArgumentError('a whole number above 0 is wanted');
  return number;
}

export function countOrNone(text: string): number {
  return text === '0' ? 0 : count(text);
}
