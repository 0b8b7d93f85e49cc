import path from 'node:path';
import { z } from 'zod';
import { TwinproofError } from '../errors.ts';
import { DEFAULT_POLICY, type Policy, PRIMARY } from './policy.ts';
import { DURATION_HINT, durationOf } from './duration.ts';
import type { BoardConfig, Fleet, FleetFacts, StateConfig } from './fleet.ts';
import { factSchemas, fleetSchemas } from './fleet-schema.ts';
import type { KafkaConfig } from './kafka.ts';
import { kafkaSchema } from './kafka-schema.ts';
import { ledgerSchema, type LedgerSection } from './ledger-schema.ts';
import type { Mapping } from './mapping.ts';
import { mappingSchema } from './mapping-schema.ts';
import { withVariables, type Secret } from './secret.ts';
import { readPassword, readToken, readUrl, type SchemaContext } from './site-secret.ts';
import { type ScrubConfig, UNBOUNDED_SCRUB } from './scrub.ts';
import { scrubSchema } from './scrub-schema.ts';
import { PATTERN_HINT, patternProblem, type TablePatterns } from './selection.ts';
import { SIZE_HINT, sizeOf } from './size.ts';
import { DEFAULT_STREAM, type StreamSettings } from './stream.ts';
import { fedSites, type SiteFeed } from './topics-feed.ts';
import { sinkSchema, topicsSchema } from './topics-schema.ts';
import type { ParsedUrl, SiteAddress } from './url.ts';
import { endOf, UNTIL_HINT, type Waiver } from './waiver.ts';

export interface SiteConfig {
  /** `primary`, or the candidate's name. */
  readonly name: string;
  readonly address: SiteAddress;
  /** Where it stands, in the owner's words. */
  readonly site: string | null;
  /** What fails together with it, in the owner's words: a building, a power feed. Absent: not said. */
  readonly faultDomain?: string;
  readonly warnings: readonly string[];
  /** Names of what makes its log readable. */
  readonly stream: StreamSettings;
  /** Of a candidate: stands in place of its system's. Absent: the system's holds. */
  readonly mapping?: Mapping;
}

export interface SystemConfig {
  readonly name: string;
  readonly primary: SiteConfig;
  readonly candidates: readonly SiteConfig[];
  readonly tables: TablePatterns;
  readonly policy: Policy;
  /** How fast rows are read to be proven. */
  readonly scrub: ScrubConfig;
  /** What the primary's tables and columns are on candidates that have none of their own. Absent: nothing is mapped. */
  readonly mapping?: Mapping;
  /** Findings of readiness that somebody has accepted. */
  readonly waivers: readonly Waiver[];
  readonly fleet: FleetFacts;
}

export type LedgerConfig = LedgerSection;

/** What the schema makes of one file, of which a configuration may have several. */
export interface ConfigPart {
  readonly systems: readonly SystemConfig[];
  readonly ledger: LedgerConfig | null;
  /** `key`: absolute path of the private key. */
  readonly signing: { readonly key: string } | null;
  readonly fleet: Fleet | null;
  /** `path` null: beside the ledger. */
  readonly state: (Omit<StateConfig, 'path'> & { readonly path: string | null }) | null;
  readonly board: BoardConfig | null;
  readonly kafka: KafkaConfig | null;
}

