import type { AgeFact } from '../connector/facts-postgres.ts';
import {
  ALL_PAIRS,
  BOTH_SITES,
  CANDIDATE,
  fail,
  judged,
  judgedBoth,
  noneOf,
  pass,
  PHYSICAL,
  POSTGRES,
  readOwn,
  unreadable,
  type Observation,
  type ReadinessInput,
  type Rule,
} from './rule.ts';

const MANUAL = 'https://www.postgresql.org/docs/current';
/** Autovacuum freezes when the limit is reached; half as much again says that it does not succeed. */
const AGE_OVER_LIMIT = 1.5;
/** At 2^31 less three millions the server refuses to write (manual, "Preventing Transaction ID Wraparound Failures"). */
const AGE_URGENT = 1_600_000_000;

/** Rules about what is stored: does it read the same on this machine, and is it sound? */
export const POSTGRES_STORAGE_RULES: readonly Rule[] = [
  {
    code: 'TP-R-PG-COLLATION-VERSION',
    title: 'collations are of the version that indexes were built with',
    severity: 'block',
    pairs: ALL_PAIRS,
    engines: POSTGRES,
    reads: CANDIDATE,
    why: 'indexes over text are in an order that this machine’s library no longer has: rows are not found, and duplicates get past unique keys',
    hint: 'install the C library or ICU that the catalog names; or, after the promotion and before applications write: REINDEX DATABASE, then ALTER DATABASE … (ALTER COLLATION …) REFRESH VERSION',
    docs: [`${MANUAL}/sql-altercollation.html#SQL-ALTERCOLLATION-NOTES`],
    observe: (input) =>
      judged(
        input,
        'candidate',
        ({ postgres }) => postgres?.collations,
        (collations) => {
          const other = collations.filter(({ recorded, actual }) => recorded !== null && recorded !== actual);
          return noneOf(
            other.map(({ name, recorded, actual }) =>
              fail(
                name,
                `the catalog records version ${recorded}, this machine provides ${actual ?? 'none'}`,
              ),
            ),
            'every recorded collation version is the one provided here',
          );
        },
      ),
  },
  {
    code: 'TP-R-PG-COLLATION-SITES',
    title: 'collations are of one version on both sites',
    severity: 'block',
    pairs: PHYSICAL,
    engines: POSTGRES,
    reads: BOTH_SITES,
    why: 'indexes over text were built in the primary’s order and are read in this machine’s: rows are not found, and duplicates get past unique keys',
    hint: 'install the same C library and ICU on both sites; or REINDEX DATABASE after the promotion, before applications write',
    docs: [`${MANUAL}/collation.html`],
    observe: observeCollationSites,
  },
  {
    code: 'TP-R-PG-INDEX-INVALID',
    title: 'every index is valid',
    severity: 'warn',
    pairs: ALL_PAIRS,
    engines: POSTGRES,
    reads: CANDIDATE,
    why: 'an invalid index serves no query, and a unique one that is invalid does not keep its promise',
    hint: 'REINDEX INDEX CONCURRENTLY, or drop it (on a physical pair: on the primary)',
    docs: [`${MANUAL}/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY`],
    observe: (input) =>
      judged(
        input,
        'candidate',
        ({ postgres }) => postgres?.invalidIndexes,
        (names) =>
          noneOf(
            names.map((name) => fail(name, 'the index is not valid')),
            'every index is valid',
          ),
      ),
  },
  {
    code: 'TP-R-PG-INDEX-DAMAGE',
    title: 'every B-tree index matches its table',
    severity: 'block',
    pairs: ALL_PAIRS,
    engines: POSTGRES,
    reads: CANDIDATE,
    deep: true,
    why: 'queries through the index miss rows or find wrong ones, and unique keys may be held twice',
    hint: 'find out whether the C library, ICU or the disk is at fault; REINDEX after the promotion, before applications write',
    docs: [`${MANUAL}/amcheck.html`],
    observe: (input) =>
      judged(
        input,
        'candidate',
        ({ postgres }) => postgres?.indexChecks,
        (checks) => {
          const bad = checks.filter(({ problem }) => problem !== null);
          return noneOf(
            bad.map(({ index, problem }) => fail(index, problem ?? '')),
            `${checks.length} B-tree indexes match their tables`,
          );
        },
      ),
  },
  {
    code: 'TP-R-PG-CONSTRAINT-UNVALIDATED',
    title: 'every constraint was checked against all rows',
    severity: 'warn',
    pairs: ALL_PAIRS,
    engines: POSTGRES,
    reads: CANDIDATE,
    why: 'rows that break the constraint may be there, and a dump of this site may not restore',
    hint: 'ALTER TABLE … VALIDATE CONSTRAINT … (on a physical pair: on the primary)',
    docs: [`${MANUAL}/sql-altertable.html#SQL-ALTERTABLE-DESC-ADD-TABLE-CONSTRAINT`],
    observe: (input) =>
      judged(
        input,
        'candidate',
        ({ postgres }) => postgres?.unvalidated,
        (names) =>
          noneOf(
            names.map((name) => fail(name, 'the constraint is not validated')),
            'every constraint is validated',
          ),
      ),
  },
  {
    code: 'TP-R-PG-CHECKSUM-FAILURES',
    title: 'no page has failed its checksum',
    severity: 'block',
    pairs: ALL_PAIRS,
    engines: POSTGRES,
    reads: CANDIDATE,
    why: 'pages of this site are damaged on disk: what is on them cannot be read, or is wrong',
    hint: 'see the candidate’s log for the files; rebuild the candidate, then pg_stat_reset() to forget the count',
    docs: [`${MANUAL}/checksums.html`, `${MANUAL}/monitoring-stats.html#MONITORING-PG-STAT-DATABASE-VIEW`],
    observe: (input) =>
      judged(
        input,
        'candidate',
        ({ postgres }) => postgres?.checksumFailures,
        (found) =>
          noneOf(
            found.map(({ database, count }) =>
              fail(`database ${database}`, `${count} checksum failures are on record`),
            ),
            'no checksum failure is on record',
          ),
      ),
  },
  {
    code: 'TP-R-PG-WRAPAROUND',
    title: 'transaction numbers are far from their end',
    severity: 'warn',
    pairs: ALL_PAIRS,
    engines: POSTGRES,
    reads: CANDIDATE,
    why: 'vacuum does not keep up: at two thousand million the server refuses all writes, and it does so on both sites at once',
    hint: 'look for old transactions, prepared ones and slots that hold vacuum back, then VACUUM (FREEZE) that database',
    docs: [`${MANUAL}/routine-vacuuming.html#VACUUM-FOR-WRAPAROUND`],
    observe: observeAges,
  },
  {
    code: 'TP-R-PG-EXTENSION-FILES',
    title: 'the files of every extension are installed',
    severity: 'block',
    pairs: ALL_PAIRS,
    engines: POSTGRES,
    reads: CANDIDATE,
    why: 'its functions and types fail on this site, although the catalog has them',
    hint: 'install the package of this version of the extension on the candidate',
    docs: [`${MANUAL}/extend-extensions.html`],
    observe: (input) =>
      judged(
        input,
        'candidate',
        ({ postgres }) => postgres?.extensions,
        (extensions) => {
          const absent = extensions.filter(({ installed }) => !installed);
          return noneOf(
            absent.map(({ name, version }) =>
              fail(`extension ${name}`, `no files of version ${version} are installed`),
            ),
            `the files of ${extensions.length} extensions are installed`,
          );
        },
      ),
  },
  {
    code: 'TP-R-PG-TABLESPACES',
    title: 'every tablespace is there',
    severity: 'block',
    pairs: ALL_PAIRS,
    engines: POSTGRES,
    reads: CANDIDATE,
    why: 'what is kept in it cannot be read',
    hint: 'mount the file system at the path that the primary uses, then restart the candidate; if its files are gone, rebuild the candidate',
    docs: [`${MANUAL}/manage-ag-tablespaces.html`],
    observe: observeTablespaces,
  },
];

