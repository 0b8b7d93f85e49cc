import { EN } from './words-en.ts';
import { KO } from './words-ko.ts';
import type { Language, Words } from './words.ts';

/** What the board says in each language. */
export const WORDS: Readonly<Record<Language, Words>> = { en: EN, ko: KO };
