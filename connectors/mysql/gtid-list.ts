import { TwinproofError } from '../../src/errors.ts';

/** The last transaction of one domain: who wrote it, and its number there. */
export interface DomainGtid {
  readonly server: bigint;
  readonly sequence: bigint;
}

/** A GTID position of MariaDB: one transaction for every domain, `domain-server-sequence,…`. */
export type GtidList = ReadonlyMap<bigint, DomainGtid>;

/** One entry of gtid_binlog_state, which has one for every server that wrote in a domain. */
export interface Gtid extends DomainGtid {
  readonly domain: bigint;
}

/** Domain and server are 32-bit, the sequence is 64-bit, all unsigned (MariaDB manual, "Global Transaction ID"). */
const ENTRY = /^(\d{1,10})-(\d{1,10})-(\d{1,20})$/;

/** Every entry, in the order written. Throws TP-BUG on what no server writes. */
export function parseGtids(text: string): Gtid[] {
  const gtids: Gtid[] = [];
  for (const part of text.replace(/\s+/g, '').split(',')) {
    if (part === '') continue;
    const match = ENTRY.exec(part);
    if (match === null) throw new TwinproofError('TP-BUG', { message: 'not a GTID position of MariaDB' });
    const [, domain = '', server = '', sequence = ''] = match;
    gtids.push({ domain: BigInt(domain), server: BigInt(server), sequence: BigInt(sequence) });
  }
  return gtids;
}

/** A position; of several entries of one domain the one with the greatest sequence counts. */
export function parseGtidList(text: string): GtidList {
  return latest(parseGtids(text));
}

/** The digits of a number, with less work for those that a double holds. */
export function decimal(value: bigint): string {
  return value <= Number.MAX_SAFE_INTEGER ? String(Number(value)) : String(value);
}

/** Domains in order. */
export function formatGtidList(list: GtidList): string {
  return [...list]
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([domain, { server, sequence }]) => `${domain}-${server}-${sequence}`)
    .join(',');
}

/**
 * Whether a server at `b` has all that one at `a` has. Within a domain numbers only grow along one history, whoever
 * writes (gtid_strict_mode enforces it); so the greater number has the lesser one behind it. One number written by two
 * servers stands for two histories: neither has the other's.
 *
 * Without gtid_strict_mode a replica that is also written to in the primary's domain can hold a number beyond the
 * primary's and not have its transactions. That is why a candidate's position is never taken from what it wrote itself
 * (positions.ts), and why preflight asks for the mode.
 */
export function isReached(a: GtidList, b: GtidList): boolean {
  for (const [domain, { server, sequence }] of a) {
    const there = b.get(domain);
    if (there === undefined || there.sequence < sequence) return false;
    if (there.sequence === sequence && there.server !== server) return false;
  }
  return true;
}

/** The later of both in each domain. Meant for positions of one history. */
export function joinLists(a: GtidList, b: GtidList): GtidList {
  return latest([...entriesOf(a), ...entriesOf(b)]);
}

export function entriesOf(list: GtidList): Gtid[] {
  return [...list].map(([domain, { server, sequence }]) => ({ domain, server, sequence }));
}

/** Whether a log with this gtid_binlog_state holds the transaction: its server went at least that far in the domain. */
export function isInState({ domain, server, sequence }: Gtid, state: readonly Gtid[]): boolean {
  return state.some(
    (one) => one.domain === domain && one.server === server && one.sequence >= sequence && sequence > 0n,
  );
}

function latest(gtids: readonly Gtid[]): GtidList {
  const list = new Map<bigint, DomainGtid>();
  for (const { domain, server, sequence } of gtids) {
    const known = list.get(domain);
    if (known === undefined || known.sequence < sequence) list.set(domain, { server, sequence });
  }
  return list;
}
