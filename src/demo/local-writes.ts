import { DATABASE } from './bank-schema.ts';
import type { BrokenRow } from './broken-row.ts';
import type { Cluster } from './cluster.ts';

/** Ids of rows that the bank's writer leaves alone. */
const DELETED_TRANSFER = 90_210;
const BLANKED_TRANSFER = 90_002;
const CHANGED_ACCOUNT = 31_007;
const SWAPPED_CUSTOMERS = [25_011, 25_012] as const;

/**
 * What people and scripts do to a copy that they can write to. Replication neither notices nor mends it.
 * Returns what was done, row by row.
 */
export async function writeLocally(replica: Cluster): Promise<readonly BrokenRow[]> {
  const [one, other] = SWAPPED_CUSTOMERS;
  const transferKey = async (id: number): Promise<Readonly<Record<string, string>>> => {
    const rows = await replica.query(DATABASE, 'SELECT booked_at::text FROM transfer WHERE id = $1', [id]);
    return { id: String(id), booked_at: String(rows[0]?.['booked_at']) };
  };
  const keys = { deleted: await transferKey(DELETED_TRANSFER), blanked: await transferKey(BLANKED_TRANSFER) };
  const [inserted] = await replica.query(
    DATABASE,
    `BEGIN;
     DELETE FROM transfer WHERE id = ${DELETED_TRANSFER};
     UPDATE account SET balance = balance + 0.10 WHERE id = ${CHANGED_ACCOUNT};
     UPDATE customer c SET phone = d.phone FROM customer d
      WHERE (c.id, d.id) IN ((${one}, ${other}), (${other}, ${one}));
     UPDATE transfer SET memo = '' WHERE id = ${BLANKED_TRANSFER} AND memo IS NULL;
     COMMIT;
     INSERT INTO customer (name, email, phone) VALUES ('Test Customer', 'test@example.org', '010-0000-0000')
       RETURNING id::text`,
  );
  const row = { columns: [] };
  const local = { id: String(inserted?.['id']) };
  return [
    { ...row, table: 'public.transfer', kind: 'missing', key: keys.deleted, done: 'row deleted' },
    changed('account', { id: String(CHANGED_ACCOUNT) }, 'balance', 'balance raised by 0.10'),
    { ...row, table: 'public.customer', kind: 'extra', key: local, done: 'row inserted here' },
    changed('customer', { id: String(one) }, 'phone', `phone swapped with ${other}`),
    changed('customer', { id: String(other) }, 'phone', `phone swapped with ${one}`),
    changed('transfer', keys.blanked, 'memo', `memo: NULL became ''`),
  ];
}

function changed(table: string, key: BrokenRow['key'], column: string, done: string): BrokenRow {
  return { table: `public.${table}`, kind: 'changed', key, columns: [column], done };
}
