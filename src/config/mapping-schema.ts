import { z } from 'zod';
import { type ColumnMapping, FORM_NAMES, type Mapping } from './mapping.ts';

const NAME_LENGTH_MAX = 512;
/** MySQL and MariaDB keep at most 30 digits behind the point, or 38. */
const SCALE_MAX = 30;

/** Names are identifiers as the catalog has them: nothing in them is a variable or a pattern. */
const identifier = z
  .string()
  .min(1, { error: 'a name is wanted' })
  .max(NAME_LENGTH_MAX, { error: 'the name is too long' });
const tableName = identifier.refine(isTableName, { error: 'schema.table is wanted' });

const column = z
  .strictObject({
    name: identifier.nullable().default(null),
    as: z
      .enum(FORM_NAMES, { error: `one of ${FORM_NAMES.join(', ')} is wanted` })
      .nullable()
      .default(null),
    zone: z
      .string()
      .refine(isZone, { error: 'a time zone by its IANA name is wanted, such as Asia/Seoul' })
      .nullable()
      .default(null),
    trim: z.boolean({ error: 'true or false is wanted' }).default(false),
    scale: z
      .int({ error: 'a whole number from 0 to 30 is wanted' })
      .min(0, { error: 'a whole number from 0 to 30 is wanted' })
      .max(SCALE_MAX, { error: 'a whole number from 0 to 30 is wanted' })
      .nullable()
      .default(null),
  })
  .refine(({ name, as, zone, trim, scale }) => trim || [name, as, zone, scale].some((one) => one !== null), {
    error: 'name, as, zone, trim or scale is wanted',
  });

/** `mapping:` of a system or of one candidate. */
export const mappingSchema: z.ZodType<Mapping> = z
  .strictObject({
    tables: z.record(z.string(), tableName).default({}),
    columns: z.record(z.string(), z.record(z.string(), column)).default({}),
  })
  .transform(({ tables, columns }, issues) => {
    refuseOddTables(Object.keys(tables), ['tables'], issues);
    refuseOddTables(Object.keys(columns), ['columns'], issues);
    refuseTwice(Object.entries(tables), ['tables'], 'table', issues);
    for (const [table, mapped] of Object.entries(columns)) {
      const renamed = Object.entries(mapped).flatMap(([name, to]): [string, string][] =>
        to.name === null ? [] : [[name, to.name]],
      );
      refuseTwice(renamed, ['columns', table], 'column', issues);
    }
    return { tables: new Map(Object.entries(tables)), columns: toColumns(columns) };
  });

type Issues = z.core.$RefinementCtx;

function refuseOddTables(names: readonly string[], path: readonly string[], issues: Issues): void {
  for (const name of names) {
    if (isTableName(name)) continue;
    const message = 'the primary’s table is wanted as schema.table';
    issues.addIssue({ code: 'custom', message, path: [...path, name] });
  }
}

/** Two names of the primary cannot be one on the candidate. */
function refuseTwice(
  renamed: readonly (readonly [string, string])[],
  path: readonly string[],
  what: string,
  issues: Issues,
): void {
  const seen = new Set<string>();
  for (const [from, to] of renamed) {
    if (seen.has(to)) {
      const message = `another ${what} is mapped to the same name`;
      issues.addIssue({ code: 'custom', message, path: [...path, from] });
    }
    seen.add(to);
  }
}

function isTableName(name: string): boolean {
  const dot = name.indexOf('.');
  return dot > 0 && dot < name.length - 1;
}

function isZone(name: string): boolean {
  // Offsets pass in newer versions of Node and mean the opposite in PostgreSQL, so only names do.
  if (!/^[A-Za-z][A-Za-z0-9_+/-]*$/.test(name)) return false;
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

function toColumns(
  columns: Readonly<Record<string, Readonly<Record<string, ColumnMapping>>>>,
): Mapping['columns'] {
  return new Map(Object.entries(columns).map(([table, mapped]) => [table, new Map(Object.entries(mapped))]));
}
