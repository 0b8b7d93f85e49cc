/**
 * Text from a server, a file or a certificate, made fit for a terminal. A table may be called anything, so control
 * characters (which move the cursor or change the title), line and paragraph separators, and invisible characters
 * (which reorder or hide text) are shown as `\u{…}`. The backslash itself stays, so this is for reading, not for parsing.
 */
export function printable(text: string): string {
  // Cc control, Cf format (bidirectional, zero width), Zl and Zp separators, Cs lone surrogates, Co private use.
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
}
