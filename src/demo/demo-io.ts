import type { TerminalStream } from '../report/bar-terminal.ts';

/** What a command line gave. */
export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
}

/** A command that runs beside others until `signal` ends it; `stderr` gets what it tells meanwhile. */
export interface Background {
  readonly signal: AbortSignal;
  readonly stderr: (text: string) => void;
}

/** Runs `twinproof ARGS` as the program itself would, for a screen of `width` columns. Throws what it throws. */
export type CommandRunner = (
  args: readonly string[],
  width: number,
  background?: Background,
) => Promise<CommandResult>;

export interface DemoIo {
  readonly stdout: (text: string) => void;
  /** Where what is under way is shown, if it is a terminal. */
  readonly progress: TerminalStream;
  readonly screen: { readonly width: number; readonly colour: boolean; readonly unicode: boolean };
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  readonly run: CommandRunner;
  /** Lines as they are typed, until there are no more or the signal comes. */
  readonly typed: (signal: AbortSignal) => AsyncIterable<string>;
}

export interface DemoOptions {
  /** Whose servers are shown; those of MariaDB are the ones that are installed here. */
  readonly engine: 'postgres' | 'mariadb';
  /** Leave the servers running at the end, until the signal. */
  readonly keep: boolean;
  /** End with the board on a pair that lives, until a line is typed, or the signal. */
  readonly board: boolean;
}
