import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ChangeEvent, RowChange, StreamedTable } from '../../src/connector/changes.ts';
import type { Position, PositionOrder } from '../../src/connector/position.ts';
import { Baseline } from '../../src/ledger/baseline.ts';
import { Ledger, type LedgerOptions } from '../../src/ledger/ledger.ts';
import { RowDigester, xxh64Digest } from '../../src/ledger/row-digest.ts';
import { frameFields, frameRow } from '../../src/row/stream.ts';

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only a connector makes positions; this stands in for one
export const place = (number: number): Position => String(number) as Position;

export function comparePlaces(a: Position, b: Position): PositionOrder {
  const difference = Number(a) - Number(b);
  if (difference === 0) return 'equal';
  return difference < 0 ? 'before' : 'after';
}

export function temporaryFolder(): string {
  return mkdtempSync(path.join(tmpdir(), 'twinproof-ledger-'));
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

export function ledgerOptions(folder: string, changes: Partial<LedgerOptions> = {}): LedgerOptions {
  return {
    folder,
    system: 'bank',
    source: '7000000000000000001/bank',
    digest: 'xxh64',
    comparePositions: comparePlaces,
    retention: { timeUs: 10n ** 15n, bytes: 2 ** 40 },
    now: () => new Date('2026-01-01T00:00:00Z'),
    ...changes,
  };
}

export function table(name: string, changes: Partial<StreamedTable> = {}): StreamedTable {
  return {
    id: name,
    leaf: `public.${name}`,
    root: `public.${name}`,
    columns: [
      { name: 'id', type: 'bigint', encoding: 'pg-binary' },
      { name: 'value', type: 'text', encoding: 'pg-binary' },
    ],
    keyFields: 1,
    absent: [],
    fingerprint: 'f1',
    ...changes,
  };
}

export function keyBytes(key: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(key));
  return bytes;
}

export function identity(key: number): Uint8Array {
  return frameFields([keyBytes(key)]);
}

export function body(key: number, value: string | null): Uint8Array {
  return frameRow([keyBytes(key), value === null ? null : Buffer.from(value)]);
}

const digester = new RowDigester(xxh64Digest);

/** The digest that the ledger keeps of a row, in hexadecimal. */
export function digestOf(key: number, value: string | null): string {
  return digester.row(body(key, value), null).digest?.toString('hex') ?? 'none';
}

export function insert(of: StreamedTable, key: number, value: string): RowChange {
  return {
    type: 'insert',
    table: of,
    key: identity(key),
    oldKey: null,
    before: null,
    after: body(key, value),
  };
}

export function update(
  of: StreamedTable,
  key: number,
  value: string,
  oldKey: number | null = null,
): RowChange {
  const old = oldKey === null ? null : identity(oldKey);
  return {
    type: 'update',
    table: of,
    key: identity(key),
    oldKey: old,
    before: null,
    after: body(key, value),
  };
}

export function remove(of: StreamedTable, key: number): RowChange {
  return { type: 'delete', table: of, key: identity(key), oldKey: null, before: null, after: null };
}

export function transaction(
  number: number,
  changes: readonly ChangeEvent[],
  id = `t${number}`,
): ChangeEvent[] {
  const committedAtUs = BigInt(number) * 1_000_000n;
  return [
    { type: 'begin', id, committedAtUs, origin: null },
    ...changes,
    { type: 'commit', id, committedAtUs, position: place(number) },
  ];
}

export function define(of: StreamedTable): ChangeEvent {
  return { type: 'definition', table: of };
}

/** Takes the definition and an empty baseline of a table that has no rows at `at`. */
export async function beginEmpty(ledger: Ledger, of: StreamedTable, at: number): Promise<void> {
  ledger.take([define(of), { type: 'idle', position: place(at) }]);
  await ledger.flush();
  await fill(ledger, of, at, []);
}

/** A baseline in one piece, read by a snapshot that sees everything up to now. */
export async function fill(
  ledger: Ledger,
  of: StreamedTable,
  at: number,
  rows: readonly { key: number; value: string }[],
  visible: (id: string) => boolean = () => true,
): Promise<void> {
  const baseline = new Baseline(ledger.core, () => ledger.settle());
  const relation = ledger.core.catalog.ofTable(of.id);
  if (relation === null) throw new Error('the table is not defined');
  const own = ledger.digester();
  baseline.begin(relation.number, ['all']);
  await baseline.store(
    { relation: relation.number, piece: 'all', visible, until: place(at) },
    rows.map(({ key, value }) => ({ identity: identity(key), row: own.row(body(key, value), null) })),
  );
  baseline.advance(comparePlaces);
}

export async function openLedger(folder: string, changes: Partial<LedgerOptions> = {}): Promise<Ledger> {
  return await Ledger.open(ledgerOptions(folder, changes));
}
