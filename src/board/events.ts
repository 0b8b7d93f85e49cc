import type { FastifyInstance } from 'fastify';
import type { LiveEvent } from './live.ts';
import type { BoardParts } from './pages.ts';
import { languageOf, SECURITY_HEADERS } from './requests.ts';

/** Pages open at once. */
const STREAMS_MAX = 1000;
/** A page that does not read what it is told is let go: it comes back and has all of it anew. */
const UNREAD_BYTES_MAX = 8 * 1024 * 1024;

/**
 * `/events`: what changes, to every open page. `rows`: with the rows of the overview; `since`: the page was made then, ISO
 * 8601, and is told first what has changed meanwhile.
 */
export function addEvents(server: FastifyInstance, { live }: BoardParts): void {
  server.get<{ Querystring: { rows?: unknown; since?: unknown } }>('/events', (request, reply) => {
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
    const send = ({ name, data }: LiveEvent): void => {
      raw.write(`event: ${name}\ndata: ${data}\n\n`);
      if (raw.writableLength > UNREAD_BYTES_MAX) raw.destroy();
    };
    raw.write('retry: 2000\n');
    send(live.news(typeof since === 'string' ? Date.parse(since) : Number.NaN, language));
    const stop = live.listen(send, language);
    raw.on('close', stop);
    raw.on('error', stop);
  });
}
