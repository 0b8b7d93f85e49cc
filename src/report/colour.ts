export type Style = 'red' | 'green' | 'yellow' | 'bold' | 'dim';

export type Paint = (style: Style, text: string) => string;

type Environment = Readonly<Record<string, string | undefined>>;

const SEQUENCES: Readonly<Record<Style, readonly [open: number, close: number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
};

/**
 * Whether to colour what goes to a stream. FORCE_COLOR decides before NO_COLOR, as in Node itself: it is the one set
 * on purpose for this run. Neither set: colour on a terminal that is not dumb.
 */
export function colourWanted(environment: Environment, isTerminal: boolean): boolean {
  const forced = environment['FORCE_COLOR'];
  if (forced !== undefined) return forced !== '0' && forced !== 'false';
  const refused = environment['NO_COLOR'];
  if (refused !== undefined && refused !== '') return false;
  return isTerminal && environment['TERM'] !== 'dumb';
}

/** Whether the terminal shows more than ASCII: false only when its locale says another character set. */
export function unicodeWanted(environment: Environment): boolean {
  const locale = [environment['LC_ALL'], environment['LC_CTYPE'], environment['LANG']].find(
    (value) => value !== undefined && value !== '',
  );
  // No locale at all is the rule in containers, whose output ends on a terminal that is UTF-8 nearly always.
  return locale === undefined || /utf-?8/i.test(locale);
}

export function painter(colour: boolean): Paint {
  if (!colour) return (_style, text) => text;
  return (style, text) => {
    const [open, close] = SEQUENCES[style];
    return text === '' ? '' : `\x1b[${open}m${text}\x1b[${close}m`;
  };
}
