import type { MysqlFlavor } from './mysql-installation.ts';
import type { MysqlPair } from './mysql-pair.ts';
import type { MysqlSettings } from '../../../src/demo/mysql-settings.ts';

/** Something that breaks on the day of a promotion: made on real servers, and put right again. */
export interface MysqlFault {
  readonly name: string;
  /** The rules that must find it. */
  readonly codes: readonly string[];
  /** Absent: of both. */
  readonly flavor?: MysqlFlavor;
  readonly make: (pair: MysqlPair) => Promise<unknown>;
  readonly mend: (pair: MysqlPair) => Promise<unknown>;
}

/** What the tables of the tests look like. */
export const FAULTS_SCHEMA = `
  CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v INT, KEY by_v (v));
  INSERT INTO t VALUES (1, 1), (2, 2);
  CREATE TABLE child (id INT PRIMARY KEY, t INT, FOREIGN KEY (t) REFERENCES t (id));
  CREATE VIEW seen AS SELECT id FROM t;
  CREATE PROCEDURE noop() SELECT 1;
  CREATE TRIGGER before_t BEFORE INSERT ON t FOR EACH ROW SET NEW.v = NEW.v`;

/** A global variable of the replica, set for as long as the fault lasts. */
function setting(code: string, name: string, bad: string, flavor?: MysqlFlavor): MysqlFault {
  let before = '';
  return {
    name: `${name} = ${bad}`,
    codes: [code],
    ...(flavor === undefined ? {} : { flavor }),
    make: async ({ replica }) => {
      const [row] = await replica.sql(`SELECT @@GLOBAL.${name} AS value`);
      before = String(row?.['value']);
      await replica.sql(`SET GLOBAL ${name} = ${bad}`);
    },
    mend: ({ replica }) =>
      replica.sql(`SET GLOBAL ${name} = ${/^\d+$/.test(before) ? before : `'${before}'`}`),
  };
}

/** SQL on one site that leaves no trace in its log. */
function unlogged(pair: MysqlPair, sql: string): Promise<unknown> {
  return pair.source.sql(`SET SESSION sql_log_bin = 0; ${sql}`, [], pair.database);
}

/** SQL on the replica while it applies nothing. */
async function whileStopped(pair: MysqlPair, sql: string): Promise<void> {
  await pair.stopReplica();
  await pair.replica.sql(sql);
  await pair.startReplica();
}

/** With a kill: MySQL takes seconds to stop cleanly, and loses nothing by it. */
async function startAnew({ replica }: MysqlPair, settings: MysqlSettings): Promise<void> {
  await replica.kill();
  await replica.restart(settings);
}

const bySite = ({ source: { flavor } }: MysqlPair, mysql: string, mariadb: string): string =>
  flavor === 'mysql' ? mysql : mariadb;

