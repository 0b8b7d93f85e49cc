import type { RowIdentity } from '../connector/contract.ts';
import type { ColumnDescription, PairKind, TableDescription } from '../connector/table.ts';
import { type Reason, type TableResult } from './result.ts';
import { reason, type ReasonCode } from './reasons.ts';
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

/** Pairs the tables of both sites. Pure. */
export function planScope(
  pair: PairKind,
  primary: readonly TableDescription[],
  candidate: readonly TableDescription[],
): Scope {
  const theirs = new Map(candidate.map((table) => [table.name, table]));
  const plans: TablePlan[] = [];
  const settled: TableResult[] = [];
  for (const table of primary) {
    const other = theirs.get(table.name);
    theirs.delete(table.name);
    const planned = other === undefined ? missingTable(table) : planTable(pair, table, other);
    if ('outcome' in planned) settled.push(planned);
    else plans.push(planned);
  }
  for (const table of theirs.values()) settled.push(extraTable(table));
  return { plans, settled };
}

function missingTable(table: TableDescription): TableResult {
  return settledResult(table.name, 'different', [
    reason('TP-TABLE-MISSING', table.name, 'the table does not exist on the candidate'),
  ]);
}

function extraTable(table: TableDescription): TableResult {
  return settledResult(table.name, 'different', [
    reason('TP-TABLE-EXTRA', table.name, 'the table exists on the candidate only'),
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
  pair: PairKind,
  primary: TableDescription,
  candidate: TableDescription,
): TablePlan | TableResult {
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
  const columns = pairColumns(name, primary, candidate);
  if (columns.verdict !== null) return settledResult(name, columns.verdict, columns.reasons);
  const chosen = chooseEncodings(pair, name, columns.common);
  if (chosen.reason !== null) return settledResult(name, 'unproven', [chosen.reason]);
  const key = commonKey(primary, candidate);
  const identity: RowIdentity = key !== null ? 'key' : pair === 'physical' ? 'address' : 'value';
  const ordered = keyFirst(chosen.columns, key ?? []);
  const shape = {
    identity,
    columns: ordered,
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
    shapes: { primary: { ...shape, table: primary }, candidate: { ...shape, table: candidate } },
    encoding: encodingName(ordered.map(({ encoding }) => encoding)),
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
  const aligned =
    primary.keyOrder === 'portable' &&
    candidate.keyOrder === 'portable' &&
    primary.keyCollation === candidate.keyCollation;
  if (identity === 'key' && aligned && primary.clustered && candidate.clustered) return 'key';
  return 'slice';
}

interface PairedColumns {
  readonly common: readonly ColumnDescription[];
  readonly verdict: 'different' | 'unproven' | null;
  readonly reasons: readonly Reason[];
}

function pairColumns(name: string, primary: TableDescription, candidate: TableDescription): PairedColumns {
  const theirs = new Map(candidate.columns.map((column) => [column.name, column]));
  const reasons: Reason[] = [];
  const common: ColumnDescription[] = [];
  const note = (code: ReasonCode, message: string): void => void reasons.push(reason(code, name, message));
  for (const column of primary.columns) {
    const other = theirs.get(column.name);
    theirs.delete(column.name);
    if (other === undefined) {
      note('TP-COLUMN-MISSING', `column "${column.name}" (${column.type}) does not exist on the candidate`);
    } else if (other.baseType !== column.baseType) {
      const types = `${column.type} on the primary and ${other.type} on the candidate`;
      note('TP-COLUMN-TYPE', `column "${column.name}" is ${types}`);
    } else {
      common.push(column);
    }
  }
  const extra = [...theirs.keys()].map((column) => `"${column}"`);
  if (extra.length > 0) note('TP-COLUMN-EXTRA', `only the candidate has ${extra.join(', ')}`);
  const codes = new Set(reasons.map(({ code }) => code));
  const verdict = codes.has('TP-COLUMN-MISSING')
    ? 'different'
    : codes.has('TP-COLUMN-TYPE')
      ? 'unproven'
      : null;
  return { common, verdict, reasons };
}

type ColumnRead = ShapePair['primary']['columns'][number];

function chooseEncodings(
  pair: PairKind,
  name: string,
  columns: readonly ColumnDescription[],
): { readonly columns: readonly ColumnRead[]; readonly reason: Reason | null } {
  const chosen: ColumnRead[] = [];
  for (const column of columns) {
    const encoding = column.encodings[pair];
    if (encoding === null) {
      const message = `column "${column.name}" (${column.type}) has no canonical form on a ${pair} pair`;
      return { columns: [], reason: reason('TP-NO-ENCODING', name, message) };
    }
    chosen.push({ name: column.name, encoding });
  }
  return { columns: chosen, reason: null };
}

/** The key, if both sites have the same one: the same columns, in the order of the primary's. */
function commonKey(primary: TableDescription, candidate: TableDescription): readonly string[] | null {
  if (primary.key === null || candidate.key === null) return null;
  const same =
    primary.key.length === candidate.key.length && primary.key.every((name) => candidate.key?.includes(name));
  return same ? primary.key : null;
}

function keyFirst(columns: readonly ColumnRead[], key: readonly string[]): ColumnRead[] {
  const byName = new Map(columns.map((column) => [column.name, column]));
  const first = key.flatMap((name) => byName.get(name) ?? []);
  return [...first, ...columns.filter(({ name }) => !key.includes(name))];
}

function encodingName(encodings: readonly string[]): string {
  const names = [...new Set(encodings)].sort();
  return names.length === 0 ? 'none' : names.join('+');
}
