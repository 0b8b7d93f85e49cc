import type { Rule } from './rule.ts';

/** Rules about MySQL and MariaDB alone. */
export const MYSQL_RULES: readonly Rule[] = [];
