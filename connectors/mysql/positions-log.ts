import type { LogPlace } from './relation-channels.ts';
import type { Session } from './session.ts';

/**
 * Whether every transaction of this server has a GTID. MariaDB's always do; on MySQL only `gtid_mode=ON` promises it,
 * the permissive modes let transactions without one through.
 */
export async function usesGtids(session: Session, signal: AbortSignal): Promise<boolean> {
  if (session.flavor === 'mariadb') return true;
  const [row] = await session.rows<{ mode: string }>('SELECT @@global.gtid_mode AS mode', [], signal);
  return row?.mode === 'ON';
}

/**
 * The end of the server's own log; null: it keeps none. Throws TP-PERMISSION without REPLICATION CLIENT (MySQL) or
 * BINLOG MONITOR (MariaDB).
 */
export async function readLogPlace(session: Session, signal: AbortSignal): Promise<LogPlace | null> {
  const { flavor, version } = session;
  const newName = flavor === 'mysql' && version >= 80_200;
  const [row] = await session.rows<{ File: string; Position: string }>(
    newName ? 'SHOW BINARY LOG STATUS' : 'SHOW MASTER STATUS',
    [],
    signal,
  );
  return row === undefined ? null : { file: row.File, offset: BigInt(row.Position) };
}
