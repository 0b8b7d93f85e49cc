import type { ObjectFamily, SchemaObject } from '../connector/facts-postgres.ts';
import type { Severity } from '../connector/identity.ts';
import { shown } from './postgres-role-rules.ts';
import {
  BOTH_SITES,
  CANDIDATE,
  fail,
  judged,
  judgedBoth,
  LOGICAL,
  noneOf,
  pass,
  POSTGRES,
  type Observation,
  type ReadinessInput,
  type Rule,
} from './rule.ts';
import { objectsOf } from './schema-objects.ts';

const MANUAL = 'https://www.postgresql.org/docs/current';
const RESTRICTIONS = `${MANUAL}/logical-replication-restrictions.html`;
/** Before the name of the root, in the definition of a partition. */
const LEAF = 'partition of ';

interface FamilyRule {
  readonly code: string;
  readonly family: ObjectFamily;
  readonly severity: Severity;
  readonly title: string;
  readonly why: string;
  readonly hint: string;
  /** Definitions are printed anew by every version: between two of them only existence is compared. */
  readonly versioned?: true;
  /** What may be otherwise and is not told. */
  readonly existenceOnly?: true;
}

/** One rule a family of objects: what the primary has and the candidate lacks, or has otherwise. */
const FAMILY_RULES: readonly FamilyRule[] = [
  {
    code: 'TP-R-PG-TABLE-MISSING',
    family: 'table',
    severity: 'block',
    title: 'every table exists on the candidate',
    why: 'definitions do not come with the rows: what the table holds is not on this site',
    hint: 'create it on the candidate, add it to the publication and refresh the subscription',
    existenceOnly: true,
  },
  {
    code: 'TP-R-PG-COLUMN',
    family: 'column',
    severity: 'block',
    title: 'columns are the primary’s',
    why: 'statements of the application fail, or store something else, on this site',
    hint: 'repeat the primary’s ALTER TABLE on the candidate',
  },
  {
    code: 'TP-R-PG-DEFAULT',
    family: 'default',
    severity: 'block',
    title: 'defaults, identities and generated columns are the primary’s',
    why: 'inserts that leave the column out fail, or store something else, on this site',
    hint: 'ALTER TABLE … ALTER COLUMN … SET DEFAULT (or ADD GENERATED … AS IDENTITY) on the candidate',
  },
  {
    code: 'TP-R-PG-KEY',
    family: 'key',
    severity: 'block',
    title: 'primary keys, unique and exclusion constraints exist on the candidate',
    why: 'duplicates get in after the promotion, and ON CONFLICT fails',
    hint: 'add the constraint on the candidate; it also makes applying updates fast',
  },
  {
    code: 'TP-R-PG-CONSTRAINT',
    family: 'constraint',
    severity: 'warn',
    title: 'foreign keys and checks exist on the candidate',
    why: 'rows that the primary would refuse get in after the promotion',
    hint: 'add the constraint on the candidate, NOT VALID first if the table is large',
  },
  {
    code: 'TP-R-PG-INDEX',
    family: 'index',
    severity: 'warn',
    title: 'indexes exist on the candidate',
    why: 'queries that the index serves read whole tables after the promotion, when the load comes',
    hint: 'CREATE INDEX CONCURRENTLY on the candidate; a unique one also keeps duplicates out',
  },
  {
    code: 'TP-R-PG-TRIGGER',
    family: 'trigger',
    severity: 'block',
    title: 'triggers, rules and event triggers exist on the candidate and are enabled as on the primary',
    why: 'what the trigger does for the application does not happen after the promotion, or happens when it should not',
    hint: 'create the trigger on the candidate, or ALTER TABLE … ENABLE TRIGGER …',
    versioned: true,
  },
  {
    code: 'TP-R-PG-VIEW',
    family: 'view',
    severity: 'block',
    title: 'views exist on the candidate',
    why: 'queries through the view fail, or show something else, on this site',
    hint: 'create it on the candidate as on the primary',
    versioned: true,
  },
  {
    code: 'TP-R-PG-FOREIGN-TABLE',
    family: 'foreign',
    severity: 'warn',
    title: 'foreign tables exist on the candidate',
    why: 'queries on the foreign table fail on this site',
    hint: 'create server, user mapping and foreign table on the candidate; think of where they should lead from there',
  },
  {
    code: 'TP-R-PG-ROUTINE',
    family: 'routine',
    severity: 'block',
    title: 'functions and procedures are the primary’s',
    why: 'calls fail, or do something else, on this site',
    hint: 'create it on the candidate as on the primary',
  },
  {
    code: 'TP-R-PG-TYPE',
    family: 'type',
    severity: 'block',
    title: 'enums, domains, ranges and composite types are the primary’s',
    why: 'values that the primary accepts are refused here, by replication too',
    hint: 'repeat the primary’s CREATE TYPE or ALTER TYPE on the candidate',
  },
  {
    code: 'TP-R-PG-POLICY',
    family: 'policy',
    severity: 'block',
    title: 'row-level security is the primary’s',
    why: 'after the promotion roles see and change rows that the primary would hide from them, or no longer see their own',
    hint: 'ALTER TABLE … ENABLE ROW LEVEL SECURITY and CREATE POLICY on the candidate as on the primary',
    versioned: true,
  },
  {
    code: 'TP-R-PG-GRANT',
    family: 'grant',
    severity: 'warn',
    title: 'grants are the primary’s',
    why: 'applications are refused what they may do on the primary',
    hint: 'repeat the GRANT on the candidate',
    existenceOnly: true,
  },
  {
    code: 'TP-R-PG-EXTENSION',
    family: 'extension',
    severity: 'block',
    title: 'extensions are installed in the candidate’s database',
    why: 'functions and types of the extension are missing on this site',
    hint: 'CREATE EXTENSION on the candidate',
    existenceOnly: true,
  },
];

