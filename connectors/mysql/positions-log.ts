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

/** What the log is restricted to, and what it leaves out: names of databases. */
export interface LogFilters {
  readonly kept: readonly string[];
  readonly left: readonly string[];
}

type StatusRow = Readonly<Record<'File' | 'Position' | 'Binlog_Do_DB' | 'Binlog_Ignore_DB', string>>;

/**
 * The end of the server's own log; null: it keeps none. Throws TP-PERMISSION without REPLICATION CLIENT (MySQL) or
 * BINLOG MONITOR (MariaDB).
 */
export async function readLogPlace(session: Session, signal: AbortSignal): Promise<LogPlace | null> {
  const row = await readLogStatus(session, signal);
  return row === null ? null : { file: row.File, offset: BigInt(row.Position) };
}

/** Of a server without a log: none. Throws as readLogPlace. */
export async function readLogFilters(session: Session, signal: AbortSignal): Promise<LogFilters> {
  const row = await readLogStatus(session, signal);
  const names = (list: string | undefined): string[] => (list ?? '').split(',').filter((name) => name !== '');
  return { kept: names(row?.Binlog_Do_DB), left: names(row?.Binlog_Ignore_DB) };
}

async function readLogStatus(session: Session, signal: AbortSignal): Promise<StatusRow | null> {
  const { flavor, version } = session;
  const newName = flavor === 'mysql' && version >= 80_200;
  const [row] = await session.rows<StatusRow>(
    newName ? 'SHOW BINARY LOG STATUS' : 'SHOW MASTER STATUS',
    [],
    signal,
  );
  return row ?? null;
}
