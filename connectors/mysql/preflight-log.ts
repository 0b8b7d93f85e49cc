import type { Finding } from '../../src/connector/identity.ts';
import { TwinproofError } from '../../src/errors.ts';
import { readVariables, type Variables } from './identity-variables.ts';
import type { Channel } from './relation-channels.ts';
import type { Session } from './session.ts';

const NAMES: readonly string[] = [
  'log_bin',
  'gtid_mode',
  'gtid_strict_mode',
  'binlog_format',
  'binlog_row_image',
  'binlog_row_metadata',
  'sync_binlog',
  'innodb_flush_log_at_trx_commit',
  'lower_case_table_names',
];

/** What of the server's own log, and of how it writes, weakens evidence. */
export async function logFindings(
  session: Session,
  channels: readonly Channel[],
  signal: AbortSignal,
): Promise<Finding[]> {
  const variables = await readVariables(session, NAMES, signal);
  return [...findingsOf(variables, channels.length > 0), ...(await filterFindings(session, signal))];
}

interface Rule {
  readonly code: string;
  readonly severity: Finding['severity'];
  readonly variable: string;
  /** Values at which there is nothing to say. */
  readonly good: readonly string[];
  readonly message: (value: string) => string;
  readonly hint: string;
  readonly sql?: string;
}

/** Variables that the server does not have are not looked at. */
const RULES: readonly Rule[] = [
  {
    code: 'TP-P-GTID',
    severity: 'warn',
    variable: 'gtid_mode',
    good: ['ON'],
    message: (value) =>
      `it is ${value}: positions are log file and offset, which a replica behind another replica cannot tell`,
    hint: 'turn GTIDs on, one step at a time, on every server (MySQL manual, "Enabling GTID Transactions Online")',
    sql: 'SET @@GLOBAL.enforce_gtid_consistency = ON;\nSET @@GLOBAL.gtid_mode = OFF_PERMISSIVE;\nSET @@GLOBAL.gtid_mode = ON_PERMISSIVE;\n-- when Ongoing_anonymous_transaction_count is 0 everywhere:\nSET @@GLOBAL.gtid_mode = ON;',
  },
  {
    code: 'TP-P-GTID-STRICT',
    severity: 'warn',
    variable: 'gtid_strict_mode',
    good: ['ON'],
    message: () =>
      'it is off: a local write can take the number of one of the primary’s transactions, and positions no longer tell',
    hint: 'turn it on, here and in the configuration file',
    sql: 'SET GLOBAL gtid_strict_mode = ON;',
  },
  {
    code: 'TP-P-LOG-FORMAT',
    severity: 'warn',
    variable: 'binlog_format',
    good: ['ROW'],
    message: (value) =>
      `it is ${value}: a statement can do something else on the replica than on the primary`,
    hint: 'log rows; sessions that are open keep the old format',
    sql: 'SET GLOBAL binlog_format = ROW;',
  },
  {
    code: 'TP-P-ROW-IMAGE',
    severity: 'info',
    variable: 'binlog_row_image',
    good: ['FULL'],
    message: (value) => `it is ${value}: the log lacks columns that following the changes would need`,
    hint: 'nothing is needed for comparing two live sites',
    sql: 'SET GLOBAL binlog_row_image = FULL;',
  },
  {
    code: 'TP-P-ROW-METADATA',
    severity: 'info',
    variable: 'binlog_row_metadata',
    good: ['FULL'],
    message: (value) =>
      `it is ${value}: the log does not name columns, which following the changes would need`,
    hint: 'nothing is needed for comparing two live sites',
    sql: 'SET GLOBAL binlog_row_metadata = FULL;',
  },
  {
    code: 'TP-P-NAMES',
    severity: 'info',
    variable: 'lower_case_table_names',
    good: ['0'],
    message: (value) => `it is ${value}: names of tables are kept or compared in lower case here`,
    hint: 'a name in capitals is another table on a site where it is 0',
  },
];

/** Pure. `replica`: positions are the source's, so a missing log matters only to those who would read from here. */
export function findingsOf(variables: Variables, replica: boolean): Finding[] {
  if (variables.get('log_bin')?.toUpperCase() !== 'ON') return [noLog(replica)];
  const findings = broken(RULES, variables);
  const durable = ['sync_binlog', 'innodb_flush_log_at_trx_commit'].every(
    (name) => variables.get(name) === '1',
  );
  return replica || durable ? findings : [...findings, NOT_DURABLE];
}

function broken(rules: readonly Rule[], variables: Variables): Finding[] {
  return rules.flatMap(({ code, severity, variable, good, message, hint, sql }): Finding[] => {
    const value = variables.get(variable)?.toUpperCase();
    if (value === undefined || good.includes(value)) return [];
    const mends = sql === undefined ? {} : { sql };
    return [{ code, severity, subject: variable, message: message(value), hint, ...mends }];
  });
}

const SESSIONS_HINT = 'sessions that are open keep what they have: end them, then start the ledger';

