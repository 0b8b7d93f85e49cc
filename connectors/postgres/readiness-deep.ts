import type { IndexCheckFact } from '../../src/connector/facts-postgres.ts';
import type { Reading } from '../../src/connector/reading.ts';
import { TwinproofError } from '../../src/errors.ts';
import { isFatal, reading } from './readiness-reading.ts';
import { USER_SCHEMA } from './readiness-storage.ts';
import type { Session } from './session.ts';

interface IndexRow {
  readonly name: string;
  readonly oid: number;
}

/**
 * Every B-tree index of this database against its table, with the extension amcheck where it is installed: order under
 * this server's collations, and whether every row is in the index (heapallindexed). It reads all of them (manual,
 * appendix "amcheck"); it takes the lock of a SELECT, and runs on a standby.
 */
export async function readIndexChecks(
  session: Session,
  role: string,
  signal: AbortSignal,
): Promise<Reading<readonly IndexCheckFact[]>> {
  const [amcheck] = await session.rows<{ schema: string }>(
    `select pg_catalog.quote_ident(n.nspname) as schema from pg_extension e join pg_namespace n on n.oid = e.extnamespace
     where e.extname = 'amcheck'`,
    [],
    signal,
  );
  if (amcheck === undefined) {
    return {
      known: false,
      reason: `the extension amcheck is not installed in database ${session.target.database}`,
      sql: 'CREATE EXTENSION amcheck;',
    };
  }
  const check = `${amcheck.schema}.bt_index_check(regclass, boolean)`;
  return reading(
    signal,
    async () => {
      const indexes = await session.rows<IndexRow>(
        `select c.oid::int8::float8 as oid, n.nspname || '.' || c.relname as name from pg_index i
         join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace
         join pg_am m on m.oid = c.relam
         where m.amname = 'btree' and c.relkind = 'i' and c.relpersistence = 'p' and i.indisvalid and i.indisready
           and ${USER_SCHEMA} order by 2`,
        [],
        signal,
      );
      const checks: IndexCheckFact[] = [];
      for (const { name, oid } of indexes) {
        checks.push({ index: name, problem: await problemOf(session, amcheck.schema, oid, signal) });
      }
      return checks;
    },
    `GRANT EXECUTE ON FUNCTION ${check} TO ${role};`,
  );
}

/** What damage the check met; any other failure leaves the whole reading unknown. */
async function problemOf(
  session: Session,
  schema: string,
  oid: number,
  signal: AbortSignal,
): Promise<string | null> {
  try {
    await session.rows(`select ${schema}.bt_index_check($1::oid::regclass, true)`, [oid], signal);
    return null;
  } catch (error) {
    if (!(error instanceof TwinproofError) || isFatal(error) || error.code !== 'TP-CORRUPT') throw error;
    return error.message;
  }
}