/** Issues of the kind `custom` carry code and hint of the error in `params`. */
export function configSchema(context: SchemaContext): z.ZodType<ConfigPart> {
  const text = z
    .string()
    .transform((raw, issues) => attempt(issues, () => withVariables(raw, context.environment)));
  const name = text.pipe(
    z.string().refine(isName, { error: 'a name is wanted: no control characters, no slash, no colon' }),
  );
  const file = text
    .pipe(z.string().min(1, { error: 'a path is wanted' }))
    .transform((p) => path.resolve(context.folder, p));
  const duration = text.transform((raw, issues) =>
    read(issues, durationOf(raw), 'a duration is wanted', DURATION_HINT),
  );
  const size = text.transform((raw, issues) => read(issues, sizeOf(raw), 'a size is wanted', SIZE_HINT));
  const patterns = z.array(text.pipe(z.string().transform(asPattern)));
  const password = z.unknown().transform((raw, issues) => attempt(issues, () => readPassword(raw, context)));
  const site = {
    url: z.unknown().transform((raw, issues) => attempt(issues, () => readUrl(raw, context))),
    password: password.optional(),
    site: name.optional(),
    faultDomain: name.optional(),
    slot: text.pipe(z.string().refine(isSlotName, { error: SLOT_RULE })).default(DEFAULT_STREAM.slot),
    publication: text
      .pipe(z.string().min(1, { error: 'a name is wanted' }).max(63))
      .default(DEFAULT_STREAM.publication),
    allowUnboundedWal: z.boolean().default(DEFAULT_STREAM.allowUnboundedWal),
  };
  const words = text.pipe(z.string().trim().min(1, { error: 'may not be empty' }));
  const secret = z.unknown().transform((raw, issues) => attempt(issues, () => readToken(raw, context)));
  const pieces = { name, words, duration, file, size, secret };
  const kafkaPieces = { ...pieces, secret: password };
  const waiver = z.strictObject({
    rule: text.pipe(z.string().regex(/^TP-R-[A-Z0-9-]+$/, { error: 'the code of a rule is wanted: TP-R-…' })),
    subject: words.nullable().default(null),
    candidate: name.nullable().default(null),
    reason: words,
    by: words,
    until: text.transform((raw, issues) =>
      read(issues, endOf(raw), 'the end of the waiver is wanted', UNTIL_HINT),
    ),
  });
  const system = z.strictObject({
    primary: z
      .strictObject({ ...site, topics: topicsSchema.optional() })
      .transform((value, issues) => toSite(PRIMARY, value, issues)),
    candidates: z
      .array(
        z
          .strictObject({
            name,
            ...site,
            archive: file.optional(),
            sink: sinkSchema.optional(),
            mapping: mappingSchema.optional(),
          })
          .transform((value, issues) => toSite(value.name, value, issues)),
      )
      .min(1, { error: 'at least one candidate is wanted' })
      .superRefine(refuseDuplicates),
    tables: z
      .strictObject({
        include: patterns
          .min(1, { error: 'at least one pattern is wanted; "*" takes all tables' })
          .default(['*']),
        exclude: patterns.default([]),
      })
      .default({ include: ['*'], exclude: [] }),
    policy: z
      .strictObject({
        rpo: duration.nullable().default(DEFAULT_POLICY.rpo),
        maxTail: duration.nullable().default(DEFAULT_POLICY.maxTail),
        maxProofAge: duration.default(DEFAULT_POLICY.maxProofAge),
        certificateValidFor: duration.default(DEFAULT_POLICY.certificateValidFor),
        applyWithin: duration.default(DEFAULT_POLICY.applyWithin),
      })
      .default(DEFAULT_POLICY),
    scrub: scrubSchema(words).default(UNBOUNDED_SCRUB),
    mapping: mappingSchema.optional(),
    waivers: z.array(waiver).default([]),
    ...factSchemas(pieces),
  });
  const systems = z.record(z.string(), system);
  return z.strictObject({
    systems: (context.part ? systems.default({}) : systems).transform((found, issues) =>
      toSystems(found, context.part, issues),
    ),
    ledger: ledgerSchema(kafkaPieces).nullable().default(null),
    signing: z.strictObject({ key: file }).nullable().default(null),
    ...fleetSchemas(pieces),
    kafka: kafkaSchema(kafkaPieces).nullable().default(null),
  });
}

type Issues = z.core.$RefinementCtx;

function report(issues: Issues, error: TwinproofError, at: readonly PropertyKey[] = []): void {
  issues.addIssue({
    code: 'custom',
    message: error.message,
    path: [...at],
    params: { code: error.code, hint: error.hint },
  });
}

function attempt<T>(issues: Issues, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof TwinproofError)) throw error;
    report(issues, error);
    return z.NEVER;
  }
}

function read<T>(issues: Issues, value: T | null, message: string, hint: string): T {
  if (value !== null) return value;
  report(issues, new TwinproofError('TP-CONFIG', { message, hint }));
  return z.NEVER;
}

function asPattern(pattern: string, issues: Issues): string {
  const problem = patternProblem(pattern);
  // The pattern is not quoted: it may have come from a variable.
  return read(issues, problem === null ? pattern : null, `the pattern ${problem ?? ''}`, PATTERN_HINT);
}

