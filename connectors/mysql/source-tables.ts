import { selecting } from '../../src/config/selection.ts';
import type { SourceTable } from '../../src/connector/ledger-sites.ts';
import type { PairKind, TableSelection } from '../../src/connector/table.ts';
import { type Definition, readDefinitions } from './definitions.ts';
import { isOn, readStatus, readVariables } from './identity-variables.ts';
import type { Session } from './session.ts';
import { catalogTable } from './stream-table.ts';

/** The selected tables; `replica`: of a site whose source's log is followed. Throws as readDefinitions. */
export async function readSourceTables(
  session: Session,
  selection: TableSelection,
  { pair, replica }: { readonly pair: PairKind; readonly replica: boolean },
  signal: AbortSignal,
): Promise<readonly SourceTable[]> {
  const definitions = await readDefinitions(session, selecting(selection), signal);
  const unlogged = replica ? null : await unloggedFeed(session, signal);
  return definitions.map((definition) =>
    sourceTable({ ...definition, unfollowed: definition.unfollowed ?? unlogged }, pair),
  );
}

/**
 * MariaDB: what comes by replication need not be in the log at all. On MySQL its GTIDs show that they are missing there.
 */
async function unloggedFeed(session: Session, signal: AbortSignal): Promise<string | null> {
  if (session.flavor === 'mysql') return null;
  if (isOn(await readVariables(session, ['log_slave_updates'], signal), 'log_slave_updates')) return null;
  const running = (await readStatus(session, ['slaves_running'], signal)).get('slaves_running');
  return running === '0'
    ? null
    : 'the server replicates from another, and does not log what comes from there (log_slave_updates)';
}

function sourceTable(definition: Definition, pair: PairKind): SourceTable {
  const { id, leaf, fingerprint } = definition;
  const table = catalogTable(definition, pair);
  const unfollowed =
    definition.unfollowed ??
    (table.keyFields === null ? 'its key does not come with the log in a form that can be compared' : null);
  return { id, leaf, root: leaf, fingerprint, unfollowed, table: unfollowed === null ? table : null };
}