function observeCollationSites(input: ReadinessInput): readonly Observation[] {
  return judgedBoth(
    input,
    ({ postgres }) => postgres?.collations,
    ({ postgres }) => postgres?.collations,
    (theirs, ours) => {
      const versions = new Map(ours.map(({ name, actual }) => [name, actual]));
      const other = theirs.filter(({ name, actual }) => versions.has(name) && versions.get(name) !== actual);
      return noneOf(
        other.map(({ name, actual }) =>
          fail(
            name,
            `the primary’s machine provides version ${actual ?? 'none'}, the candidate’s ${versions.get(name) ?? 'none'}`,
          ),
        ),
        'both machines provide the same collation versions',
      );
    },
  );
}

function observeAges(input: ReadinessInput): readonly Observation[] {
  const settings = readOwn(input, 'candidate', ({ postgres }) => postgres?.settings);
  if (!settings.known) return [unreadable('candidate', settings)];
  const limit = (name: string): number =>
    Math.min(Number(settings.value[name] ?? AGE_URGENT) * AGE_OVER_LIMIT, AGE_URGENT);
  const transactions = limit('autovacuum_freeze_max_age');
  const multixacts = limit('autovacuum_multixact_freeze_max_age');
  return judged(
    input,
    'candidate',
    ({ postgres }) => postgres?.ages,
    (ages) => {
      const old = ages.filter((age) => age.transactions > transactions || age.multixacts > multixacts);
      if (old.length > 0) return old.map((age) => fail(`database ${age.database}`, textOf(age)));
      const oldest = ages.reduce((most, age) => Math.max(most, age.transactions), 0);
      return [pass('candidate', `its oldest unfrozen transaction is ${oldest} transactions back`)];
    },
  );
}

function textOf({ transactions, multixacts }: AgeFact): string {
  return `its oldest unfrozen transaction is ${transactions} transactions back, its oldest multixact ${multixacts}`;
}

/** A tablespace that databases of the primary use and that holds none here is gone, whatever this database keeps in it. */
function observeTablespaces(input: ReadinessInput): readonly Observation[] {
  const primary = readOwn(input, 'primary', ({ postgres }) => postgres?.tablespaces);
  const used = new Set(
    primary.known ? primary.value.filter(({ databases }) => databases > 0).map(({ name }) => name) : [],
  );
  return judged(
    input,
    'candidate',
    ({ postgres }) => postgres?.tablespaces,
    (tablespaces) => {
      const gone = tablespaces.filter(
        (one) => one.databases === 0 && (one.used || (input.pair === 'physical' && used.has(one.name))),
      );
      return noneOf(
        gone.map(({ name, location }) => fail(`tablespace ${name}`, `nothing is found at ${location}`)),
        `${tablespaces.length} tablespaces of its own are there`,
      );
    },
  );
}
