import * as fc from 'fast-check';

const SURROGATES_FROM = 0xd800;
const SURROGATES = 0x800;

/**
 * Any character, and those of which programs are afraid more often. fast-check's own units `binary` and `grapheme` index
 * all of Unicode first, which takes a second of each process.
 */
export const anyCharacter = fc
  .oneof(fc.integer({ min: 0, max: 0x2ff }), fc.integer({ min: 0, max: 0x10ffff - SURROGATES }))
  .map((code) => String.fromCodePoint(code < SURROGATES_FROM ? code : code + SURROGATES));

/** Text of any characters, surrogates left out. */
export function anyText(
  length: { readonly minLength?: number; readonly maxLength?: number } = {},
): fc.Arbitrary<string> {
  return fc.string({ ...length, unit: anyCharacter });
}
