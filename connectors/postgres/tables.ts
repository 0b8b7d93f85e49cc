import { createHash } from 'node:crypto';
import type { ColumnDescription, TableDescription } from '../../src/connector/table.ts';
import { TwinproofError } from '../../src/errors.ts';
import {
  readColumns,
  readIndexes,
  readRelations,
  readTypes,
  type ColumnRow,
  type IndexRow,
  type RelationRow,
  type TypeRow,
} from './catalog.ts';
import { baseTypeOf, encodingsOf, keyEncodingsOf } from './columns.ts';
import { chooseKey, compareText, type Key } from './keys.ts';
import { nameOf, obstacleOf } from './obstacles.ts';
import { portableFormsOf } from './portable.ts';
import type { Session } from './session.ts';
import type { PostgresColumn, PostgresLeaf, PostgresTable } from './table.ts';
import { correlationsOf, isSmall, type Size, sizesOf } from './table-sizes.ts';

/** Above this a range by key touches blocks about in order. */
const CLUSTERED_CORRELATION = 0.9;
/** Rows of a block when nothing is known: about what the planner assumes for rows of 80 bytes. */
const UNKNOWN_ROWS_PER_BLOCK = 100;
/** A fingerprint tells versions of one definition apart, not forgeries. */
const FINGERPRINT_DIGITS = 32;

/** A table with everything the catalog says of it, before it is put in the terms of the contract. */
interface Family {
  readonly root: RelationRow;
  /** Relations that hold its rows, by name; the root itself when it is not partitioned. */
  readonly pieces: readonly RelationRow[];
  /** Every partition, with the levels between: what the fingerprint covers. */
  readonly members: readonly RelationRow[];
}

type TypeRows = ReadonlyMap<number, TypeRow>;

interface Site {
  readonly inRecovery: boolean;
  readonly role: string;
  readonly blockSize: number;
  readonly utf8: boolean;
}

/**
 * All tables that `selects` takes: tables, materialized views, foreign tables, and partitioned tables at their
 * topmost root. Old-style inheritance children are tables of their own. Sorted by name.
 */
export async function describeTables(
  session: Session,
  selects: (schema: string, table: string) => boolean,
  signal: AbortSignal,
): Promise<TableDescription[]> {
  const site = await readSite(session, signal);
  const relations = await readRelations(session, signal);
  const families = familiesOf(relations).filter(({ root }) => selects(root.schema, root.name));
  families.sort((a, b) => compareText(nameOf(a.root), nameOf(b.root)));
  const roots = families.map(({ root }) => root.oid);
  const pieces = families.flatMap((family) => family.pieces);
  const sizes = await sizesOf(session, pieces, site.blockSize, signal);
  const columns = groupBy(await readColumns(session, roots, signal), (row) => row.relation);
  const types: TypeRows = new Map((await readTypes(session, roots, signal)).map((row) => [row.oid, row]));
  const indexes = groupBy(await readIndexes(session, roots, signal), (row) => row.relation);
  const keys = new Map<number, Key | null>();
  for (const oid of roots) keys.set(oid, chooseKey(indexes.get(oid) ?? [], columns.get(oid) ?? [], types));
  const correlations = await correlationsOf(session, families, keys, sizes, signal);
  return families.map((family) => {
    const oid = family.root.oid;
    const facts: FamilyFacts = {
      columns: columns.get(oid) ?? [],
      indexes: indexes.get(oid) ?? [],
      key: keys.get(oid) ?? null,
      types,
      sizes,
      correlations,
    };
    return describe(family, facts, site);
  });
}

async function readSite(session: Session, signal: AbortSignal): Promise<Site> {
  const [site] = await session.rows<Site>(
    `select pg_catalog.pg_is_in_recovery() as "inRecovery", pg_catalog.quote_ident(current_user) as role,
       pg_catalog.current_setting('block_size')::int as "blockSize",
       pg_catalog.current_setting('server_encoding') in ('UTF8', 'SQL_ASCII') as utf8`,
    [],
    signal,
  );
  if (site === undefined)
    throw new TwinproofError('TP-BUG', { message: 'the server told nothing of itself' });
  return site;
}

/** Partitions under their topmost root. */
function familiesOf(relations: readonly RelationRow[]): Family[] {
  const byOid = new Map(relations.map((relation) => [relation.oid, relation]));
  const rootOf = (relation: RelationRow): RelationRow => {
    let at = relation;
    while (at.partition) {
      const parent = byOid.get(at.parents[0] ?? 0);
      if (parent === undefined) break;
      at = parent;
    }
    return at;
  };
  const members = groupBy(relations, (relation) => rootOf(relation).oid);
  const families: Family[] = [];
  for (const [oid, found] of members) {
    const root = byOid.get(oid);
    if (root === undefined) continue;
    found.sort((a, b) => compareText(nameOf(a), nameOf(b)));
    families.push({ root, members: found, pieces: found.filter(({ kind }) => kind !== 'p') });
  }
  return families;
}