export const REPLICATION_FAULTS: readonly MysqlFault[] = [
  {
    name: 'receiving is stopped',
    codes: ['TP-R-MY-RECEIVER'],
    make: (pair) => pair.stopReplica('io'),
    mend: (pair) => pair.startReplica('io'),
  },
  {
    name: 'a change cannot be applied',
    codes: ['TP-R-MY-APPLIER'],
    make: async (pair) => {
      await pair.tamper('INSERT INTO t VALUES (77, 1)');
      await pair.source.sql('INSERT INTO t VALUES (77, 2)', [], pair.database);
    },
    mend: async (pair) => {
      await pair.tamper('DELETE FROM t WHERE id = 77');
      await pair.startReplica('sql');
      await pair.caughtUp();
    },
  },
  {
    name: 'what was received waits to be applied',
    codes: ['TP-R-MY-UNAPPLIED'],
    make: async (pair) => {
      await pair.stopReplica('sql');
      await pair.source.sql('INSERT INTO t VALUES (78, 2)', [], pair.database);
    },
    mend: (pair) => pair.startReplica('sql'),
  },
  {
    name: 'the replica has a transaction of its own',
    codes: ['TP-R-MY-ERRANT'],
    make: (pair) =>
      pair.tamper(
        `${bySite(pair, '', 'SET SESSION gtid_domain_id = 9;')} INSERT INTO t VALUES (900, 1); DELETE FROM t WHERE id = 900`,
        true,
      ),
    mend: async ({ source, replica, database }) => {
      if (source.flavor === 'mysql') {
        const [row] = await replica.sql('SELECT @@server_uuid AS uuid');
        for (const number of [1, 2]) {
          await source.sql(
            `SET GTID_NEXT = '${String(row?.['uuid'])}:${number}'; BEGIN; COMMIT; SET GTID_NEXT = 'AUTOMATIC'`,
          );
        }
        return;
      }
      await source.sql(
        `SET SESSION gtid_domain_id = 9; SET SESSION server_id = ${replica.serverId}; SET SESSION gtid_seq_no = 2;
         INSERT INTO t VALUES (901, 1)`,
        [],
        database,
      );
    },
  },
  {
    name: 'changes are applied late on purpose',
    codes: ['TP-R-MY-DELAY'],
    make: (pair) =>
      whileStopped(
        pair,
        bySite(pair, 'CHANGE REPLICATION SOURCE TO SOURCE_DELAY = 5', 'CHANGE MASTER TO MASTER_DELAY = 5'),
      ),
    mend: (pair) =>
      whileStopped(
        pair,
        bySite(pair, 'CHANGE REPLICATION SOURCE TO SOURCE_DELAY = 0', 'CHANGE MASTER TO MASTER_DELAY = 0'),
      ),
  },
  {
    name: 'a table is filtered out',
    codes: ['TP-R-MY-FILTERS'],
    make: (pair) =>
      whileStopped(
        pair,
        bySite(
          pair,
          'CHANGE REPLICATION FILTER REPLICATE_IGNORE_TABLE = (bank.nothing)',
          "SET GLOBAL replicate_ignore_table = 'bank.nothing'",
        ),
      ),
    mend: (pair) =>
      whileStopped(
        pair,
        bySite(
          pair,
          'CHANGE REPLICATION FILTER REPLICATE_IGNORE_TABLE = ()',
          "SET GLOBAL replicate_ignore_table = ''",
        ),
      ),
  },
  setting('TP-R-MY-LENIENT', 'replica_exec_mode', "'IDEMPOTENT'", 'mysql'),
  setting('TP-R-MY-LENIENT', 'slave_exec_mode', "'IDEMPOTENT'", 'mariadb'),
  {
    name: 'the replica takes writes',
    codes: ['TP-R-MY-WRITABLE'],
    make: (pair) => pair.setReadOnly(false),
    mend: (pair) => pair.setReadOnly(true),
  },
  {
    name: 'the replica takes writes of administrators',
    codes: ['TP-R-MY-SUPER-WRITABLE'],
    flavor: 'mysql',
    make: ({ replica }) => replica.sql('SET GLOBAL super_read_only = OFF'),
    mend: ({ replica }) => replica.sql('SET GLOBAL super_read_only = ON'),
  },
  setting('TP-R-MY-GTID', 'gtid_mode', "'ON_PERMISSIVE'", 'mysql'),
  {
    name: 'the log is asked for by file and offset',
    codes: ['TP-R-MY-GTID'],
    flavor: 'mariadb',
    make: (pair) => whileStopped(pair, 'CHANGE MASTER TO MASTER_USE_GTID = no'),
    mend: (pair) => whileStopped(pair, 'CHANGE MASTER TO MASTER_USE_GTID = slave_pos'),
  },
  {
    name: 'semi-synchronous replication has fallen back',
    codes: ['TP-R-MY-SEMISYNC', 'TP-R-MY-SEMISYNC-NEXT'],
    make: async ({ source, database }) => {
      const [word, first] =
        source.flavor === 'mysql'
          ? ['source', "INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so';"]
          : ['master', ''];
      await source.sql(
        `${first} SET GLOBAL rpl_semi_sync_${word}_enabled = ON; SET GLOBAL rpl_semi_sync_${word}_timeout = 1;
         INSERT INTO t VALUES (79, 1)`,
        [],
        database,
      );
    },
    mend: ({ source }) =>
      source.sql(
        source.flavor === 'mysql'
          ? 'SET GLOBAL rpl_semi_sync_source_enabled = OFF; UNINSTALL PLUGIN rpl_semi_sync_source'
          : 'SET GLOBAL rpl_semi_sync_master_enabled = OFF',
      ),
  },
];

