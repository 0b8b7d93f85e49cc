import { bothSettings, type Settings } from './postgres-setting-rules.ts';
import {
  ALL_PAIRS,
  BOTH_SITES,
  CANDIDATE,
  fail,
  judged,
  noneOf,
  pass,
  POSTGRES,
  readOwn,
  SAME_ENGINE,
  unreadable,
  type Observation,
  type ReadinessInput,
  type Rule,
} from './rule.ts';

const MANUAL = 'https://www.postgresql.org/docs/current';

/** Rules about the candidate as a server: its files, its archive, its room. */
export const POSTGRES_SERVER_RULES: readonly Rule[] = [
  {
    code: 'TP-R-PG-PENDING-RESTART',
    title: 'no changed setting waits for a restart',
    severity: 'info',
    pairs: ALL_PAIRS,
    engines: POSTGRES,
    reads: CANDIDATE,
    why: 'the site will behave otherwise after its next restart than it does when it is promoted',
    hint: 'restart the candidate before the promotion, so that what is checked is what will run',
    docs: [`${MANUAL}/view-pg-settings.html`],
    observe: (input) =>
      judged(
        input,
        'candidate',
        ({ postgres }) => postgres?.pendingRestart,
        (names) =>
          noneOf(
            names.map((name) => fail(name, 'its changed value waits for a restart')),
            'no setting waits for a restart',
          ),
      ),
  },
  {
    code: 'TP-R-PG-CONFIG-FILES',
    title: 'the configuration files are sound',
    severity: 'warn',
    pairs: ALL_PAIRS,
    engines: POSTGRES,
    reads: CANDIDATE,
    why: 'the server ignores every change at a reload, and does not come up after its next restart',
    hint: 'correct the file; SELECT * FROM pg_file_settings WHERE error IS NOT NULL shows whether it is right',
    docs: [`${MANUAL}/view-pg-file-settings.html`],
    observe: (input) =>
      judged(
        input,
        'candidate',
        ({ postgres }) => postgres?.configErrors,
        (errors) =>
          noneOf(
            errors.map(({ place, error }) => fail(place, error)),
            'its configuration files hold no errors',
          ),
      ),
  },
  {
    code: 'TP-R-PG-HBA-FILES',
    title: 'the rules of who may log in are sound',
    severity: 'warn',
    pairs: ALL_PAIRS,
    engines: POSTGRES,
    reads: CANDIDATE,
    why: 'the server keeps the old rules at a reload, and does not come up after its next restart',
    hint: 'correct pg_hba.conf or pg_ident.conf; SELECT * FROM pg_hba_file_rules shows whether it is right',
    docs: [`${MANUAL}/view-pg-hba-file-rules.html`],
    observe: (input) =>
      judged(
        input,
        'candidate',
        ({ postgres }) => postgres?.hbaErrors,
        (errors) =>
          noneOf(
            errors.map(({ place, error }) => fail(place, error)),
            'its rules of who may log in hold no errors',
          ),
      ),
  },
  {
    code: 'TP-R-PG-ARCHIVE-MODE',
    title: 'the candidate archives if the primary does',
    severity: 'warn',
    pairs: SAME_ENGINE,
    engines: POSTGRES,
    reads: BOTH_SITES,
    why: 'after the promotion no log is archived, so that backups cannot be rolled forward beyond that moment',
    hint: 'set archive_mode = on with a command for this site, and restart the candidate; it archives only once promoted',
    docs: [`${MANUAL}/continuous-archiving.html#BACKUP-ARCHIVING-WAL`],
    observe: observeArchiveMode,
  },
  {
    code: 'TP-R-PG-ARCHIVER',
    title: 'archiving works',
    severity: 'warn',
    pairs: SAME_ENGINE,
    engines: POSTGRES,
    reads: BOTH_SITES,
    why: 'log piles up on its disk until the server stops, and the archive, the last resort after a loss, ends here',
    hint: 'see the server’s log for what archive_command says',
    docs: [`${MANUAL}/monitoring-stats.html#MONITORING-PG-STAT-ARCHIVER-VIEW`],
    observe: (input) =>
      BOTH_SITES.flatMap((site) =>
        judged(
          input,
          site,
          ({ postgres }) => postgres?.archiver,
          ({ archived, failed, failing }) => [
            failing
              ? fail(
                  site,
                  `its last attempt to archive failed (${failed} failures, ${archived} files archived)`,
                )
              : pass(site, `${archived} files archived, and the last attempt did not fail`),
          ],
        ),
      ),
  },
  {
    code: 'TP-R-PG-DISK',
    title: 'there is room for the log',
    severity: 'warn',
    pairs: ALL_PAIRS,
    engines: POSTGRES,
    reads: CANDIDATE,
    why: 'under the primary’s write load the disk fills, and a server that cannot write its log stops',
    hint: 'make room or lower max_wal_size',
    docs: [`${MANUAL}/wal-configuration.html`],
    observe: observeDisk,
  },
];

function observeArchiveMode(input: ReadinessInput): readonly Observation[] {
  return bothSettings(input, (theirs, ours) => {
    if (!archives(theirs)) return [pass('primary', 'it does not archive its log')];
    return [
      archives(ours)
        ? pass('candidate', `archive_mode is ${ours['archive_mode'] ?? ''}`)
        : fail('candidate', 'the primary archives its log, and this site would not'),
    ];
  });
}

function archives(settings: Settings): boolean {
  const how = ['archive_command', 'archive_library'].some((name) => {
    const value = settings[name] ?? '';
    return value !== '' && value !== '(disabled)';
  });
  return settings['archive_mode'] !== 'off' && how;
}

/** `max_wal_size` is in megabytes: the size that the log may reach between two checkpoints. */
function observeDisk(input: ReadinessInput): readonly Observation[] {
  const settings = readOwn(input, 'candidate', ({ postgres }) => postgres?.settings);
  if (!settings.known) return [unreadable('candidate', settings)];
  return judged(
    input,
    'candidate',
    ({ postgres }) => postgres?.disk,
    ({ path, freeBytes }) => {
      const free = BigInt(freeBytes) >> 20n;
      const wanted = BigInt(settings.value['max_wal_size'] ?? '0');
      const seen = `${free} MB are free at ${path}, and max_wal_size is ${wanted} MB`;
      return [free < wanted ? fail('candidate', seen) : pass('candidate', seen)];
    },
  );
}
