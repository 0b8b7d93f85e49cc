import { TwinproofError } from '../../src/errors.ts';

/** A fact, or a part of one (`sequences.bank.s`), that could not be read. */
export interface Unread {
  readonly fact: string;
  readonly reason: string;
}

/** Runs the query; where it is refused, the part of `sequences` that it is about is unread. Throws all else. */
export async function orUnread(unread: Unread[], name: string, query: () => Promise<void>): Promise<void> {
  try {
    await query();
  } catch (error) {
    if (!isRefusal(error)) throw error;
    unread.push({ fact: `sequences.${name}`, reason: error.message });
  }
}

/** An answer of the server that concerns this one statement. */
export function isRefusal(error: unknown): error is TwinproofError {
  return (
    error instanceof TwinproofError &&
    (error.code === 'TP-PERMISSION' || error.code === 'TP-QUERY' || error.code === 'TP-DEFINITION-CHANGED')
  );
}

export function batchesOf<Item>(items: readonly Item[], size: number): (readonly Item[])[] {
  const batches: (readonly Item[])[] = [];
  for (let at = 0; at < items.length; at += size) batches.push(items.slice(at, at + size));
  return batches;
}

export function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}
