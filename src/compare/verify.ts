import type { Identity } from '../connector/identity.ts';
import type { Position } from '../connector/position.ts';
import type { PairKind, TableDescription, TableSelection } from '../connector/table.ts';
import { compileSelection, unmatchedPatterns } from '../config/selection.ts';
import { TwinproofError } from '../errors.ts';
import { Checkpoint } from './checkpoint.ts';
import { Naming, type TablePlace } from './naming.ts';
import { reason, reasonOfError } from './reasons.ts';
import type { Reason, TableResult, VerifyResult } from './result.ts';
import { planScope, type Scope, settledResult, type TablePlan } from './scope.ts';
import { withRetry } from './retry.ts';
import { DEFAULT_APPLY_WITHIN_MS, type SitePair } from './site-pair.ts';
import { TableComparison } from './table-comparison.ts';
import { overallOutcome } from './tally.ts';
import type { VerifyOptions } from './verify-options.ts';

/** Definitions that changed while they were read are compared once more; then they are unproven. */
const ATTEMPTS_AT_DEFINITION = 2;
const EVERYTHING: TableSelection = { include: ['*.*'], exclude: [] };

/** Both sites as they were at the start, and what is to be compared. */
interface Opening {
  readonly identities: { readonly primary: Identity; readonly candidate: Identity };
  readonly pair: PairKind;
  readonly headBefore: Position;
  readonly scope: Scope;
  readonly excluded: VerifyResult['coverage']['excluded'];
  readonly reasons: readonly Reason[];
}

/**
 * Compares two live sites. Throws TwinproofError when the comparison cannot begin (a site cannot be reached, the sites
 * are unrelated); whatever goes wrong later becomes a reason in the result, which is never `same` then.
 */
export async function verify(options: VerifyOptions): Promise<VerifyResult> {
  const startedAt = new Date(options.timing.now());
  const opening = await open(options);
  const pair: SitePair = {
    ...options,
    kind: opening.pair,
    applyWithinMs: opening.pair === 'cross-engine' ? applyWithin(options) : null,
    learnt: { isTooSlow: false },
  };
  const data = await options.checkpoint?.load({
    ...opening.identities,
    pair: opening.pair,
    selection: options.selection,
  });
  const checkpoint = new Checkpoint(data ?? { tables: {} }, () => options.timing.now());
  const comparison = new TableComparison(pair, opening.scope.plans, checkpoint, options);
  const compared = await compareAll(options, opening, comparison);
  const closing = await close(
    options,
    opening.pair,
    compared.reasons.length > 0 ? 1 : options.limits.attemptsMax,
  );
  const tables = [...opening.scope.settled, ...compared.tables].sort((a, b) =>
    compareNames(a.table, b.table),
  );
  const reasons = [...opening.reasons, ...compared.reasons, ...closing.reasons];
  const outcomes = tables.map(({ outcome }) => outcome);
  if (reasons.some(({ severity }) => severity !== 'info')) outcomes.push('unproven');
  const { takenOver } = checkpoint;
  return {
    outcome: overallOutcome(outcomes),
    pair: opening.pair,
    startedAt,
    finishedAt: new Date(options.timing.now()),
    primary: {
      engine: options.primary.engine,
      identity: opening.identities.primary,
      position: closing.head,
      headBefore: opening.headBefore,
    },
    candidate: {
      engine: options.candidate.engine,
      identity: opening.identities.candidate,
      position: closing.applied,
    },
    coverage: {
      tables: tables.length,
      compared: tables.filter(({ method, outcome }) => method !== 'none' && outcome !== 'unproven').length,
      excluded: opening.excluded,
    },
    tables,
    reasons,
    resumed:
      takenOver.ranges === 0
        ? null
        : { ranges: takenOver.ranges, rows: takenOver.rows, provenSince: new Date(takenOver.sinceMs) },
    bytesRead: comparison.bytesRead,
  };
}

