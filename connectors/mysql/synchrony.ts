import type { Synchrony } from '../../src/connector/ledger-sites.ts';
import { isOn, readStatus, readVariables, type Variables } from './identity-variables.ts';
import type { Session } from './session.ts';

/** Under both sets of names: `source` of MySQL 8.0.26 and later, `master` of older versions and of MariaDB. */
const VARIABLES = ['enabled', 'wait_point', 'wait_for_replica_count', 'wait_for_slave_count'];
const STATUS = ['status', 'clients', 'no_tx'];
const PREFIXES = ['rpl_semi_sync_source_', 'rpl_semi_sync_master_'];

/**
 * Semi-synchronous replication as the server that waits sees it. MySQL manual, "Semisynchronous Replication": a commit
 * waits until so many replicas have written it to their relay logs; when none does within rpl_semi_sync_source_timeout
 * the server goes on without (status OFF), and comes back by itself. With AFTER_SYNC, the default of MySQL, it waits
 * before others see the commit; with AFTER_COMMIT, the default of MariaDB, behind that. MariaDB waits for one replica.
 */
export async function readSynchrony(session: Session, signal: AbortSignal): Promise<Synchrony> {
  const named = (names: readonly string[]): string[] =>
    PREFIXES.flatMap((prefix) => names.map((name) => prefix + name));
  const variables = await readVariables(session, named(VARIABLES), signal);
  const status = await readStatus(session, named(STATUS), signal);
  return synchronyOf(variables, status);
}

/** Pure. */
export function synchronyOf(variables: Variables, status: Variables): Synchrony {
  const enabled = PREFIXES.find((prefix) => isOn(variables, `${prefix}enabled`));
  if (enabled === undefined) return OFF;
  const value = (name: string): string | undefined =>
    variables.get(enabled + name) ?? status.get(enabled + name);
  return {
    state: isOn(status, `${enabled}status`) ? 'waiting' : 'fallen back',
    awaited: Number(value('wait_for_replica_count') ?? value('wait_for_slave_count') ?? 1),
    receivers: Number(value('clients') ?? 0),
    hidden: value('wait_point')?.toUpperCase() === 'AFTER_SYNC',
    unconfirmed: value('no_tx') ?? '0',
  };
}

const OFF: Synchrony = { state: 'off', awaited: 0, receivers: 0, hidden: false, unconfirmed: '0' };
