import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Config } from '../config/load.ts';
import type { FleetSystem } from '../state/fleet-view.ts';
import { type Access, cookieOf, SESSION_COOKIE } from './access.ts';
import { cutoverMain } from './cutover-page.ts';
import { approveDecision, proposalFrom } from './deciding.ts';
import { decisionForm, decisionLine, decisionList, recordProblem } from './decision-parts.ts';
import { shownOf } from './decision-record.ts';
import type { DecisionFile } from './decisions.ts';
import { html, type Html } from '../report/html.ts';
import { layout, type PageContext } from './layout.ts';
import type { Live } from './live.ts';
import { overviewMain } from './overview-page.ts';
import { systemLink } from './parts.ts';
import { isForPrograms, languageOf, ownPath, personOf, refuse, themeOf } from './requests.ts';
import { SCRIPT } from './script.ts';
import { ICON, STYLE } from './style.ts';
import { systemMain } from './system-page.ts';
import { WORDS } from './languages.ts';

export interface BoardParts {
  readonly config: Pick<Config, 'systems' | 'fleet' | 'state' | 'board'>;
  readonly live: Live;
  readonly access: Access;
  /** Null: decisions are not recorded here. */
  readonly decisions: DecisionFile | null;
  readonly version: string;
  readonly now: () => Date;
}

/** The pages for people. */
export function addPages(server: FastifyInstance, parts: BoardParts): void {
  addAssets(server);
  addSigning(server, parts);
  addDecisions(server, parts);
  const { live, config } = parts;
  server.get('/', async (request, reply) => {
    const context = contextOf(request, reply, parts);
    const words = WORDS[context.language];
    const main = overviewMain(live.view, config.fleet.tiers, live.rows(context.language), words);
    return page(reply, layout(context, words.overview, main, '/'));
  });
  server.get('/cutover', async (request, reply) => {
    const context = contextOf(request, reply, parts);
    const words = WORDS[context.language];
    const decided = new Map<string, Html>();
    await parts.decisions?.refresh();
    const systems = new Map(live.view.systems.map((system) => [system.config.name, system]));
    for (const one of (parts.decisions?.list() ?? []).toReversed()) {
      const system = systems.get(one.system);
      if (system !== undefined) decided.set(one.system, decisionLine(one, system, words));
    }
    const problem = recordProblem(parts.decisions, words);
    const changing = cutoverMain(live.view, decided, problem, words);
    if (isPart(request)) return page(reply, changing.text);
    const main = html`<div id="changing" data-live-all>${changing}</div>`;
    return page(reply, layout(context, words.cutover, main, '/cutover'));
  });
  server.get<{ Params: { system: string } }>('/systems/:system', async (request, reply) => {
    const context = contextOf(request, reply, parts);
    const words = WORDS[context.language];
    const system = systemNamed(parts, request.params.system);
    if (system === null) return missing(reply, context);
    const { name, fleet } = system.config;
    await parts.decisions?.refresh();
    const decisions = decisionList(parts.decisions, system, context);
    const changing = systemMain(system, live.view, decisions, words);
    if (isPart(request)) return page(reply, changing.text);
    const main = html`<div id="changing" data-live-system="${name}">${changing}</div>
      ${decisionForm(system, parts.decisions !== null, context)}`;
    return page(reply, layout(context, fleet.title ?? name, main, ''));
  });
  server.get<{ Params: { system: string; file: string } }>(
    '/systems/:system/certificates/:file',
    async (request, reply) => {
      const { system, file } = request.params;
      const found = systemNamed(parts, system)?.standing.state?.certificates.find((one) => one.file === file);
      const folder = config.state?.path;
      // Only what was published under this very name, and a name that is no path.
      if (found === undefined || folder === undefined || path.basename(file) !== file) {
        return missing(reply, contextOf(request, reply, parts));
      }
      const content = await contentOf(path.join(folder, 'certificates', system, file));
      if (content === null) return missing(reply, contextOf(request, reply, parts));
      return reply
        .type('application/json')
        .header('content-disposition', `attachment; filename*=UTF-8''${encodeURIComponent(file)}`)
        .send(content);
    },
  );
  server.setNotFoundHandler(async (request, reply) =>
    isForPrograms(request)
      ? refuse(request, reply, 404, 'there is no such path')
      : missing(reply, contextOf(request, reply, parts)),
  );
}

function addAssets(server: FastifyInstance): void {
  const assets = [
    ['board.css', 'text/css; charset=utf-8', STYLE],
    ['board.js', 'text/javascript; charset=utf-8', SCRIPT],
    ['icon.svg', 'image/svg+xml', ICON],
  ] as const;
  for (const [name, type, content] of assets) {
    server.get(`/assets/${name}`, async (_request, reply) => reply.type(type).send(content));
  }
}

