import type { DefinerFact } from '../connector/facts-mysql.ts';
import { factOf, withBoth, withFact } from './mysql-fact.ts';
import {
  noneOf,
  APPLIED,
  BOTH_SITES,
  CANDIDATE,
  fail,
  LOGICAL,
  MYSQL,
  unreadable,
  type Observation,
  type ReadinessInput,
  type Rule,
} from './rule.ts';

const ENGINES = { engines: MYSQL } as const;

/** Rules about what else than rows a database is made of. */
export const MYSQL_OBJECT_RULES: readonly Rule[] = [
  {
    ...ENGINES,
    code: 'TP-R-MY-EVENTS',
    title: 'scheduled events are known to stand still on the replica',
    severity: 'warn',
    pairs: LOGICAL,
    reads: CANDIDATE,
    why: 'replication disabled it here, and it stays disabled after the promotion',
    hint: 'ALTER EVENT … ENABLE for each as part of the promotion, and DISABLE ON REPLICA (SLAVE) on the old primary',
    docs: ['https://dev.mysql.com/doc/refman/en/replication-features-invoked.html'],
    observe: withFact('candidate', 'events', (events) =>
      noneOf(
        events
          .filter(({ status }) => status === 'replica')
          .map(({ name }) => fail(`event ${name}`, 'it is disabled as on a replica')),
        'no event is disabled by replication',
      ),
    ),
  },
  {
    ...ENGINES,
    code: 'TP-R-MY-EVENTS-RUN',
    title: 'no scheduled event runs on the replica',
    severity: 'warn',
    pairs: LOGICAL,
    reads: CANDIDATE,
    why: 'what it writes here the primary does not have, or has too',
    hint: 'ALTER EVENT … DISABLE ON REPLICA (SLAVE) here; then compare the tables that it writes to',
    docs: ['https://dev.mysql.com/doc/refman/en/replication-features-invoked.html'],
    observe: withFact('candidate', 'events', (events) =>
      noneOf(
        events
          .filter(({ status }) => status === 'enabled')
          .map(({ name }) => fail(`event ${name}`, 'it is enabled on the replica')),
        'no event is enabled on the replica',
      ),
    ),
  },
  {
    ...ENGINES,
    code: 'TP-R-MY-DEFINERS',
    title: 'who defined views and routines exists',
    severity: 'block',
    pairs: APPLIED,
    reads: CANDIDATE,
    why: 'it acts with the rights of an account that does not exist, so every use of it fails',
    hint: 'create the account on the primary, with the rights that it needs, or define the object anew under another one',
    docs: ['https://dev.mysql.com/doc/refman/en/stored-objects-security.html'],
    observe: (input) => observeDefiners(input, 'definers'),
  },
  {
    ...ENGINES,
    code: 'TP-R-MY-TRIGGER-DEFINERS',
    title: 'who defined triggers and events exists',
    severity: 'warn',
    pairs: APPLIED,
    reads: CANDIDATE,
    why: 'it acts with the rights of an account that does not exist: writes to the table of a trigger fail, an event does not run',
    hint: 'create the account on the primary, with the rights that it needs, or define the object anew under another one',
    docs: ['https://dev.mysql.com/doc/refman/en/stored-objects-security.html'],
    observe: (input) => [...observeDefiners(input, 'triggers'), ...observeDefiners(input, 'events')],
  },
  {
    ...ENGINES,
    code: 'TP-R-MY-ACCOUNTS',
    title: 'the primary’s accounts exist on the candidate',
    severity: { switchover: 'block', failover: 'warn' },
    pairs: LOGICAL,
    reads: BOTH_SITES,
    why: 'whoever logs in with it is refused after the promotion',
    hint: 'create it here as it is on the primary (SHOW CREATE USER), with sql_log_bin off; accounts that are made while the log is on come by themselves',
    docs: ['https://dev.mysql.com/doc/refman/en/replication-features-mysqldb.html'],
    observe: withBoth('accounts', (primary, candidate) =>
      noneOf(
        primary
          .filter((account) => !candidate.includes(account))
          .map((account) => fail(account, 'the candidate has no such account')),
        'every account of the primary is there',
      ),
    ),
  },
  {
    ...ENGINES,
    code: 'TP-R-MY-GRANTS',
    title: 'accounts may do the same on both sites',
    severity: 'warn',
    pairs: LOGICAL,
    reads: BOTH_SITES,
    why: 'what the application may do on the primary it may not do here, or the other way round',
    hint: 'lay SHOW GRANTS of both sites side by side, and grant or revoke here with sql_log_bin off',
    docs: ['https://dev.mysql.com/doc/refman/en/show-grants.html'],
    observe: withBoth('grants', (primary, candidate) =>
      noneOf(
        Object.entries(primary)
          .filter(([account, digest]) => candidate[account] !== undefined && candidate[account] !== digest)
          .map(([account]) => fail(account, 'its grants differ between the sites')),
        'grants are the same on both sites',
      ),
    ),
  },
  {
    ...ENGINES,
    code: 'TP-R-MY-ENGINES',
    title: 'every table is InnoDB',
    severity: 'warn',
    pairs: APPLIED,
    reads: CANDIDATE,
    why: 'a table without transactions can be torn by a crash, and is not compared as of one moment',
    hint: 'ALTER TABLE … ENGINE = InnoDB on the primary',
    docs: ['https://dev.mysql.com/doc/refman/en/converting-tables-to-innodb.html'],
    observe: withFact('candidate', 'otherEngines', (tables) =>
      noneOf(
        tables.map((table) => fail(table, 'it is not InnoDB')),
        'every table is InnoDB',
      ),
    ),
  },
  {
    ...ENGINES,
    code: 'TP-R-MY-KEYLESS',
    title: 'every table has a key',
    severity: 'warn',
    pairs: LOGICAL,
    reads: CANDIDATE,
    why: 'a replica looks through the whole table for each row that changes, and falls behind; it is not proven while it is written to',
    hint: 'ALTER TABLE … ADD PRIMARY KEY on the primary',
    docs: ['https://dev.mysql.com/doc/refman/en/create-table-gipks.html'],
    observe: withFact('candidate', 'keyless', (tables) =>
      noneOf(
        tables.map((table) => fail(table, 'it has no primary key, and no unique one without NULL')),
        'every table has a key',
      ),
    ),
  },
  {
    ...ENGINES,
    code: 'TP-R-MY-INDEXES',
    title: 'the primary’s keys and indexes exist on the candidate',
    severity: 'warn',
    pairs: LOGICAL,
    reads: BOTH_SITES,
    why: 'without it queries are slow after the promotion, and what a unique or foreign key forbids goes through',
    hint: 'create it on the candidate with sql_log_bin off, or build the replica anew',
    docs: ['https://dev.mysql.com/doc/refman/en/show-index.html'],
    observe: withBoth('keys', (primary, candidate) =>
      noneOf(
        Object.entries(primary).flatMap(([table, keys]) =>
          lacking(keys, candidate[table] ?? []).map((key) => fail(table, `the candidate lacks its ${key}`)),
        ),
        'every key and index of the primary is there',
      ),
    ),
  },
  {
    ...ENGINES,
    code: 'TP-R-MY-CASCADES',
    title: 'no foreign key changes rows on the candidate alone',
    severity: 'block',
    pairs: LOGICAL,
    reads: BOTH_SITES,
    why: 'rows that a foreign key changes are in no log (MariaDB, MySQL before 9.6): that they differ from the primary’s shows only when the table is compared anew',
    hint: 'drop it on the candidate with sql_log_bin off, or create it on the primary too; then compare all tables',
    docs: [
      'https://dev.mysql.com/doc/refman/en/innodb-and-mysql-replication.html',
      'https://mariadb.com/kb/en/foreign-keys/',
    ],
    observe: withBoth('keys', (primary, candidate) =>
      noneOf(
        Object.entries(candidate).flatMap(([table, keys]) =>
          lacking(
            keys.filter((key) => CHANGES_ROWS.test(key)),
            primary[table] ?? [],
          ).map((key) => fail(table, `the primary lacks its ${key}`)),
        ),
        'every foreign key that changes rows is on both sites',
      ),
    ),
  },
  {
    ...ENGINES,
    code: 'TP-R-MY-COUNTER-END',
    title: 'counters are not near their end',
    severity: 'warn',
    pairs: APPLIED,
    reads: CANDIDATE,
    why: 'when the type’s largest value is reached every insert fails, on whichever site',
    hint: 'ALTER TABLE … MODIFY the column to BIGINT UNSIGNED on the primary in good time',
    docs: ['https://dev.mysql.com/doc/refman/en/integer-types.html'],
    observe: withFact('candidate', 'counters', (counters) =>
      noneOf(
        counters
          .filter(({ next, max }) => BigInt(next) * 10n >= BigInt(max) * 9n)
          .map(({ column, next, max }) => fail(column, `its next value is ${next}, and ${max} is the last`)),
        'no counter has used nine tenths of its range',
      ),
    ),
  },
  {
    ...ENGINES,
    code: 'TP-R-MY-XA',
    title: 'no prepared transaction waits for its decision',
    severity: 'warn',
    pairs: APPLIED,
    reads: CANDIDATE,
    why: 'it holds its locks after the promotion until somebody decides it, and whether it was to be committed only its coordinator knows',
    hint: 'XA RECOVER lists it: ask its coordinator, then XA COMMIT or XA ROLLBACK, on the primary',
    docs: ['https://dev.mysql.com/doc/refman/en/xa-statements.html'],
    observe: withFact('candidate', 'prepared', (count) =>
      noneOf(
        count === 0 ? [] : [fail('candidate', `${count} prepared XA transactions wait on it`)],
        'no prepared XA transaction waits on it',
      ),
    ),
  },
];

