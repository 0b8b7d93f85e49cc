/** Facts of a MySQL or MariaDB server that only its own rules look at (src/readiness/mysql-*.ts). Each is a `Reading`. */
export type MysqlFacts = Readonly<Record<string, never>>;
