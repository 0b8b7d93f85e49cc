/**
 * Characters that are never joined to a neighbour of these kinds (UAX #29), so that they need no segmenter, which takes
 * ten times as long. Of one column: ASCII, Latin-1, dashes, quotation marks, arrows, the blocks of a bar, the marks of a
 * verdict. Of two: kana, CJK ideographs, Hangul syllables.
 */
const NARROW = String.raw`\x20-\x7e\xa1-\xac\xae-\xff\u2010-\u2015\u2018-\u201f\u2026\u2190-\u21ff\u2500-\u259f\u2713-\u2718`;
const DOUBLE = String.raw`\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff\uac00-\ud7a3`;
const PLAIN = new RegExp(`^[${NARROW}]*$`);
const PLAIN_OR_DOUBLE = new RegExp(`^[${NARROW}${DOUBLE}]*$`);
const PLAINLY_DOUBLE = new RegExp(`[${DOUBLE}]`, 'g');

/** East Asian wide and full-width blocks and emoji, from Unicode's EastAsianWidth (W and F). */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;
// oxlint-disable-next-line no-control-regex -- the colour sequences of colour.ts take no columns
const COLOUR = /\x1b\[[0-9;]*m/g;

/** Columns that `text` takes on a terminal; colours take none. */
export function widthOf(text: string): number {
  if (PLAIN.test(text)) return text.length;
  const bare = text.replace(COLOUR, '');
  if (PLAIN_OR_DOUBLE.test(bare)) return bare.length + (bare.match(PLAINLY_DOUBLE)?.length ?? 0);
  let width = 0;
  for (const { segment } of segmentsOf(bare)) width += graphemeWidth(segment);
  return width;
}

function graphemeWidth(grapheme: string): number {
  if (WIDE.test(grapheme)) return 2;
  return /^\p{M}+$/u.test(grapheme) ? 0 : 1;
}

/**
 * `text` in at most `width` columns: what does not fit is cut out of the middle, because names of tables differ at
 * their ends.
 */
export function truncateMiddle(text: string, width: number, unicode = true): string {
  if (widthOf(text) <= width) return text;
  const mark = unicode ? '…' : '...';
  const room = width - mark.length;
  if (room < 2) return takeStart(graphemesOf(text), width);
  const graphemes = graphemesOf(text);
  const head = takeStart(graphemes, Math.ceil(room / 2));
  return head + mark + takeEnd(graphemes, room - widthOf(head));
}

function graphemesOf(text: string): readonly string[] {
  return PLAIN_OR_DOUBLE.test(text) ? text.split('') : Array.from(segmentsOf(text), ({ segment }) => segment);
}

let segmenter: Intl.Segmenter | undefined;

/** Made when first needed: that takes 20 ms. */
function segmentsOf(text: string): Intl.Segments {
  segmenter ??= new Intl.Segmenter('en', { granularity: 'grapheme' });
  return segmenter.segment(text);
}

function takeStart(graphemes: readonly string[], width: number): string {
  let taken = '';
  let used = 0;
  for (const grapheme of graphemes) {
    used += graphemeWidth(grapheme);
    if (used > width) break;
    taken += grapheme;
  }
  return taken;
}

function takeEnd(graphemes: readonly string[], width: number): string {
  let from = graphemes.length;
  let used = 0;
  while (from > 0) {
    used += graphemeWidth(graphemes[from - 1] ?? '');
    if (used > width) break;
    from -= 1;
  }
  return graphemes.slice(from).join('');
}

/**
 * Lines of at most `width` columns (the first one of at most `firstWidth`), broken at spaces, or within a word that is
 * longer than a line.
 */
export function wrap(text: string, width: number, firstWidth = width): readonly string[] {
  const lines: string[] = [];
  let line = '';
  let used = 0;
  for (const word of text.split(' ')) {
    const length = widthOf(word);
    if (line !== '' && used + 1 + length <= (lines.length === 0 ? firstWidth : width)) {
      line += ` ${word}`;
      used += 1 + length;
      continue;
    }
    if (line !== '') lines.push(line);
    const room = lines.length === 0 ? firstWidth : width;
    // A long word is cut to the narrower of the two, so that no piece is too wide wherever it lands.
    const pieces = length <= room ? [word] : broken(word, Math.max(1, Math.min(width, firstWidth)));
    lines.push(...pieces.slice(0, -1));
    line = pieces.at(-1) ?? '';
    used = widthOf(line);
  }
  if (line !== '') lines.push(line);
  return lines;
}

function broken(word: string, width: number): readonly string[] {
  const pieces: string[] = [];
  let rest = graphemesOf(word);
  while (rest.length > 0) {
    const piece = takeStart(rest, width);
    // A wide character in a line of one column still has to go somewhere.
    const taken = piece === '' ? [rest[0] ?? ''] : graphemesOf(piece);
    pieces.push(taken.join(''));
    rest = rest.slice(taken.length);
  }
  return pieces;
}
