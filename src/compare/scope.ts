import type { RowIdentity } from '../connector/contract.ts';
import type { PairKind, TableDescription } from '../connector/table.ts';
import { type PairedColumn, pairColumns } from './column-pairing.ts';
import type { Naming } from './naming.ts';
import { type Reason, type TableResult } from './result.ts';
import { reason } from './reasons.ts';
import type { ShapePair } from './site-pair.ts';

export type Method = 'block' | 'key' | 'slice';

/** One table that can be compared: how, and with which columns. */
export interface TablePlan {
  readonly name: string;
  readonly method: Method;
  readonly shapes: ShapePair;
  /** Names the byte form in the evidence. */
  readonly encoding: string;
  /** Of both definitions: the comparison holds only while they stay. */
  readonly fingerprints: { readonly primary: string; readonly candidate: string };
  /** Reasons that do not stop the comparison. */
  readonly notes: readonly Reason[];
  readonly rowsEstimate: number;
}

export interface Scope {
  readonly plans: readonly TablePlan[];
  /** Tables whose outcome is known without reading a row. */
  readonly settled: readonly TableResult[];
}

/** Pairs the tables of both sites by the primary's names. Pure. */
export function planScope(
  naming: Naming,
  primary: readonly TableDescription[],
  candidate: readonly TableDescription[],
): Scope {
  const theirs = new Map(candidate.map((table) => [naming.placeOf(table).name, table]));
  const plans: TablePlan[] = [];
  const settled: TableResult[] = [];
  for (const table of primary) {
    const other = theirs.get(table.name);
    theirs.delete(table.name);
    const planned = other === undefined ? missingTable(naming, table) : planTable(naming, table, other);
    if ('outcome' in planned) settled.push(planned);
    else plans.push(planned);
  }
  for (const [name, table] of theirs) settled.push(extraTable(name, table));
  return { plans, settled };
}

function missingTable(naming: Naming, { name }: TableDescription): TableResult {
  const mapped = naming.mappedName(name);
  const place = mapped === null ? '' : ` (mapped to ${mapped})`;
  return settledResult(name, 'different', [
    reason('TP-TABLE-MISSING', name, `the table does not exist on the candidate${place}`),
  ]);
}

function extraTable(name: string, table: TableDescription): TableResult {
  const called = name === table.name ? '' : ` (${table.name} there)`;
  return settledResult(name, 'different', [
    reason('TP-TABLE-EXTRA', name, `the table exists on the candidate only${called}`),
  ]);
}

/** The result of a table of which no row was compared. */
export function settledResult(
  table: string,
  outcome: TableResult['outcome'],
  reasons: readonly Reason[],
): TableResult {
  return {
    table,
    outcome,
    encoding: 'none',
    method: 'none',
    rows: { primary: 0n, candidate: 0n },
    differences: { missing: 0n, extra: 0n, changed: 0n },
    samples: [],
    reasons,
  };
}

function planTable(
  naming: Naming,
  primary: TableDescription,
  candidate: TableDescription,
): TablePlan | TableResult {
  const pair = naming.kind;
  const name = primary.name;
  for (const [site, { obstacle }] of [
    ['the primary', primary],
    ['the candidate', candidate],
  ] as const) {
    if (obstacle !== null) {
      const message = `${obstacle.message} (on ${site})`;
      const why: Reason = {
        code: obstacle.code,
        severity: 'warn',
        subject: name,
        message,
        hint: obstacle.hint,
      };
      return settledResult(name, 'unproven', [why]);
    }
  }
  const columns = pairColumns(naming, primary, candidate);
  if (columns.verdict !== null) return settledResult(name, columns.verdict, columns.reasons);
  const key = commonKey(primary, candidate, columns.columns);
  const identity: RowIdentity = key !== null ? 'key' : pair === 'physical' ? 'address' : 'value';
  const ordered = keyFirst(columns.columns, key ?? []);
  const shape = {
    identity,
    keyFields: identity === 'key' ? (key?.length ?? 0) : identity === 'address' ? 1 : 0,
    pair,
  };
  const notes = [...columns.reasons];
  if (key === null && (primary.key !== null || candidate.key !== null) && pair !== 'physical') {
    notes.push(
      reason('TP-KEY-DIFFERS', name, 'the key differs between the sites: rows are told apart by value'),
    );
  }
  return {
    name,
    method: chooseMethod(pair, identity, primary, candidate),
    shapes: {
      primary: { ...shape, table: primary, columns: ordered.map((column) => column.primary) },
      candidate: { ...shape, table: candidate, columns: ordered.map((column) => column.candidate) },
    },
    encoding: encodingName(ordered.map((column) => column.primary.encoding)),
    fingerprints: { primary: primary.fingerprint, candidate: candidate.fingerprint },
    notes,
    rowsEstimate: Math.max(primary.rowsEstimate, candidate.rowsEstimate, 0),
  };
}

/** Block ranges where both sites have equal pages; key ranges where they read sequentially; else slices. */
export function chooseMethod(
  pair: PairKind,
  identity: RowIdentity,
  primary: TableDescription,
  candidate: TableDescription,
): Method {
  if (pair === 'physical') return 'block';
  // No two engines order alike: text, NULLs and even numbers in other types stand elsewhere.
  if (pair === 'cross-engine') return 'slice';
  const aligned =
    primary.keyOrder === 'portable' &&
    candidate.keyOrder === 'portable' &&
    primary.keyCollation === candidate.keyCollation;
  if (identity === 'key' && aligned && primary.clustered && candidate.clustered) return 'key';
  return 'slice';
}

/** The key, if both sites have the same one: the same columns, in the order of the primary's; by the primary's names. */
function commonKey(
  primary: TableDescription,
  candidate: TableDescription,
  columns: readonly PairedColumn[],
): readonly string[] | null {
  if (primary.key === null || candidate.key === null) return null;
  const theirs = new Map(columns.map((column) => [column.primary.name, column.candidate.name]));
  const same =
    primary.key.length === candidate.key.length &&
    primary.key.every((name) => candidate.key?.includes(theirs.get(name) ?? '') === true);
  return same ? primary.key : null;
}

function keyFirst(columns: readonly PairedColumn[], key: readonly string[]): PairedColumn[] {
  const byName = new Map(columns.map((column) => [column.primary.name, column]));
  const first = key.flatMap((name) => byName.get(name) ?? []);
  return [...first, ...columns.filter(({ primary }) => !key.includes(primary.name))];
}

function encodingName(encodings: readonly string[]): string {
  const names = [...new Set(encodings)].sort();
  return names.length === 0 ? 'none' : names.join('+');
}
