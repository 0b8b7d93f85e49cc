import type { FastifyInstance, FastifyRequest } from 'fastify';
import { randomUUID } from 'node:crypto';
import type { LiveEvent } from './live.ts';
import type { BoardParts } from './pages.ts';
import { languageOf, SECURITY_HEADERS } from './requests.ts';

/** Pages open at once. */
const STREAMS_MAX = 1000;
/** A page that does not read what it is told is let go: it comes back and has all of it anew. */
const UNREAD_BYTES_MAX = 8 * 1024 * 1024;

/**
 * `/events`: what changes, to every open page. `rows`: with the rows of the overview; `since`: the page was made then, ISO
 * 8601, and is told first what has changed meanwhile, as is a browser that lost its connection and says which event it
 * had last. `hello` names the run of the board: whoever hears another one than before has a page of the one before.
 */
export function addEvents(server: FastifyInstance, { live }: BoardParts): void {
  const run = randomUUID();
  server.get<{ Querystring: { rows?: unknown; since?: unknown } }>(
    '/events',
    { exposeHeadRoute: false },
    (request, reply) => {
      if (live.listeners >= STREAMS_MAX) {
        void reply.code(503).type('text/plain').send('too many pages are open\n');
        return;
      }
      reply.hijack();
      const { raw } = reply;
      raw.writeHead(200, {
        ...SECURITY_HEADERS,
        'content-type': 'text/event-stream; charset=utf-8',
        'x-accel-buffering': 'no',
      });
      const { rows, since } = request.query;
      const language = rows === undefined ? null : languageOf(request, null);
      const send = ({ name, at, data }: LiveEvent): void => {
        raw.write(`event: ${name}\nid: ${at}\ndata: ${data}\n\n`);
        if (raw.writableLength > UNREAD_BYTES_MAX) raw.destroy();
      };
      raw.write(`retry: 2000\nevent: hello\ndata: ${JSON.stringify({ run })}\n\n`);
      send(live.news(sinceOf(since, request), language));
      const stop = live.listen(send, language);
      raw.on('close', stop);
      raw.on('error', stop);
    },
  );
}

/** Epoch milliseconds up to which the page has everything; NaN: it does not say. */
function sinceOf(since: unknown, { headers }: Pick<FastifyRequest, 'headers'>): number {
  const last = headers['last-event-id'];
  const times = [since, last].map((one) => (typeof one === 'string' ? Date.parse(one) : Number.NaN));
  const known = times.filter((time) => !Number.isNaN(time));
  return known.length === 0 ? Number.NaN : Math.max(...known);
}
