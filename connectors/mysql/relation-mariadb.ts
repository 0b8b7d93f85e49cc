import { setTimeout as sleep } from 'node:timers/promises';
import { TwinproofError } from '../../src/errors.ts';
import {
  entriesOf,
  formatGtidList,
  isInState,
  isReached,
  parseGtidList,
  parseGtids,
  type Gtid,
  type GtidList,
} from './gtid-list.ts';
import type { MysqlIdentity } from './identity.ts';
import { readList } from './positions.ts';
import { readLogPlace } from './positions-log.ts';
import { type Channel, type LogPlace, nameOfChannel, readChannels } from './relation-channels.ts';
import type { Session } from './session.ts';

/** How often, and how many milliseconds apart, to look for a moment at which both logs can be laid side by side. */
const POLLS = 20;
const POLL_MS = 50;
/** How long a reader is waited for that stalls, by its disk or its link, or is within a transaction whenever asked. */
const STALL_MS = 60_000;

export interface Recognised {
  /** Names of the channels by which the primary's transactions come; none: not recognised, and `why`. */
  readonly channels: readonly string[];
  readonly why: string;
  readonly ownPast: GtidList;
  readonly errant: string | null;
}

interface Identities {
  readonly ours: MysqlIdentity;
  readonly theirs: MysqlIdentity;
}

/**
 * MariaDB knows a source by its server_id only, a number that another installation of the same scripts has too, with
 * GTIDs that look alike (0-1-500). So the number is not believed: the primary is asked, by BINLOG_GTID_POS, which GTIDs
 * lie before the very byte of its log that the candidate has read up to. Another server has other bytes, and there the
 * answer is another, or NULL because no event ends there.
 *
 * Through an intermediate server there is no common byte. There the candidate is believed at a moment when it stands
 * between two positions of the primary that were read before and after; one that is far behind is not recognised.
 */
export async function recogniseInMariadb(
  candidate: Session,
  primary: Session,
  identities: Identities,
  channels: readonly Channel[],
  signal: AbortSignal,
): Promise<Recognised> {
  const { ours, theirs } = identities;
  const direct = channels.filter((channel) => isNamed(channel, theirs, primary));
  const names: string[] = [];
  for (const { name } of direct) {
    if (await readsFrom(candidate, primary, name, signal)) names.push(name);
  }
  // An intermediate server has a number of its own.
  const chained = channels.every(({ sourceServerId }) => sourceServerId !== theirs.serverId);
  if (chained && (await standsBetween(candidate, primary, signal))) {
    names.push(...channels.map(({ name }) => name));
  }
  if (names.length === 0 && direct.length > 0 && !(await canReadItsLog(primary, signal))) {
    throw new TwinproofError('TP-POSITION', {
      message: `${primary.target.label} cannot read its own log back: an event there is longer than its max_allowed_packet`,
      hint: 'FLUSH BINARY LOGS on the primary, or raise max_allowed_packet there (at most 1G), and run again',
    });
  }
  const states = { ours: await readState(candidate, signal), theirs: await readState(primary, signal) };
  return {
    channels: names,
    why: reasonFor(direct, channels, theirs),
    ownPast: ownPastOf(states.ours, states.theirs, BigInt(ours.serverId)),
    errant: errantOf(states.ours, states.theirs),
  };
}

/** By number and port; the port is the server's own, or the one by which we reach it through the same address. */
function isNamed(channel: Channel, theirs: MysqlIdentity, primary: Session): boolean {
  const ports = [theirs.address?.split(':').at(-1), String(primary.target.port)];
  return channel.sourceServerId === theirs.serverId && ports.includes(channel.sourcePort);
}

/** Whether the log of the candidate holds a transaction of which the primary's log has one as late of the same server. */
export async function sharesHistoryInMariadb(
  candidate: Session,
  primary: Session,
  signal: AbortSignal,
): Promise<boolean> {
  const ours = entriesOf(await readList(candidate, 'gtid_slave_pos', signal));
  const theirs = await readState(primary, signal);
  return ours.some((gtid) => isInState(gtid, theirs));
}