export const SERVER_FAULTS: readonly MysqlFault[] = [
  setting('TP-R-MY-ROW-LOG', 'binlog_row_image', "'MINIMAL'"),
  setting('TP-R-MY-DURABILITY', 'sync_binlog', '0'),
  setting('TP-R-MY-SQL-MODE', 'sql_mode', "''"),
  setting('TP-R-MY-TIME-ZONE', 'time_zone', "'+09:00'"),
  setting('TP-R-MY-CHARSET', 'collation_server', "'latin1_swedish_ci'"),
  setting('TP-R-MY-AUTO-INCREMENT', 'auto_increment_increment', '2'),
  setting('TP-R-MY-BEHAVIOUR', 'group_concat_max_len', '1000'),
  setting('TP-R-MY-LIMITS', 'max_connections', '50'),
  {
    name: 'two servers have one number',
    codes: ['TP-R-MY-SERVER-ID'],
    make: ({ source, replica }) => replica.sql(`SET GLOBAL server_id = ${source.serverId}`),
    mend: ({ replica }) => replica.sql(`SET GLOBAL server_id = ${replica.serverId}`),
  },
  {
    name: 'time zones have names on the primary only',
    codes: ['TP-R-MY-ZONE-NAMES'],
    make: (pair) => unlogged(pair, ZONES),
    mend: (pair) => pair.tamper(ZONES),
  },
  {
    name: 'a plugin is active on the primary only',
    codes: ['TP-R-MY-PLUGINS'],
    flavor: 'mysql',
    make: ({ source }) => source.sql("INSTALL PLUGIN mysql_no_login SONAME 'mysql_no_login.so'"),
    mend: ({ source }) => source.sql('UNINSTALL PLUGIN mysql_no_login'),
  },
  {
    name: 'the event scheduler runs on the primary only',
    codes: ['TP-R-MY-SCHEDULER'],
    make: async ({ source, replica }) => {
      await source.sql('SET GLOBAL event_scheduler = ON');
      await replica.sql('SET GLOBAL event_scheduler = OFF');
    },
    mend: ({ replica }) => replica.set({ event_scheduler: 'ON' }),
  },
  {
    name: 'the replica does not log what it applies',
    codes: ['TP-R-MY-LOG'],
    flavor: 'mysql',
    make: (pair) => startAnew(pair, { log_replica_updates: 'OFF' }),
    mend: (pair) => startAnew(pair, { log_replica_updates: 'ON' }),
  },
  {
    name: 'the replica was started with other options',
    codes: ['TP-R-MY-LOG', 'TP-R-MY-NAMES', 'TP-R-MY-PLUGINS'],
    flavor: 'mariadb',
    make: (pair) =>
      startAnew(pair, { log_slave_updates: 'OFF', lower_case_table_names: '1', sequence: 'OFF' }),
    mend: (pair) => startAnew(pair, { log_slave_updates: 'ON', lower_case_table_names: '0', sequence: 'ON' }),
  },
];

/** Two zones without any change of the clock. */
const ZONES = ['UTC', 'Europe/Paris']
  .map(
    (name, index) => `INSERT INTO mysql.time_zone (Time_zone_id, Use_leap_seconds) VALUES (${index + 1}, 'N');
      INSERT INTO mysql.time_zone_name (Name, Time_zone_id) VALUES ('${name}', ${index + 1});
      INSERT INTO mysql.time_zone_transition_type (Time_zone_id, Transition_type_id, \`Offset\`, Is_DST, Abbreviation)
        VALUES (${index + 1}, 0, ${index * 3600}, 0, 'X')`,
  )
  .join('; ');

const EVENT = `CREATE EVENT later ON SCHEDULE EVERY 1 YEAR STARTS '2030-01-01 00:00:00' DO DO 1`;

