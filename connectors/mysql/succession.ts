import type { Succession } from '../../src/connector/ledger-sites.ts';
import type { Position } from '../../src/connector/position.ts';
import { comparePositions, parsePosition, positionOfList, positionOfSet } from './gtid.ts';
import type { Gtid, GtidList } from './gtid-list.ts';
import { filterServers, formatGtidSet, type GtidSet, subtract } from './gtid-set.ts';
import { readIdentity } from './identity.ts';
import { readExecuted, readList } from './positions.ts';
import { readChannels } from './relation-channels.ts';
import { readState } from './relation-mariadb.ts';
import type { Session } from './session.ts';

type Found = Omit<Succession, 'following'>;

/** Where a replica, which may have been promoted since, stands beside what was certified of it. */
export async function readSuccession(
  session: Session,
  certified: Position,
  signal: AbortSignal,
): Promise<Succession> {
  const channels = await readChannels(session, signal);
  const following = channels.some(({ receiving, applying }) => receiving !== 'no' || applying);
  const parsed = parsePosition(certified);
  const { systemId, serverId } = await readIdentity(session, signal);
  if (parsed.kind === 'set') {
    return { following, ...setSuccession(parsed.set, await readExecuted(session, signal), systemId) };
  }
  if (parsed.kind === 'list') {
    const replicated = await readList(session, 'gtid_slave_pos', signal);
    const logged = await readState(session, signal);
    return { following, ...listSuccession(parsed.list, { replicated, logged }, BigInt(serverId)) };
  }
  return { following, ...untold('it was certified by file and offset, not by GTIDs') };
}

function untold(why: string): Found {
  return { order: null, why, position: null, own: null };
}

/** Of MySQL: what it wrote itself carries its own server_uuid. Pure. */
export function setSuccession(certified: GtidSet, executed: GtidSet, uuid: string): Found {
  const own = subtract(
    filterServers(executed, (source) => source === uuid),
    certified,
  );
  const position = positionOfSet(subtract(executed, own));
  const left = subtract(certified, executed);
  if (certified.size > 0 && formatGtidSet(left) === formatGtidSet(certified)) {
    return untold('it has none of the GTIDs that were certified: they were reset');
  }
  return {
    order: comparePositions(position, positionOfSet(certified)),
    why: null,
    position,
    own: own.size === 0 ? null : formatGtidSet(own),
  };
}

/** What a server of MariaDB says of itself. */
export interface MariadbState {
  /** gtid_slave_pos: stays when replication is reset. */
  readonly replicated: GtidList;
  /** gtid_binlog_state. */
  readonly logged: readonly Gtid[];
}

/** Of MariaDB: what it wrote itself carries its own server_id. Pure. */
export function listSuccession(
  certified: GtidList,
  { replicated, logged }: MariadbState,
  server: bigint,
): Found {
  const now = new Map<bigint, { readonly server: bigint; readonly sequence: bigint }>();
  const raise = ({ domain, server: by, sequence }: Gtid): void => {
    if ((now.get(domain)?.sequence ?? 0n) < sequence) now.set(domain, { server: by, sequence });
  };
  for (const [domain, gtid] of replicated) raise({ domain, ...gtid });
  for (const gtid of logged) if (gtid.server !== server) raise(gtid);
  const isCertified = ({ domain, server: by, sequence }: Gtid): boolean => {
    const there = certified.get(domain);
    return there?.server === by && sequence <= there.sequence;
  };
  // What it wrote when it was the primary itself, before the one that was lost.
  for (const [domain, gtid] of certified) {
    const kept = logged.some(
      (one) => one.domain === domain && one.server === server && one.sequence >= gtid.sequence,
    );
    if (gtid.server === server && kept) raise({ domain, ...gtid });
  }
  if (now.size === 0 && certified.size > 0) return untold('it has no GTID position: it was reset');
  const own = logged.filter((gtid) => gtid.server === server && !isCertified(gtid));
  const position = positionOfList(now);
  return {
    order: comparePositions(position, positionOfList(certified)),
    why: null,
    position,
    own:
      own.length === 0
        ? null
        : own.map((gtid) => `up to ${gtid.domain}-${gtid.server}-${gtid.sequence}`).join(', '),
  };
}
