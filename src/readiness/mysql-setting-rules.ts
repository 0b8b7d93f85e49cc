import { differing, isYes, shown, withBoth } from './mysql-fact.ts';
import { BOTH_SITES, fail, LOGICAL, MYSQL, noneOf, pass, type Observation, type Rule } from './rule.ts';

type Variables = Readonly<Record<string, string>>;

const VARIABLES_DOC = 'https://dev.mysql.com/doc/refman/en/server-system-variables.html';
const COMMON = { pairs: LOGICAL, engines: MYSQL, reads: BOTH_SITES } as const;

/** Other settings by which the same statement does something else. */
const BEHAVIOUR: readonly string[] = [
  'transaction_isolation',
  'innodb_strict_mode',
  'explicit_defaults_for_timestamp',
  'group_concat_max_len',
  'default_storage_engine',
  'foreign_key_checks',
  'unique_checks',
  'div_precision_increment',
  'log_bin_trust_function_creators',
  'require_secure_transport',
];

const LIMITS: readonly string[] = ['max_connections', 'max_allowed_packet', 'innodb_buffer_pool_size'];

/** Rules about settings that make an application meet another server after the promotion. */
export const MYSQL_SETTING_RULES: readonly Rule[] = [
  {
    ...COMMON,
    code: 'TP-R-MY-NAMES',
    title: 'both sites write capitals in names alike',
    severity: { switchover: 'block', failover: 'warn' },
    why: 'statements that name tables in capitals find them on one site and not on the other',
    hint: 'lower_case_table_names is chosen when a data folder is made: build the candidate anew with the primary’s value',
    docs: ['https://dev.mysql.com/doc/refman/en/identifier-case-sensitivity.html'],
    observe: withBoth('variables', (primary, candidate) =>
      differing(['lower_case_table_names'], primary, candidate),
    ),
  },
  {
    ...COMMON,
    code: 'TP-R-MY-SQL-MODE',
    title: 'sql_mode is the same',
    severity: 'warn',
    why: 'statements that worked fail after the promotion, or store something else without an error',
    hint: 'SET GLOBAL sql_mode to the primary’s value, here and in the configuration file',
    docs: ['https://dev.mysql.com/doc/refman/en/sql-mode.html'],
    observe: withBoth('variables', observeModes),
  },
  {
    ...COMMON,
    code: 'TP-R-MY-TIME-ZONE',
    title: 'both servers live in one time zone',
    severity: { switchover: 'block', failover: 'warn' },
    why: 'after the promotion NOW() and every timestamp shown are hours off, and are stored so',
    hint: 'SET GLOBAL time_zone to the primary’s zone, here and in the configuration file (default_time_zone)',
    docs: ['https://dev.mysql.com/doc/refman/en/time-zone-support.html'],
    observe: withBoth('variables', (primary, candidate) => {
      const [theirs, ours] = [zoneOf(primary), zoneOf(candidate)];
      const seen = `its time zone is ${ours}, the primary’s is ${theirs}`;
      return [theirs === ours ? pass('candidate', seen) : fail('candidate', seen)];
    }),
  },
  {
    ...COMMON,
    code: 'TP-R-MY-ZONE-NAMES',
    title: 'time zones have names here as on the primary',
    severity: 'warn',
    why: 'CONVERT_TZ with a name gives NULL, and sessions cannot set their zone by name',
    hint: 'mysql_tzinfo_to_sql /usr/share/zoneinfo | mysql mysql (mariadb-tzinfo-to-sql) on the candidate',
    docs: ['https://dev.mysql.com/doc/refman/en/time-zone-support.html#time-zone-installation'],
    observe: withBoth('namedZones', (primary, candidate) => [
      primary && !candidate
        ? fail('candidate', 'it knows no zone by name, and the primary does')
        : pass('candidate', candidate ? 'it knows zones by name' : 'neither site knows zones by name'),
    ]),
  },
  {
    ...COMMON,
    code: 'TP-R-MY-CHARSET',
    title: 'character set and collation of the servers are the same',
    severity: 'warn',
    why: 'new tables and literals get another character set or order after the promotion',
    hint: 'SET GLOBAL character_set_server and collation_server to the primary’s values, here and in the configuration file',
    docs: ['https://dev.mysql.com/doc/refman/en/charset-server.html'],
    observe: withBoth('variables', (primary, candidate) =>
      differing(['character_set_server', 'collation_server'], primary, candidate),
    ),
  },
  {
    ...COMMON,
    code: 'TP-R-MY-AUTO-INCREMENT',
    title: 'numbers are handed out in the same steps',
    severity: 'warn',
    why: 'where sites share a range by steps, the wrong offset hands out numbers that another site hands out too',
    hint: 'set auto_increment_increment and auto_increment_offset to the primary’s values as part of the promotion, unless both sites are to hand out numbers',
    docs: [
      'https://dev.mysql.com/doc/refman/en/replication-options-source.html#sysvar_auto_increment_increment',
    ],
    observe: withBoth('variables', (primary, candidate) =>
      differing(['auto_increment_increment', 'auto_increment_offset'], primary, candidate),
    ),
  },
  {
    ...COMMON,
    code: 'TP-R-MY-BEHAVIOUR',
    title: 'settings that change what statements do are the same',
    severity: 'warn',
    why: 'the same application behaves differently after the promotion',
    hint: 'set it to the primary’s value, here and in the configuration file',
    docs: [VARIABLES_DOC],
    observe: withBoth('variables', (primary, candidate) => differing(BEHAVIOUR, primary, candidate)),
  },
  {
    ...COMMON,
    code: 'TP-R-MY-LIMITS',
    title: 'the candidate’s limits are not below the primary’s',
    severity: 'warn',
    why: 'what the primary bears is refused, or too slow, after the promotion',
    hint: 'raise it to the primary’s value, or be sure that less will do',
    docs: [VARIABLES_DOC],
    observe: withBoth('variables', observeLimits),
  },
  {
    ...COMMON,
    code: 'TP-R-MY-PLUGINS',
    title: 'the primary’s plugins are active here',
    severity: 'warn',
    why: 'logins, storage engines, audit or password rules that rest on it do not work after the promotion',
    hint: 'install it on the candidate too (INSTALL PLUGIN, and its library): plugins are not replicated',
    docs: ['https://dev.mysql.com/doc/refman/en/server-plugin-loading.html'],
    observe: withBoth('plugins', (primary, candidate) =>
      noneOf(
        primary
          .filter((name) => !candidate.includes(name) && !OF_ROLE.test(name))
          .map((name) => fail(name, 'it is active on the primary and not on the candidate')),
        'every plugin of the primary is active',
      ),
    ),
  },
  {
    ...COMMON,
    code: 'TP-R-MY-SCHEDULER',
    title: 'the event scheduler runs here as on the primary',
    severity: 'warn',
    why: 'scheduled jobs no longer run after the promotion',
    hint: 'SET GLOBAL event_scheduler = ON as part of the promotion, and in the configuration file',
    docs: ['https://dev.mysql.com/doc/refman/en/event-scheduler.html'],
    observe: withBoth('variables', (primary, candidate) => {
      const [theirs, ours] = [primary['event_scheduler'], candidate['event_scheduler']];
      const seen = `event_scheduler is ${shown(ours)}, on the primary ${shown(theirs)}`;
      return [isEnabled(theirs) && !isEnabled(ours) ? fail('candidate', seen) : pass('candidate', seen)];
    }),
  },
];

