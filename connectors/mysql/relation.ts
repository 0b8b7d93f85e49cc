import type { Relation } from '../../src/connector/identity.ts';
import { formatGtidSet, parseGtidSet, subtract, unite, type GtidSet } from './gtid-set.ts';
import { readIdentity, sameServer, type MysqlIdentity } from './identity.ts';
import { readOwned } from './commits.ts';
import { readExecuted, type Lineage } from './positions.ts';
import { nameOfChannel, readChannels, type Channel } from './relation-channels.ts';
import { nameConfusion, otherDatabase } from './relation-names.ts';
import { recogniseInMariadb, sharesHistoryInMariadb } from './relation-mariadb.ts';
import type { Session } from './session.ts';

export interface SiteRelation {
  readonly relation: Relation;
  /** Of a candidate that replicates from the primary: what its positions are about. */
  readonly lineage: Lineage | null;
}

/**
 * How the candidate stands to the primary, from what both say. It replicates from it when one of its channels, running
 * or stopped, reads from that very server, or from another one that passes the primary's transactions on.
 *
 * A server without any channel replicates from nobody, whatever its history proves: a replica on which RESET REPLICA
 * ALL was run, or that was promoted, no longer gets what the primary commits, and may take writes of its own. So it is
 * refused as TP-ROLES, not compared as a replica that happens to be behind.
 *
 * Throws TP-PERMISSION where the role may not see replication.
 */
export async function relateSites(
  candidate: Session,
  primary: Session,
  signal: AbortSignal,
): Promise<SiteRelation> {
  const ours = await readIdentity(candidate, signal);
  const theirs = await readIdentity(primary, signal);
  const names = { ours: candidate.target.label, theirs: primary.target.label };
  if (ours.instance === theirs.instance && (await sameServer(candidate, primary, signal))) {
    return none('TP-SAME-SERVER', `${names.theirs} and ${names.ours} are one and the same server`);
  }
  if (ours.engine !== theirs.engine) {
    return none('TP-UNRELATED', `${names.ours} is ${ours.engine} and ${names.theirs} is ${theirs.engine}`);
  }
  const channels = await readChannels(candidate, signal);
  const sites: Sites = { candidate, primary, ours, theirs, names };
  if (channels.length === 0) return relateWithoutChannel(sites, signal);
  const found =
    ours.engine === 'mysql'
      ? await relateByUuid(sites, channels, signal)
      : await relateMariadb(sites, channels, signal);
  if (found.relation.kind === 'none') return found;
  const databases = { candidate: ours.database, primary: theirs.database };
  const confusion =
    otherDatabase(names.ours, databases, channels) ?? (await nameConfusion(candidate, primary, signal));
  return confusion === null ? found : none('TP-NAMES', confusion);
}

interface Sites {
  readonly candidate: Session;
  readonly primary: Session;
  readonly ours: MysqlIdentity;
  readonly theirs: MysqlIdentity;
  readonly names: { readonly ours: string; readonly theirs: string };
}

async function relateWithoutChannel(sites: Sites, signal: AbortSignal): Promise<SiteRelation> {
  const { candidate, primary, ours, theirs, names } = sites;
  const back = (await readChannels(primary, signal)).find((channel) =>
    ours.engine === 'mysql' ? channel.sourceUuid === ours.systemId : channel.sourceServerId === ours.serverId,
  );
  if (back !== undefined) {
    return none(
      'TP-ROLES',
      `${names.theirs}, given as the primary, replicates from ${names.ours}, given as the candidate: swap the two`,
    );
  }
  const kin =
    ours.systemId === theirs.systemId ||
    (ours.engine === 'mysql'
      ? await sharesHistory(candidate, primary, signal)
      : await sharesHistoryInMariadb(candidate, primary, signal));
  return kin
    ? none(
        'TP-ROLES',
        `the candidate ${names.ours} shares transactions with the primary and replicates from nobody: it was promoted, or its replication was reset`,
      )
    : none('TP-UNRELATED', `the candidate ${names.ours} replicates from nobody`);
}