export const OBJECT_FAULTS: readonly MysqlFault[] = [
  {
    name: 'an event came by replication',
    codes: ['TP-R-MY-EVENTS'],
    make: (pair) => pair.write(EVENT),
    mend: (pair) => pair.write('DROP EVENT later'),
  },
  {
    name: 'an event runs on the replica',
    codes: ['TP-R-MY-EVENTS-RUN'],
    make: (pair) => pair.tamper(EVENT),
    mend: (pair) => pair.tamper('DROP EVENT later'),
  },
  {
    name: 'who defined a view is gone',
    codes: ['TP-R-MY-DEFINERS'],
    make: (pair) =>
      pair.write(`CREATE USER gone@localhost; CREATE DEFINER = gone@localhost VIEW lost AS SELECT 1 AS one;
        DROP USER gone@localhost`),
    mend: (pair) => pair.write('DROP VIEW lost'),
  },
  {
    name: 'who defined a routine is gone',
    codes: ['TP-R-MY-DEFINERS'],
    make: (pair) =>
      pair.write(`CREATE USER gone@localhost; CREATE DEFINER = gone@localhost PROCEDURE lost() SELECT 1;
        DROP USER gone@localhost`),
    mend: (pair) => pair.write('CREATE USER gone@localhost'),
  },
  {
    name: 'who defined a trigger is gone',
    codes: ['TP-R-MY-TRIGGER-DEFINERS'],
    make: (pair) =>
      pair.write(`CREATE USER left_us@localhost;
        CREATE DEFINER = left_us@localhost TRIGGER lost BEFORE UPDATE ON t FOR EACH ROW SET NEW.v = NEW.v;
        DROP USER left_us@localhost`),
    mend: (pair) => pair.write('DROP TRIGGER lost'),
  },
  {
    name: 'an account exists on the primary only',
    codes: ['TP-R-MY-ACCOUNTS'],
    make: (pair) => unlogged(pair, "CREATE USER only_here@'%'"),
    mend: (pair) => unlogged(pair, "DROP USER only_here@'%'"),
  },
  {
    name: 'an account may do more on the primary',
    codes: ['TP-R-MY-GRANTS'],
    make: (pair) => unlogged(pair, `GRANT INSERT ON ${pair.database}.* TO reader@'%'`),
    mend: (pair) => unlogged(pair, `REVOKE INSERT ON ${pair.database}.* FROM reader@'%'`),
  },
  {
    name: 'a table is not InnoDB',
    codes: ['TP-R-MY-ENGINES'],
    make: (pair) => pair.write('CREATE TABLE old (id INT PRIMARY KEY) ENGINE = MyISAM'),
    mend: (pair) => pair.write('ALTER TABLE old ENGINE = InnoDB'),
  },
  {
    name: 'a table is kept in memory alone',
    codes: ['TP-R-UNLOGGED'],
    make: (pair) => pair.write('CREATE TABLE fleeting (id INT PRIMARY KEY) ENGINE = MEMORY'),
    mend: (pair) => pair.write('ALTER TABLE fleeting ENGINE = InnoDB'),
  },
  {
    name: 'a table has no key',
    codes: ['TP-R-MY-KEYLESS'],
    make: (pair) => pair.write('CREATE TABLE loose (v INT, UNIQUE (v))'),
    mend: (pair) => pair.write('ALTER TABLE loose MODIFY v INT NOT NULL'),
  },
  {
    name: 'an index is missing on the replica',
    codes: ['TP-R-MY-INDEXES'],
    make: (pair) => pair.tamper('ALTER TABLE t DROP INDEX by_v'),
    mend: (pair) => pair.tamper('ALTER TABLE t ADD INDEX by_value (v)'),
  },
  {
    name: 'a foreign key takes rows along on the replica alone',
    codes: ['TP-R-MY-CASCADES'],
    make: (pair) =>
      pair.tamper(
        'ALTER TABLE child ADD CONSTRAINT taking FOREIGN KEY (t) REFERENCES t (id) ON DELETE CASCADE',
      ),
    mend: (pair) => pair.tamper('ALTER TABLE child DROP FOREIGN KEY taking'),
  },
  {
    name: 'a counter is near its end',
    codes: ['TP-R-MY-COUNTER-END'],
    make: (pair) =>
      pair.write('CREATE TABLE few (id TINYINT AUTO_INCREMENT PRIMARY KEY); INSERT INTO few VALUES (120)'),
    mend: (pair) => pair.write('ALTER TABLE few MODIFY id INT AUTO_INCREMENT'),
  },
  {
    name: 'a sequence is behind a column that it feeds',
    codes: ['TP-R-SEQUENCE-DATA'],
    flavor: 'mariadb',
    make: (pair) =>
      pair.write(`CREATE SEQUENCE receipt_number;
        CREATE TABLE receipt (id BIGINT DEFAULT (NEXT VALUE FOR receipt_number) PRIMARY KEY, v INT);
        INSERT INTO receipt VALUES (5000, 1)`),
    mend: (pair) => pair.write('SELECT SETVAL(receipt_number, 5000)'),
  },
  {
    name: 'a prepared transaction waits',
    codes: ['TP-R-MY-XA'],
    make: (pair) => pair.write("XA START 'x'; INSERT INTO t VALUES (500, 1); XA END 'x'; XA PREPARE 'x'"),
    mend: (pair) => pair.write("XA COMMIT 'x'"),
  },
];