/** Plugins of one end of semi-synchronous replication: TP-R-MY-SEMISYNC-NEXT looks at that. */
const OF_ROLE = /^rpl_semi_sync_/i;

function isEnabled(scheduler: string | undefined): boolean {
  return isYes(scheduler) && scheduler?.toUpperCase() !== 'DISABLED';
}

/** Modes are a set: their order says nothing. */
function observeModes(primary: Variables, candidate: Variables): readonly Observation[] {
  const modes = ({ sql_mode: text = '' }: Variables): string[] =>
    text.split(',').filter((mode) => mode !== '');
  const [theirs, ours] = [modes(primary), modes(candidate)];
  const missing = theirs.filter((mode) => !ours.includes(mode));
  const extra = ours.filter((mode) => !theirs.includes(mode));
  const parts = [
    missing.length === 0 ? '' : `the candidate lacks ${missing.join(', ')}`,
    extra.length === 0 ? '' : `only the candidate has ${extra.join(', ')}`,
  ].filter((part) => part !== '');
  return [
    parts.length === 0 ? pass('sql_mode', 'the same on both sites') : fail('sql_mode', parts.join('; ')),
  ];
}

function zoneOf({ time_zone: zone, system_time_zone: system }: Variables): string {
  return zone === 'SYSTEM' ? shown(system) : shown(zone);
}

function observeLimits(primary: Variables, candidate: Variables): readonly Observation[] {
  const below = LIMITS.filter((name) => {
    const [theirs, ours] = [primary[name], candidate[name]];
    return isNumber(theirs) && isNumber(ours) && BigInt(ours) < BigInt(theirs);
  });
  return noneOf(
    below.map((name) =>
      fail(
        name,
        `it is ${shown(candidate[name])} on the candidate and ${shown(primary[name])} on the primary`,
      ),
    ),
    `not below the primary’s: ${LIMITS.join(', ')}`,
  );
}

function isNumber(value: string | undefined): value is string {
  return value !== undefined && /^\d+$/.test(value);
}
