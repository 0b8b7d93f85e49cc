import { selecting } from '../../src/config/selection.ts';
import type { SourceTable } from '../../src/connector/ledger-sites.ts';
import type { PairKind, TableSelection } from '../../src/connector/table.ts';
import { type Definition, readDefinitions } from './definitions.ts';
import type { Session } from './session.ts';
import { catalogTable } from './stream-table.ts';

/** The selected tables. Throws as readDefinitions. */
export async function readSourceTables(
  session: Session,
  selection: TableSelection,
  pair: PairKind,
  signal: AbortSignal,
): Promise<readonly SourceTable[]> {
  const definitions = await readDefinitions(session, selecting(selection), signal);
  return definitions.map((definition) => sourceTable(definition, pair));
}

function sourceTable(definition: Definition, pair: PairKind): SourceTable {
  const { id, leaf, fingerprint } = definition;
  const table = catalogTable(definition, pair);
  const unfollowed =
    definition.unfollowed ??
    (table.keyFields === null ? 'its key does not come with the log in a form that can be compared' : null);
  return { id, leaf, root: leaf, fingerprint, unfollowed, table: unfollowed === null ? table : null };
}
