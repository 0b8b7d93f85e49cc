import { Cron } from 'croner';
import { z } from 'zod';
import {
  BEFORE_EXPIRY,
  DEFAULT_BOARD,
  EVERY,
  isLoopback,
  ROLES,
  type BoardConfig,
  type ConsistencyGroup,
  type Fleet,
  SCHEDULED,
  type ScheduleConfig,
  STATE_DEFAULTS,
} from './fleet.ts';
import { durationWords } from './duration.ts';
import type { Secret } from './secret.ts';

/** Shortest token that is taken: a guess a millisecond finds no 16 random letters in the life of a fleet. */
const TOKEN_LENGTH_MIN = 16;
const STATE_EVERY_MIN_MS = 1_000;
const STATE_EVERY_MAX_MS = 600_000;
const SCHEDULE_EVERY_MIN_MS = 1_000;

/** The pieces that the schema of the whole file is made of: they know variables and folders. */
export interface SchemaPieces {
  readonly name: z.ZodType<string>;
  /** Text for people, not empty. */
  readonly words: z.ZodType<string>;
  /** Milliseconds. */
  readonly duration: z.ZodType<number>;
  /** An absolute path. */
  readonly file: z.ZodType<string>;
  readonly secret: z.ZodType<Secret>;
}

/** Keys of one system. */
export function factSchemas(pieces: SchemaPieces) {
  const { name, words, duration } = pieces;
  return {
    title: words.nullable().default(null),
    tier: words.nullable().default(null),
    owner: words.nullable().default(null),
    objectives: z
      .strictObject({ rpo: duration.nullable().default(null), rto: duration.nullable().default(null) })
      .default({ rpo: null, rto: null }),
    dependsOn: z.array(name).default([]),
    group: name.nullable().default(null),
    schedules: z.array(scheduleSchema(pieces)).superRefine(refuseTwice).default([]),
  };
}

const TIME_HINT =
  'a time as cron has it is wanted, such as 0 3 * * *, and a zone such as Asia/Seoul; or, for certify, before-expiry';

function scheduleSchema({ words, duration }: SchemaPieces): z.ZodType<ScheduleConfig> {
  const every = duration.refine((ms) => ms >= SCHEDULE_EVERY_MIN_MS, { error: 'at least 1s is wanted' });
  return z
    .strictObject({
      name: words.nullable().default(null),
      run: z.enum(SCHEDULED, { error: `one of ${SCHEDULED.join(', ')} is wanted` }),
      at: words.optional(),
      every: every.optional(),
      zone: words.nullable().default(null),
    })
    .transform(({ name, run, at, every: everyMs, zone }, issues): ScheduleConfig => {
      const refuse = (key: string, message: string): never => {
        issues.addIssue({ code: 'custom', message, path: [key] });
        return z.NEVER;
      };
      const schedule = { name: name ?? run, run, zone };
      if (everyMs !== undefined) {
        if (at !== undefined) return refuse('every', 'either at or every is wanted, not both');
        if (zone !== null) return refuse('zone', 'every goes by no clock');
        return { ...schedule, at: `${EVERY} ${durationWords(everyMs)}` };
      }
      if (at === undefined) return refuse('at', 'is missing: at or every is wanted');
      if (at === BEFORE_EXPIRY && run === 'certify') return { ...schedule, at };
      try {
        const cron = new Cron(at, { paused: true, ...(zone === null ? {} : { timezone: zone }) });
        return cron.nextRun() === null ? refuse('at', 'this time never comes') : { ...schedule, at };
      } catch {
        return refuse('at', TIME_HINT);
      }
    });
}

function refuseTwice(schedules: readonly ScheduleConfig[], issues: z.core.$RefinementCtx): void {
  const names = schedules.map(({ name }) => name);
  for (const [index, name] of names.entries()) {
    if (names.indexOf(name) === index) continue;
    issues.addIssue({ code: 'custom', message: 'another schedule has the same name', path: [index, 'name'] });
  }
}

/** Keys of the file beside its systems. */
export function fleetSchemas(pieces: SchemaPieces) {
  return { fleet: fleetSchema(pieces), state: stateSchema(pieces), board: boardSchema(pieces) };
}

function fleetSchema({ words, duration }: SchemaPieces): z.ZodType<Fleet | null> {
  const group = z.strictObject({ maxSkew: duration.nullable().default(null) });
  return z
    .strictObject({
      name: words.nullable().default(null),
      tiers: z.array(words).default([]),
      groups: z.record(z.string(), group).default({}),
    })
    .transform(({ groups, ...fleet }): Fleet => ({
      ...fleet,
      groups: Object.entries(groups).map(([name, { maxSkew }]): ConsistencyGroup => ({ name, maxSkew })),
    }))
    .nullable()
    .default(null);
}

function stateSchema({ file, duration }: SchemaPieces) {
  const every = duration.refine((ms) => ms >= STATE_EVERY_MIN_MS && ms <= STATE_EVERY_MAX_MS, {
    error: 'a time from 1s to 10m is wanted',
  });
  return z
    .strictObject({
      path: file.nullable().default(null),
      every: every.default(STATE_DEFAULTS.every),
      keepCertificates: z.int().positive().default(STATE_DEFAULTS.keepCertificates),
    })
    .nullable()
    .default(null);
}

function boardSchema({ words, file, secret }: SchemaPieces): z.ZodType<BoardConfig | null> {
  const token = z.strictObject({
    name: words,
    role: z.enum(ROLES, { error: 'viewer or approver is wanted' }),
    token: secret.refine((one) => one.reveal().length >= TOKEN_LENGTH_MIN, {
      error: `a token has at least ${TOKEN_LENGTH_MIN} characters`,
    }),
  });
  return z
    .strictObject({
      listen: z.string().default(`${DEFAULT_BOARD.host}:${DEFAULT_BOARD.port}`),
      tls: z.strictObject({ cert: file, key: file }).nullable().default(null),
      tokens: z.array(token).default([]),
      decisions: file.nullable().default(null),
    })
    .transform(({ listen, ...board }, issues): BoardConfig => {
      const address = addressOf(listen);
      if (address === null) {
        issues.addIssue({
          code: 'custom',
          message: 'an address and a port are wanted, such as 127.0.0.1:8484 or [::1]:8484',
          path: ['listen'],
        });
        return z.NEVER;
      }
      if (!isLoopback(address.host) && (board.tokens.length === 0 || board.tls === null)) {
        issues.addIssue({
          code: 'custom',
          message: 'an address that other machines reach takes tokens and tls',
          path: ['listen'],
        });
      }
      const names = board.tokens.map((one) => one.name);
      for (const [index, one] of names.entries()) {
        if (names.indexOf(one) === index) continue;
        const message = 'another token has the same name: two approvers must be two people';
        issues.addIssue({ code: 'custom', message, path: ['tokens', index, 'name'] });
      }
      const values = board.tokens.map((one) => one.token.reveal());
      for (const [index, one] of values.entries()) {
        if (values.indexOf(one) === index) continue;
        const message = 'another person has the same token';
        issues.addIssue({ code: 'custom', message, path: ['tokens', index, 'token'] });
      }
      return { ...board, ...address };
    })
    .nullable()
    .default(null);
}

function addressOf(text: string): { readonly host: string; readonly port: number } | null {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]\s/]+)):([0-9]{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host === undefined || port > 65_535 ? null : { host, port };
}