async function open(options: VerifyOptions): Promise<Opening> {
  const { primary, candidate, selection, signal } = options;
  const [ours, theirs] = await Promise.all([primary.identify(signal), candidate.identify(signal)]);
  const identities = { primary: ours, candidate: theirs };
  const pair = await relate(options, ours);
  const { head } = await primary.head(signal);
  const catalog = await readCatalog(options, pair, identities);
  const chosen = choose(selection, catalog);
  const scope = planScope(catalog.naming, chosen.primary, chosen.candidate);
  const reasons: Reason[] = [...catalog.naming.problems];
  if (pair === 'cross-engine') reasons.push(byTime(applyWithin(options)));
  for (const pattern of chosen.unmatched) {
    reasons.push(reason('TP-PATTERN-UNMATCHED', 'scope', `no table matches --tables "${pattern}"`));
  }
  if (scope.plans.length + scope.settled.length === 0) {
    reasons.push(reason('TP-EMPTY-SCOPE', 'scope', 'no table matches the selection'));
  }
  return { identities, pair, headBefore: head, scope, excluded: chosen.excluded, reasons };
}

/** What the two sites are to one another. Throws TP-SAME-SERVER, TP-UNRELATED, TP-ROLES, and TP-USAGE. */
async function relate(options: VerifyOptions, ours: Identity): Promise<PairKind> {
  const { primary, candidate, throttle, signal } = options;
  if (primary.engine === candidate.engine) {
    const relation = await candidate.relateTo(primary, signal);
    if (relation.kind === 'none') throw new TwinproofError(relation.code, { message: relation.message });
    return relation.kind;
  }
  // No catalog tells who feeds a site of another engine; but what is itself a standby is no primary.
  if (ours.role === 'standby') {
    throw new TwinproofError('TP-ROLES', {
      message: 'the server given as the primary is in recovery: give the server that takes writes',
    });
  }
  if (throttle.lagMaxMs !== null) {
    throw new TwinproofError('TP-USAGE', {
      message: '--max-lag cannot be used between different engines: the candidate does not tell its lag',
      hint: 'leave it out; --max-rows-per-second bounds the load',
    });
  }
  return 'cross-engine';
}

function applyWithin({ applyWithinMs }: VerifyOptions): number {
  return applyWithinMs ?? DEFAULT_APPLY_WITHIN_MS;
}

function byTime(milliseconds: number): Reason {
  const message =
    `the sites do not share positions: a row counts as different when it stays so for ${milliseconds / 1000} s, ` +
    'within which a change is said to reach the candidate (--apply-within); equal rows need no such time';
  return reason('TP-BY-TIME', 'sites', message);
}

/** The tables of both sites, and how their names correspond. */
interface Catalog {
  readonly primary: readonly TableDescription[];
  readonly candidate: readonly TableDescription[];
  readonly naming: Naming;
}

async function readCatalog(
  options: VerifyOptions,
  pair: PairKind,
  identities: Opening['identities'],
): Promise<Catalog> {
  const describe = (site: 'primary' | 'candidate'): Promise<readonly TableDescription[]> =>
    withRetry(options, options.signal, () => options[site].describeTables(EVERYTHING, options.signal));
  const [primary, candidate] = await Promise.all([describe('primary'), describe('candidate')]);
  // A replica may be told to rename the database that it is brought.
  const homes =
    pair === 'physical'
      ? undefined
      : { primary: homeSchema(identities.primary), candidate: homeSchema(identities.candidate) };
  return { primary, candidate, naming: new Naming(pair, primary, candidate, options.mapping, homes) };
}

/** Where tables are made that name no schema. On MySQL and MariaDB a schema and a database are one. */
function homeSchema({ engine, database }: Identity): string {
  return engine === 'mysql' || engine === 'mariadb' ? database : 'public';
}

interface Chosen {
  readonly primary: readonly TableDescription[];
  readonly candidate: readonly TableDescription[];
  readonly excluded: VerifyResult['coverage']['excluded'];
  readonly unmatched: readonly string[];
}

