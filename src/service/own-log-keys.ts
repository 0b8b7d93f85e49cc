import type { StreamedTable } from '../connector/changes.ts';
import type { SourceTable } from '../connector/ledger-sites.ts';
import type { Relation } from '../ledger/relation.ts';
import { type KeyStep, keyStep, same } from '../row/portable-key.ts';

/** Why rows of a table that others write are not known by its own log; null: they are. */
export function blindness({ unfollowed, table }: SourceTable, relation: Relation): string | null {
  if (unfollowed !== null) return unfollowed;
  if (table !== null && stepsOf(table, relation) !== null) return null;
  return 'its key is another than the primary’s, or of types that are not followed here';
}

/** What makes identities of its own log those of the ledger; null: they do not mean the same rows, or nobody can tell. */
export function stepsOf(table: StreamedTable, relation: Relation): readonly KeyStep[] | null {
  const { keyFields } = relation;
  if (keyFields === null || table.keyFields !== keyFields) return null;
  const steps = table.columns.slice(0, keyFields).map(({ name, type, encoding }, at): KeyStep | null => {
    const column = relation.columns[at];
    if (column?.name !== name) return null;
    if (column.form !== undefined) return keyStep(type, encoding, column.form);
    return column.encoding === encoding ? same : null;
  });
  return steps.every((step) => step !== null) ? steps : null;
}
