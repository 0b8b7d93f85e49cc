import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { Committed } from './bank-writer.ts';

const lineSchema = z.object({
  table: z.string(),
  transaction: z.string(),
  key: z.record(z.string(), z.string()).nullable(),
});

/** A transaction that `certify --losses` names: its rows as the writer writes them, `public.account 17`. */
export interface LostTransaction {
  readonly id: string;
  readonly rows: readonly string[];
}

/** What `certify --losses` wrote, transaction by transaction. */
export async function readLosses(file: string): Promise<readonly LostTransaction[]> {
  const transactions = new Map<string, string[]>();
  for (const text of (await readFile(file, 'utf8')).split('\n')) {
    if (text === '') continue;
    const { table, transaction, key } = lineSchema.parse(JSON.parse(text));
    const rows = transactions.get(transaction) ?? [];
    transactions.set(transaction, rows);
    rows.push(`${table} ${Object.values(key ?? {})[0] ?? '?'}`);
  }
  return [...transactions].map(([id, rows]) => ({ id, rows }));
}

/** The reported loss beside what the writer knows to be committed. */
export interface LossComparison {
  /** Named as lost, confirmed to the writer, and the same rows. */
  readonly agreed: number;
  readonly rowsAgreed: number;
  /** Confirmed to the writer, not on the candidate, and not named: witnessed by nobody. */
  readonly unwitnessed: readonly Committed[];
  /** Named as lost although the writer never had the confirmation: at most one for each of its sessions. */
  readonly unconfirmed: readonly LostTransaction[];
  /** What must not be: other rows than those written, or lost and yet on the candidate. */
  readonly wrong: readonly string[];
}

/** Compares them. `onCandidate` says whether the candidate has what a transaction wrote. Pure. */
export function compareLoss(
  committed: readonly Committed[],
  lost: readonly LostTransaction[],
  onCandidate: (transaction: Committed) => boolean,
): LossComparison {
  const named = new Map(lost.map((transaction) => [transaction.id, transaction]));
  const wrong: string[] = [];
  const unwitnessed: Committed[] = [];
  let agreed = 0;
  let rowsAgreed = 0;
  for (const transaction of committed) {
    const found = named.get(transaction.id);
    const there = onCandidate(transaction);
    named.delete(transaction.id);
    if (found === undefined) {
      if (!there) unwitnessed.push(transaction);
    } else if (there) {
      wrong.push(`transaction ${transaction.id} is called lost, and the candidate has it`);
    } else if (sameRows(found.rows, transaction.rows)) {
      agreed += 1;
      rowsAgreed += transaction.rows.length;
    } else {
      wrong.push(`transaction ${transaction.id} wrote other rows than are named`);
    }
  }
  return { agreed, rowsAgreed, unwitnessed, unconfirmed: [...named.values()], wrong };
}

function sameRows(a: readonly string[], b: readonly string[]): boolean {
  const sorted = [...b].sort();
  return a.length === b.length && [...a].sort().every((row, index) => row === sorted[index]);
}
