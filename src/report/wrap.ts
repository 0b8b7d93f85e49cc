/**
 * Breaks a text into lines of at most `width` columns, the first after `first` and the others after `rest` (indents,
 * counted in). Words longer than a line are broken, so that no line is ever too long.
 */
export function wrap(text: string, width: number, first: string, rest: string): readonly string[] {
  const lines: string[] = [];
  let line = first;
  let empty = true;
  const flush = (): void => {
    lines.push(line.trimEnd());
    line = rest;
    empty = true;
  };
  for (const word of text.split(/ +/)) {
    const gap = empty ? '' : ' ';
    if (columnsOf(line + gap + word) <= width) {
      line += gap + word;
      empty = false;
      continue;
    }
    if (!empty) flush();
    for (const character of word) {
      if (!empty && columnsOf(line + character) > width) flush();
      line += character;
      empty = false;
    }
  }
  flush();
  return lines;
}

/** How many columns a terminal needs: two for East Asian wide characters and most pictures, none for marks. */
export function columnsOf(text: string): number {
  let columns = 0;
  for (const character of text) {
    if (/\p{M}/u.test(character)) continue;
    columns += WIDE.test(character) ? 2 : 1;
  }
  return columns;
}

/** The blocks with East_Asian_Width W or F (Unicode Standard Annex 11) that names and messages are likely to hold. */
const WIDE =
  /[\u{1100}-\u{115f}\u{2e80}-\u{a4cf}\u{a960}-\u{a97f}\u{ac00}-\u{d7a3}\u{f900}-\u{faff}\u{fe30}-\u{fe6f}\u{ff00}-\u{ff60}\u{ffe0}-\u{ffe6}\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;