function addSigning(server: FastifyInstance, parts: BoardParts): void {
  const { access, config } = parts;
  const cookie = (value: string, seconds: number): string =>
    `${SESSION_COOKIE}=${value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${seconds}${config.board?.tls == null ? '' : '; Secure'}`;
  server.get('/login', async (request, reply) => {
    const next = fieldOf(request.query, 'next');
    return loginPage(reply, contextOf(request, reply, parts), { next, wrong: false });
  });
  server.post('/login', async (request, reply) => {
    const next = fieldOf(request.body, 'next');
    const person = access.personOf(fieldOf(request.body, 'token').trim());
    if (person === null) {
      return loginPage(reply.code(401), contextOf(request, reply, parts), { next, wrong: true });
    }
    return reply.header('set-cookie', cookie(access.begin(person), 12 * 3600)).redirect(ownPath(next), 303);
  });
  server.post('/logout', async (request, reply) => {
    access.end(cookieOf(request.headers.cookie, SESSION_COOKIE) ?? '');
    return reply.header('set-cookie', cookie('', 0)).redirect('/', 303);
  });
}

/** What approvers send from the pages. */
function addDecisions(server: FastifyInstance, parts: BoardParts): void {
  server.post<{ Params: { system: string } }>('/systems/:system/decisions', async (request, reply) => {
    const person = personOf(request, parts.access);
    const system = systemNamed(parts, request.params.system);
    if (system === null || parts.decisions === null) return missing(reply, contextOf(request, reply, parts));
    if (person?.role !== 'approver')
      return reply.code(403).type('text/plain').send('only an approver decides\n');
    const field = (name: string): string => fieldOf(request.body, name);
    const given = proposalFrom(
      {
        candidate: field('candidate'),
        decision: field('decision'),
        lossAccepted: field('lossAccepted'),
        reason: field('reason'),
        fencedAt: field('fencedAt').trim() || null,
        fencedBy: field('fencedBy').trim() || null,
      },
      system.config,
    );
    if (given.wrong !== null) return notRecorded(reply, contextOf(request, reply, parts), given.wrong);
    const shown = shownOf(system, given.proposal.candidate);
    await parts.decisions.propose(given.proposal, person.name, shown);
    return reply.redirect(`${systemLink(system.config.name)}#decide`, 303);
  });
  server.post<{ Params: { id: string } }>('/decisions/:id/approve', async (request, reply) => {
    const person = personOf(request, parts.access);
    const { decisions } = parts;
    if (decisions === null) return missing(reply, contextOf(request, reply, parts));
    if (person?.role !== 'approver')
      return reply.code(403).type('text/plain').send('only an approver approves\n');
    const { id } = request.params;
    await approveDecision(parts, decisions, id, person.name);
    const system = decisions.list().find((one) => one.id === id)?.system ?? '';
    return reply.redirect(systemLink(system), 303);
  });
}

export function systemNamed({ live }: Pick<BoardParts, 'live'>, name: string): FleetSystem | null {
  return live.view.systems.find(({ config }) => config.name === name) ?? null;
}

function contextOf(request: FastifyRequest, reply: FastifyReply, parts: BoardParts): PageContext {
  return {
    language: languageOf(request, reply),
    now: parts.now(),
    path: request.url,
    fleet: parts.config.fleet.name,
    person: personOf(request, parts.access),
    canSignIn: parts.access.hasTokens,
    theme: themeOf(request),
  };
}

/** The page asks for its changing part alone. */
function isPart(request: FastifyRequest): boolean {
  return request.headers['x-part'] === 'main';
}

function page(reply: FastifyReply, text: string): FastifyReply {
  return reply.type('text/html; charset=utf-8').send(text);
}

function missing(reply: FastifyReply, context: PageContext): FastifyReply {
  const words = WORDS[context.language];
  return page(reply.code(404), layout(context, words.notFound, html`<h1>${words.notFound}</h1>`, ''));
}

/** `next`: the page that was asked for. */
function loginPage(
  reply: FastifyReply,
  context: PageContext,
  { next, wrong }: { readonly next: string; readonly wrong: boolean },
): FastifyReply {
  const words = WORDS[context.language];
  const main = html`<h1>${words.signIn}</h1>
    <form method="post" action="/login" class="login">
      ${wrong ? html`<p class="bad" role="alert">${words.tokenWrong}</p>` : null}
      ${next === '' ? null : html`<input type="hidden" name="next" value="${next}" />`}
      <label
        >${words.token} <input name="token" type="password" required autocomplete="off" autofocus
      /></label>
      <button type="submit">${words.signIn}</button>
    </form>`;
  return page(reply, layout(context, words.signIn, main, '/login'));
}

/** What was filled in is still there when the browser goes back. */
function notRecorded(reply: FastifyReply, context: PageContext, wrong: readonly string[]): FastifyReply {
  const words = WORDS[context.language];
  const main = html`<h1>${words.notRecorded}</h1>
    <p class="bad" role="alert">${words.notRecordedWhy(wrong.join(', '))}</p>`;
  return page(reply.code(400), layout(context, words.notRecorded, main, ''));
}

/** Null: it was removed since it was published. */
async function contentOf(file: string): Promise<Buffer | null> {
  try {
    return await readFile(file);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}

/** A field of a form or a query; empty when it is not there. */
function fieldOf(body: unknown, name: string): string {
  const value: unknown =
    typeof body === 'object' && body !== null ? Object.getOwnPropertyDescriptor(body, name)?.value : null;
  return typeof value === 'string' ? value : '';
}