/**
 * Whether the candidate’s place lies in the primary’s log. A log that was written by the same script has the same bytes
 * up to where the two part; so a candidate that is receiving must also have got what the primary had logged before it
 * was asked, or be seen to move on along the primary’s log.
 */
async function readsFrom(
  candidate: Session,
  primary: Session,
  name: string,
  signal: AbortSignal,
): Promise<boolean> {
  const startedAt = performance.now();
  const [received, read, heads] = [new Set<string>(), new Set<string>(), new Set<string>()];
  for (let poll = 0; ; poll++) {
    const logged = await readList(primary, 'gtid_binlog_pos', signal);
    const channel = (await readChannels(candidate, signal)).find((one) => one.name === name);
    if (channel === undefined) return false;
    heads.add(formatGtidList(logged));
    if (channel.read !== null) read.add(textOf(channel.read));
    for (const place of await knownPlaces(candidate, channel, signal)) {
      if (!(await isInLog(primary, place, signal))) continue;
      if (channel.receiving !== 'yes' || isReached(logged, place.gtids)) return true;
      if (place.kind === 'received') received.add(textOf(place));
    }
    if (received.size > 1 || (await isFresh(primary, channel, signal))) return true;
    const isReading = channel.receiving === 'yes';
    const seen = { isReading, received: received.size, read: read.size, heads: heads.size };
    const waitedMs = performance.now() - startedAt;
    if (poll + 1 >= POLLS && (waitedMs >= STALL_MS || !mayStillShow(seen))) return false;
    await sleep(POLL_MS);
  }
}

/**
 * Whether a look that showed nothing yet may show it later. A reader that moves was met within transactions alone, where
 * nothing can be laid side by side: the more it is behind, the more often. One whose place is in the primary's log and
 * stands still has stalled, if the primary is written to; behind a log at rest it would have come to the end. Pure.
 */
export function mayStillShow(seen: {
  readonly isReading: boolean;
  /** How many places of the reader were found in the primary's log, and were there; how many ends that log had. */
  readonly received: number;
  readonly read: number;
  readonly heads: number;
}): boolean {
  return seen.isReading && (seen.read > 1 || (seen.received > 0 && seen.heads > 1));
}

function textOf({ file, offset }: LogPlace): string {
  return `${file}/${offset}`;
}

/**
 * BINLOG_GTID_POS is NULL, without a warning, for every place behind an event that is longer than max_allowed_packet
 * (measured on 10.11): an UPDATE of a row of half that size makes one. The end of the log certainly is a place.
 */
async function canReadItsLog(primary: Session, signal: AbortSignal): Promise<boolean> {
  const end = await readLogPlace(primary, signal);
  return end === null || (await gtidsAt(primary, end, signal)) !== null;
}

async function gtidsAt(
  primary: Session,
  { file, offset }: LogPlace,
  signal: AbortSignal,
): Promise<string | null> {
  const [row] = await primary.rows<{ gtids: string | null }>(
    'SELECT BINLOG_GTID_POS(?, ?) AS gtids',
    [file, offset],
    signal,
  );
  return row?.gtids ?? null;
}

async function isInLog(primary: Session, place: KnownPlace, signal: AbortSignal): Promise<boolean> {
  return isSamePlace(await gtidsAt(primary, place, signal), place.gtids);
}

interface KnownPlace {
  readonly kind: 'received' | 'executed';
  readonly file: string;
  readonly offset: bigint;
  readonly gtids: GtidList;
}

/** Places in the source's log of which the candidate says which GTIDs lie before them. */
async function knownPlaces(
  candidate: Session,
  { byGtid, read, executed, receivedGtids }: Channel,
  signal: AbortSignal,
): Promise<KnownPlace[]> {
  const places: KnownPlace[] = [];
  if (byGtid && read !== null && receivedGtids !== '') {
    places.push({ kind: 'received', ...read, gtids: parseGtidList(receivedGtids) });
  }
  if (executed !== null) {
    const gtids = await readList(candidate, 'gtid_slave_pos', signal);
    places.push({ kind: 'executed', ...executed, gtids });
  }
  return places;
}

