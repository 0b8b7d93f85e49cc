import { z } from 'zod';
import { stateSchema } from '../state/schema.ts';
import { proposalSchema, shownSchema } from './decision-record.ts';

type Schema = Readonly<Record<string, unknown>>;

const TEXT = { type: 'string' };
const TEXT_OR_NULL = { type: ['string', 'null'] };
const TIME_OR_NULL = { type: ['string', 'null'], format: 'date-time' };
const MS_OR_NULL = { type: ['number', 'null'], minimum: 0 };
const VERDICT = { enum: ['SAFE', 'SAFE_WITH_LOSS', 'NOT_SAFE', 'UNKNOWN'] };
const DOUBT = {
  enum: ['absent', 'unreadable', 'stale', 'ahead', 'none', 'expired', null],
  description: 'Why the verdict is UNKNOWN whatever was published; null: it is not.',
};

export function ref(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` };
}

/** Every property is always there, and there is no other. */
function record(properties: Schema, description?: string): Schema {
  return {
    type: 'object',
    ...(description === undefined ? {} : { description }),
    properties,
    required: Object.keys(properties),
    additionalProperties: false,
  };
}

function list(items: Schema): Schema {
  return { type: 'array', items };
}

/** The bodies of the board's interface (JSON Schema 2020-12), by the names under which openapi.ts refers to them. */
export function bodySchemas(): Schema {
  const decision = proposalSchema.extend({
    id: z.string(),
    at: z.iso.datetime(),
    proposedBy: z.string(),
    approvedBy: z.string().nullable(),
    approvedAt: z.iso.datetime().nullable(),
    shown: shownSchema,
    shownToApprover: shownSchema.nullable(),
  });
  return {
    State: jsonSchema(stateSchema, 'output'),
    Proposal: jsonSchema(proposalSchema.omit({ system: true }), 'input'),
    Decision: jsonSchema(decision, 'output'),
    Recorded: record({ id: TEXT }),
    Error: {
      type: 'object',
      properties: { error: TEXT, fields: { ...list(TEXT), description: 'What of the body is wrong.' } },
      required: ['error'],
      additionalProperties: false,
    },
    SystemSummary: record(systemProperties()),
    System: record({ ...systemProperties(), state: { oneOf: [ref('State'), { type: 'null' }] } }),
    Group: groupSchema(),
    Fleet: record({
      at: { type: 'string', format: 'date-time' },
      name: TEXT_OR_NULL,
      systems: list(ref('SystemSummary')),
      groups: list(ref('Group')),
      strangers: { ...list(TEXT), description: 'Systems that are published and not in the configuration.' },
    }),
  };
}

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): Schema {
  return z.toJSONSchema(schema, { io });
}

function groupSchema(): Schema {
  const member = record({ name: TEXT, recoveryPointAt: TIME_OR_NULL });
  const ahead = record({ consumer: TEXT, producer: TEXT, ms: { type: 'number' } });
  return record(
    {
      name: TEXT,
      verdict: VERDICT,
      why: {
        enum: ['members', 'unknown-points', 'skew-beyond-policy', 'skew-unsettled', 'no-skew-policy', null],
      },
      skewMs: MS_OR_NULL,
      skewAtLeastMs: {
        ...MS_OR_NULL,
        description:
          'What is left of it if points that were seen earlier have gone on since, as the clock has.',
      },
      maxSkewMs: MS_OR_NULL,
      commonPointAt: TIME_OR_NULL,
      ahead: list(ahead),
      members: list(member),
    },
    'Systems that are promoted to one point in time.',
  );
}

function candidateSchema(): Schema {
  const loss = {
    type: ['object', 'null'],
    description: 'Of the verdict that holds, as `certify --format json` has it; null: none does.',
    properties: { kind: { enum: ['none', 'bounded', 'unbounded', 'unknown'] } },
    required: ['kind'],
  };
  return record({ name: TEXT, verdict: VERDICT, doubt: DOUBT, loss, recoveryPointAt: TIME_OR_NULL });
}

function systemProperties(): Schema {
  return {
    system: TEXT,
    title: TEXT_OR_NULL,
    tier: TEXT_OR_NULL,
    owner: TEXT_OR_NULL,
    group: TEXT_OR_NULL,
    dependsOn: list(TEXT),
    objectives: record({ rpoMs: MS_OR_NULL, rtoMs: MS_OR_NULL }),
    place: { type: 'integer', minimum: 1, description: 'In the order of promotion.' },
    verdict: { ...VERDICT, description: 'Of the best candidate, as it holds at this moment.' },
    doubt: DOUBT,
    problem: { ...TEXT_OR_NULL, description: 'Why what was published cannot be read.' },
    fresh: { type: 'boolean', description: 'Whether its publisher is at work.' },
    best: TEXT_OR_NULL,
    blockers: {
      ...list(record({ name: TEXT, verdict: VERDICT })),
      description:
        'Systems that it depends on and that are not safe to promote, by themselves or with their group.',
    },
    candidates: { ...list(candidateSchema()), description: 'The best first.' },
  };
}
