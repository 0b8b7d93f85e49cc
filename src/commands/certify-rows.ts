import { selecting } from '../config/selection.ts';
import type { RowShape } from '../connector/contract.ts';
import type { TableDescription, TableSelection } from '../connector/table.ts';
import { type CheckedKey, checkKeys, type Rest } from '../ledger/candidate-check-keys.ts';
import { dirtyAsOf, provenTable, type Proofs, type ProvenTable } from '../ledger/candidate-check-proofs.ts';
import type { UnknownWhy, View } from '../ledger/candidate-check.ts';
import type { KnownDefinitions } from '../ledger/known.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { shapeOf } from '../ledger/shape.ts';
import type { Boundary } from '../ledger/state.ts';
import type { PairKind } from '../connector/table.ts';
import type { ExcludedTable } from '../verdict/evidence.ts';
import type { LedgerTable } from '../verdict/ledger-integrity.ts';
import type { LedgerConnector } from './certify-primary.ts';

/** Keys that are gathered for one read of a table. */
const KEYS_PER_READ = 10_000;
const SAMPLES_MAX = 10;

export interface RowQuestion {
  readonly ledger: Ledger;
  readonly site: LedgerConnector;
  readonly pair: PairKind;
  readonly proofs: Proofs | null;
  readonly view: View;
  readonly selection: TableSelection;
  readonly definitions: KnownDefinitions | null;
  readonly rest: Rest;
  /** A boundary that it is known to have reached; null: none. */
  readonly floor: Boundary | null;
}

/** What can be said of the candidate's rows, and how its tables are read. */
export interface RowAnswer {
  readonly tables: readonly LedgerTable[];
  readonly excluded: readonly ExcludedTable[];
  readonly shapes: ReadonlyMap<string, RowShape>;
  /** Rows that were read. */
  readonly read: bigint;
}

interface Counting {
  readonly proven: ProvenTable;
  readonly shape: RowShape | null;
  readonly unfollowed: string | null;
  readonly obstacle: string | null;
  readonly differences: { missing: bigint; extra: bigint; changed: bigint };
  readonly unknown: Partial<Record<UnknownWhy, bigint>>;
  /** Of rows that differ: each once, wherever it moved. */
  readonly differing: Map<string, Uint8Array>;
  read: bigint;
  waiting: Uint8Array[];
}

/**
 * Looks at the whole catalog of the candidate, and reads the rows that may differ. Throws what the reads throw: a
 * candidate that stops answering gives no evidence.
 */
export async function readRows(question: RowQuestion, signal: AbortSignal): Promise<RowAnswer> {
  const { site, selection, definitions, proofs, view, ledger } = question;
  const all = await site.describeTables({ include: ['*.*'], exclude: [] }, signal);
  const selects = selecting(selection);
  const selected = all.filter(({ schema, table }) => selects(schema, table));
  const described = new Map(selected.map((table) => [table.name, table]));
  // What the primary was asked about last may be more than is selected now: it cannot be asked again when it is gone.
  const known = (definitions?.tables ?? []).map(({ root }) => root);
  const roots = new Set([...described.keys(), ...known.filter((root) => isSelected(root, selects))]);
  const counts = new Map([...roots].map((root) => [root, counting(question, root, described.get(root))]));
  for (const { root, identity } of proofs === null ? [] : dirtyAsOf(ledger.core, proofs, view)) {
    const count = counts.get(root);
    if (count === undefined) continue;
    count.waiting.push(identity);
    if (count.waiting.length >= KEYS_PER_READ) await readWaiting(question, count, signal);
  }
  for (const count of counts.values()) await readWaiting(question, count, signal);
  const tables: LedgerTable[] = [];
  for (const count of counts.values()) tables.push(await finished(count, site, signal));
  return {
    tables,
    excluded: [...new Set([...all.map(({ name }) => name), ...known])]
      .filter((name) => !roots.has(name))
      .map((name) => ({ table: name, reason: 'not selected', decidedBy: 'configuration' })),
    shapes: new Map(
      [...counts].flatMap(([root, { shape }]) => (shape === null ? [] : [[root, shape] as const])),
    ),
    read: [...counts.values()].reduce((sum, { read }) => sum + read, 0n),
  };
}