/** Rules about what is in the catalog and does not come with the rows. */
export const POSTGRES_SCHEMA_RULES: readonly Rule[] = [
  ...FAMILY_RULES.map((rule): Rule => ({
    code: rule.code,
    title: rule.title,
    severity: rule.severity,
    pairs: LOGICAL,
    engines: POSTGRES,
    reads: BOTH_SITES,
    why: rule.why,
    hint: rule.hint,
    docs: [RESTRICTIONS],
    observe: (input) => compareFamily(rule, input),
  })),
  {
    code: 'TP-R-PG-MATVIEW',
    title: 'materialized views exist on the candidate and hold something',
    severity: 'warn',
    pairs: LOGICAL,
    engines: POSTGRES,
    reads: BOTH_SITES,
    why: 'they are computed on each site by itself: queries on it fail after the promotion',
    hint: 'create it on the candidate, and REFRESH MATERIALIZED VIEW once it is promoted',
    docs: [RESTRICTIONS, `${MANUAL}/sql-refreshmaterializedview.html`],
    observe: observeMatviews,
  },
  {
    code: 'TP-R-PG-TRIGGER-FIRES',
    title: 'no trigger fires while changes are applied',
    severity: 'warn',
    pairs: LOGICAL,
    engines: POSTGRES,
    reads: CANDIDATE,
    why: 'what it writes here, the primary’s own trigger has written there: the rows come twice, or differ',
    hint: 'ALTER TABLE … ENABLE TRIGGER … on the candidate, without REPLICA or ALWAYS, unless it is meant for that',
    docs: [`${MANUAL}/logical-replication-architecture.html`],
    observe: observeFiring,
  },
];

