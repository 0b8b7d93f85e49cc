import type { MysqlFlavor } from './mysql-installation.ts';
import type { MysqlLogin } from './mysql-endpoint.ts';

/** Has what Twinproof needs and nothing else. */
export const VERIFIER = { user: 'verifier', password: 'verifier-s3cret' } as const satisfies MysqlLogin;

/** May read the tables and nothing else: neither positions nor the state of replication. */
export const READER = { user: 'reader', password: 'reader-s3cret' } as const satisfies MysqlLogin;

/** An application: reads and writes the tables, and is refused where the server is read-only. */
export const WRITER = { user: 'writer', password: 'writer-s3cret' } as const satisfies MysqlLogin;

/** What a replica logs in with. */
export const REPLICATOR = { user: 'replicator', password: 'replicator-s3cret' } as const satisfies MysqlLogin;

/**
 * Beyond SELECT and SHOW VIEW on the tables. State and positions: MySQL asks for REPLICATION CLIENT, MariaDB since 10.5
 * for BINLOG MONITOR and SLAVE MONITOR; PROCESS shows other sessions and InnoDB's transactions.
 * https://dev.mysql.com/doc/refman/en/privileges-provided.html, https://mariadb.com/kb/en/grant/
 */
const VERIFIER_GRANTS: Readonly<Record<MysqlFlavor, readonly string[]>> = {
  mysql: [
    'PROCESS, REPLICATION CLIENT ON *.*',
    'SELECT ON performance_schema.*',
    'SELECT ON mysql.gtid_executed',
  ],
  mariadb: ['PROCESS, BINLOG MONITOR, SLAVE MONITOR ON *.*', 'SELECT ON mysql.gtid_slave_pos'],
};

/** SQL that makes the accounts; on MySQL their passwords are checked by caching_sha2_password, its default. */
export function accountsSql(flavor: MysqlFlavor, database: string): string {
  const account = ({ user, password }: { user: string; password: string }): string =>
    `CREATE USER '${user}'@'%' IDENTIFIED BY '${password}';\n`;
  const tables = `\`${database}\`.*`;
  const grants = [
    `REPLICATION SLAVE ON *.* TO '${REPLICATOR.user}'@'%'`,
    `SELECT ON ${tables} TO '${READER.user}'@'%'`,
    `SELECT, INSERT, UPDATE, DELETE ON ${tables} TO '${WRITER.user}'@'%'`,
    `SELECT, SHOW VIEW ON ${tables} TO '${VERIFIER.user}'@'%'`,
    ...VERIFIER_GRANTS[flavor].map((grant) => `${grant} TO '${VERIFIER.user}'@'%'`),
  ];
  return (
    [REPLICATOR, READER, WRITER, VERIFIER].map(account).join('') +
    grants.map((grant) => `GRANT ${grant};\n`).join('')
  );
}
