import type { Obstacle } from '../../src/connector/table.ts';
import type { TableRow } from './catalog.ts';

/** Why a table cannot be compared, or null. The codes are stable. */
export function obstacleOf(name: string, table: TableRow): Obstacle | null {
  if (table.type === 'SYSTEM VERSIONED') {
    return {
      code: 'TP-T-VERSIONED',
      message: `${name} keeps the history of its rows, which is not compared`,
      hint: 'exclude the table, or compare a copy of it made with FOR SYSTEM_TIME ALL',
    };
  }
  if (table.engine === null) {
    return {
      code: 'TP-T-UNREADABLE',
      message: `the server cannot open ${name}`,
      hint: 'CHECK TABLE says why; a table that cannot be opened on a replica is lost there',
    };
  }
  if (table.engine.toLowerCase() !== 'innodb') {
    return {
      code: 'TP-T-ENGINE',
      message: `${name} is stored by ${table.engine}, which has no consistent snapshots`,
      hint: 'ALTER TABLE … ENGINE=InnoDB, or exclude the table',
    };
  }
  return null;
}
