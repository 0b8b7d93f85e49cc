import { bodySchemas, ref } from './openapi-schemas.ts';

type Answer = Readonly<Record<string, unknown>>;

function json(description: string, schema: object): Answer {
  return { description, content: { 'application/json': { schema } } };
}

function text(description: string, type = 'text/plain'): Answer {
  return { description, content: { [type]: { schema: { type: 'string' } } } };
}

/** What is refused to a program that asks under `/api`. */
function refused(description: string): Answer {
  return json(description, ref('Error'));
}

const NO_TOKEN = 'The board has tokens, and none of them was given.';
const OTHER_NAME = 'A board on a loopback address was asked under a name that is not its own.';
const NOT_ABLE = 'It cannot be done at the moment; the error says why.';

/** Of everything under `/api`. */
const REFUSALS = { '401': refused(NO_TOKEN), '421': refused(OTHER_NAME), '503': refused(NOT_ABLE) };
/** Of what is not JSON. */
const TEXT_REFUSALS = { '401': text(NO_TOKEN), '421': text(OTHER_NAME) };
const NO_SYSTEM = { '404': refused('There is no such system.') };

function parameter(name: string): object {
  return { name, in: 'path', required: true, schema: { type: 'string' } };
}

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
    paths: { ...systemPaths(), ...decisionPaths(), ...otherPaths() },
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      schemas: bodySchemas(),
    },
  };
}

function systemPaths(): object {
  return {
    '/api/v1/fleet': {
      get: {
        operationId: 'fleet',
        summary: 'Every system in the order of promotion, and every consistency group',
        responses: { '200': json('The fleet as it stands.', ref('Fleet')), ...REFUSALS },
      },
    },
    '/api/v1/systems/{system}': {
      get: {
        operationId: 'system',
        summary: 'One system with all that was published of it',
        parameters: [parameter('system')],
        responses: { '200': json('The system.', ref('System')), ...NO_SYSTEM, ...REFUSALS },
      },
    },
  };
}

function decisionPaths(): object {
  return {
    '/api/v1/systems/{system}/decisions': {
      get: {
        operationId: 'decisions',
        summary: 'What was decided about a system, the newest first',
        parameters: [parameter('system')],
        responses: {
          '200': json('Decisions.', { type: 'array', items: ref('Decision') }),
          ...NO_SYSTEM,
          ...REFUSALS,
        },
      },
      post: {
        operationId: 'decide',
        summary: 'Record a decision; a second approver is to approve it',
        parameters: [parameter('system')],
        requestBody: { required: true, content: { 'application/json': { schema: ref('Proposal') } } },
        responses: {
          '201': json('It is recorded.', ref('Recorded')),
          '400': refused('The body is no such proposal; `fields` names what is wrong.'),
          '403': refused('Only an approver decides.'),
          '409': refused('Decisions are not recorded here.'),
          '413': refused('The body is too large.'),
          '415': refused('The body is neither JSON nor a form.'),
          ...NO_SYSTEM,
          ...REFUSALS,
        },
      },
    },
    '/api/v1/decisions/{id}/approve': {
      post: {
        operationId: 'approve',
        summary: 'Approve a decision as the second person',
        parameters: [parameter('id')],
        responses: {
          '204': { description: 'It is approved.' },
          '403': refused('Only an approver approves.'),
          '409': refused('It is approved already, was proposed by the same person, or is unknown.'),
          ...REFUSALS,
        },
      },
    },
  };
}

function otherPaths(): object {
  const since = {
    name: 'since',
    in: 'query',
    description: 'What has changed since then comes first.',
    schema: { type: 'string', format: 'date-time' },
  };
  return {
    '/events': {
      get: {
        operationId: 'events',
        summary:
          'Server-sent events: `hello` names the run of the board, `change` systems that changed, `beat` says that nothing did',
        parameters: [since],
        responses: {
          '200': text('A stream that has no end.', 'text/event-stream'),
          '503': text('Too many pages are open.'),
          ...TEXT_REFUSALS,
        },
      },
    },
    '/metrics': {
      get: {
        operationId: 'metrics',
        summary: 'Metrics in the text format of Prometheus, or OpenMetrics where it is asked for',
        responses: {
          '200': {
            description: 'Metrics.',
            content: {
              'text/plain': { schema: { type: 'string' } },
              'application/openmetrics-text': { schema: { type: 'string' } },
            },
          },
          ...TEXT_REFUSALS,
        },
      },
    },
    '/healthz': {
      get: {
        operationId: 'health',
        summary: 'Whether the board runs',
        security: [],
        responses: { '200': text('It does.'), '421': text(OTHER_NAME) },
      },
    },
    '/readyz': {
      get: {
        operationId: 'ready',
        summary: 'Whether what the board shows is up to date',
        security: [],
        responses: {
          '200': text('States can be read.'),
          '421': text(OTHER_NAME),
          '503': text('They cannot be read.'),
        },
      },
    },
  };
}
