import type { ReadinessFacts } from '../connector/facts.ts';
import type { Identity, Severity } from '../connector/identity.ts';
import type { Reading } from '../connector/reading.ts';
import type { PairKind } from '../connector/table.ts';
import type { Waiving } from './waiver.ts';

/** One site as the rules see it. Null: the site was not asked, or did not answer. */
export interface ReadinessSite {
  readonly facts: ReadinessFacts | null;
  readonly identity: Identity | null;
  /** The site is gone, and this is what it told last, then. Absent: it was asked now. */
  readonly rememberedAt?: Date;
  /** What it should be by its address, where it was not identified. */
  readonly engine?: string;
}

export interface ReadinessInput {
  readonly pair: PairKind;
  /** With the primary lost, what is remembered of it may stand here. */
  readonly primary: ReadinessSite;
  readonly candidate: ReadinessSite;
  /** Whether a table of the primary (`schema.table`) is in scope. Absent: every one is. */
  readonly inScope?: (table: string) => boolean;
  /** Whether the deep rules were asked for. */
  readonly deep?: boolean;
  /** Absent: nothing is waived. */
  readonly waiving?: Waiving;
}

export type SiteName = 'primary' | 'candidate';

/** Planned, with the primary alive, or after its loss. */
export type PromotionMode = 'switchover' | 'failover';

export type ModeSeverity = Readonly<Record<PromotionMode, Severity>>;

/** Engines as `Identity.engine` names them. */
export type EngineName = 'postgres' | 'mysql' | 'mariadb';

/** Text for people: one for all engines, or one for each family (MariaDB reads MySQL's). */
export type Words = string | { readonly postgres: string; readonly mysql: string };

export type ReadinessState = 'pass' | 'fail' | 'unknown';

/** What one rule saw at one subject. `seen` is a clause in lower case; the rule's `why` is added to it. */
export interface Observation {
  readonly state: ReadinessState;
  readonly subject: string;
  readonly seen: string;
  /** Of `unknown`: SQL that would make it readable. */
  readonly sql?: string;
}

export interface Rule {
  /** Stable, `TP-R-…`. */
  readonly code: string;
  /** What it asks, as a heading: `replay is not paused`. */
  readonly title: string;
  /** Of a failure, for both modes or each. An unknown rule that would block keeps the verdict of that mode from SAFE. */
  readonly severity: Severity | ModeSeverity;
  readonly pairs: readonly PairKind[];
  /** Of the candidate. Absent: every engine. */
  readonly engines?: readonly EngineName[];
  /** Whose facts it reads: with only the candidate's it is as good after the loss of the primary. */
  readonly reads: readonly SiteName[];
  /** Only when asked for (`--deep`); it is never missed. */
  readonly deep?: true;
  /** No waiver is accepted: what it finds voids the evidence itself. */
  readonly unwaivable?: true;
  /** Why a failure matters to whoever promotes. */
  readonly why: Words;
  readonly hint: Words;
  /** The documentation that it rests on: URLs. */
  readonly docs: readonly string[];
  /** Pure. At least one observation: a rule never passes by silence, and the verdict asks for every blocking one. */
  readonly observe: (input: ReadinessInput) => readonly Observation[];
}

export const PHYSICAL: readonly PairKind[] = ['physical'];
/** What feeds a site of another engine is no subscription of the server's own, and its objects have other names. */
export const LOGICAL: readonly PairKind[] = ['logical'];
export const APPLIED: readonly PairKind[] = ['logical', 'cross-engine'];
export const SAME_ENGINE: readonly PairKind[] = ['physical', 'logical'];
export const ALL_PAIRS: readonly PairKind[] = ['physical', 'logical', 'cross-engine'];
export const POSTGRES: readonly EngineName[] = ['postgres'];
export const MYSQL: readonly EngineName[] = ['mysql', 'mariadb'];
export const BOTH_SITES: readonly SiteName[] = ['primary', 'candidate'];
export const CANDIDATE: readonly SiteName[] = ['candidate'];
export const PRIMARY: readonly SiteName[] = ['primary'];

export function severityOf({ severity }: Pick<Rule, 'severity'>): ModeSeverity {
  return typeof severity === 'string' ? { switchover: severity, failover: severity } : severity;
}

/** Whether the rule is about such a pair. An engine that is not known (null) leaves every rule in: each is unknown. */
export function applies(rule: Rule, pair: PairKind, engine: string | null): boolean {
  if (!rule.pairs.includes(pair)) return false;
  return rule.engines === undefined || engine === null || rule.engines.some((name) => name === engine);
}

export function wordsFor(words: Words, engine: string | null): string {
  if (typeof words === 'string') return words;
  return MYSQL.some((name) => name === engine) ? words.mysql : words.postgres;
}

/** The facts that rules read, i.e. everything but the list of what could not be read, and the engines' own. */
export type FactName = Exclude<keyof ReadinessFacts, 'unread' | 'postgres' | 'mysql'>;

