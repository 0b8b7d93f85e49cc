/**
 * The manual of error codes. A code never changes its meaning; the exit code follows the convention of monitoring
 * plugins (3 = unknown) and of sysexits (64 = usage, 70 = software).
 */
interface CodeEntry {
  readonly message: string;
  readonly hint: string;
  readonly exitCode: 2 | 3 | 64 | 70;
}

export const EXIT = { ok: 0, warning: 1, critical: 2, unknown: 3, usage: 64, bug: 70 } as const;

export const CODES = {
  'TP-USAGE': {
    message: 'the command line is wrong',
    hint: 'run the command with --help to see its options',
    exitCode: 64,
  },
  'TP-CONFIG': {
    message: 'the configuration is wrong',
    hint: 'mend the line that is named and run the command again',
    exitCode: 64,
  },
  'TP-SECRET': {
    message: 'a secret could not be read',
    hint: 'set the environment variable, or check the path and permissions of the secret file',
    exitCode: 64,
  },
  'TP-URL': {
    message: 'the connection URL is not valid',
    hint: 'write it as postgres://user@host:5432/database or mysql://user@host:3306/database, and give the password in PGPASSWORD or MYSQL_PWD, or in a password file',
    exitCode: 64,
  },
  'TP-OUTPUT': {
    message: 'an output file could not be written',
    hint: 'check the path, its permissions and the free space; nothing was left half written',
    exitCode: 3,
  },
  'TP-STATE': {
    message: 'the state file cannot be used',
    hint: 'it belongs to other sites or another scope, or is damaged: name another file, or delete this one to start afresh',
    exitCode: 64,
  },
  'TP-KEY': {
    message: 'the signing key cannot be used',
    hint: 'make one with `twinproof keygen`, keep it readable by its owner only (chmod 600)',
    exitCode: 64,
  },
  'TP-CERTIFICATE': {
    message: 'the certificate cannot be read',
    hint: 'it must be the DSSE envelope that `twinproof certify --out` wrote',
    exitCode: 64,
  },
  'TP-UNREACHABLE': {
    message: 'the server cannot be reached',
    hint: 'check host, port, firewall and that the server is running',
    exitCode: 3,
  },
  'TP-AUTH': {
    message: 'the server refused the login',
    hint: 'check user, password (PGPASSWORD or MYSQL_PWD, or a password file) and whether the server lets this account in from here (pg_hba.conf on PostgreSQL)',
    exitCode: 3,
  },
  'TP-DATABASE': {
    message: 'the database does not exist',
    hint: 'check the database name at the end of the URL',
    exitCode: 3,
  },
  'TP-TLS': {
    message: 'no trusted TLS connection could be made',
    hint: 'check sslmode, sslrootcert and that the certificate names this host',
    exitCode: 3,
  },
  'TP-VERSION': {
    message: 'this server version is not supported',
    hint: 'supported are PostgreSQL 14 to 18, MySQL from 8.0 and MariaDB from 10.6 on',
    exitCode: 3,
  },
  'TP-PERMISSION': {
    message: 'the role may not read this',
    hint: 'run `twinproof preflight` to see the missing grants',
    exitCode: 3,
  },
  'TP-SAME-SERVER': {
    message: 'primary and candidate are the same server',
    hint: 'give the address of the other site; a virtual IP or DNS name may have moved',
    exitCode: 3,
  },
  'TP-UNRELATED': {
    message: 'these two servers do not replicate from one another',
    hint: 'check that the candidate is a standby or replica of, or subscribes to, this primary',
    exitCode: 3,
  },
  'TP-ROLES': {
    message: 'the roles of the two sites are not primary and candidate',
    hint: 'the primary must be writable; if the sites changed roles, swap the two URLs',
    exitCode: 3,
  },
  'TP-NAMES': {
    message: 'the two sites do not mean the same tables by their names',
    hint: 'name the same database in both URLs; servers with another lower_case_table_names need names of tables in lower case',
    exitCode: 3,
  },
  'TP-POSITION': {
    message: 'the server cannot say where it stands in its log',
    hint: 'turn on its binary log (log_bin); without one there is nothing to replicate from either',
    exitCode: 3,
  },
  'TP-QUERY': {
    message: 'a query failed',
    hint: 'the server’s own message says why; run again, or with --debug for the details',
    exitCode: 3,
  },
  'TP-CONNECTION-LOST': {
    message: 'the connection was lost',
    hint: 'the read is repeated within bounds; if it keeps happening look at the server’s log',
    exitCode: 3,
  },
  'TP-CORRUPT': {
    message: 'the server cannot read its own storage',
    hint: 'a page of this table is damaged: do not promote; restore or rebuild this site',
    exitCode: 2,
  },
  'TP-RANGE-TOO-LARGE': {
    message: 'a range holds more rows than allowed',
    hint: 'the range is split and read again',
    exitCode: 3,
  },
  'TP-DEFINITION-CHANGED': {
    message: 'the definition of a table changed while it was read',
    hint: 'run again when the schema change is finished on both sites',
    exitCode: 3,
  },
  'TP-EMPTY-SCOPE': {
    message: 'no table matches the selection',
    hint: 'check --tables and --exclude; a run that compares nothing proves nothing',
    exitCode: 3,
  },
  'TP-TIMEOUT': {
    message: 'the time allowed is over',
    hint: 'raise --timeout; with --state the next run takes over what is proven',
    exitCode: 3,
  },
  'TP-INTERRUPTED': {
    message: 'interrupted before the end',
    hint: 'run again; with --state the next run takes over what is proven',
    exitCode: 3,
  },
  'TP-CATCH-UP': {
    message: 'the candidate did not catch up with the primary in time',
    hint: 'see whether replay or replication is stopped or the link is down, then run again',
    exitCode: 3,
  },
  'TP-GAP': {
    message: 'changes are missing between the stored position and the log',
    hint: 'the ledger cannot be carried on over a gap: take a new baseline, and find out who moved or dropped the slot',
    exitCode: 3,
  },
  'TP-STREAM-SETUP': {
    message: 'changes cannot be streamed from this server',
    hint: 'run `twinproof preflight --sql` and let a DBA run what it prints',
    exitCode: 3,
  },
  'TP-STREAM-PROTOCOL': {
    message: 'the change stream sent bytes that make no sense',
    hint: 'nothing after them was taken; see whether a proxy stands in between, and report it with the output of --debug',
    exitCode: 3,
  },
  'TP-SPOOL-FULL': {
    message: 'a transaction that is still open outgrew the space set aside for it',
    hint: 'free or add disk space where the spool stands, or raise its limit; the stream is begun again at the stored position',
    exitCode: 3,
  },
  'TP-LEDGER': {
    message: 'the ledger cannot be used',
    hint: 'check the path of the ledger in the configuration and its permissions',
    exitCode: 3,
  },
  'TP-LEDGER-LOCKED': {
    message: 'another process writes to this ledger',
    hint: 'one `twinproof watch` a ledger: stop the process that is named, or give this one a ledger of its own',
    exitCode: 3,
  },
  'TP-LEDGER-FULL': {
    message: 'there is no room left for the ledger',
    hint: 'intake has stopped and nothing acknowledged is lost: free space or shorten the retention, then start watch again',
    exitCode: 3,
  },
  'TP-LEDGER-WRITE': {
    message: 'the ledger could not be written',
    hint: 'intake has stopped and nothing acknowledged is lost: see whether the disk is full or broken, run `twinproof ledger check`, start watch again',
    exitCode: 3,
  },
  'TP-LEDGER-SYSTEM': {
    message: 'this ledger belongs to another system',
    hint: 'it holds the rows of another primary: give each system a ledger of its own',
    exitCode: 3,
  },
  'TP-LEDGER-VERSION': {
    message: 'this ledger was written by a newer version',
    hint: 'use the version of twinproof that wrote it, or start a new ledger in another folder',
    exitCode: 3,
  },
  'TP-LEDGER-CORRUPT': {
    message: 'the ledger is damaged',
    hint: 'nothing is certified from it: move it aside and start a new one; see what the disk says',
    exitCode: 3,
  },
  'TP-LEDGER-MIRROR': {
    message: 'the ledger cannot be mirrored',
    hint: 'one `twinproof watch` a topic: stop the other one; ten minutes after its last record this one takes the topic over',
    exitCode: 3,
  },
  'TP-LEDGER-REBUILD': {
    message: 'no whole ledger stands in the topic',
    hint: 'nothing was made: keep in the topic what `ledger.mirror` writes for two days or more (retention.ms), never compacted away',
    exitCode: 3,
  },
  'TP-BOARD': {
    message: 'the board cannot be served',
    hint: 'see whether another program listens there, and check board.listen and board.tls of the configuration',
    exitCode: 3,
  },
  'TP-DEMO': {
    message: 'the demo cannot run here',
    hint: 'it needs the development dependencies: run it in a checkout after `npm ci`',
    exitCode: 70,
  },
  'TP-INSTALL': {
    message: 'a file of twinproof itself is missing or damaged',
    hint: 'install twinproof again; in a checkout run `npm run build`',
    exitCode: 70,
  },
  'TP-BUG': {
    message: 'internal error',
    hint: 'this is a bug in twinproof: please report it with the output of --debug',
    exitCode: 70,
  },
} as const satisfies Record<string, CodeEntry>;

export type ErrorCode = keyof typeof CODES;
