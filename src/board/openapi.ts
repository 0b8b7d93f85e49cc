import { z } from 'zod';
import { stateSchema } from '../state/schema.ts';
import { proposalSchema } from './decisions.ts';

const JSON_ANSWER = (description: string, schema: object): object => ({
  description,
  content: { 'application/json': { schema } },
});

const REF = (name: string): object => ({ $ref: `#/components/schemas/${name}` });

const REFUSALS = {
  '401': { description: 'The board has tokens, and none was given.' },
  '404': { description: 'There is no such system.' },
};

/** The HTTP interface of the board (OpenAPI 3.1). Who may look may read all but `POST`, which takes an approver. */
export function openApi(version: string): object {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Twinproof board',
      version,
      description:
        'How every system of a fleet stands, and what people decide about it. Nothing here promotes anything. A verdict is UNKNOWN once its publisher has stopped, whatever it wrote.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    security: [{ token: [] }],
    paths: {
      '/api/v1/fleet': {
        get: {
          operationId: 'fleet',
          summary: 'Every system in the order of promotion, and every consistency group',
          responses: { '200': JSON_ANSWER('The fleet as it stands.', REF('Fleet')), ...REFUSALS },
        },
      },
      '/api/v1/systems/{system}': {
        get: {
          operationId: 'system',
          summary: 'One system with all that was published of it',
          parameters: [systemParameter()],
          responses: { '200': JSON_ANSWER('The system.', REF('System')), ...REFUSALS },
        },
      },
      '/api/v1/systems/{system}/decisions': {
        get: {
          operationId: 'decisions',
          summary: 'What was decided about a system, the newest first',
          parameters: [systemParameter()],
          responses: {
            '200': JSON_ANSWER('Decisions.', { type: 'array', items: { type: 'object' } }),
            ...REFUSALS,
          },
        },
        post: {
          operationId: 'decide',
          summary: 'Record a decision; a second approver is to approve it',
          parameters: [systemParameter()],
          requestBody: { required: true, content: { 'application/json': { schema: REF('Proposal') } } },
          responses: {
            '201': JSON_ANSWER('It is recorded.', { type: 'object', properties: { id: { type: 'string' } } }),
            '403': { description: 'Only an approver decides.' },
            ...REFUSALS,
          },
        },
      },
      '/api/v1/decisions/{id}/approve': {
        post: {
          operationId: 'approve',
          summary: 'Approve a decision as the second person',
          parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'string' } }],
          responses: {
            '204': { description: 'It is approved.' },
            '403': { description: 'Only another approver approves.' },
            '409': { description: 'It is approved already, proposed by the same person, or unknown.' },
          },
        },
      },
      '/events': {
        get: {
          operationId: 'events',
          summary: 'Server-sent events: `change` names systems that changed, `beat` says that nothing did',
          parameters: [
            {
              name: 'since',
              in: 'query',
              description: 'What has changed since then comes first.',
              schema: { type: 'string', format: 'date-time' },
            },
          ],
          responses: {
            '200': { description: 'A stream.', content: { 'text/event-stream': {} } },
            ...REFUSALS,
          },
        },
      },
      '/metrics': {
        get: {
          operationId: 'metrics',
          summary: 'Metrics in the text format of Prometheus, or OpenMetrics where it is asked for',
          responses: { '200': { description: 'Metrics.', content: { 'text/plain': {} } }, ...REFUSALS },
        },
      },
      '/healthz': {
        get: {
          operationId: 'health',
          security: [],
          responses: { '200': { description: 'The board runs.' } },
        },
      },
      '/readyz': {
        get: {
          operationId: 'ready',
          security: [],
          responses: {
            '200': { description: 'States can be read.' },
            '503': { description: 'They cannot be read.' },
          },
        },
      },
    },
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      schemas: {
        State: z.toJSONSchema(stateSchema),
        Proposal: z.toJSONSchema(proposalSchema.omit({ system: true }), { io: 'input' }),
        System: {
          type: 'object',
          required: ['system', 'verdict', 'doubt', 'fresh', 'place', 'blockers', 'state'],
          properties: { ...systemProperties(), state: { oneOf: [REF('State'), { type: 'null' }] } },
        },
        Fleet: {
          type: 'object',
          required: ['at', 'systems', 'groups', 'strangers'],
          properties: {
            at: { type: 'string', format: 'date-time' },
            name: { type: ['string', 'null'] },
            systems: { type: 'array', items: { type: 'object', properties: systemProperties() } },
            groups: { type: 'array', items: { type: 'object' } },
            strangers: { type: 'array', items: { type: 'string' } },
          },
        },
      },
    },
  };
}

function systemParameter(): object {
  return { name: 'system', in: 'path', required: true, schema: { type: 'string' } };
}

function systemProperties(): Readonly<Record<string, object>> {
  const words = ['SAFE', 'SAFE_WITH_LOSS', 'NOT_SAFE', 'UNKNOWN'];
  const doubts = ['absent', 'unreadable', 'stale', 'ahead', 'none', 'expired', null];
  return {
    system: { type: 'string' },
    title: { type: ['string', 'null'] },
    tier: { type: ['string', 'null'] },
    owner: { type: ['string', 'null'] },
    group: { type: ['string', 'null'] },
    place: { type: 'integer', description: 'In the order of promotion, from 1.' },
    verdict: { enum: words, description: 'Of the best candidate, as it holds at this moment.' },
    doubt: {
      enum: doubts,
      description: 'Why the verdict is UNKNOWN whatever was published; null: it is not.',
    },
    fresh: { type: 'boolean' },
    best: { type: ['string', 'null'] },
    blockers: {
      type: 'array',
      items: { type: 'object', properties: { name: { type: 'string' }, verdict: { enum: words } } },
    },
  };
}
