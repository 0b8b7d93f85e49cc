import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { wrappedNotes } from '../../src/commands/help.ts';
import { buildProgram } from '../../src/commands/program.ts';
import { widthOf } from '../../src/report/text-width.ts';

const nobody = (): never => {
  throw new Error('help asks nobody');
};

const program = buildProgram(
  {
    stdout: nobody,
    stderr: nobody,
    now: nobody,
    randomBytes: nobody,
    connect: nobody,
    registry: '',
    environment: {},
    progress: process.stderr,
    screen: { width: 80, colour: false, unicode: true },
    signal: new AbortController().signal,
  },
  nobody,
);

const commands = withThoseBelow(program);

function withThoseBelow(command: Command): Command[] {
  return [command, ...shownBelow(command).flatMap((child) => withThoseBelow(child))];
}

/** `version` is for those who try it. */
function shownBelow({ commands: all }: Command): readonly Command[] {
  return all.filter((command) => command.name() !== 'version');
}

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

/** What `--help` prints on a terminal so many columns wide. */
function helpOf(command: Command, width: number): string {
  let text = '';
  command.configureOutput({ writeOut: (part) => void (text += part), getOutHelpWidth: () => width });
  command.outputHelp();
  return text;
}

describe('the help of', () => {
  it.each(commands.map((command) => [pathOf(command), command] as const))('%s', (_, command) => {
    for (const width of [80, 160]) {
      const lines = helpOf(command, width).split('\n');
      // Examples are there to be copied, and stand on lines of their own.
      const prose = lines.filter((line) => !/^ +(?:twinproof|--)/.test(line));
      expect(prose.filter((line) => widthOf(line) > width)).toEqual([]);
    }
    const help = helpOf(command, 400);
    expect(help).not.toMatch(/default: (?:false|true|\[\]|\d{4,})|undefined/);
    // A command of commands is no command itself.
    expect(help.includes('Exit codes: 0 ')).toBe(command.commands.length === 0);
  });

  it('the program names every command once, under a heading', () => {
    const help = helpOf(program, 120);
    for (const command of shownBelow(program)) {
      expect(help.split('\n').filter((line) => line.startsWith(`  ${command.name()} `))).toHaveLength(1);
    }
    expect(help).not.toContain('Commands:');
  });
});

describe('notes behind options', () => {
  it('are as wide as the terminal, but for examples', () => {
    const notes = `
One sentence that goes on
in another line.

Example:
  twinproof verify --primary postgres://a --candidate postgres://b`;
    expect(wrappedNotes(notes, 24)).toBe(`One sentence that goes
on in another line.

Example:
  twinproof verify --primary postgres://a --candidate postgres://b`);
  });
});