interface FamilyFacts {
  readonly columns: readonly ColumnRow[];
  readonly indexes: readonly IndexRow[];
  readonly key: Key | null;
  readonly types: TypeRows;
  readonly sizes: ReadonlyMap<number, Size>;
  readonly correlations: ReadonlyMap<number, number>;
}

function describe(family: Family, facts: FamilyFacts, site: Site): TableDescription {
  const { root, pieces } = family;
  const { key, types } = facts;
  const leaves = pieces.map((piece) => leafOf(piece, facts.sizes.get(piece.oid)));
  const handle: PostgresTable = {
    oid: root.oid,
    qualifiedName: root.qualified,
    partitioned: root.kind === 'p',
    blockSize: site.blockSize,
    utf8: site.utf8,
    leaves,
    columns: facts.columns.map((column) => columnOf(column, types)),
    keyIndex: key?.index.qualified ?? null,
  };
  const clustered =
    key !== null &&
    pieces.every(
      ({ oid }) =>
        isSmall(facts.sizes.get(oid)) || (facts.correlations.get(oid) ?? 0) >= CLUSTERED_CORRELATION,
    );
  return {
    name: nameOf(root),
    schema: root.schema,
    table: root.name,
    columns: facts.columns.map((column) => describeColumn(column, root, facts)),
    key: key?.columns.map(({ name }) => name) ?? null,
    keyOrder: key?.order ?? 'local',
    clustered,
    rowsEstimate: leaves.reduce((sum, leaf) => sum + leaf.rowsEstimate, 0),
    bytesEstimate: leaves.reduce((sum, leaf) => sum + leaf.blocks * site.blockSize + leaf.toastBytes, 0),
    fingerprint: fingerprintOf(family, facts),
    obstacle: obstacleOf(root, pieces, site),
    handle,
  };
}

function leafOf(piece: RelationRow, size: Size | undefined): PostgresLeaf {
  const blocks = size?.blocks ?? 0;
  // As the planner does: the density at the last ANALYZE or VACUUM, times the size now; −1 is "never counted".
  const density = piece.tuples > 0 && piece.pages > 0 ? piece.tuples / piece.pages : UNKNOWN_ROWS_PER_BLOCK;
  return {
    oid: piece.oid,
    relfilenode: piece.filenode,
    qualifiedName: piece.qualified,
    name: nameOf(piece),
    only: piece.kind === 'r',
    blocks,
    toastBytes: size?.toastBytes ?? 0,
    rowsEstimate: Math.round(density * blocks),
  };
}

function columnOf(column: ColumnRow, types: TypeRows): PostgresColumn {
  const base = baseTypeOf(column.typeOid, types);
  return {
    name: column.name,
    quotedName: column.quoted,
    attnum: column.attnum,
    notNull: column.notNull,
    typeOid: column.typeOid,
    base: {
      oid: base?.oid ?? column.typeOid,
      name: base?.name ?? column.type,
      kind: base?.kind ?? 'b',
      equals: base?.equals ?? '=',
    },
  };
}

function describeColumn(
  column: ColumnRow,
  root: RelationRow,
  { key, types }: Pick<FamilyFacts, 'key' | 'types'>,
): ColumnDescription {
  const inKey = key?.columns.includes(column) ?? false;
  const encodings = inKey ? keyEncodingsOf(column.typeOid, types) : encodingsOf(column.typeOid, types);
  // A materialized view is filled on each server of a logical pair by itself: there is nothing to compare.
  const isView = root.kind === 'm';
  const portable = isView ? null : portableFormsOf(column.typeOid, types);
  return {
    name: column.name,
    type: column.type,
    baseType: baseTypeOf(column.typeOid, types)?.name ?? column.type,
    encodings: {
      physical: encodings.physical,
      logical: isView ? null : encodings.logical,
      'cross-engine': portable === null ? null : 'portable',
    },
    ...(portable === null ? {} : { portable }),
  };
}

/** Comparable between the sites of a physical pair, whose catalogs are one; else only with itself, earlier. */
function fingerprintOf({ root, members }: Family, facts: FamilyFacts): string {
  const definition = {
    root: root.oid,
    members: members.map((member) => [
      member.oid,
      nameOf(member),
      member.kind,
      member.persistence,
      member.filenode,
      member.parents,
      member.security,
    ]),
    columns: facts.columns.map((column) => [
      column.attnum,
      column.name,
      column.type,
      column.collation,
      column.notNull,
      column.generated,
    ]),
    indexes: facts.indexes.map(({ oid, attnums }) => `${oid} ${attnums.join()}`).toSorted(compareText),
  };
  return createHash('sha256').update(JSON.stringify(definition)).digest('hex').slice(0, FINGERPRINT_DIGITS);
}

function groupBy<Item>(items: readonly Item[], keyOf: (item: Item) => number): Map<number, Item[]> {
  const groups = new Map<number, Item[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}