/** By a name alone. Where names hold dots it is selected if any reading of it is. */
function isSelected(root: string, selects: (schema: string, table: string) => boolean): boolean {
  const dots = [...root.matchAll(/\./g)].map(({ index }) => index);
  return dots.length === 0 || dots.some((at) => selects(root.slice(0, at), root.slice(at + 1)));
}

function counting(question: RowQuestion, root: string, described: TableDescription | undefined): Counting {
  const { ledger, proofs, view, definitions, pair } = question;
  const proven = provenTable(ledger.core, proofs ?? { candidate: NOBODY, ranges: new Map() }, root, view);
  const unfollowed = definitions?.tables.find((table) => table.root === root && table.unfollowed !== null);
  const { shape, problem } = shapeIn(proven, described, pair);
  return {
    proven,
    shape,
    unfollowed: unfollowed?.unfollowed ?? null,
    obstacle: problem,
    differences: { missing: 0n, extra: 0n, changed: 0n },
    unknown: {},
    differing: new Map(),
    read: 0n,
    waiting: [],
  };
}

const NOBODY = { number: 0, name: '', incarnation: '', since: 0, cursor: 0 };

function shapeIn(
  { relations }: ProvenTable,
  described: TableDescription | undefined,
  pair: PairKind,
): { readonly shape: RowShape | null; readonly problem: string | null } {
  if (described === undefined) return { shape: null, problem: 'the candidate does not have this table' };
  const [first, ...others] = relations.map((relation) => shapeOf(relation, described, pair, 'candidate'));
  if (first === undefined) return { shape: null, problem: null };
  if (first.shape === null) return first;
  const form = JSON.stringify([first.shape.columns, first.shape.keyFields]);
  for (const { shape } of others) {
    if (shape !== null && JSON.stringify([shape.columns, shape.keyFields]) === form) continue;
    return { shape: null, problem: 'its partitions come with the log in different forms' };
  }
  const [relation] = relations;
  const known = new Set([...(relation?.columns ?? []).map(({ name }) => name), ...(relation?.absent ?? [])]);
  const strange = described.columns.find(({ name }) => !known.has(name));
  // What stands on a standby was on the primary: the ledger has not seen this definition.
  if (pair === 'physical' && strange !== undefined) {
    return { shape: null, problem: `the ledger does not know its column "${strange.name}"` };
  }
  return first;
}

async function readWaiting(question: RowQuestion, count: Counting, signal: AbortSignal): Promise<void> {
  const { ledger, site, rest, floor } = question;
  const { waiting, shape, unknown } = count;
  count.waiting = [];
  if (waiting.length === 0) return;
  if (shape === null) {
    unknown['not known'] = (unknown['not known'] ?? 0n) + BigInt(waiting.length);
    return;
  }
  const { root } = count.proven;
  const checked = await checkKeys(ledger, site, { root, shape }, waiting, signal, rest, floor);
  count.read += BigInt(checked.length);
  for (const one of checked) add(count, one);
}

function add({ differences, unknown, differing }: Counting, { identity, judgement }: CheckedKey): void {
  if (judgement.kind === 'unknown') unknown[judgement.why] = (unknown[judgement.why] ?? 0n) + 1n;
  if (judgement.kind !== 'different') return;
  const name = Buffer.from(identity).toString('latin1');
  if (differing.has(name)) return;
  differing.set(name, identity);
  differences[judgement.difference] += 1n;
}

async function finished(count: Counting, site: LedgerConnector, signal: AbortSignal): Promise<LedgerTable> {
  const { proven, shape, unfollowed, obstacle, differences, unknown, differing, read } = count;
  const some = [...differing.values()].slice(0, SAMPLES_MAX);
  const keys = shape === null || some.length === 0 ? [] : await site.describeKeys(shape, some, signal);
  return {
    table: proven.root,
    problems: proven.problems,
    unfollowed,
    obstacle,
    oldestProofAt: proven.oldestProofUs === null ? null : new Date(Number(proven.oldestProofUs / 1000n)),
    read,
    differences,
    unknown,
    samples: keys.map(keyWords),
  };
}

/** `id=5, region=east`. */
function keyWords(key: Readonly<Record<string, string>>): string {
  return Object.entries(key)
    .map(([name, value]) => `${name}=${value}`)
    .join(', ');
}
