import type { Position } from './position.ts';
import type { SiteCommand } from './preflight.ts';

/** Who a site is. Strings are as the server gives them. */
export interface Identity {
  readonly engine: string;
  readonly version: string;
  /** PostgreSQL system identifier, MySQL server UUID. Clones share it. */
  readonly systemId: string;
  /** Differs between any two running servers: start time and address as the server sees them. */
  readonly instance: string;
  readonly timeline: string | null;
  readonly role: 'primary' | 'standby' | 'subscriber';
  readonly writable: boolean;
  readonly database: string;
  readonly databases: readonly string[];
  readonly address: string | null;
  /** The server's clock, ISO 8601 in UTC. */
  readonly serverTime: string;
}

/** The fields above and no others: a connector may know more of a site than belongs in a report or certificate. */
export function publicIdentity(identity: Identity): Identity {
  const { engine, version, systemId, instance, timeline, role, writable } = identity;
  const { database, databases, address, serverTime } = identity;
  return {
    engine,
    version,
    systemId,
    instance,
    timeline,
    role,
    writable,
    database,
    databases,
    address,
    serverTime,
  };
}

/** How two sites stand to each other, judged by the connector from both identities and catalogs. */
export type Relation =
  | { readonly kind: 'physical' | 'logical' }
  | {
      readonly kind: 'none';
      readonly code: 'TP-SAME-SERVER' | 'TP-UNRELATED' | 'TP-ROLES' | 'TP-NAMES';
      readonly message: string;
    };

export type Severity = 'block' | 'warn' | 'info';

export interface Finding {
  readonly code: string;
  readonly severity: Severity;
  readonly subject: string;
  readonly message: string;
  readonly hint: string;
  /** SQL that mends it, for a DBA to read and run. */
  readonly sql?: string;
  /** What it stands in the way of. Absent: everything. */
  readonly commands?: readonly SiteCommand[];
}

/** The finding, said to be about these commands. */
export function findingFor(finding: Finding, commands: readonly SiteCommand[]): Finding {
  return { ...finding, commands };
}

/** Raw lag facts; judging them is src/lag. Null is unknown, never zero. */
export interface LagFacts {
  readonly received: Position | null;
  readonly applied: Position | null;
  /** Bytes of log between two positions of one lineage. */
  readonly receivedNotAppliedBytes: bigint | null;
}