/** The whole catalog of both sites, parted by the selection, which speaks of the primary's names. */
function choose(selection: TableSelection, { primary, candidate, naming }: Catalog): Chosen {
  const decide = compileSelection(selection);
  const excluded = new Map<string, string>();
  const keep = ({ schema, table, name }: TablePlace): boolean => {
    const { selected, by } = decide(schema, table);
    if (!selected) excluded.set(name, by === null ? 'not named by --tables' : `excluded by "${by}"`);
    return selected;
  };
  const kept = {
    primary: primary.filter(keep),
    candidate: candidate.filter((table) => keep(naming.placeOf(table))),
  };
  const places = [...kept.primary, ...kept.candidate.map((table) => naming.placeOf(table))];
  return {
    ...kept,
    excluded: [...excluded].map(([table, why]) => ({ table, reason: why })),
    unmatched: unmatchedPatterns(selection, places),
  };
}

interface Compared {
  readonly tables: readonly TableResult[];
  readonly reasons: readonly Reason[];
}

/** Compares every table; those whose definition changed meanwhile once more. */
async function compareAll(
  options: VerifyOptions,
  opening: Opening,
  comparison: TableComparison,
): Promise<Compared> {
  const results = new Map<string, TableResult>();
  let plans = opening.scope.plans;
  try {
    for (let attempt = 1; plans.length > 0; attempt++) {
      for (const result of await comparison.run(plans)) results.set(result.table, result);
      const again: TablePlan[] = [];
      for (const { name, renewed } of await changedPlans(options, opening, plans)) {
        comparison.forget(name);
        if (renewed === null || attempt === ATTEMPTS_AT_DEFINITION) voidResult(results, name);
        else again.push(renewed);
      }
      plans = again;
    }
    return { tables: [...results.values()], reasons: [] };
  } catch (error) {
    // Interrupted, or a site is gone: what was compared is shown, and the run as a whole is unproven.
    const why = reasonOfError(options.signal.aborted ? options.signal.reason : error, 'run');
    const tables = opening.scope.plans.map(
      ({ name }) => comparison.known(name) ?? settledResult(name, 'unproven', [{ ...why, subject: name }]),
    );
    return { tables, reasons: [why] };
  } finally {
    await comparison.saveCheckpoint();
  }
}

interface ChangedPlan {
  readonly name: string;
  /** The table as it is now; null: it can no longer be compared. */
  readonly renewed: TablePlan | null;
}

/** Tables that have another definition now than when they were planned. */
async function changedPlans(
  options: VerifyOptions,
  { pair, identities }: Opening,
  plans: readonly TablePlan[],
): Promise<ChangedPlan[]> {
  const catalog = await readCatalog(options, pair, identities);
  const { primary, candidate } = choose(options.selection, catalog);
  const now = new Map(planScope(catalog.naming, primary, candidate).plans.map((plan) => [plan.name, plan]));
  return plans
    .filter(({ name, fingerprints }) => {
      const renewed = now.get(name)?.fingerprints;
      return renewed?.primary !== fingerprints.primary || renewed.candidate !== fingerprints.candidate;
    })
    .map(({ name }) => ({ name, renewed: now.get(name) ?? null }));
}

/**
 * A result that no longer holds. That goes for differences too: bytes of a column whose type changed on one site first
 * differ where no value does.
 */
function voidResult(results: Map<string, TableResult>, name: string): void {
  const why = reason(
    'TP-DEFINITION-CHANGED',
    name,
    'the definition of the table changed while it was compared',
  );
  results.set(name, settledResult(name, 'unproven', [why]));
}

interface Closing {
  readonly head: Position | null;
  readonly applied: Position | null;
  readonly reasons: readonly Reason[];
}

/** Where both sites stand at the end; also of an interrupted run, if they still answer. */
async function close(options: VerifyOptions, pair: PairKind, attemptsMax: number): Promise<Closing> {
  const bounds = { ...options, limits: { ...options.limits, attemptsMax } };
  const signal = options.signal.aborted ? AbortSignal.timeout(2000) : options.signal;
  try {
    const { head } = await withRetry(bounds, signal, () => options.primary.head(signal));
    // What a candidate of another engine has applied it can only tell of its own log, or of somebody else's.
    if (pair === 'cross-engine') return { head, applied: null, reasons: [] };
    const { applied } = await withRetry(bounds, signal, () => options.candidate.applied(signal));
    return { head, applied, reasons: [] };
  } catch (error) {
    const reasons = error instanceof TwinproofError ? [reasonOfError(error, 'run')] : [];
    return { head: null, applied: null, reasons };
  }
}

function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
