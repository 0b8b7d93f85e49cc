import { connectTarget } from '../../../connectors/mysql/address.ts';
import { openSession, type Session } from '../../../connectors/mysql/session.ts';
import { parseUrl } from '../../../src/config/url.ts';
import { VERIFIER } from './mysql-accounts.ts';
import type { MysqlServer } from './mysql-server.ts';

export interface CatalogSessions {
  /** A session of the connector's, as the verifier unless told otherwise. */
  open(server: MysqlServer, login?: { user: string; password: string }, host?: string): Promise<Session>;
  close(): Promise<void>;
}

/** Sessions of connectors/mysql to servers of ours, in the database `bank`, all closed together. */
export function catalogSessions(): CatalogSessions {
  const sessions: Session[] = [];
  return {
    async open(server, { user, password } = VERIFIER, host = '127.0.0.1') {
      const url = server.url(user, 'bank', password).replace('127.0.0.1', host);
      const target = connectTarget(parseUrl(url, 'secret').address, {});
      const options = { purpose: 'catalog', statementTimeoutMs: 30_000 } as const;
      const session = await openSession(target, AbortSignal.timeout(60_000), options);
      sessions.push(session);
      return session;
    },
    async close() {
      for (const session of sessions) await session.close();
    },
  };
}
