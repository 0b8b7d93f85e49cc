/**
 * Characters that act on a terminal or cannot be told apart by eye: control characters (C0, C1, DEL), format
 * characters (bidirectional overrides, zero-width, tags), lone surrogates, private use, unassigned, line and paragraph
 * separators, spaces other than the common one, and letters that print as nothing.
 */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0\u2800]|(?! )\p{Zs}/gu;
const NOT_ASCII = /[^\x20-\x7e]/gu;

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/**
 * `text` as it may go to a terminal or a log: what comes from a server, a file or a person passes here first. Unsafe
 * characters become `\n`, `\x1b` or `\u{202e}`; a backslash stays as it is, so this is for eyes and not to be parsed.
 *
 * @param unicode False: everything beyond ASCII is written as an escape as well, but for the apostrophe and the dots that
 * our own sentences are full of.
 */
export function terminalText(text: string, unicode = true): string {
  if (unicode) return text.replace(UNSAFE, escaped);
  return text.replace(/[’…]/g, (own) => (own === '…' ? '...' : "'")).replace(NOT_ASCII, escaped);
}

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return (
    SHORT[character] ??
    (code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`)
  );
}

const NOT_FOR_JSON_OUTPUT = /[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/**
 * JSON that may be printed as it is: JSON.stringify leaves DEL, C1 controls and bidirectional overrides, which a
 * terminal obeys. The escapes mean the same to every parser.
 */
export function terminalJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(
    NOT_FOR_JSON_OUTPUT,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
