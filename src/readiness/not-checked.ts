import type { PairKind } from '../connector/table.ts';
import { POSTGRES, type EngineName } from './rule.ts';

/** Something that a promotion relies on and that no part of the evidence looks at. */
export interface NotChecked {
  /** Stable, `TP-N-…`. */
  readonly code: string;
  readonly subject: string;
  readonly message: string;
}

interface Entry extends NotChecked {
  readonly pairs: readonly PairKind[];
  /** Of the candidate. Absent: every engine. */
  readonly engines?: readonly EngineName[];
}

const ALL: readonly PairKind[] = ['physical', 'logical', 'cross-engine'];
const APPLIED: readonly PairKind[] = ['logical', 'cross-engine'];
const CROSSING: readonly PairKind[] = ['cross-engine'];

/**
 * Every certificate says this under *not proven*. An entry leaves the list when a check for it exists, never because
 * it is unlikely.
 */
const ENTRIES: readonly Entry[] = [
  {
    code: 'TP-N-INDEXES',
    pairs: ALL,
    subject: 'indexes',
    message: 'rows were compared, not the indexes over them: an index may be missing, invalid or corrupt',
  },
  {
    code: 'TP-N-COLLATIONS',
    engines: POSTGRES,
    pairs: ALL,
    subject: 'collations',
    message:
      'a different C library or ICU on the candidate orders text differently and silently breaks text indexes',
  },
  {
    code: 'TP-N-ROLES',
    pairs: ALL,
    subject: 'roles and grants',
    message:
      'passwords, and from where whom the servers let in (pg_hba.conf, hosts of accounts), were not compared; nor were grants and row policies where no check names them',
  },
  {
    code: 'TP-N-SCHEMA-OBJECTS',
    pairs: APPLIED,
    subject: 'schema objects',
    message:
      'definitions of views, functions, triggers, constraints, defaults and types were not compared where no check names them',
  },
  {
    code: 'TP-N-LARGE-OBJECTS',
    engines: POSTGRES,
    pairs: ALL,
    subject: 'large objects',
    message: 'large objects were not read; where rows are applied they are not replicated at all',
  },
  {
    code: 'TP-N-OTHER-DATABASES',
    pairs: ALL,
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
    message: 'rows written on the candidate itself after they were read were not seen',
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
    pairs: ALL,
    subject: 'configuration',
    message: 'server settings that no check names, capacity, and backups were not compared',
  },
  {
    code: 'TP-N-AFTERWARDS',
    pairs: ALL,
    subject: 'what comes after the proof',
    message: 'bit rot, direct edits of files and faults of storage after a row was read are not seen',
  },
  {
    code: 'TP-N-DEPENDENCIES',
    pairs: ALL,
    subject: 'other systems',
    message: 'whether queues, caches, files and other databases stand at a matching point was not looked at',
  },
];

/** Only when rows were compared by xxh64: values that collide under every seed can be built. */
const FORGERY: NotChecked = {
  code: 'TP-N-FORGERY',
  subject: 'forged rows',
  message:
    'rows were compared by xxh64, which finds accidents, not rows made to collide; `digest: sha256` does',
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
    message,
  }));
  return digest === 'xxh64' ? [...listed, FORGERY] : listed;
}
