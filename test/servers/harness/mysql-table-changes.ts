/** What is done to a table, statement by statement, while its primary is watched. */
export interface TableChange {
  readonly what: string;
  readonly table: string;
  /** `$FILE` is a file of the server's. */
  readonly sql: readonly string[];
  /** How it is made, where that is another way than that of most. */
  readonly made?: string;
  /** Other tables that it changes. */
  readonly others?: readonly string[];
}

const PLAIN = (table: string): string => `CREATE TABLE ${table} (id int PRIMARY KEY, v varchar(40));
  INSERT INTO ${table} SELECT n, CONCAT('v', n) FROM number`;

export const CHANGES: readonly TableChange[] = [
  {
    what: 'LOAD DATA, with new keys and with keys that are there',
    table: 'loaded',
    sql: [
      `SELECT id + 70, CONCAT('loaded ', id) FROM loaded INTO OUTFILE '$FILE';
       LOAD DATA INFILE '$FILE' REPLACE INTO TABLE loaded; LOAD DATA INFILE '$FILE' IGNORE INTO TABLE loaded (id)`,
    ],
  },
  {
    what: 'triggers',
    table: 'pulled',
    others: ['audit'],
    made: `${PLAIN('pulled')}; CREATE TABLE audit (n int AUTO_INCREMENT PRIMARY KEY, id int, what varchar(9))`,
    sql: [
      `CREATE TRIGGER came AFTER INSERT ON pulled FOR EACH ROW INSERT INTO audit (id, what) VALUES (NEW.id, 'came')`,
      `CREATE TRIGGER turned BEFORE UPDATE ON pulled FOR EACH ROW SET NEW.v = CONCAT(NEW.v, '!')`,
      `CREATE TRIGGER went AFTER DELETE ON pulled FOR EACH ROW INSERT INTO audit (id, what) VALUES (OLD.id, 'went')`,
      `INSERT INTO pulled VALUES (1001, 'new'), (1002, 'new'); UPDATE pulled SET v = 'turned' WHERE id < 20;
       DELETE FROM pulled WHERE id BETWEEN 30 AND 40; REPLACE INTO pulled VALUES (50, 'anew')`,
    ],
  },
  {
    what: 'counters that are set, used, and begin anew',
    table: 'counted',
    made: `CREATE TABLE counted (id int AUTO_INCREMENT PRIMARY KEY, v varchar(40));
      INSERT INTO counted (v) SELECT CONCAT('v', n) FROM number`,
    sql: [
      `ALTER TABLE counted AUTO_INCREMENT = 5000; INSERT INTO counted (v) VALUES ('far'), ('farther')`,
      `SET SESSION auto_increment_increment = 7; INSERT INTO counted (v) VALUES ('off'), ('off')`,
      `TRUNCATE TABLE counted; INSERT INTO counted (v) VALUES ('first'), ('second')`,
    ],
  },
  {
    what: 'temporary tables, of its own name too',
    table: 'passing',
    sql: [
      `CREATE TEMPORARY TABLE gone AS SELECT id + 1000 AS id, v FROM passing WHERE id < 10; DELETE FROM gone WHERE id < 1005;
       INSERT INTO passing SELECT * FROM gone; DROP TEMPORARY TABLE gone;
       CREATE TEMPORARY TABLE passing (id int PRIMARY KEY, v varchar(40)); INSERT INTO passing VALUES (7777, 'not here');
       TRUNCATE TABLE passing; DROP TEMPORARY TABLE passing; UPDATE passing SET v = 'here' WHERE id = 3`,
    ],
  },
  {
    what: 'rows that get other keys, and keys that get other rows',
    table: 'rekeyed',
    sql: [
      `UPDATE rekeyed SET id = id + 1000 WHERE id <= 50; UPDATE rekeyed SET id = id - 50 WHERE id BETWEEN 51 AND 99 ORDER BY id`,
    ],
  },
  {
    what: 'several tables in one statement',
    table: 'joined',
    others: ['beside'],
    made: `${PLAIN('joined')}; ${PLAIN('beside')}`,
    sql: [
      `UPDATE joined a JOIN beside b USING (id) SET a.v = 'both', b.v = 'both' WHERE id < 20;
       DELETE a, b FROM joined a JOIN beside b USING (id) WHERE id > 80`,
    ],
  },
  {
    what: 'partitions that are emptied, dropped and exchanged',
    table: 'parts',
    others: ['loose'],
    made: `CREATE TABLE parts (id int PRIMARY KEY, v varchar(40)) PARTITION BY RANGE (id)
        (PARTITION a VALUES LESS THAN (20), PARTITION b VALUES LESS THAN (40), PARTITION c VALUES LESS THAN (60), PARTITION d VALUES LESS THAN MAXVALUE);
      INSERT INTO parts SELECT n, CONCAT('v', n) FROM number;
      CREATE TABLE loose (id int PRIMARY KEY, v varchar(40)); INSERT INTO loose VALUES (45, 'loose')`,
    sql: [
      `ALTER TABLE parts TRUNCATE PARTITION a; ALTER TABLE parts DROP PARTITION b;
       ALTER TABLE parts EXCHANGE PARTITION c WITH TABLE loose; UPDATE parts SET v = 'after' WHERE id < 90;
       INSERT INTO loose VALUES (1, 'after')`,
    ],
  },
  {
    what: 'a table that comes from another database, and one that goes there',
    table: 'guest',
    others: ['away'],
    made: `${PLAIN('guest')}; ${PLAIN('away')}; CREATE DATABASE side; CREATE TABLE side.guest LIKE guest;
      INSERT INTO side.guest VALUES (1, 'from outside'), (2, 'from outside')`,
    sql: [
      `RENAME TABLE guest TO side.host, side.guest TO guest; INSERT INTO guest VALUES (3, 'here');
       UPDATE side.host SET v = 'not ours'; RENAME TABLE away TO side.away;
       CREATE TABLE away (id int PRIMARY KEY, w int DEFAULT 5); INSERT INTO away (id) VALUES (1)`,
    ],
  },
  {
    what: 'a session that logs no more of a row than it must',
    table: 'sparse',
    made: `CREATE TABLE sparse (id int PRIMARY KEY, v varchar(40), w varchar(2000));
      INSERT INTO sparse SELECT n, CONCAT('v', n), REPEAT('w', 1500) FROM number`,
    sql: [
      `SET SESSION binlog_row_image = 'MINIMAL'; UPDATE sparse SET v = 'sparse' WHERE id < 10; DELETE FROM sparse WHERE id = 20;
       INSERT INTO sparse (id, v) VALUES (2000, 'sparse'); UPDATE sparse SET id = 3000 WHERE id = 30`,
    ],
  },
  {
    what: 'files of the log that end within a transaction’s time',
    table: 'rotated',
    sql: [
      `START TRANSACTION; UPDATE rotated SET v = 'one' WHERE id = 1; FLUSH BINARY LOGS; UPDATE rotated SET v = 'two' WHERE id = 2; COMMIT;
       FLUSH BINARY LOGS; INSERT INTO rotated VALUES (1000, 'three')`,
    ],
  },
];

/** `schema.table` of all tables. */
export const CHANGED_TABLES = [
  'number',
  ...CHANGES.flatMap(({ table, others = [] }) => [table, ...others]),
].map((table) => `bank.${table}`);
export const SCHEMA = `CREATE TABLE number (n int PRIMARY KEY);
  INSERT INTO number VALUES ${Array.from({ length: 100 }, (_, n) => `(${n + 1})`).join()};
  ${CHANGES.map(({ table, made }) => made ?? PLAIN(table)).join(';')}`;
