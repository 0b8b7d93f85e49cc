import { connectMysql, type MysqlConnector } from '../../../connectors/mysql/connector.ts';
import { parseUrl } from '../../../src/config/url.ts';
import { judgeReadiness, type ReadinessResult } from '../../../src/readiness/judge.ts';
import type { AUDITOR, VERIFIER } from './mysql-accounts.ts';
import type { MysqlServer } from './mysql-server.ts';

const signal = (): AbortSignal => AbortSignal.timeout(30_000);

/** A site of its own, read by that account. */
export function connectAs(
  server: MysqlServer,
  { user, password }: typeof AUDITOR | typeof VERIFIER,
  database: string,
): Promise<MysqlConnector> {
  const { address } = parseUrl(server.url(user, database, password), 'secret');
  return connectMysql(address, { jobs: 1, statementTimeoutMs: 20_000 }, signal());
}

/** What `readiness` finds on a source and its replica. */
export async function judgePair(
  primary: MysqlConnector,
  candidate: MysqlConnector,
): Promise<readonly ReadinessResult[]> {
  const site = async (connector: MysqlConnector, as: 'primary' | 'candidate') => ({
    identity: await connector.identify(signal()),
    facts: await connector.readiness(signal(), { pair: 'logical', as }),
  });
  return judgeReadiness({
    pair: 'logical',
    primary: await site(primary, 'primary'),
    candidate: await site(candidate, 'candidate'),
  });
}

/** Codes of what a person would be told to look at, in either mode. */
export function findingsOf(results: readonly ReadinessResult[]): string[] {
  const above = results.filter(
    ({ state, severity }) =>
      state !== 'pass' && !(severity.switchover === 'info' && severity.failover === 'info'),
  );
  return [...new Set(above.map(({ code, state }) => (state === 'fail' ? code : `${code} ${state}`)))];
}
