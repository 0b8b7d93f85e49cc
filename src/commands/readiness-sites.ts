import type { Config } from '../config/load.ts';
import type { FoundSite } from '../config/site.ts';
import type { Connector } from '../connector/contract.ts';
import type { ReadinessOptions } from '../connector/facts.ts';
import type { Identity } from '../connector/identity.ts';
import type { PairKind } from '../connector/table.ts';
import { TwinproofError } from '../errors.ts';
import { Known } from '../ledger/known.ts';
import { Ledger } from '../ledger/ledger.ts';
import { ledgerOptions } from '../ledger/options.ts';
import type { ReadinessSite } from '../readiness/rule.ts';

/** A site that was asked, or why it did not answer. */
export interface AskedSite extends ReadinessSite {
  /** Null: it answered. */
  readonly silence: string | null;
}

export const NOT_ASKED: AskedSite = { facts: null, identity: null, silence: 'it was not asked' };

/** What a promotion needs to know that is not about single rules. */
export interface SiteRelation {
  readonly pair: PairKind;
  /** Why the two are no pair; null: they are, or only one of them answered. */
  readonly refusal: { readonly code: string; readonly message: string } | null;
}

/** The relation as the candidate's connector sees it; without a primary it is told by the candidate's role. */
export async function relationOf(
  primary: Connector | null,
  candidate: Connector,
  remembered: ReadinessSite | null,
  signal: AbortSignal,
): Promise<SiteRelation> {
  const identity = await candidate.identify(signal);
  if (primary === null) return { pair: guessedPair(identity, remembered?.identity ?? null), refusal: null };
  if (familyOf(primary.engine) !== familyOf(candidate.engine)) return { pair: 'cross-engine', refusal: null };
  const relation = await candidate.relateTo(primary, signal);
  if (relation.kind !== 'none') return { pair: relation.kind, refusal: null };
  return {
    pair: guessedPair(identity, await primary.identify(signal)),
    refusal: { code: relation.code, message: relation.message },
  };
}

function familyOf(engine: string): string {
  return engine === 'mariadb' ? 'mysql' : engine;
}

function guessedPair(candidate: Identity, primary: Identity | null): PairKind {
  if (primary !== null && familyOf(primary.engine) !== familyOf(candidate.engine)) return 'cross-engine';
  if (candidate.engine !== 'postgres' || candidate.role === 'subscriber') return 'logical';
  // One that was promoted is told by its identifier.
  return primary === null || primary.systemId === candidate.systemId ? 'physical' : 'logical';
}

/** Identity and facts, both from now. A site that fails on the way did not answer; only Ctrl-C is thrown. */
export async function askSite(
  site: Connector,
  options: ReadinessOptions,
  signal: AbortSignal,
): Promise<AskedSite> {
  try {
    const identity = await site.identify(signal);
    return { identity, facts: await site.readiness(signal, options), silence: null };
  } catch (error) {
    if (signal.aborted || !(error instanceof TwinproofError) || error.code === 'TP-BUG') throw error;
    return { identity: null, facts: null, engine: site.engine, silence: error.message };
  }
}

/** What `watch` has kept of the primary in the ledger; null: there is no ledger, or nothing in it. */
export async function rememberedPrimary(
  config: Config | null,
  primary: FoundSite | null,
  now: () => Date,
): Promise<ReadinessSite | null> {
  const system = primary?.system ?? null;
  if (config?.ledger === undefined || config.ledger === null || system === null) return null;
  try {
    const ledger = await Ledger.read(
      ledgerOptions(config.ledger, system.name, { source: null, comparePositions: notCompared, now }),
    );
    try {
      const known = new Known(ledger.core.store).primary();
      if (known === null) return null;
      const { identity, readiness, readinessAtUs, atUs } = known;
      const rememberedAt = new Date(Number((readinessAtUs ?? atUs) / 1000n));
      return { identity, facts: readiness, rememberedAt };
    } finally {
      await ledger.close();
    }
  } catch (error) {
    if (error instanceof TwinproofError && error.code !== 'TP-BUG') return null;
    throw error;
  }
}

function notCompared(): never {
  throw new TwinproofError('TP-BUG', { message: 'positions are compared without a connector' });
}
