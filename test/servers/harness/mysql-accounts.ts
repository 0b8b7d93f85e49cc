import type { MysqlFlavor } from './mysql-installation.ts';

interface Account {
  readonly user: string;
  readonly password: string;
}

/** Has what Twinproof needs and nothing else. */
export const VERIFIER = { user: 'verifier', password: 'verifier-s3cret' } as const satisfies Account;

/** May read the tables and nothing else: neither positions nor the state of replication. */
export const READER = { user: 'reader', password: 'reader-s3cret' } as const satisfies Account;

/** An application: reads and writes the tables, and is refused where the server is read-only. */
export const WRITER = { user: 'writer', password: 'writer-s3cret' } as const satisfies Account;

/** What a replica logs in with. */
export const REPLICATOR = { user: 'replicator', password: 'replicator-s3cret' } as const satisfies Account;

/**
 * Beyond SELECT and SHOW VIEW on the tables. State and positions: MySQL asks for REPLICATION CLIENT, MariaDB since 10.5
 * for BINLOG MONITOR and SLAVE MONITOR; PROCESS shows other sessions and InnoDB's transactions.
 * https://dev.mysql.com/doc/refman/en/privileges-provided.html, https://mariadb.com/kb/en/grant/
 */
const VERIFIER_GRANTS: Readonly<Record<MysqlFlavor, readonly string[]>> = {
  mysql: [
    'PROCESS, REPLICATION CLIENT, SHOW_ROUTINE ON *.*',
    'SELECT ON performance_schema.*',
    'SELECT ON mysql.gtid_executed',
    'SELECT (User, Host) ON mysql.user',
  ],
  mariadb: [
    'PROCESS, BINLOG MONITOR, SLAVE MONITOR ON *.*',
    'SELECT ON mysql.gtid_slave_pos',
    'SELECT (User, Host) ON mysql.user',
    'SELECT (db, name, type, definer) ON mysql.proc',
  ],
};

/** Has what every readiness check needs, also those that only warn. */
export const AUDITOR = { user: 'auditor', password: 'auditor-s3cret' } as const satisfies Account;

const AUDITOR_GRANTS: Readonly<Record<MysqlFlavor, readonly string[]>> = {
  mysql: [...VERIFIER_GRANTS.mysql, 'XA_RECOVER_ADMIN ON *.*', 'SELECT ON mysql.*'],
  mariadb: [...VERIFIER_GRANTS.mariadb, 'SELECT ON mysql.*'],
};

/** SQL that makes the account that reads every fact of readiness. */
export function auditorSql(flavor: MysqlFlavor, database: string): string {
  const grants = [`SELECT, SHOW VIEW, EVENT, TRIGGER ON \`${database}\`.*`, ...AUDITOR_GRANTS[flavor]];
  return account(AUDITOR) + grants.map((what) => grant(AUDITOR, what)).join('');
}

/** SQL that makes the accounts of one database; on MySQL caching_sha2_password checks them, its default. */
export function accountsSql(flavor: MysqlFlavor, database: string): string {
  const tables = `\`${database}\`.*`;
  return [
    ...[READER, WRITER, VERIFIER].map(account),
    grant(READER, `SELECT ON ${tables}`),
    grant(WRITER, `SELECT, INSERT, UPDATE, DELETE ON ${tables}`),
    ...[`SELECT, SHOW VIEW ON ${tables}`, ...VERIFIER_GRANTS[flavor]].map((what) => grant(VERIFIER, what)),
  ].join('');
}

/** SQL that makes the account of a replica. */
export function replicatorSql(): string {
  return account(REPLICATOR) + grant(REPLICATOR, 'REPLICATION SLAVE ON *.*');
}

function account({ user, password }: Account): string {
  return `CREATE USER IF NOT EXISTS '${user}'@'%' IDENTIFIED BY '${password}';\n`;
}

function grant({ user }: Account, what: string): string {
  return `GRANT ${what} TO '${user}'@'%';\n`;
}
