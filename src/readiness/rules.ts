import { APPLY_RULES } from './apply-rules.ts';
import { MYSQL_RULES } from './mysql-rules.ts';
import type { Rule } from './rule.ts';
import { SITE_RULES } from './site-rules.ts';

/** Every rule, in the order of output. The codes and their meaning are stable. */
export const READINESS_RULES: readonly Rule[] = [...SITE_RULES, ...APPLY_RULES, ...MYSQL_RULES];
