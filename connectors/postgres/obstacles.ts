import type { Obstacle } from '../../src/connector/table.ts';
import type { RelationRow } from './catalog.ts';

/**
 * Why a table cannot be compared, or null. `pieces` are the relations that hold its rows (a partitioned table's
 * leaves), which are read one by one, so each must be readable by itself. The codes are stable.
 */
export function obstacleOf(
  root: RelationRow,
  pieces: readonly RelationRow[],
  site: { readonly inRecovery: boolean; readonly role: string },
): Obstacle | null {
  for (const piece of [root, ...pieces]) {
    const obstacle = storageObstacle(piece, site.inRecovery) ?? copyObstacle(piece);
    if (obstacle !== null) return obstacle;
  }
  for (const piece of pieces) {
    const obstacle = accessObstacle(piece, site.role);
    if (obstacle !== null) return obstacle;
  }
  return null;
}

function storageObstacle(piece: RelationRow, inRecovery: boolean): Obstacle | null {
  const name = nameOf(piece);
  if (piece.kind === 'f') {
    return {
      code: 'TP-T-FOREIGN',
      message: `${name} is a foreign table: its rows are on another server`,
      hint: 'compare that server with its own DR site; exclude the table here',
    };
  }
  if (piece.persistence === 'u' && inRecovery) {
    return {
      code: 'TP-T-UNLOGGED',
      message: `${name} is unlogged: its rows are not replicated, and a standby cannot read it`,
      hint: 'ALTER TABLE … SET LOGGED on the primary, or exclude the table if its rows may be lost',
    };
  }
  if (!piece.populated) {
    return {
      code: 'TP-T-UNPOPULATED',
      message: `${name} is a materialized view that was never filled`,
      hint: 'run REFRESH MATERIALIZED VIEW on the primary, or exclude it',
    };
  }
  return null;
}

/** States of pg_subscription_rel: i init, d data is copied, f copied, s synchronised, r ready. */
function copyObstacle(piece: RelationRow): Obstacle | null {
  if (piece.copies.every((state) => state === 'r')) return null;
  return {
    code: 'TP-T-COPYING',
    message: `the first copy of ${nameOf(piece)} by its subscription is not finished`,
    hint: 'wait until pg_subscription_rel shows state r for it, then run again',
  };
}

function accessObstacle(piece: RelationRow, role: string): Obstacle | null {
  if (!piece.schemaUsable || piece.readable !== true) {
    return {
      code: 'TP-T-PERMISSION',
      message: `role ${role} may not read ${nameOf(piece)}`,
      hint: `GRANT USAGE ON SCHEMA … and GRANT SELECT ON ${piece.qualified} (the whole table: system columns are read too)`,
    };
  }
  if (piece.securityActive) {
    return {
      code: 'TP-T-ROW-SECURITY',
      message: `row-level security would hide rows of ${nameOf(piece)} from role ${role}`,
      hint: `let a superuser run ALTER ROLE ${role} BYPASSRLS`,
    };
  }
  return null;
}

export function nameOf(relation: Pick<RelationRow, 'schema' | 'name'>): string {
  return `${relation.schema}.${relation.name}`;
}
