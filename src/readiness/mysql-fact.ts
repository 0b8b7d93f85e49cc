import type { MysqlValues } from '../connector/facts-mysql.ts';
import type { Reading } from '../connector/reading.ts';
import {
  BOTH_SITES,
  fail,
  readOwn,
  unreadable,
  type Observation,
  type ReadinessInput,
  type SiteName,
  noneOf,
} from './rule.ts';

/** A fact of one site; the rule that needs it is unknown without it. */
export function factOf<K extends keyof MysqlValues>(
  input: ReadinessInput,
  site: SiteName,
  name: K,
): Reading<MysqlValues[K]> {
  return readOwn<MysqlValues[K]>(input, site, ({ mysql }) => mysql?.[name]);
}

/** Observes with one fact of one site. */
export function withFact<K extends keyof MysqlValues>(
  site: SiteName,
  name: K,
  observe: (value: MysqlValues[K], input: ReadinessInput) => readonly Observation[],
): (input: ReadinessInput) => readonly Observation[] {
  return (input) => {
    const reading = factOf(input, site, name);
    return reading.known ? observe(reading.value, input) : [unreadable(site, reading)];
  };
}

/** Observes with one fact of both sites; what could not be read is told for each. */
export function withBoth<K extends keyof MysqlValues>(
  name: K,
  observe: (
    primary: MysqlValues[K],
    candidate: MysqlValues[K],
    input: ReadinessInput,
  ) => readonly Observation[],
): (input: ReadinessInput) => readonly Observation[] {
  return (input) => {
    const primary = factOf(input, 'primary', name);
    const candidate = factOf(input, 'candidate', name);
    if (primary.known && candidate.known) return observe(primary.value, candidate.value, input);
    return BOTH_SITES.flatMap((site) => {
      const reading = site === 'primary' ? primary : candidate;
      return reading.known ? [] : [unreadable(site, reading)];
    });
  };
}

/** One failure for each setting that differs, or one pass. Names that either server does not have are left out. */
export function differing(
  names: readonly string[],
  primary: Readonly<Record<string, string>>,
  candidate: Readonly<Record<string, string>>,
): readonly Observation[] {
  const known = names.filter((name) => primary[name] !== undefined && candidate[name] !== undefined);
  const found = known
    .filter((name) => primary[name] !== candidate[name])
    .map((name) =>
      fail(
        name,
        `it is ${shown(candidate[name])} on the candidate and ${shown(primary[name])} on the primary`,
      ),
    );
  return noneOf(found, `the same on both sites: ${known.join(', ')}`);
}

export function shown(value: string | undefined): string {
  return value === undefined ? 'not known' : value === '' ? 'empty' : value;
}

/** How the server says yes. */
export function isYes(value: string | undefined): boolean {
  return value !== undefined && !['OFF', '0', 'NO', ''].includes(value.toUpperCase());
}
