import type { Connector, Range, RowShape } from '../../src/connector/contract.ts';
import { frameRow, fieldsOf } from '../../src/row/stream.ts';
import { CollectingSink } from './collecting-sink.ts';
import { signalFor, type ContractPair, type Shapes } from './pair.ts';

/** Far more bytes than any test table has. */
export const BYTES_MAX = 1 << 30;

export type Site = 'primary' | 'candidate';
export const SITES: readonly Site[] = ['primary', 'candidate'];

/** The kinds of range that make sense for a table of this pair. */
export function rangeKinds(pair: ContractPair, shape: RowShape): readonly Range['kind'][] {
  if (pair.kind === 'physical') return ['block'];
  const byKey = shape.table.key !== null && shape.table.keyOrder === 'portable';
  return byKey ? ['key', 'slice'] : ['slice'];
}

/** The plan for both sites: slices are each site's own, other ranges are planned on the primary. */
export async function planFor(
  pair: ContractPair,
  shapes: Shapes,
  kind: Range['kind'],
  rowsMax: number,
): Promise<Readonly<Record<Site, readonly Range[]>>> {
  const options = { kind, rowsMax, bytesMax: BYTES_MAX };
  const primary = await pair.primary.planRanges(shapes.primary, options, signalFor());
  if (kind !== 'slice') return { primary, candidate: primary };
  return { primary, candidate: await pair.candidate.planRanges(shapes.candidate, options, signalFor()) };
}

/** The row bodies of one range, in the order in which they came. */
export async function readRange(
  connector: Connector,
  shape: RowShape,
  range: Range,
  spaceBytes?: number,
): Promise<Uint8Array[]> {
  const sink = new CollectingSink(spaceBytes);
  await connector.readRange({ shape, range }, sink, signalFor());
  if (sink.unfinishedBytes > 0) throw new Error(`the read ended within a message`);
  return sink.rows;
}

/** The row bodies of a table on one site, range after range. */
export async function readTable(
  pair: ContractPair,
  site: Site,
  shapes: Shapes,
  rowsMax = 100,
): Promise<Uint8Array[]> {
  const [kind = 'slice'] = rangeKinds(pair, shapes[site]);
  const plan = await planFor(pair, shapes, kind, rowsMax);
  return readPlan(pair[site], shapes[site], plan[site]);
}

export async function readPlan(
  connector: Connector,
  shape: RowShape,
  ranges: readonly Range[],
  spaceBytes?: number,
): Promise<Uint8Array[]> {
  const rows: Uint8Array[] = [];
  for (const range of ranges) rows.push(...(await readRange(connector, shape, range, spaceBytes)));
  return rows;
}

/** What a call that has to fail was rejected with; null when it did not fail. */
export async function failureOf(call: Promise<unknown>): Promise<unknown> {
  try {
    await call;
    return null;
  } catch (error) {
    return error;
  }
}

/** Bytes as text, in the order given: two lists compare readably. */
export function hexOf(bodies: readonly (Uint8Array | null)[]): string[] {
  return bodies.map((body) => (body === null ? 'null' : Buffer.from(body).toString('hex')));
}

/** Bytes as text, sorted: two multisets compare. */
export function multiset(bodies: readonly (Uint8Array | null)[]): string[] {
  return hexOf(bodies).sort();
}

/** Row bodies without the leading address of a shape that has one. */
export function withoutAddress(shape: RowShape, bodies: readonly Uint8Array[]): Uint8Array[] {
  if (shape.identity !== 'address') return [...bodies];
  return bodies.map((body) => frameRow(fieldsOf(body).slice(1)));
}
