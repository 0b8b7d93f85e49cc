import { setTimeout as sleep } from 'node:timers/promises';
import { TwinproofError } from '../../src/errors.ts';
import type { Session } from './session.ts';

/** Longer than the 100 ms for which information_schema.innodb_trx repeats what it showed last. */
const CACHE_MS = 110;
const ATTEMPTS = 5;

/** Transactions that have written have a small id; one that only reads has 0 (MariaDB) or 2^48 and more (MySQL). */
const READERS_FROM = '281474976710656';

/**
 * Whether a transaction that has written is still open or not yet visible: in progress, prepared (its connection may be
 * gone), or in the middle of its commit. Null when that cannot be known: without PROCESS, or while somebody else reads
 * information_schema.innodb_trx without a break.
 *
 * That table is a copy, made anew only when nobody looked for 100 ms (MySQL manual, "Persistence and Consistency of
 * InnoDB Transaction and Locking Information"). So our own statement must be in it, which its `mark` makes unlike any
 * other: then the copy was made after the statement began. For that our session has to have a transaction.
 */
export async function readOpenWriters(session: Session, signal: AbortSignal): Promise<boolean | null> {
  try {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const writers = await readOnce(session, nextMark(session), signal);
      if (writers !== null) return writers > 0;
      await sleep(CACHE_MS);
    }
    return null;
  } catch (error) {
    if (error instanceof TwinproofError && error.code === 'TP-PERMISSION') return null;
    throw error;
  }
}

/** How many marks each session has made: one that was used before would be found in an old copy. */
const marks = new WeakMap<Session, number>();

function nextMark(session: Session): string {
  const count = (marks.get(session) ?? 0) + 1;
  marks.set(session, count);
  return `twinproof-${session.connectionId}-${count}`;
}

/** How many transactions have written; null: what was shown is of an earlier moment. */
async function readOnce(session: Session, mark: string, signal: AbortSignal): Promise<number | null> {
  const rows = await inSnapshot(
    session,
    `SELECT '${mark}' AS mark, t.trx_mysql_thread_id = CONNECTION_ID() AS own, t.trx_query AS query
     FROM information_schema.innodb_trx t
     WHERE t.trx_mysql_thread_id = CONNECTION_ID()
       OR (CAST(t.trx_id AS UNSIGNED) BETWEEN 1 AND ${READERS_FROM} - 1)
     ORDER BY own DESC LIMIT 2`,
    signal,
  );
  const fresh = rows.some(({ own, query }) => own === '1' && query?.includes(mark) === true);
  return fresh ? rows.filter(({ own }) => own !== '1').length : null;
}

/**
 * The rows of a statement inside a transaction that has a snapshot. All three statements are queued at once, so none of
 * another caller comes between.
 */
export async function inSnapshot(
  session: Session,
  sql: string,
  signal: AbortSignal,
): Promise<Record<string, string | null>[]> {
  const started = session.rows('START TRANSACTION WITH CONSISTENT SNAPSHOT', [], signal);
  const read = session.rows(sql, [], signal);
  // Also when the run was aborted: a snapshot that is left open keeps the server from cleaning up.
  const ended = session.rows('COMMIT', [], new AbortController().signal);
  const [, rows] = await Promise.allSettled([started, read, ended]);
  await started;
  if (rows.status === 'rejected') throw rows.reason;
  return rows.value;
}
