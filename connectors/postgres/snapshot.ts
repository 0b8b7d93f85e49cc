import { TwinproofError } from '../../src/errors.ts';

const XID_BITS = 32;

/**
 * Which transactions a snapshot sees, from its text `xmin:xmax:xip,…` (manual, "Transaction ID and Snapshot Information
 * Functions", pg_current_snapshot). Only transactions that were committed may be asked about. Only that of the primary may
 * be asked: on a standby the list is empty (measured).
 */
export function visibleIn(snapshot: string): (transaction: string) => boolean {
  const { lowest, next, open } = parseSnapshot(snapshot);
  return (transaction) => {
    const id = nearest(transaction, next);
    if (id >= next) return false;
    return id < lowest || !open.has(String(id));
  };
}

/** Those of them that are certainly seen, whatever the list says: they had ended before any that is still running began. */
export function endedBefore(snapshot: string): (transaction: string) => boolean {
  const { lowest, next } = parseSnapshot(snapshot);
  return (transaction) => nearest(transaction, next) < lowest;
}

interface Snapshot {
  readonly lowest: bigint;
  readonly next: bigint;
  readonly open: ReadonlySet<string>;
}

function parseSnapshot(snapshot: string): Snapshot {
  const match = /^(\d+):(\d+):([\d,]*)$/.exec(snapshot);
  if (match === null) throw new TwinproofError('TP-BUG', { message: 'the server gave no snapshot' });
  return {
    lowest: BigInt(match[1] ?? 0),
    next: BigInt(match[2] ?? 0),
    open: new Set((match[3] ?? '').split(',').filter((id) => id !== '')),
  };
}

/**
 * Ids come from the log in 32 bits; of all ids that end in these the one nearest to the snapshot is meant, which is right
 * for a transaction less than two billion away.
 */
function nearest(transaction: string, next: bigint): bigint {
  return next + BigInt.asIntN(XID_BITS, BigInt(transaction) - next);
}