/** Pure. The candidate may follow domains that the primary does not have. */
function isSamePlace(atPrimary: string | null, atCandidate: GtidList): boolean {
  if (atPrimary === null) return false;
  const entries = entriesOf(parseGtidList(atPrimary));
  return (
    entries.length > 0 &&
    entries.every(({ domain, server, sequence }) => {
      const there = atCandidate.get(domain);
      return there?.server === server && there.sequence === sequence;
    })
  );
}

/** A log without any transaction has no GTIDs to lay side by side; then a live reader at its very end is enough. */
async function isFresh(primary: Session, channel: Channel, signal: AbortSignal): Promise<boolean> {
  if (channel.receiving !== 'yes' || channel.read === null) return false;
  if ((await readList(primary, 'gtid_binlog_pos', signal)).size > 0) return false;
  const end = await readLogPlace(primary, signal);
  return end?.file === channel.read.file && end.offset === channel.read.offset;
}

async function standsBetween(candidate: Session, primary: Session, signal: AbortSignal): Promise<boolean> {
  for (let poll = 0; poll < POLLS; poll++) {
    if (poll > 0) await sleep(POLL_MS);
    const before = await readList(primary, 'gtid_binlog_pos', signal);
    const ours = await readList(candidate, 'gtid_slave_pos', signal);
    const after = await readList(primary, 'gtid_binlog_pos', signal);
    const state = await readState(primary, signal);
    if (
      before.size > 0 &&
      isReached(before, ours) &&
      isReached(ours, after) &&
      entriesOf(ours).every((gtid) => isInState(gtid, state))
    ) {
      return true;
    }
  }
  return false;
}

export async function readState(session: Session, signal: AbortSignal): Promise<Gtid[]> {
  const [row] = await session.rows<{ gtids: string }>(
    'SELECT @@global.gtid_binlog_state AS gtids',
    [],
    signal,
  );
  return parseGtids(row?.gtids ?? '');
}

/**
 * What the candidate wrote itself when it was the primary. Its gtid_slave_pos does not have that; but a transaction of its
 * own that is in the primary's log too was behind everything it had in that domain then.
 */
export function ownPastOf(ours: readonly Gtid[], theirs: readonly Gtid[], server: bigint): GtidList {
  const own = new Map<bigint, { server: bigint; sequence: bigint }>();
  for (const { domain, sequence } of ours.filter((gtid) => gtid.server === server)) {
    const there = theirs.find((gtid) => gtid.domain === domain && gtid.server === server);
    if (there === undefined) continue;
    own.set(domain, { server, sequence: there.sequence < sequence ? there.sequence : sequence });
  }
  return own;
}

/** The last transaction, of each domain and server, that is in the candidate's log and beyond the primary's. */
function errantOf(ours: readonly Gtid[], theirs: readonly Gtid[]): string | null {
  const errant = ours.filter((gtid) => !isInState(gtid, theirs));
  if (errant.length === 0) return null;
  return errant.map(({ domain, server, sequence }) => `${domain}-${server}-${sequence}`).join(',');
}

function reasonFor(direct: readonly Channel[], channels: readonly Channel[], theirs: MysqlIdentity): string {
  const listed = channels
    .map(
      (channel) =>
        `${nameOfChannel(channel)} reads from server_id ${channel.sourceServerId ?? '(never connected)'} at ${channel.sourceHost}:${channel.sourcePort}`,
    )
    .join('; ');
  return direct.length > 0
    ? `${listed}; the place that was read up to is not in this server’s log, or far behind its end, or its file was purged`
    : `${listed}; this server is server_id ${theirs.serverId} at ${theirs.address}, and the candidate does not stand where it stands`;
}
