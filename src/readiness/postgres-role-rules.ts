import type { RoleFact } from '../connector/facts-postgres.ts';
import {
  BOTH_SITES,
  fail,
  judgedBoth,
  LOGICAL,
  noneOf,
  pass,
  POSTGRES,
  type Observation,
  type ReadinessInput,
  type Rule,
} from './rule.ts';

const MANUAL = 'https://www.postgresql.org/docs/current';
const SHOWN_MAX = 80;

/** Rules about roles, and about what holds in the database by itself. */
export const POSTGRES_ROLE_RULES: readonly Rule[] = [
  {
    code: 'TP-R-PG-ROLE',
    title: 'the primary’s roles exist on the candidate',
    severity: 'block',
    pairs: LOGICAL,
    engines: POSTGRES,
    reads: BOTH_SITES,
    why: 'whoever logs in as that role, or has rights by it, is refused after the promotion',
    hint: 'pg_dumpall --roles-only on the primary shows the statements',
    docs: [`${MANUAL}/app-pg-dumpall.html`],
    observe: (input) => observeRoles(input, false),
  },
  {
    code: 'TP-R-PG-ROLE-ATTRIBUTES',
    title: 'roles may do what they may on the primary',
    severity: 'warn',
    pairs: LOGICAL,
    engines: POSTGRES,
    reads: BOTH_SITES,
    why: 'the role is refused something that it may do on the primary, or may do more',
    hint: 'ALTER ROLE … or GRANT … TO … on the candidate; passwords were not compared',
    docs: [`${MANUAL}/role-attributes.html`],
    observe: (input) => observeRoles(input, true),
  },
  {
    code: 'TP-R-PG-OVERRIDES',
    title: 'settings of roles and of the database are the primary’s',
    severity: 'warn',
    pairs: LOGICAL,
    engines: POSTGRES,
    reads: BOTH_SITES,
    why: 'the same statement of an application does something else on this site',
    hint: 'repeat ALTER ROLE … SET or ALTER DATABASE … SET on the candidate',
    docs: [`${MANUAL}/sql-alterdatabase.html`],
    observe: observeOverrides,
  },
  {
    code: 'TP-R-PG-LOCALE',
    title: 'the databases are of one encoding and locale',
    severity: 'warn',
    pairs: LOGICAL,
    engines: POSTGRES,
    reads: BOTH_SITES,
    why: 'text sorts and folds otherwise than on the primary, and what this encoding lacks stops replication',
    hint: 'create the candidate’s database again with the primary’s ENCODING, LC_COLLATE and LC_CTYPE',
    docs: [`${MANUAL}/locale.html`],
    observe: (input) =>
      judgedBoth(
        input,
        ({ postgres }) => postgres?.logical?.encoding,
        ({ postgres }) => postgres?.logical?.encoding,
        (theirs, ours) => {
          const seen = `${ours.encoding} ${ours.locale} on the candidate, ${theirs.encoding} ${theirs.locale} on the primary`;
          return [
            ours.encoding === theirs.encoding && ours.locale === theirs.locale
              ? pass('candidate', seen)
              : fail('candidate', seen),
          ];
        },
      ),
  },
];

/** Superusers and replication roles are the site’s own. */
function observeRoles(input: ReadinessInput, attributes: boolean): readonly Observation[] {
  return judgedBoth(
    input,
    ({ postgres }) => postgres?.logical?.roles,
    ({ postgres }) => postgres?.logical?.roles,
    (theirs, ours) => {
      const had = new Map(ours.map((role) => [role.name, role]));
      const wanted = theirs.filter(({ superuser, replication }) => !superuser && !replication);
      const failed = wanted.flatMap((role) => compareRole(role, had.get(role.name), attributes));
      return failed.length > 0
        ? failed
        : [pass('candidate', `the primary’s ${wanted.length} roles without special rights were looked for`)];
    },
  );
}

function compareRole(
  theirs: RoleFact,
  ours: RoleFact | undefined,
  attributes: boolean,
): readonly Observation[] {
  const subject = `role ${theirs.name}`;
  if (ours === undefined) return attributes ? [] : [fail(subject, 'the candidate does not have it')];
  if (!attributes || ours.attributes === theirs.attributes) return [];
  return [
    fail(subject, `the primary has ${shown(theirs.attributes)}, the candidate ${shown(ours.attributes)}`),
  ];
}

function observeOverrides(input: ReadinessInput): readonly Observation[] {
  return judgedBoth(
    input,
    ({ postgres }) => postgres?.logical?.overrides,
    ({ postgres }) => postgres?.logical?.overrides,
    (theirs, ours) => {
      const had = new Set(ours);
      const absent = theirs.filter((text) => !had.has(text));
      return noneOf(
        absent.map((text) => fail(text, 'the candidate does not have it')),
        `all ${theirs.length} of the primary are there`,
      );
    },
  );
}

/** A definition as a person reads it, shortened. */
export function shown(definition: string): string {
  if (definition === '') return 'none';
  return definition.length > SHOWN_MAX ? `${definition.slice(0, SHOWN_MAX)}…` : definition;
}
