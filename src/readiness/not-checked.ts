import type { PairKind } from '../connector/table.ts';
import {
  ALL_PAIRS,
  APPLIED,
  LOGICAL,
  PHYSICAL,
  POSTGRES,
  wordsFor,
  type EngineName,
  type Words,
} from './rule.ts';

/** Something that a promotion relies on and that no part of the evidence looks at. */
export interface NotChecked {
  /** Stable, `TP-N-…`. */
  readonly code: string;
  readonly subject: string;
  readonly message: string;
}

interface Entry extends Omit<NotChecked, 'message'> {
  readonly message: Words;
  readonly pairs: readonly PairKind[];
  /** Of the candidate. Absent: every engine. */
  readonly engines?: readonly EngineName[];
}

const CROSSING: readonly PairKind[] = ['cross-engine'];

/**
 * Every certificate says this under *not proven*. An entry leaves the list when a check for it exists, never because
 * it is unlikely.
 */
const ENTRIES: readonly Entry[] = [
  {
    code: 'TP-N-INDEXES',
    pairs: ALL_PAIRS,
    subject: 'indexes',
    message: {
      postgres:
        'whether indexes match their tables was not looked at: `readiness --deep` does that, for B-tree indexes',
      mysql: 'whether indexes match their tables was not looked at: CHECK TABLE does that',
    },
  },
  {
    code: 'TP-N-ROLES',
    pairs: PHYSICAL,
    subject: 'logins',
    message: 'who may log in from where (pg_hba.conf, pg_ident.conf) was not compared',
  },
  {
    code: 'TP-N-ROLES',
    pairs: LOGICAL,
    subject: 'roles and grants',
    message: {
      postgres:
        'passwords, who may log in from where (pg_hba.conf), default privileges, and grants on columns, types and databases were not compared',
      mysql: 'passwords and other properties of accounts (TLS, limits, locks) were not compared',
    },
  },
  {
    code: 'TP-N-ROLES',
    pairs: CROSSING,
    subject: 'roles and grants',
    message: 'roles, accounts, their passwords and their grants were not compared',
  },
  {
    code: 'TP-N-SCHEMA-OBJECTS',
    pairs: LOGICAL,
    subject: 'schema objects',
    message: {
      postgres:
        'statistics objects, aggregates, operators, casts, text search and limits of sequences were not compared, nor, between versions, what views, triggers, rules and bodies in standard SQL say',
      mysql: 'what views, routines, triggers and events say, and defaults of columns, were not compared',
    },
  },
  {
    code: 'TP-N-SCHEMA-OBJECTS',
    pairs: CROSSING,
    subject: 'schema objects',
    message:
      'indexes, keys, constraints, defaults, views, routines, triggers, large objects and types of the two sites were not held against each other',
  },
  {
    code: 'TP-N-LARGE-OBJECTS',
    engines: POSTGRES,
    pairs: PHYSICAL,
    subject: 'large objects',
    message: 'large objects were not read',
  },
  {
    code: 'TP-N-OTHER-DATABASES',
    pairs: ALL_PAIRS,
    subject: 'other databases',
    message: 'only the database that was named was compared, not the other databases of the server',
  },
  {
    code: 'TP-N-MATERIALIZED-VIEWS',
    engines: POSTGRES,
    pairs: APPLIED,
    subject: 'materialized views',
    message: 'they hold what the candidate last computed: refresh them after the promotion',
  },
  {
    code: 'TP-N-LOCAL-WRITES',
    pairs: APPLIED,
    subject: 'local writes',
    message:
      'whether somebody writes to the candidate was looked at for one moment; rows written there after they were read were not seen',
  },
  {
    code: 'TP-N-FEED',
    pairs: CROSSING,
    subject: 'change stream',
    message:
      'what carries changes from one engine to the other was not looked at, nor what it still holds: stop it before the promotion',
  },
  {
    code: 'TP-N-SEQUENCES',
    pairs: CROSSING,
    subject: 'sequences',
    message:
      'sequences and counters were held against the candidate’s own rows, not against those of the primary, which have other names',
  },
  {
    code: 'TP-N-CONFIGURATION',
    pairs: ALL_PAIRS,
    subject: 'configuration',
    message:
      'server settings that no check names, machines (processors, memory, disks that cannot be seen from here) and backups were not compared',
  },
  {
    code: 'TP-N-AFTERWARDS',
    pairs: ALL_PAIRS,
    subject: 'what comes after the proof',
    message: 'bit rot, direct edits of files and faults of storage after a row was read are not seen',
  },
  {
    code: 'TP-N-DEPENDENCIES',
    pairs: ALL_PAIRS,
    subject: 'other systems',
    message: 'whether queues, caches, files and other databases stand at a matching point was not looked at',
  },
];

/** Only when rows were compared by xxh64: values that collide under every seed can be built. */
const FORGERY: NotChecked = {
  code: 'TP-N-FORGERY',
  subject: 'forged rows',
  message: 'rows were compared by xxh64, which finds accidents, not rows made to collide',
};

/** What no part of the evidence looks at, on this kind of pair, with this digest, on a candidate of this engine. */
export function notCheckedOn(
  pair: PairKind,
  digest: 'xxh64' | 'sha256',
  engine: string | null = null,
): readonly NotChecked[] {
  const holds = ({ pairs, engines }: Entry): boolean =>
    pairs.includes(pair) &&
    (engines === undefined || engine === null || engines.some((name) => name === engine));
  const listed = ENTRIES.filter(holds).map(({ code, subject, message }) => ({
    code,
    subject,
    message: wordsFor(message, engine),
  }));
  return digest === 'xxh64' ? [...listed, FORGERY] : listed;
}
