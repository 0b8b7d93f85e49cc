import type { Identity } from '../connector/identity.ts';
import type { Position } from '../connector/position.ts';
import type { PairKind, TableDescription, TableSelection } from '../connector/table.ts';
import { compileSelection, unmatchedPatterns } from '../config/selection.ts';
import { TwinproofError } from '../errors.ts';
import { Checkpoint } from './checkpoint.ts';
import { reason, reasonOfError } from './reasons.ts';
import type { Reason, TableResult, VerifyResult } from './result.ts';
import { planScope, type Scope, settledResult, type TablePlan } from './scope.ts';
import { withRetry } from './retry.ts';
import type { SitePair } from './site-pair.ts';
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
  const pair: SitePair = { ...options, kind: opening.pair };
  const data = await options.checkpoint?.load({
    ...opening.identities,
    pair: opening.pair,
    selection: options.selection,
  });
  const checkpoint = new Checkpoint(data ?? { tables: {} }, () => options.timing.now());
  const comparison = new TableComparison(pair, opening.scope.plans, checkpoint, options);
  const compared = await compareAll(options, opening, comparison);
  const closing = await close(options, compared.reasons.length > 0 ? 1 : options.limits.attemptsMax);
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
  const relation = await candidate.relateTo(primary, signal);
  if (relation.kind === 'none') throw new TwinproofError(relation.code, { message: relation.message });
  const { head } = await primary.head(signal);
  const [ourTables, theirTables] = await Promise.all([
    primary.describeTables(EVERYTHING, signal),
    candidate.describeTables(EVERYTHING, signal),
  ]);
  const chosen = choose(selection, ourTables, theirTables);
  const scope = planScope(relation.kind, chosen.primary, chosen.candidate);
  const reasons: Reason[] = chosen.unmatched.map((pattern) =>
    reason('TP-PATTERN-UNMATCHED', 'scope', `no table matches --tables "${pattern}"`),
  );
  if (scope.plans.length + scope.settled.length === 0) {
    reasons.push(reason('TP-EMPTY-SCOPE', 'scope', 'no table matches the selection'));
  }
  return {
    identities: { primary: ours, candidate: theirs },
    pair: relation.kind,
    headBefore: head,
    scope,
    excluded: chosen.excluded,
    reasons,
  };
}

interface Chosen {
  readonly primary: readonly TableDescription[];
  readonly candidate: readonly TableDescription[];
  readonly excluded: VerifyResult['coverage']['excluded'];
  readonly unmatched: readonly string[];
}

/** The whole catalog of both sites, parted by the selection. */
function choose(
  selection: TableSelection,
  primary: readonly TableDescription[],
  candidate: readonly TableDescription[],
): Chosen {
  const decide = compileSelection(selection);
  const excluded = new Map<string, string>();
  const keep = (table: TableDescription): boolean => {
    const { selected, by } = decide(table.schema, table.table);
    if (!selected) excluded.set(table.name, by === null ? 'not named by --tables' : `excluded by "${by}"`);
    return selected;
  };
  const kept = { primary: primary.filter(keep), candidate: candidate.filter(keep) };
  return {
    ...kept,
    excluded: [...excluded].map(([table, why]) => ({ table, reason: why })),
    unmatched: unmatchedPatterns(selection, [...kept.primary, ...kept.candidate]),
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
      for (const { name, renewed } of await changedPlans(options, opening.pair, plans)) {
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
  pair: PairKind,
  plans: readonly TablePlan[],
): Promise<ChangedPlan[]> {
  const describe = (site: 'primary' | 'candidate'): Promise<readonly TableDescription[]> =>
    withRetry(options, options.signal, () => options[site].describeTables(options.selection, options.signal));
  const [primary, candidate] = await Promise.all([describe('primary'), describe('candidate')]);
  const now = new Map(planScope(pair, primary, candidate).plans.map((plan) => [plan.name, plan]));
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
async function close(options: VerifyOptions, attemptsMax: number): Promise<Closing> {
  const bounds = { ...options, limits: { ...options.limits, attemptsMax } };
  const signal = options.signal.aborted ? AbortSignal.timeout(2000) : options.signal;
  try {
    const { head } = await withRetry(bounds, signal, () => options.primary.head(signal));
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
