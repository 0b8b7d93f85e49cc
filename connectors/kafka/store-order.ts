import type { StreamedTable } from '../../src/connector/changes.ts';
import type { PortableForm } from '../../src/connector/table.ts';

/** Two's complement integers, most significant byte first (src/row/portable.ts). */
const SIGNED: ReadonlySet<PortableForm> = new Set(['integer', 'date', 'time', 'datetime', 'instant']);

/** What puts the leading key columns into the order of values (LedgerPrimary.signedKey). Pure. */
export function signedKey({ columns, keyFields }: StreamedTable): readonly boolean[] {
  return columns.slice(0, keyFields ?? 0).map(({ form }) => form != null && SIGNED.has(form));
}
