import { randomInt } from 'node:crypto';
import { z } from 'zod';
import { BUSY_ACCOUNTS, DATABASE } from './bank-schema.ts';
import type { BankSession, Committed } from './bank-writer.ts';
import type { Cluster } from './cluster.ts';

const XID = 'SELECT pg_current_xact_id()::xid::text AS xid';

/** A session of the bank's application on PostgreSQL. */
export async function bankSession(primary: Cluster): Promise<BankSession> {
  const session = await primary.connect(DATABASE);
  return {
    commit: async () => {
      // Several statements at once have several results, which the type does not say.
      const results: unknown = await session.query(transaction());
      return committedOf(resultsSchema.parse(results));
    },
    end: () => session.end(),
  };
}

const resultsSchema = z.array(z.object({ rows: z.array(z.record(z.string(), z.unknown())) }));

/** The rows that statements returned: `xid`, or a table's name and the key of a row of it. */
function committedOf(results: z.infer<typeof resultsSchema>): Committed {
  const cells = results.flatMap(({ rows }) => rows.flatMap((row) => Object.entries(row)));
  return {
    id: String(cells.find(([name]) => name === 'xid')?.[1]),
    rows: cells.filter(([name]) => name !== 'xid').map(([table, key]) => `public.${table} ${String(key)}`),
  };
}

/** One transaction as text: numbers only, all of our own making. */
function transaction(): string {
  const [a, b] = [randomInt(1, BUSY_ACCOUNTS), randomInt(1, BUSY_ACCOUNTS)];
  const amount = `${randomInt(1, 500)}.${randomInt(10, 100)}`;
  if (randomInt(4) === 0) {
    return `BEGIN;
      INSERT INTO purchase (account_id, amount, merchant, details)
        VALUES (${a}, ${amount}, 'Han River Market', '{"terminal": ${randomInt(300)}}') RETURNING id AS purchase;
      UPDATE account SET balance = balance - ${amount}, updated_at = now() WHERE id = ${a} RETURNING id AS account;
      ${XID}; COMMIT`;
  }
  // In one order always, so that two sessions never wait for one another.
  const [first, second] = a < b ? [a, b] : [b, a];
  return `BEGIN;
    UPDATE account SET balance = balance - ${amount}, updated_at = now() WHERE id = ${first} RETURNING id AS account;
    UPDATE account SET balance = balance + ${amount}, updated_at = now() WHERE id = ${second} RETURNING id AS account;
    INSERT INTO transfer (from_account, to_account, amount) VALUES (${first}, ${second}, ${amount})
      RETURNING id AS transfer;
    ${XID}; COMMIT`;
}
