import { selecting } from '../../src/config/selection.ts';
import type { SourceTable } from '../../src/connector/ledger-sites.ts';
import type { PairKind, TableDescription, TableSelection } from '../../src/connector/table.ts';
import { type Definition, readDefinitions } from './definitions.ts';
import type { Session } from './session.ts';
import { tableEntry } from './stream-table.ts';
import { handleOf } from './table.ts';
import { describeTables } from './tables.ts';

/** To be looked at again. */
const REDEFINED = 'its definition was changed while it was read';

/** What an earlier poll found, by oid: a table whose fingerprint stayed need not be described again. */
export type SourceTableMemory = Map<string, SourceTable>;

export interface SourceTableWish {
  readonly publication: string;
  readonly selection: TableSelection;
  readonly pair: PairKind;
}

/**
 * The selected tables by their leaves. Fingerprints are read before descriptions: what changes between the two makes a
 * fingerprint that the next poll contradicts. `memory` is for one publication and one kind of pair.
 */
export async function readSourceTables(
  session: Session,
  wish: SourceTableWish,
  memory: SourceTableMemory,
  signal: AbortSignal,
): Promise<readonly SourceTable[]> {
  const definitions = await selectedDefinitions(session, wish, signal);
  const fresh = definitions.filter((definition) => !isRemembered(definition, memory));
  const roots = new Set(fresh.map(rootOf));
  const descriptions =
    fresh.length === 0
      ? []
      : await describeTables(session, (schema, table) => roots.has(`${schema}.${table}`), signal);
  const byLeaf = new Map(
    descriptions.flatMap((description) =>
      handleOf(description).leaves.map(({ oid }) => [oid, description] as const),
    ),
  );
  const found = definitions.map((definition) => {
    const known = isRemembered(definition, memory) ? memory.get(String(definition.oid)) : undefined;
    return known ?? sourceTable(definition, byLeaf.get(definition.oid) ?? null, wish.pair);
  });
  memory.clear();
  for (const table of found) if (table.unfollowed !== REDEFINED) memory.set(table.id, table);
  return found;
}

/** As LedgerPrimary.fingerprints. */
export async function readFingerprints(
  session: Session,
  wish: Omit<SourceTableWish, 'pair'>,
  signal: AbortSignal,
): Promise<readonly Pick<SourceTable, 'id' | 'leaf' | 'fingerprint'>[]> {
  const definitions = await selectedDefinitions(session, wish, signal);
  return definitions.map(({ oid, leaf, fingerprint }) => ({ id: String(oid), leaf, fingerprint }));
}

async function selectedDefinitions(
  session: Session,
  { publication, selection }: Omit<SourceTableWish, 'pair'>,
  signal: AbortSignal,
): Promise<readonly Definition[]> {
  const selects = selecting(selection);
  const definitions = await readDefinitions(session, publication, null, signal);
  return definitions.filter(({ rootSchema, rootTable }) => selects(rootSchema, rootTable));
}

function isRemembered(definition: Definition, memory: SourceTableMemory): boolean {
  return memory.get(String(definition.oid))?.fingerprint === definition.fingerprint;
}

function rootOf({ rootSchema, rootTable }: Definition): string {
  return `${rootSchema}.${rootTable}`;
}

function sourceTable(
  definition: Definition,
  description: TableDescription | null,
  pair: PairKind,
): SourceTable {
  const { oid, leaf, relation, fingerprint } = definition;
  const { table } = tableEntry(relation, { ...definition, description }, pair);
  const unfollowed = definition.unfollowed ?? obstacleOf(description, table.keyFields);
  return {
    id: String(oid),
    leaf,
    root: rootOf(definition),
    fingerprint,
    unfollowed,
    table: unfollowed === null ? table : null,
  };
}

function obstacleOf(description: TableDescription | null, keyFields: number | null): string | null {
  if (description === null) return REDEFINED;
  if (keyFields !== null) return null;
  return 'its key does not come with the log in a form that can be compared';
}
