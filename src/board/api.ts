import type { FastifyInstance } from 'fastify';
import { exposition } from '../metrics/exposition.ts';
import { fleetJson, systemJson } from './api-json.ts';
import { approveDecision, proposalFrom } from './deciding.ts';
import { shownOf } from './decision-record.ts';
import { openApi } from './openapi.ts';
import { systemNamed, type BoardParts } from './pages.ts';
import { personOf } from './requests.ts';

const NO_SYSTEM = { error: 'there is no such system' };
const NO_APPROVER = { error: 'only an approver decides' };
const NOT_KEPT = { error: 'decisions are not recorded here' };

/** The interface for programs, as openapi.ts describes it. */
export function addApi(server: FastifyInstance, parts: BoardParts): void {
  const { live, version } = parts;
  server.get('/openapi.json', async () => openApi(version));
  server.get('/healthz', async (_request, reply) => reply.type('text/plain').send('ok\n'));
  server.get('/readyz', async (_request, reply) => {
    const { problem } = live;
    return problem === null
      ? reply.type('text/plain').send('ok\n')
      : reply.code(503).type('text/plain').send('the states cannot be read\n');
  });
  server.get('/metrics', async (request, reply) => {
    const open = (request.headers.accept ?? '').includes('application/openmetrics-text');
    const { contentType, text } = await exposition(live.view, version, open ? 'openmetrics' : 'prometheus');
    return reply.header('content-type', contentType).send(text);
  });
  server.get('/api/v1/fleet', async () => fleetJson(live.view));
  server.get<{ Params: { system: string } }>('/api/v1/systems/:system', async (request, reply) => {
    const system = systemNamed(parts, request.params.system);
    return system === null ? reply.code(404).send(NO_SYSTEM) : systemJson(system, true);
  });
  addDecisionApi(server, parts);
}

function addDecisionApi(server: FastifyInstance, parts: BoardParts): void {
  const { decisions, access } = parts;
  server.get<{ Params: { system: string } }>('/api/v1/systems/:system/decisions', async (request, reply) => {
    const system = systemNamed(parts, request.params.system);
    if (system === null) return reply.code(404).send(NO_SYSTEM);
    if (decisions === null) return [];
    await decisions.refresh();
    const { problem } = decisions;
    if (problem !== null) return reply.code(503).send({ error: problem });
    return decisions.list(system.config.name);
  });
  server.post<{ Params: { system: string } }>('/api/v1/systems/:system/decisions', async (request, reply) => {
    const person = personOf(request, access);
    const system = systemNamed(parts, request.params.system);
    if (system === null) return reply.code(404).send(NO_SYSTEM);
    if (person?.role !== 'approver') return reply.code(403).send(NO_APPROVER);
    if (decisions === null) return reply.code(409).send(NOT_KEPT);
    const given = proposalFrom(request.body, system.config);
    if (given.wrong !== null) return reply.code(400).send({ error: 'not recorded', fields: given.wrong });
    const shown = shownOf(system, given.proposal.candidate);
    const id = await decisions.propose(given.proposal, person.name, shown);
    return reply.code(201).send({ id });
  });
  server.post<{ Params: { id: string } }>('/api/v1/decisions/:id/approve', async (request, reply) => {
    const person = personOf(request, access);
    if (person?.role !== 'approver') return reply.code(403).send(NO_APPROVER);
    if (decisions === null) return reply.code(409).send(NOT_KEPT);
    await approveDecision(parts, decisions, request.params.id, person.name);
    return reply.code(204).send();
  });
}
