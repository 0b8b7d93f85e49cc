import { connectPostgres, type PostgresConnector } from '../../../connectors/postgres/connector.ts';
import { DEFAULT_STREAM, type StreamSettings } from '../../../src/config/stream.ts';
import { parseUrl } from '../../../src/config/url.ts';
import type { RowShape } from '../../../src/connector/contract.ts';
import type { SourceTable } from '../../../src/connector/ledger-sites.ts';
import type { PairKind } from '../../../src/connector/table.ts';
import type { Cluster } from '../../../src/demo/cluster.ts';
import { shapeOf } from '../../../src/ledger/shape.ts';
import { fieldsOf } from '../../../src/row/stream.ts';
import { forever } from './server-set.ts';
import { WATCHER } from './watcher.ts';

export interface SiteWish {
  /** Default: WATCHER. */
  readonly user?: string;
  readonly stream?: Partial<StreamSettings>;
}

/** A site as `watch` opens it, from a server that may let its log grow. */
export function openSite(cluster: Cluster, wish: SiteWish = {}): Promise<PostgresConnector> {
  const { address } = parseUrl(cluster.url('postgres', wish.user ?? WATCHER), 'secret');
  const stream = { ...DEFAULT_STREAM, allowUnboundedWal: true, ...wish.stream };
  return connectPostgres(address, { jobs: 2, statementTimeoutMs: 60_000, stream }, forever());
}

export interface LedgerTable {
  readonly source: SourceTable;
  /** For the primary. */
  readonly shape: RowShape;
}

/** A table that is followed, `leaf` as `schema.table`, and how its rows are read on `site`. */
export async function ledgerTable(
  primary: PostgresConnector,
  leaf: string,
  pair: PairKind,
  site: PostgresConnector = primary,
): Promise<LedgerTable> {
  const everything = { include: ['*'], exclude: [] };
  const tables = await primary.sourceTables(everything, pair, forever());
  const source = tables.find((table) => table.leaf === leaf);
  if (source?.table === undefined || source.table === null) throw new Error(`${leaf}: ${source?.unfollowed}`);
  const described = await site.describeTables(everything, forever());
  const root = described.find(({ name }) => name === source.root);
  if (root === undefined) throw new Error(`${source.root} does not exist there`);
  const { shape, problem } = shapeOf(source.table, root, pair, site === primary ? 'primary' : 'candidate');
  if (shape === null) throw new Error(problem);
  return { source, shape };
}

/** Integers of a row of integers, in the order of the shape. */
export function integersOf(row: Uint8Array): number[] {
  return fieldsOf(row).map((field) => (field === null ? Number.NaN : integerOf(field)));
}

function integerOf(field: Uint8Array): number {
  return new DataView(field.buffer, field.byteOffset, field.length).getInt32(0);
}
