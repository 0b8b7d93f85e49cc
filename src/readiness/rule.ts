import type { ReadinessFacts } from '../connector/facts.ts';
import type { Identity, Severity } from '../connector/identity.ts';
import type { PairKind } from '../connector/table.ts';

/** One site as the rules see it. Null: the site was not asked, or did not answer. */
export interface ReadinessSite {
  readonly facts: ReadinessFacts | null;
  readonly identity: Identity | null;
}

export interface ReadinessInput {
  readonly pair: PairKind;
  /** With the primary lost, what is remembered of it may stand here. */
  readonly primary: ReadinessSite;
  readonly candidate: ReadinessSite;
}

export type SiteName = 'primary' | 'candidate';

export type ReadinessState = 'pass' | 'fail' | 'unknown';

/** What one rule saw at one subject. `seen` is a clause in lower case; the rule's `why` is added to it. */
export interface Observation {
  readonly state: ReadinessState;
  readonly subject: string;
  readonly seen: string;
}

export interface Rule {
  /** Stable, `TP-R-…`. */
  readonly code: string;
  /** Of a failure. An unknown blocking rule keeps the verdict from SAFE. */
  readonly severity: Severity;
  readonly pairs: readonly PairKind[];
  /** Why a failure matters to whoever promotes. */
  readonly why: string;
  readonly hint: string;
  /** Pure. At least one observation: a rule never passes by silence, and the verdict asks for every blocking one. */
  readonly observe: (input: ReadinessInput) => readonly Observation[];
}

/** The facts that rules read, i.e. everything but the list of what could not be read. */
export type FactName = Exclude<keyof ReadinessFacts, 'unread'>;

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

export type Reading<T> =
  { readonly known: true; readonly value: T } | { readonly known: false; readonly reason: string };

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
  if (facts === null) return { known: false, reason: `the ${site} was not asked or did not answer` };
  const unread = facts.unread.filter((entry) => entry.fact === fact);
  if (unread.length > 0) return { known: false, reason: unread.map((entry) => entry.reason).join('; ') };
  const value = facts[fact];
  if (value === null || value === undefined) {
    return { known: false, reason: `the ${site} did not tell (${fact})` };
  }
  return { known: true, value };
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

export function unknown(subject: string, reason: string): Observation {
  return { state: 'unknown', subject, seen: reason };
}
