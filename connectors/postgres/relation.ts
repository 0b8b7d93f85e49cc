import type { Relation } from '../../src/connector/identity.ts';
import { readIdentity, sameServer, type PostgresIdentity } from './identity.ts';
import type { Lineage } from './positions.ts';
import type { Session } from './session.ts';

export interface SiteRelation {
  readonly relation: Relation;
  /** On a logical pair: what turns the candidate's progress into the primary's positions. */
  readonly lineage: Lineage | null;
}

/** How the candidate stands to the primary, from both catalogs. Cascading standbys count as physical. */
export async function relateSites(
  candidate: Session,
  primary: Session,
  signal: AbortSignal,
): Promise<SiteRelation> {
  const ours = await readIdentity(candidate, signal);
  const theirs = await readIdentity(primary, signal);
  const names = { ours: candidate.target.label, theirs: primary.target.label };
  if (ours.systemId === theirs.systemId && (await sameServer(candidate, primary, signal))) {
    return none('TP-SAME-SERVER', `${names.theirs} and ${names.ours} are one and the same server`);
  }
  if (theirs.inRecovery) return none('TP-ROLES', standbyAsPrimary(ours, theirs, names));
  if (ours.inRecovery) return relateStandby(ours, theirs, names);
  const found = await subscriptionsTo(candidate, primary, signal);
  if (found.matching.length > 0) {
    return { relation: { kind: 'logical' }, lineage: { primary: theirs, subscriptions: found.matching } };
  }
  if (ours.systemId === theirs.systemId) {
    return none(
      'TP-ROLES',
      `the candidate ${names.ours} is a primary by itself (timeline ${ours.timeline}): a standby that was promoted, or a clone`,
    );
  }
  const why =
    found.reason ?? `the candidate ${names.ours} is no standby and has no subscription in this database`;
  return none('TP-UNRELATED', why);
}

interface Names {
  readonly ours: string;
  readonly theirs: string;
}

function standbyAsPrimary(ours: PostgresIdentity, theirs: PostgresIdentity, names: Names): string {
  const advice =
    !ours.inRecovery && ours.systemId === theirs.systemId
      ? `${names.ours}, given as the candidate, is not: swap the two`
      : 'give the server that takes writes';
  return `${names.theirs}, given as the primary, is in recovery; ${advice}`;
}

function relateStandby(ours: PostgresIdentity, theirs: PostgresIdentity, names: Names): SiteRelation {
  if (ours.systemId !== theirs.systemId) {
    return none(
      'TP-UNRELATED',
      `the candidate ${names.ours} is a standby of another server (system ${ours.systemId}, the primary is ${theirs.systemId})`,
    );
  }
  if (BigInt(ours.timeline) > BigInt(theirs.timeline)) {
    return none(
      'TP-UNRELATED',
      `the candidate ${names.ours} follows timeline ${ours.timeline}, a branch of a later promotion; the primary writes timeline ${theirs.timeline}`,
    );
  }
  const elsewhere = otherDatabase(names.ours, ours.database, theirs.database);
  return elsewhere === null
    ? { relation: { kind: 'physical' }, lineage: null }
    : none('TP-UNRELATED', elsewhere);
}

/** A standby has every database of its primary: in another one than was meant each table would seem to be missing. */
export function otherDatabase(candidate: string, ours: string, theirs: string): string | null {
  if (ours === theirs) return null;
  return `the candidate ${candidate} is a standby of the primary, and database ${ours} was named there, but ${theirs} of the primary: name the same one`;
}

interface SubscriptionRow {
  readonly oid: number;
  readonly name: string;
  readonly slot: string | null;
  readonly publications: readonly string[];
}

/**
 * Subscriptions of the candidate's database whose slot and publications are in the primary's database. The connection
 * string of a subscription is for superusers only, and holds a password, so it is not looked at. When none matches,
 * `reason` says what is missing, in words; null when there is no subscription at all.
 */
async function subscriptionsTo(
  candidate: Session,
  primary: Session,
  signal: AbortSignal,
): Promise<{ matching: number[]; reason: string | null }> {
  const subscriptions = await candidate.rows<SubscriptionRow>(
    `select s.oid::int8::float8 as oid, s.subname as name, s.subslotname as slot, s.subpublications as publications
     from pg_subscription s join pg_database d on d.oid = s.subdbid
     where d.datname = pg_catalog.current_database() order by s.subname`,
    [],
    signal,
  );
  const [offered] = await primary.rows<{ slots: string[]; publications: string[] }>(
    `select array(select r.slot_name::text from pg_replication_slots r
         where r.slot_type = 'logical' and r.database = pg_catalog.current_database()) as slots,
       array(select p.pubname::text from pg_publication p) as publications`,
    [],
    signal,
  );
  const slots = new Set(offered?.slots);
  const publications = new Set(offered?.publications);
  const matching: number[] = [];
  const missing: string[] = [];
  for (const { oid, name, slot, publications: wanted } of subscriptions) {
    const lacking = wanted.filter((publication) => !publications.has(publication));
    if (slot === null || !slots.has(slot))
      missing.push(`${name}: the primary has no slot ${slot ?? '(none)'}`);
    else if (lacking.length > 0)
      missing.push(`${name}: the primary has no publication ${lacking.join(', ')}`);
    else matching.push(oid);
  }
  const reason = `no subscription of the candidate comes from this primary’s database (${missing.join('; ')})`;
  return { matching, reason: subscriptions.length === 0 ? null : reason };
}

function none(code: 'TP-SAME-SERVER' | 'TP-UNRELATED' | 'TP-ROLES', message: string): SiteRelation {
  return { relation: { kind: 'none', code, message }, lineage: null };
}
