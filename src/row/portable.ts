import type { ColumnMapping } from '../config/mapping.ts';
import type { PortableForm, PortableForms } from '../connector/table.ts';

/*
 * The encoding `portable`: bytes that mean the same on every engine. A column of a pair of different engines is read
 * in a *form*; each connector says which forms its types have (ColumnDescription.portable), and this is what a value
 * looks like in each. NULL is the row stream's NULL in every form.
 *
 * | form     | canonical bytes                                                                                     |
 * |----------|-----------------------------------------------------------------------------------------------------|
 * | boolean  | one byte, 0 or 1                                                                                    |
 * | integer  | 8 bytes, big endian, two's complement                                                               |
 * | decimal  | ASCII: optional `-`, digits without leading zeros (one `0` before the point if there is none), no   |
 * |          | trailing zeros behind the point, no point in a whole number, `0` for every zero                     |
 * | float4   | IEEE 754 single, big endian; every NaN as 7fc00000; −0 is not 0                                     |
 * | float8   | IEEE 754 double, big endian; every NaN as 7ff8000000000000; −0 is not 0                             |
 * | text     | UTF-8; padding blanks of a character(n) do not count, all other characters do, as they are stored   |
 * | bytes    | as they are                                                                                         |
 * | date     | int32, big endian: days since 2000-01-01, proleptic Gregorian                                       |
 * | time     | int64, big endian: microseconds; may be negative or exceed a day                                    |
 * | datetime | int64, big endian: microseconds since 2000-01-01 00:00:00 of a local time in no time zone           |
 * | instant  | int64, big endian: microseconds since 2000-01-01 00:00:00 UTC                                       |
 * | uuid     | 16 bytes                                                                                            |
 *
 * A value of the type that has no such form (an infinite date, a zero date, 2 in a boolean, an unsigned integer beyond
 * the signed ones) is sent with another length or as an extreme that no other engine's value reaches, so that it never
 * equals a value in the form. Two values are therefore equal bytes exactly if they are the same value; unless the
 * configuration says that less counts: `trim` takes the blanks off the end of a text, `scale` rounds a decimal.
 */

/** What a pair of columns is read in. */
export interface SharedForm {
  readonly form: PortableForm;
  /** The time zone in which a site has to convert its values to the form; null: it has them as they are. */
  readonly zones: { readonly primary: string | null; readonly candidate: string | null };
}

type Wish = Pick<ColumnMapping, 'as' | 'zone'>;

const NO_WISH: Wish = { as: null, zone: null };

/**
 * The form that both columns share: what the configuration asks for (`as`); else the first natural form of the primary
 * that is natural on the candidate; else, with a time zone, a form that one site has and the other reaches in that
 * zone (an instant before a local time, since every local time is one instant, and in autumn two instants are one
 * local time). Null: there is no rule, and nothing is guessed. Pure.
 */
export function commonForm(
  primary: PortableForms | undefined,
  candidate: PortableForms | undefined,
  wish: Wish = NO_WISH,
): SharedForm | null {
  if (primary === undefined || candidate === undefined) return null;
  const forms = wish.as === null ? usualForms(primary, candidate, wish) : [wish.as];
  for (const form of forms) {
    const ours = reach(primary, form, wish);
    const theirs = reach(candidate, form, wish);
    if (ours !== null && theirs !== null)
      return { form, zones: { primary: ours.zone, candidate: theirs.zone } };
  }
  return null;
}

/** Which forms to try when none was asked for, best first. */
function usualForms(primary: PortableForms, candidate: PortableForms, { zone }: Wish): PortableForm[] {
  const both = primary.natural.filter((form) => candidate.natural.includes(form));
  if (zone === null) return both;
  const converted = [...primary.natural, ...candidate.natural].filter(
    (form) => primary.inZone.includes(form) || candidate.inZone.includes(form),
  );
  return [...both, ...converted.filter((form) => form === 'instant'), ...converted];
}

/** How a column comes to the form; null: it does not. */
function reach(
  forms: PortableForms,
  form: PortableForm,
  { as, zone }: Wish,
): { readonly zone: string | null } | null {
  if (forms.natural.includes(form)) return { zone: null };
  if (forms.inZone.includes(form)) return zone === null ? null : { zone };
  return as === form && forms.onRequest.includes(form) ? { zone: null } : null;
}

/**
 * The override that would give the two columns a common form, as it is written in the configuration; null: none would.
 * It is offered and never taken by itself: only the owner of the data knows what a column means.
 */
export function helpfulOverride(
  primary: PortableForms | undefined,
  candidate: PortableForms | undefined,
  wish: Wish = NO_WISH,
): string | null {
  if (primary === undefined || candidate === undefined) return null;
  const known = new Set([
    ...primary.natural,
    ...candidate.natural,
    ...primary.onRequest,
    ...candidate.onRequest,
  ]);
  for (const as of known) {
    if (commonForm(primary, candidate, { as, zone: wish.zone }) !== null) return `as: ${as}`;
  }
  const zone = wish.zone ?? 'Asia/Seoul';
  if (commonForm(primary, candidate, { as: null, zone }) !== null) return `zone: ${zone}`;
  for (const as of known) {
    if (commonForm(primary, candidate, { as, zone }) !== null) return `as: ${as}, zone: ${zone}`;
  }
  return null;
}
