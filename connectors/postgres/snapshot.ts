import { TwinproofError } from '../../src/errors.ts';

const XID_BITS = 32;

/**
 * Which transactions a snapshot sees, from its text `xmin:xmax:xip,…` (manual, "Transaction ID and Snapshot Information
 * Functions", pg_current_snapshot). Only transactions that were committed may be asked about. Their ids come from the log
 * in 32 bits; of all ids that end in these the one nearest to the snapshot is meant, which is right for a transaction less
 * than two billion away. Only that of the primary may be asked: on a standby the list is empty (measured).
 */
export function visibleIn(snapshot: string): (transaction: string) => boolean {
  const match = /^(\d+):(\d+):([\d,]*)$/.exec(snapshot);
  if (match === null) throw new TwinproofError('TP-BUG', { message: 'the server gave no snapshot' });
  const [lowest, next] = [BigInt(match[1] ?? 0), BigInt(match[2] ?? 0)];
  const open = new Set((match[3] ?? '').split(',').filter((id) => id !== ''));
  return (transaction) => {
    const id = next + BigInt.asIntN(XID_BITS, BigInt(transaction) - next);
    if (id >= next) return false;
    return id < lowest || !open.has(String(id));
  };
}
