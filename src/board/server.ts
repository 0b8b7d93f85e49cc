import { fastify, type FastifyInstance } from 'fastify';
import { Server as TlsServer } from 'node:tls';
import type { BoardConfig } from '../config/fleet.ts';
import { messageOf, TwinproofError } from '../errors.ts';
import { addApi } from './api.ts';
import { addEvents } from './events.ts';
import { addPages, type BoardParts } from './pages.ts';
import { isOwnHost, isOwnPage, loginPath, personOf, refuse, SECURITY_HEADERS } from './requests.ts';
import { readTls, TlsRenewal } from './tls.ts';

/** A form with a reason of 4,000 letters, in any script, fits many times. */
const BODY_BYTES_MAX = 128 * 1024;
/** Answered to everybody: what a load balancer asks, and what a browser needs to sign in. */
const OPEN = new Set([
  '/healthz',
  '/readyz',
  '/login',
  '/assets/board.css',
  '/assets/board.js',
  '/assets/icon.svg',
]);

export interface Board {
  /** Where it listens, as a URL. */
  readonly url: string;
  /**
   * Takes in a certificate that was renewed; to be called again and again. The answer: there was one. Throws TP-BOARD, once
   * for each, when what lies there now cannot be used: the old one is served on.
   */
  renewTls(): boolean;
  close(): Promise<void>;
}

/** Serves the board. Throws TP-BOARD when it cannot listen there, or its certificate cannot be read. */
export async function serveBoard(parts: BoardParts, config: BoardConfig): Promise<Board> {
  const renewal = config.tls === null ? null : new TlsRenewal(config.tls);
  const server = buildServer(parts, config);
  const renewTls = (): boolean => {
    const files = renewal?.next(parts.now()) ?? null;
    if (files !== null && server.server instanceof TlsServer) server.server.setSecureContext(files);
    return files !== null;
  };
  try {
    const url = await server.listen({ host: config.host, port: config.port });
    return { url, renewTls, close: () => server.close() };
  } catch (error) {
    await server.close().catch(() => undefined);
    throw new TwinproofError('TP-BOARD', {
      message: `the board cannot listen on ${config.host}:${config.port}: ${messageOf(error)}`,
      cause: error,
    });
  }
}

function buildServer(parts: BoardParts, config: BoardConfig): FastifyInstance {
  const common = { logger: false, bodyLimit: BODY_BYTES_MAX, forceCloseConnections: true } as const;
  const server: FastifyInstance =
    config.tls === null ? fastify(common) : fastify({ ...common, https: readTls(config.tls, parts.now()) });
  server.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string' },
    (_request, body, done) => done(null, Object.fromEntries(new URLSearchParams(String(body)))),
  );
  addGuards(server, parts, config);
  addPages(server, parts);
  addApi(server, parts);
  addEvents(server, parts);
  return server;
}

function addGuards(server: FastifyInstance, { access }: BoardParts, config: BoardConfig): void {
  server.addHook('onRequest', async (request, reply) => {
    reply.headers(SECURITY_HEADERS);
    if (config.tls !== null) reply.header('strict-transport-security', 'max-age=31536000');
    if (!isOwnHost(request, config.host)) {
      return refuse(request, reply, 421, 'this board does not answer to that name');
    }
    if (request.method !== 'GET' && request.method !== 'HEAD' && !isOwnPage(request)) {
      return refuse(request, reply, 403, 'this request comes from another page');
    }
    const [path] = request.url.split('?');
    if (!access.hasTokens || OPEN.has(path ?? '') || personOf(request, access) !== null) return undefined;
    const isPage = request.method === 'GET' && (request.headers.accept ?? '').includes('text/html');
    if (isPage) return reply.redirect(loginPath(request.url));
    return refuse(request, reply.header('www-authenticate', 'Bearer'), 401, 'a token is wanted');
  });
  server.setErrorHandler(async (error, request, reply) => {
    const { status, message } = statusOf(error);
    return refuse(request, reply, status, message);
  });
}

/** What is said of an error to whoever asked: nothing of the inside. */
function statusOf(error: unknown): { readonly status: number; readonly message: string } {
  if (error instanceof TwinproofError) {
    if (error.code === 'TP-USAGE') return { status: 409, message: error.message };
    return { status: 503, message: `${error.message}. ${error.hint}` };
  }
  const status =
    error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number'
      ? error.statusCode
      : 500;
  return status < 500 ? { status, message: messageOf(error) } : { status, message: 'internal error' };
}
