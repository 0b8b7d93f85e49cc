import { randomInt } from 'node:crypto';
import { z } from 'zod';
import { ACCOUNTS, BUSY_ACCOUNTS, CUSTOMERS, DATABASE, PURCHASES, ROLE, TRANSFERS } from './bank-schema.ts';
import type { BankSession, Committed } from './bank-writer.ts';
import type { MysqlServer } from './mysql-server.ts';

/** The bank of bank-schema.ts as MariaDB has it: the same rows, the same business. */
export const MARIADB_SCHEMA_SQL = `
CREATE TABLE customer (
  id bigint AUTO_INCREMENT PRIMARY KEY,
  name varchar(80) NOT NULL,
  email varchar(120) NOT NULL UNIQUE,
  phone varchar(20) NOT NULL,
  joined_at datetime(6) NOT NULL DEFAULT now(6)
);
CREATE TABLE account (
  id bigint AUTO_INCREMENT PRIMARY KEY,
  customer_id bigint NOT NULL,
  iban varchar(34) NOT NULL UNIQUE,
  currency char(3) NOT NULL,
  balance decimal(14,2) NOT NULL,
  updated_at datetime(6) NOT NULL DEFAULT now(6),
  FOREIGN KEY (customer_id) REFERENCES customer (id)
);
CREATE TABLE transfer (
  id bigint AUTO_INCREMENT PRIMARY KEY,
  booked_at datetime(6) NOT NULL DEFAULT now(6),
  from_account bigint NOT NULL,
  to_account bigint NOT NULL,
  amount decimal(12,2) NOT NULL CHECK (amount > 0),
  memo varchar(200),
  FOREIGN KEY (from_account) REFERENCES account (id),
  FOREIGN KEY (to_account) REFERENCES account (id)
);
CREATE TABLE purchase (
  id bigint AUTO_INCREMENT PRIMARY KEY,
  account_id bigint NOT NULL,
  amount decimal(12,2) NOT NULL,
  merchant varchar(80) NOT NULL,
  paid_at datetime(6) NOT NULL DEFAULT now(6),
  FOREIGN KEY (account_id) REFERENCES account (id)
);`;

const FAMILY = `ELT(1 + seq % 10, 'Kim','Lee','Park','Choi','Jung','Kang','Cho','Yoon','Jang','Lim')`;
const GIVEN = `ELT(1 + seq DIV 10 % 10, 'Min-jun','Seo-yeon','Ji-ho','Ha-eun','Do-yun','Ji-woo','Ye-jun','Su-bin','Eun-woo','Ara')`;
const SHOPS = `ELT(1 + seq % 6, 'Hangang Books','Namsan Coffee','Metro Card','Dongdaemun Textile','Jeju Citrus','Seoul Pharmacy')`;

/** By tables of the SEQUENCE engine, which every MariaDB server has (knowledge base, "Sequence Storage Engine"). */
export const MARIADB_LOAD_SQL = `
INSERT INTO customer SELECT seq, CONCAT(${FAMILY}, ' ', ${GIVEN}), CONCAT('customer', seq, '@example.org'),
    CONCAT('010-', LPAD(seq * 7919 % 10000, 4, '0'), '-', LPAD(seq * 60013 % 10000, 4, '0')),
    '2019-01-01' + INTERVAL seq HOUR FROM seq_1_to_${CUSTOMERS};
INSERT INTO account SELECT seq, 1 + seq % ${CUSTOMERS}, CONCAT('KR', LPAD(seq * 97, 18, '0')),
    ELT(1 + seq % 3, 'KRW','KRW','USD'), seq * 7907 % 1000000 / 100, '2025-12-31 15:00' FROM seq_1_to_${ACCOUNTS};
INSERT INTO transfer SELECT seq, '2024-01-01' + INTERVAL seq * 6 MINUTE, 1 + seq * 31 % ${ACCOUNTS},
    1 + seq * 37 % ${ACCOUNTS}, 1 + seq * 6131 % 500000 / 100,
    CASE seq % 4 WHEN 0 THEN CONCAT('invoice ', seq) WHEN 1 THEN CONCAT('rent, flat ', seq % 900) END
  FROM seq_1_to_${TRANSFERS};
INSERT INTO purchase SELECT seq, 1 + seq * 13 % ${ACCOUNTS}, 1 + seq * 4111 % 99900 / 100, ${SHOPS},
    '2025-06-01' + INTERVAL seq * 5 MINUTE FROM seq_1_to_${PURCHASES};`;