function compareFamily(rule: FamilyRule, input: ReadinessInput): readonly Observation[] {
  const { family } = rule;
  const sameVersion = majorOf(input, 'primary') === majorOf(input, 'candidate');
  const compared = rule.existenceOnly !== true && (rule.versioned !== true || sameVersion);
  const said = (definition: string): string => (sameVersion ? definition : withoutPrinted(definition));
  return bothObjects(input, (theirs, ours) => {
    const had = new Map(objectsOf(ours, family).map((one) => [one.name, one.definition]));
    const absent = family === 'table' ? new Set<string>() : tablesAbsent(theirs, ours);
    const wanted = objectsOf(theirs, family).filter((one) => isWanted(input, one, absent));
    const failed = wanted.flatMap((one) => {
      const own = had.get(one.name);
      if (own === undefined)
        return isLeafElsewhere(one, had) ? [] : [fail(one.name, 'the candidate does not have it')];
      return compared && said(own) !== said(one.definition)
        ? [fail(one.name, otherwise(one.definition, own))]
        : [];
    });
    return failed.length > 0 ? failed : [pass('candidate', `all ${wanted.length} of the primary are there`)];
  });
}

/** Of a definition that has a line which every version prints anew, the first. */
function withoutPrinted(definition: string): string {
  return definition.replace(/^(-?\d+)\n-?\d+$/, '$1');
}

/** Tables that the candidate lacks: the finding of one rule, not of all the others too. */
function tablesAbsent(theirs: readonly SchemaObject[], ours: readonly SchemaObject[]): ReadonlySet<string> {
  const had = new Set(objectsOf(ours, 'table').map(({ name }) => name));
  const tables = objectsOf(theirs, 'table').map(({ name }) => name);
  return new Set(tables.filter((name) => !had.has(name)));
}

function isWanted(
  { inScope }: ReadinessInput,
  { table }: SchemaObject,
  absent: ReadonlySet<string>,
): boolean {
  return table === null || ((inScope === undefined || inScope(table)) && !absent.has(table));
}

/** The sites may be partitioned differently, as long as the root is there. */
function isLeafElsewhere({ family, definition }: SchemaObject, had: ReadonlyMap<string, string>): boolean {
  return family === 'table' && definition.startsWith(LEAF) && had.has(definition.slice(LEAF.length));
}

function otherwise(theirs: string, ours: string): string {
  // A hash says nothing to a person.
  if (/^-?\d{6,}(\n-?\d+)?$/.test(theirs)) return 'it is defined otherwise on the candidate';
  return `the primary has ${shown(theirs)}, the candidate ${shown(ours)}`;
}

function bothObjects(
  input: ReadinessInput,
  observe: (theirs: readonly SchemaObject[], ours: readonly SchemaObject[]) => readonly Observation[],
): readonly Observation[] {
  return judgedBoth(
    input,
    ({ postgres }) => postgres?.logical?.objects,
    ({ postgres }) => postgres?.logical?.objects,
    observe,
  );
}

function majorOf(input: ReadinessInput, site: 'primary' | 'candidate'): number {
  return Math.floor((input[site].facts?.postgres?.versionNumber ?? 0) / 10_000);
}

function observeMatviews(input: ReadinessInput): readonly Observation[] {
  return bothObjects(input, (theirs, ours) => {
    const had = new Map(objectsOf(ours, 'matview').map((one) => [one.name, one.definition]));
    const wanted = objectsOf(theirs, 'matview');
    const failed = wanted.flatMap(({ name, definition }) => {
      const own = had.get(name);
      if (own === undefined) return [fail(name, 'the candidate does not have it')];
      return own !== definition && definition === 'populated'
        ? [fail(name, 'it is not populated on the candidate')]
        : [];
    });
    return failed.length > 0 ? failed : [pass('candidate', `all ${wanted.length} of the primary are there`)];
  });
}

/** `R` fires while changes are applied, `A` always (catalog pg_trigger, tgenabled). */
function observeFiring(input: ReadinessInput): readonly Observation[] {
  return judged(
    input,
    'candidate',
    ({ postgres }) => postgres?.logical?.objects,
    (objects) => {
      const firing = objectsOf(objects, 'trigger').filter(({ definition }) => /^[AR] /.test(definition));
      return noneOf(
        firing.map(({ name, definition }) =>
          fail(name, definition.startsWith('A') ? 'it is enabled ALWAYS' : 'it is enabled as REPLICA'),
        ),
        'its triggers do not fire while changes are applied',
      );
    },
  );
}
