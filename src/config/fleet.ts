import { durationOf } from './duration.ts';
import type { Secret } from './secret.ts';

/** What is said of a system beside its servers: for people, and for the order of a promotion. */
export interface FleetFacts {
  /** What people call it; null: by its name. */
  readonly title: string | null;
  /** How much depends on it, as its owner grades it; null: not graded. */
  readonly tier: string | null;
  readonly owner: string | null;
  /** Within what time it is to run again, in milliseconds; null: not stated. */
  readonly rto: number | null;
  /** Systems that must run before this one is of use. */
  readonly dependsOn: readonly string[];
  /** Systems of one group are promoted to one point in time; null: of none. */
  readonly group: string | null;
  /** What `watch` does at certain times. */
  readonly schedules: readonly ScheduleConfig[];
}

export const SCHEDULED = ['certify', 'verify', 'readiness'] as const;

/** Of `certify`: as often as it takes for a certificate to be there that has not expired. */
export const BEFORE_EXPIRY = 'before-expiry';

/** `every 15m` in milliseconds; null: it is another kind of time. */
export function everyOf(at: string): number | null {
  const [word, duration, ...more] = at.split(' ');
  return word === EVERY && duration !== undefined && more.length === 0 ? durationOf(duration) : null;
}

/** Opens a time that comes again after a duration. */
export const EVERY = 'every';

export interface ScheduleConfig {
  readonly name: string;
  readonly run: (typeof SCHEDULED)[number];
  /**
   * When, in the notation of cron, with a field for seconds before the others if it has six; or BEFORE_EXPIRY; or
   * `every` and a duration (`everyOf`).
   */
  readonly at: string;
  /** The time zone that is meant (IANA name); null: that of the machine. */
  readonly zone: string | null;
}

export interface ConsistencyGroup {
  readonly name: string;
  /** How far the recovery points of its members may lie apart, in milliseconds; null: not stated. */
  readonly maxSkew: number | null;
}

/** What holds for all systems. */
export interface Fleet {
  readonly name: string | null;
  /** The gravest first. Empty: tiers are ordered by their names. */
  readonly tiers: readonly string[];
  readonly groups: readonly ConsistencyGroup[];
}

/** Where `watch` writes down how each system stands, for the board and for metrics. */
export interface StateConfig {
  /** Absolute folder. */
  readonly path: string;
  /** Milliseconds between two writings. */
  readonly every: number;
  /** Certificates that schedules wrote and that are kept of each system; those of decisions and the last SAFE besides. */
  readonly keepCertificates: number;
}

export const STATE_DEFAULTS = { every: 10_000, keepCertificates: 1000 } as const;

export const ROLES = ['viewer', 'approver'] as const;
export type Role = (typeof ROLES)[number];

export interface BoardToken {
  /** Whose it is: it stands in the decision record. */
  readonly name: string;
  readonly role: Role;
  readonly token: Secret;
}

export interface BoardConfig {
  readonly host: string;
  readonly port: number;
  /** Absolute paths in PEM; null: no TLS. */
  readonly tls: { readonly cert: string; readonly key: string } | null;
  /** Empty: whoever reaches it may look, and nobody may decide. */
  readonly tokens: readonly BoardToken[];
  /** Absolute path of the record of decisions; null: none is kept. */
  readonly decisions: string | null;
}

export const DEFAULT_BOARD: BoardConfig = {
  host: '127.0.0.1',
  port: 8484,
  tls: null,
  tokens: [],
  decisions: null,
};

/** Addresses that only this machine reaches. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}