function observeDefiners(
  input: ReadinessInput,
  name: 'definers' | 'triggers' | 'events',
): readonly Observation[] {
  const objects = factOf(input, 'candidate', name);
  if (!objects.known) return [unreadable('candidate', objects)];
  const accounts = factOf(input, 'candidate', 'accounts');
  // Without objects it does not matter who exists.
  if (!accounts.known && objects.value.length > 0) return [unreadable('candidate', accounts)];
  const known = new Set(accounts.known ? accounts.value : []);
  return noneOf(
    objects.value
      .map((one): DefinerFact =>
        'object' in one ? one : { object: `event ${one.name}`, definer: one.definer },
      )
      .filter(({ definer }) => !known.has(definer) && !OWN.test(definer))
      .map(({ object, definer }) => fail(object, `its definer ${definer} does not exist`)),
    name === 'definers'
      ? 'the definer of every view and routine exists'
      : `the definer of every ${name === 'triggers' ? 'trigger' : 'event'} exists`,
  );
}

/** KeyText.text of a foreign key that does more than refuse. */
const CHANGES_ROWS = /^foreign key .* (?:CASCADE|SET NULL|SET DEFAULT)\b/;

/** Accounts of the server's own, and roles, which MariaDB writes without a host. */
const OWN = /^(?:mysql|mariadb)\.[a-z]+@localhost$/;

/** What of the first list is not in the second, each as often as it is lacking. */
function lacking(wanted: readonly string[], there: readonly string[]): string[] {
  const left = [...there];
  return wanted.filter((one) => {
    const at = left.indexOf(one);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
}