/** Keyed by name, so that the compiler asks for a new fact to be listed. */
const FACT_NAMES: Readonly<Record<FactName, true>> = {
  inRecovery: true,
  writable: true,
  replayPaused: true,
  systemId: true,
  timeline: true,
  unloggedTables: true,
  sequences: true,
  subscriptions: true,
};

/**
 * A fact of one site. It is unknown when it is null or listed as unread, and also when a part of it is: a list with a
 * hole in it proves nothing about what is missing. A rule that judges the parts one by one takes `readListed`.
 */
export function readFact<K extends FactName>(
  input: ReadinessInput,
  site: SiteName,
  fact: K,
): Reading<NonNullable<ReadinessFacts[K]>> {
  const holes = unreadParts(input, site, fact);
  if (holes.length > 0) return { known: false, reason: holes.map(({ reason }) => reason).join('; ') };
  return readListed(input, site, fact);
}

/** A fact whose parts may be missing: see `unreadParts` for those. */
export function readListed<K extends FactName>(
  input: ReadinessInput,
  site: SiteName,
  fact: K,
): Reading<NonNullable<ReadinessFacts[K]>> {
  const { facts } = input[site];
  if (facts === null) return notAsked(site);
  const unread = facts.unread.filter((entry) => entry.fact === fact);
  if (unread.length > 0) return { known: false, reason: unread.map((entry) => entry.reason).join('; ') };
  const value = facts[fact];
  if (value === null || value === undefined) {
    return { known: false, reason: `the ${site} did not tell (${fact})` };
  }
  return { known: true, value };
}

/** A fact of an engine's own part: `readOwn(input, 'candidate', ({ postgres }) => postgres?.settings)`. */
export function readOwn<T>(
  input: ReadinessInput,
  site: SiteName,
  pick: (facts: ReadinessFacts) => Reading<T> | undefined,
): Reading<T> {
  const { facts } = input[site];
  if (facts === null) return notAsked(site);
  return pick(facts) ?? { known: false, reason: `the ${site} did not tell` };
}

/** Judges one own fact of one site; unknown when it could not be read. */
export function judged<T>(
  input: ReadinessInput,
  site: SiteName,
  pick: (facts: ReadinessFacts) => Reading<T> | undefined,
  observe: (value: T) => readonly Observation[],
): readonly Observation[] {
  const reading = readOwn(input, site, pick);
  return reading.known ? observe(reading.value) : [unreadable(site, reading)];
}

/** One failure for each, or one pass. */
export function noneOf(
  found: readonly Observation[],
  seen: string,
  site: SiteName = 'candidate',
): readonly Observation[] {
  return found.length > 0 ? found : [pass(site, seen)];
}

/** Judges one own fact of each site, the primary's first; unknown when either could not be read. */
export function judgedBoth<T, U>(
  input: ReadinessInput,
  ofPrimary: (facts: ReadinessFacts) => Reading<T> | undefined,
  ofCandidate: (facts: ReadinessFacts) => Reading<U> | undefined,
  observe: (primary: T, candidate: U) => readonly Observation[],
): readonly Observation[] {
  return judged(input, 'primary', ofPrimary, (theirs) =>
    judged(input, 'candidate', ofCandidate, (ours) => observe(theirs, ours)),
  );
}

function notAsked(site: SiteName): { readonly known: false; readonly reason: string } {
  return { known: false, reason: `the ${site} was not asked or did not answer` };
}

export interface UnreadPart {
  /** `public.s` for the entry `sequences.public.s`. */
  readonly name: string;
  readonly reason: string;
}

export function unreadParts(input: ReadinessInput, site: SiteName, fact: FactName): readonly UnreadPart[] {
  const prefix = `${fact}.`;
  return (input[site].facts?.unread ?? [])
    .filter((entry) => entry.fact.startsWith(prefix))
    .map((entry) => ({ name: entry.fact.slice(prefix.length), reason: entry.reason }));
}

/** The fact that an unread entry is about: its name, alone or before a dot (`sequences.public.s`); null: none we know. */
export function factNamed(entry: string): FactName | null {
  const name = entry.replace(/\..*$/s, '');
  return isFactName(name) ? name : null;
}

function isFactName(name: string): name is FactName {
  return Object.hasOwn(FACT_NAMES, name);
}

export function pass(subject: string, seen: string): Observation {
  return { state: 'pass', subject, seen };
}

export function fail(subject: string, seen: string): Observation {
  return { state: 'fail', subject, seen };
}

export function unknown(subject: string, reason: string, sql?: string): Observation {
  return { state: 'unknown', subject, seen: reason, ...(sql === undefined ? {} : { sql }) };
}

/** What a rule says of a fact that it could not have. */
export function unreadable(
  site: SiteName,
  reading: Reading<unknown> & { readonly known: false },
): Observation {
  return unknown(site, reading.reason, reading.sql);
}