function isName(text: string): boolean {
  return text.trim() !== '' && !/[\p{Cc}/:]/u.test(text);
}

/** What PostgreSQL takes for the name of a slot (manual, "Replication Slots"). */
const SLOT_RULE = 'the name of a slot is 1 to 63 lowercase letters, digits and underscores';

function isSlotName(text: string): boolean {
  return /^[a-z0-9_]{1,63}$/.test(text);
}

interface RawSite extends Pick<StreamSettings, 'slot' | 'publication' | 'allowUnboundedWal'>, SiteFeed {
  readonly url: ParsedUrl;
  readonly password?: Secret | undefined;
  readonly site?: string | undefined;
  readonly faultDomain?: string | undefined;
  readonly mapping?: Mapping | undefined;
  readonly archive?: string | undefined;
}

function toSite(name: string, raw: RawSite, issues: Issues): SiteConfig & SiteFeed {
  const { address, warnings } = raw.url;
  if (raw.password !== undefined && address.password !== null) {
    report(issues, new TwinproofError('TP-CONFIG', { message: 'the password is given twice' }), ['password']);
  }
  return {
    name,
    address: { ...address, password: raw.password ?? address.password },
    site: raw.site ?? null,
    warnings,
    stream: {
      slot: raw.slot,
      publication: raw.publication,
      allowUnboundedWal: raw.allowUnboundedWal,
      ...(raw.archive === undefined ? {} : { archive: raw.archive }),
    },
    ...(raw.faultDomain === undefined ? {} : { faultDomain: raw.faultDomain }),
    ...(raw.mapping === undefined ? {} : { mapping: raw.mapping }),
    ...(raw.topics === undefined ? {} : { topics: raw.topics }),
    ...(raw.sink === undefined ? {} : { sink: raw.sink }),
  };
}

function refuseDuplicates(candidates: readonly SiteConfig[], issues: Issues): void {
  const seen = new Set([PRIMARY]);
  for (const [index, { name }] of candidates.entries()) {
    if (seen.has(name)) {
      const message =
        name === PRIMARY ? 'a candidate cannot be called primary' : 'another candidate has the same name';
      report(issues, new TwinproofError('TP-CONFIG', { message }), [index, 'name']);
    }
    seen.add(name);
  }
}

type Reworked = 'name' | 'mapping' | 'fleet' | 'primary' | 'candidates';

interface RawSystem extends Omit<SystemConfig, Reworked>, Omit<FleetFacts, 'rto'> {
  readonly primary: SiteConfig & SiteFeed;
  readonly candidates: readonly (SiteConfig & SiteFeed)[];
  readonly mapping?: Mapping | undefined;
  readonly objectives: { readonly rpo: number | null; readonly rto: number | null };
}

function toSystems(
  systems: Readonly<Record<string, RawSystem>>,
  part: boolean,
  issues: Issues,
): readonly SystemConfig[] {
  const names = Object.keys(systems);
  if (names.length === 0 && !part) {
    report(issues, new TwinproofError('TP-CONFIG', { message: 'at least one system is wanted' }));
  }
  for (const name of names) {
    if (isName(name)) continue;
    const message = 'the name of a system is empty or holds a control character, a slash or a colon';
    report(issues, new TwinproofError('TP-CONFIG', { message }), [name]);
  }
  return Object.entries(systems).map(([name, raw]) => toSystem(name, raw, issues));
}

function toSystem(name: string, raw: RawSystem, issues: Issues): SystemConfig {
  const { mapping, objectives, title, tier, owner, dependsOn, group, schedules, policy, ...system } = raw;
  if (objectives.rpo !== null && policy.rpo !== null) {
    const message = 'the rpo stands in policy as well';
    report(issues, new TwinproofError('TP-CONFIG', { message }), [name, 'objectives', 'rpo']);
  }
  const { primary, candidates, problems } = fedSites(system);
  for (const { at, message } of problems)
    report(issues, new TwinproofError('TP-CONFIG', { message }), [name, ...at]);
  return {
    name,
    ...system,
    primary,
    candidates,
    policy: { ...policy, rpo: objectives.rpo ?? policy.rpo },
    fleet: { title, tier, owner, rto: objectives.rto, dependsOn, group, schedules },
    ...(mapping === undefined ? {} : { mapping }),
  };
}
