import { APPLY_RULES } from './apply-rules.ts';
import { MYSQL_RULES } from './mysql-rules.ts';
import { POSTGRES_FEED_RULES } from './postgres-feed-rules.ts';
import { POSTGRES_PUBLICATION_RULES } from './postgres-publication-rules.ts';
import { POSTGRES_ROLE_RULES } from './postgres-role-rules.ts';
import { POSTGRES_SCHEMA_RULES } from './postgres-schema-rules.ts';
import { POSTGRES_SERVER_RULES } from './postgres-server-rules.ts';
import { POSTGRES_SETTING_RULES } from './postgres-setting-rules.ts';
import { POSTGRES_SLOT_RULES } from './postgres-slot-rules.ts';
import { POSTGRES_STANDBY_RULES } from './postgres-standby-rules.ts';
import { POSTGRES_STORAGE_RULES } from './postgres-storage-rules.ts';
import type { Rule } from './rule.ts';
import { SITE_RULES } from './site-rules.ts';
import { waiverRule } from './waiver-rule.ts';

const CHECKS: readonly Rule[] = [
  ...SITE_RULES,
  ...APPLY_RULES,
  ...POSTGRES_STANDBY_RULES,
  ...POSTGRES_SLOT_RULES,
  ...POSTGRES_FEED_RULES,
  ...POSTGRES_PUBLICATION_RULES,
  ...POSTGRES_SETTING_RULES,
  ...POSTGRES_SERVER_RULES,
  ...POSTGRES_STORAGE_RULES,
  ...POSTGRES_SCHEMA_RULES,
  ...POSTGRES_ROLE_RULES,
  ...MYSQL_RULES,
];

/** Every rule, in the order of output. The codes and their meaning are stable. */
export const READINESS_RULES: readonly Rule[] = [...CHECKS, waiverRule(CHECKS)];