/** What the log must have so that every change of a row can be taken from it. */
const STREAM_RULES: readonly Rule[] = [
  {
    code: 'TP-P-GTID',
    severity: 'block',
    variable: 'gtid_mode',
    good: ['ON'],
    message: (value) => `it is ${value}: without GTIDs nobody can tell where in the log a copy stands`,
    hint: 'turn GTIDs on, one step at a time, on every server (MySQL manual, "Enabling GTID Transactions Online")',
  },
  {
    code: 'TP-P-LOG-FORMAT',
    severity: 'block',
    variable: 'binlog_format',
    good: ['ROW'],
    message: (value) => `it is ${value}: the log holds statements in place of rows`,
    hint: SESSIONS_HINT,
    sql: 'SET GLOBAL binlog_format = ROW;',
  },
  {
    code: 'TP-P-ROW-IMAGE',
    severity: 'block',
    variable: 'binlog_row_image',
    good: ['FULL'],
    message: (value) => `it is ${value}: the log leaves out columns`,
    hint: SESSIONS_HINT,
    sql: 'SET GLOBAL binlog_row_image = FULL;',
  },
  {
    code: 'TP-P-ROW-METADATA',
    severity: 'block',
    variable: 'binlog_row_metadata',
    good: ['FULL'],
    message: (value) => `it is ${value}: the log does not name columns`,
    hint: 'it costs some bytes for each table that a statement changes; set it in the configuration file too',
    sql: 'SET GLOBAL binlog_row_metadata = FULL;',
  },
  {
    code: 'TP-P-LOG-COMPRESSED',
    severity: 'block',
    variable: 'binlog_transaction_compression',
    good: ['OFF', '0'],
    message: () =>
      'it is ON: changes in compressed transactions cannot be read, and each of them voids what is known',
    hint: SESSIONS_HINT,
    sql: 'SET GLOBAL binlog_transaction_compression = OFF;',
  },
  {
    code: 'TP-P-PARTIAL-JSON',
    severity: 'block',
    variable: 'binlog_row_value_options',
    good: [''],
    message: (value) => `it is ${value}: the log holds only the parts of JSON values that changed`,
    hint: SESSIONS_HINT,
    sql: "SET GLOBAL binlog_row_value_options = '';",
  },
];

/** What keeps changes from being streamed from this server; empty: nothing that its settings show. */
export async function streamFindings(session: Session, signal: AbortSignal): Promise<Finding[]> {
  const names = ['log_bin', ...STREAM_RULES.map(({ variable }) => variable)];
  const variables = await readVariables(session, names, signal);
  if (variables.get('log_bin')?.toUpperCase() !== 'ON') return [{ ...noLog(false), severity: 'block' }];
  return broken(STREAM_RULES, variables);
}

const NOT_DURABLE: Finding = {
  code: 'TP-P-DURABILITY',
  severity: 'info',
  subject: 'sync_binlog',
  message:
    'sync_binlog and innodb_flush_log_at_trx_commit are not both 1: after a crash of the machine the primary can lack commits that a replica has',
  hint: 'set both to 1 where a commit must survive',
  sql: 'SET GLOBAL sync_binlog = 1;\nSET GLOBAL innodb_flush_log_at_trx_commit = 1;',
};

function noLog(replica: boolean): Finding {
  return {
    code: 'TP-P-LOG',
    severity: replica ? 'info' : 'block',
    subject: 'log_bin',
    message: replica
      ? 'this server keeps no binary log: nothing can replicate from it after a promotion'
      : 'this server keeps no binary log, so it has no positions, and nothing replicates from it',
    hint: 'set log_bin (and on MySQL gtid_mode) in the configuration file and restart the server',
  };
}

/** Databases that the log leaves out never reach any replica. */
async function filterFindings(session: Session, signal: AbortSignal): Promise<Finding[]> {
  const newName = session.flavor === 'mysql' && session.version >= 80_200;
  let row: Record<string, string | null> | undefined;
  try {
    [row] = await session.rows(newName ? 'SHOW BINARY LOG STATUS' : 'SHOW MASTER STATUS', [], signal);
  } catch (error) {
    if (!(error instanceof TwinproofError) || error.code !== 'TP-PERMISSION') throw error;
    return [];
  }
  const kept = row?.['Binlog_Do_DB'] ?? '';
  const left = row?.['Binlog_Ignore_DB'] ?? '';
  if (kept === '' && left === '') return [];
  const seen = [kept === '' ? '' : `binlog_do_db=${kept}`, left === '' ? '' : `binlog_ignore_db=${left}`];
  return [
    {
      code: 'TP-P-FILTERS',
      severity: 'warn',
      subject: 'binary log',
      message: `the log is filtered (${seen.filter((one) => one !== '').join(', ')}): what it leaves out never reaches a replica`,
      hint: 'take the filter out of the configuration file and restart, or exclude those tables',
    },
  ];
}
