import { MYSQL_OBJECT_RULES } from './mysql-object-rules.ts';
import { MYSQL_REPLICATION_RULES } from './mysql-replication-rules.ts';
import { MYSQL_SERVER_RULES } from './mysql-server-rules.ts';
import { MYSQL_SETTING_RULES } from './mysql-setting-rules.ts';
import type { Rule } from './rule.ts';

/** Rules about MySQL and MariaDB alone. */
export const MYSQL_RULES: readonly Rule[] = [
  ...MYSQL_REPLICATION_RULES,
  ...MYSQL_SERVER_RULES,
  ...MYSQL_SETTING_RULES,
  ...MYSQL_OBJECT_RULES,
];
