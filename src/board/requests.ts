import type { FastifyReply, FastifyRequest } from 'fastify';
import { isLoopback } from '../config/fleet.ts';
import { type Access, cookieOf, type Person, SESSION_COOKIE } from './access.ts';
import type { PageContext } from './layout.ts';
import { LANGUAGES, type Language } from './words.ts';

const LANGUAGE_COOKIE = 'twinproof_lang';
const THEME_COOKIE = 'twinproof_theme';

/** Sent with every answer. Nothing of another origin is loaded, and no other origin may frame or read this one. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
};

/** Who asks; null: nobody that is known. A bearer token for programs, a session for browsers. */
export function personOf(request: FastifyRequest, access: Access): Person | null {
  const bearer = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (bearer !== undefined) return access.personOf(bearer.trim());
  const session = cookieOf(request.headers.cookie, SESSION_COOKIE);
  return session === null ? null : access.inSession(session);
}

/**
 * On a loopback address only its own names are answered to: a page of another site whose name was made to lead here
 * would otherwise read everything.
 */
export function isOwnHost(request: FastifyRequest, boundTo: string): boolean {
  if (!isLoopback(boundTo)) return true;
  const host = (request.headers.host ?? '').replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
  return isLoopback(host);
}

/** Whether a request that changes something comes from a page of our own, or from a program with a token. */
export function isOwnPage(request: FastifyRequest): boolean {
  if (request.headers.authorization !== undefined) return true;
  const site = request.headers['sec-fetch-site'];
  if (site !== undefined) return site === 'same-origin';
  const { origin, host } = request.headers;
  return origin !== undefined && URL.canParse(origin) && new URL(origin).host === host;
}

/** Where to sign in, and come back from to this page. */
export function loginPath(url: string): string {
  return url === '/' ? '/login' : `/login?next=${encodeURIComponent(url)}`;
}

/** Path and query of a page of our own; of whatever leads elsewhere, the overview's. Pure. */
export function ownPath(next: string): string {
  const base = 'http://board.invalid';
  if (!next.startsWith('/') || !URL.canParse(next, base)) return '/';
  const { origin, pathname, search } = new URL(next, base);
  return origin === base && !pathname.startsWith('//') ? `${pathname}${search}` : '/';
}

/** As asked for in the address, which is remembered; as before; or as the browser prefers. */
export function languageOf(request: FastifyRequest, reply: FastifyReply | null): Language {
  const query: unknown = request.query;
  const asked: unknown =
    typeof query === 'object' && query !== null
      ? Object.getOwnPropertyDescriptor(query, 'lang')?.value
      : null;
  const chosen = LANGUAGES.find((one) => one === asked);
  if (chosen !== undefined) {
    reply?.header('set-cookie', `${LANGUAGE_COOKIE}=${chosen}; Path=/; Max-Age=31536000; SameSite=Strict`);
    return chosen;
  }
  const kept = cookieOf(request.headers.cookie, LANGUAGE_COOKIE);
  const preferred = (request.headers['accept-language'] ?? '').slice(0, 2).toLowerCase();
  return LANGUAGES.find((one) => one === kept) ?? LANGUAGES.find((one) => one === preferred) ?? 'en';
}

export function themeOf(request: FastifyRequest): PageContext['theme'] {
  const theme = cookieOf(request.headers.cookie, THEME_COOKIE);
  return theme === 'light' || theme === 'dark' ? theme : null;
}

/** Says no: to programs that ask under `/api` as JSON, to everybody else as a line of text. */
export function refuse(
  request: FastifyRequest,
  reply: FastifyReply,
  status: number,
  message: string,
): FastifyReply {
  reply.code(status);
  return isForPrograms(request)
    ? reply.send({ error: message })
    : reply.type('text/plain').send(`${message}\n`);
}

export function isForPrograms({ url }: Pick<FastifyRequest, 'url'>): boolean {
  return url.startsWith('/api/');
}
