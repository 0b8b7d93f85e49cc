import type { AddHelpTextContext, Help, Option } from 'commander';
import { wrap } from '../report/text-width.ts';

const WIDTH_WITHOUT_TERMINAL = 80;
/** Longer lines of prose are hard to follow. */
const PROSE_WIDTH_MAX = 100;

/** How the help of a command looks; subcommands take it over. */
export const HELP_LOOK: Partial<Help> = { showGlobalOptions: true, optionDescription };

/** What an option means, what may be given, and what is taken where nothing is. That a switch is off goes without saying. */
function optionDescription(option: Option): string {
  const { description, argChoices } = option;
  const told: string[] = [];
  if (argChoices !== undefined) told.push(argChoices.join(', '));
  const usual = option.defaultValueDescription ?? plainDefault(option.defaultValue);
  if (usual !== null) told.push(`default: ${usual}`);
  return told.length === 0 ? description : `${description} (${told.join('; ')})`;
}

function plainDefault(value: unknown): string | null {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : null;
}

/**
 * Text behind the options of a command, as wide as the terminal, for `addHelpText('after', …)`. Blank lines part
 * paragraphs; a line that begins with blanks, an example, stays as it is.
 */
export function notes(text: string): (context: AddHelpTextContext) => string {
  return ({ command, error }) => {
    const output = command.configureOutput();
    const terminal = (error ? output.getErrHelpWidth?.() : output.getOutHelpWidth?.()) ?? 0;
    const width = terminal > 0 ? terminal : WIDTH_WITHOUT_TERMINAL;
    return `\n${wrappedNotes(text, Math.min(width, PROSE_WIDTH_MAX))}`;
  };
}

/** @param width In columns. */
export function wrappedNotes(text: string, width: number): string {
  const lines: string[] = [];
  let prose = '';
  const flush = (): void => {
    if (prose !== '') lines.push(...wrap(prose, width));
    prose = '';
  };
  for (const line of text.trim().split('\n')) {
    if (line === '' || line.startsWith(' ')) {
      flush();
      lines.push(line);
    } else {
      prose = prose === '' ? line : `${prose} ${line}`;
    }
  }
  flush();
  return lines.join('\n');
}