/** All that Twinproof needs before `preflight` is asked what a ledger needs besides. Made on the primary: the replica gets it by replication. */
export function mariadbRoleSql(password: string): string {
  return `CREATE USER ${ROLE}@'%' IDENTIFIED BY '${password}';
GRANT SELECT, SHOW VIEW ON ${DATABASE}.* TO ${ROLE}@'%';
GRANT PROCESS, BINLOG MONITOR, SLAVE MONITOR ON *.* TO ${ROLE}@'%';
GRANT SELECT ON mysql.gtid_slave_pos TO ${ROLE}@'%';
GRANT SELECT (User, Host) ON mysql.user TO ${ROLE}@'%';
GRANT SELECT (db, name, type, definer) ON mysql.proc TO ${ROLE}@'%';`;
}

/** A session of the bank's application. */
export async function mariadbSession(primary: MysqlServer): Promise<BankSession> {
  const session = await primary.connect({ database: DATABASE });
  return {
    commit: async () => {
      const [results]: [unknown, unknown] = await session.query(transaction());
      return committedOf(resultsSchema.parse(results));
    },
    end: () => session.end(),
  };
}

/** Statements that return rows return lists; the others say how many rows they changed. */
const resultsSchema = z.array(z.union([z.array(z.record(z.string(), z.unknown())), z.looseObject({})]));

/** The rows that were written: `gtid`, or a table's name and the key of a row of it. */
function committedOf(results: z.infer<typeof resultsSchema>): Committed {
  const cells = results
    .flatMap((rows) => (Array.isArray(rows) ? rows : []))
    .flatMap((row) => Object.entries(row));
  return {
    id: String(cells.find(([name]) => name === 'gtid')?.[1]),
    rows: cells
      .filter(([name]) => name !== 'gtid')
      .map(([table, key]) => `${DATABASE}.${table} ${String(key)}`),
  };
}

const GTID = 'SELECT @@last_gtid AS gtid';

/** One transaction as text: numbers only, all of our own making. */
function transaction(): string {
  const [a, b] = [randomInt(1, BUSY_ACCOUNTS), randomInt(1, BUSY_ACCOUNTS)];
  const amount = `${randomInt(1, 500)}.${randomInt(10, 100)}`;
  if (randomInt(4) === 0) {
    // The account first: the foreign key's shared lock would be in the way of another session that does the same.
    return `BEGIN;
      UPDATE account SET balance = balance - ${amount}, updated_at = now(6) WHERE id = ${a};
      SELECT ${a} AS account;
      INSERT INTO purchase (account_id, amount, merchant) VALUES (${a}, ${amount}, 'Han River Market');
      SELECT LAST_INSERT_ID() AS purchase; COMMIT; ${GTID}`;
  }
  // In one order always, so that two sessions never wait for one another.
  const [first, second] = a <= b ? [a, b] : [b, a];
  return `BEGIN;
    UPDATE account SET balance = balance - ${amount}, updated_at = now(6) WHERE id = ${first};
    UPDATE account SET balance = balance + ${amount}, updated_at = now(6) WHERE id = ${second};
    SELECT ${first} AS account; SELECT ${second} AS account;
    INSERT INTO transfer (from_account, to_account, amount) VALUES (${first}, ${second}, ${amount});
    SELECT LAST_INSERT_ID() AS transfer; COMMIT; ${GTID}`;
}
