import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { BoardToken, Role } from '../config/fleet.ts';

const SESSION_MS = 12 * 3_600_000;
const SESSIONS_MAX = 10_000;
export const SESSION_COOKIE = 'twinproof_session';

export interface Person {
  readonly name: string;
  readonly role: Role;
}

interface Session extends Person {
  readonly endsAt: number;
}

/** Who may do what. Without tokens whoever reaches the board may look, and nobody may decide. */
export class Access {
  readonly #tokens: readonly (Person & { readonly digest: Buffer })[];
  readonly #now: () => number;
  readonly #sessions = new Map<string, Session>();

  constructor(tokens: readonly BoardToken[], now: () => number) {
    this.#tokens = tokens.map(({ name, role, token }) => ({ name, role, digest: digestOf(token.reveal()) }));
    this.#now = now;
  }

  get hasTokens(): boolean {
    return this.#tokens.length > 0;
  }

  /** Null: nobody has this token. */
  personOf(token: string): Person | null {
    const digest = digestOf(token);
    let found: Person | null = null;
    // Every one is compared, so that time tells nothing.
    for (const { name, role, digest: known } of this.#tokens) {
      if (timingSafeEqual(known, digest)) found = { name, role };
    }
    return found;
  }

  /** The id of a new session: what the browser keeps in place of the token. */
  begin({ name, role }: Person): string {
    this.#forgetOld();
    const id = randomBytes(32).toString('base64url');
    this.#sessions.set(id, { name, role, endsAt: this.#now() + SESSION_MS });
    return id;
  }

  end(id: string): void {
    this.#sessions.delete(id);
  }

  /** Null: it has ended, or never was. */
  inSession(id: string): Person | null {
    const session = this.#sessions.get(id);
    return session === undefined || session.endsAt <= this.#now()
      ? null
      : { name: session.name, role: session.role };
  }

  #forgetOld(): void {
    const now = this.#now();
    for (const [id, { endsAt }] of this.#sessions) if (endsAt <= now) this.#sessions.delete(id);
    const [oldest] = this.#sessions.keys();
    if (oldest !== undefined && this.#sessions.size >= SESSIONS_MAX) this.#sessions.delete(oldest);
  }
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/** One cookie of a request; null: it has none of this name. */
export function cookieOf(header: string | undefined, name: string): string | null {
  for (const part of (header ?? '').split(';')) {
    const at = part.indexOf('=');
    if (at > 0 && part.slice(0, at).trim() === name) return part.slice(at + 1).trim();
  }
  return null;
}