/** MySQL: a channel knows the UUID of its source. An intermediate source is believed by what the candidate has. */
async function relateByUuid(
  sites: Sites,
  channels: readonly Channel[],
  signal: AbortSignal,
): Promise<SiteRelation> {
  const { candidate, primary, theirs, names } = sites;
  const direct = channels.filter(({ sourceUuid }) => sourceUuid === theirs.systemId);
  const history = await readHistory(candidate, primary, channels, signal);
  if (direct.length === 0 && !isPassedOn(history, sites, channels)) {
    const sources = channels.map(
      (channel) =>
        `${nameOfChannel(channel)}: ${channel.sourceUuid ?? 'never connected'} at ${channel.sourceHost}:${channel.sourcePort}`,
    );
    return none(
      'TP-UNRELATED',
      `no channel of ${names.ours} reads from ${names.theirs} (server_uuid ${theirs.systemId}), nor does it have just this primary’s transactions (${sources.join('; ')})`,
    );
  }
  const errant = formatGtidSet(history.errant);
  return {
    relation: { kind: 'logical' },
    lineage: {
      primary: theirs.systemId,
      channels: (direct.length > 0 ? direct : channels).map(({ name }) => name),
      ownPast: new Map(),
      errant: errant === '' ? null : errant,
      purged: history.purged.size === 0 ? null : formatGtidSet(history.purged),
    },
  };
}

interface History {
  readonly common: GtidSet;
  /** What the candidate has and the primary, asked afterwards, does not. */
  readonly errant: GtidSet;
  /** What the candidate lacks and the primary has deleted from its log. */
  readonly purged: GtidSet;
}

async function readHistory(
  candidate: Session,
  primary: Session,
  channels: readonly Channel[],
  signal: AbortSignal,
): Promise<History> {
  const ours = await readExecuted(candidate, signal);
  // A commit that waits for the candidate's acknowledgement is on the candidate and only owned here.
  const owned = await readOwned(primary, signal);
  const theirs = unite(owned, await readExecuted(primary, signal));
  const [row] = await primary.rows<{ gtids: string }>('SELECT @@global.gtid_purged AS gtids', [], signal);
  const errant = subtract(ours, theirs);
  let received = ours;
  for (const { receivedGtids } of channels) received = unite(received, parseGtidSet(receivedGtids));
  const purged = subtract(parseGtidSet(row?.gtids ?? ''), received);
  return { common: subtract(ours, errant), errant, purged };
}

/**
 * Whether the candidate gets the primary's transactions through another server: it has some of them, it has none that
 * the primary lacks but those it wrote itself, and its sources are not servers that the primary reads from. A source
 * that was promoted has written transactions that the primary lacks, or will: then the candidate never reaches the
 * primary's next position, and nothing is called the same by mistake.
 */
function isPassedOn(history: History, { ours }: Sites, channels: readonly Channel[]): boolean {
  const foreign = [...history.errant.keys()].filter((source) => !source.startsWith(ours.systemId));
  const connected = channels.some(({ sourceUuid }) => sourceUuid !== null);
  return connected && history.common.size > 0 && foreign.length === 0;
}

async function sharesHistory(candidate: Session, primary: Session, signal: AbortSignal): Promise<boolean> {
  return (await readHistory(candidate, primary, [], signal)).common.size > 0;
}

async function relateMariadb(
  sites: Sites,
  channels: readonly Channel[],
  signal: AbortSignal,
): Promise<SiteRelation> {
  const { candidate, primary, ours, theirs, names } = sites;
  const found = await recogniseInMariadb(candidate, primary, { ours, theirs }, channels, signal);
  if (found.channels.length === 0) {
    return none('TP-UNRELATED', `${names.ours} was not seen to replicate from ${names.theirs}: ${found.why}`);
  }
  const { ownPast, errant } = found;
  return {
    relation: { kind: 'logical' },
    lineage: { primary: theirs.systemId, channels: found.channels, ownPast, errant, purged: null },
  };
}

function none(
  code: 'TP-SAME-SERVER' | 'TP-UNRELATED' | 'TP-ROLES' | 'TP-NAMES',
  message: string,
): SiteRelation {
  return { relation: { kind: 'none', code, message }, lineage: null };
}
