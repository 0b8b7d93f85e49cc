import type { FastifyInstance } from 'fastify';
import type { BoardParts } from './pages.ts';
import { languageOf, SECURITY_HEADERS } from './requests.ts';

/** Pages open at once. */
const STREAMS_MAX = 1000;
/** A page that does not read what it is told is let go: it comes back and has all of it anew. */
const UNREAD_BYTES_MAX = 8 * 1024 * 1024;

/** `/events`: what changes, to every open page. */
export function addEvents(server: FastifyInstance, { live }: BoardParts): void {
  server.get('/events', (request, reply) => {
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
    const stop = live.listen(
      ({ name, data }) => {
        raw.write(`event: ${name}\ndata: ${data}\n\n`);
        if (raw.writableLength > UNREAD_BYTES_MAX) raw.destroy();
      },
      languageOf(request, null),
    );
    raw.on('close', stop);
    raw.on('error', stop);
    raw.write(`retry: 2000\nevent: beat\ndata: ${JSON.stringify({ at: live.view.at.toISOString() })}\n\n`);
  });
}
