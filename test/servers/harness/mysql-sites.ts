import { expect } from 'vitest';
import { connectTarget } from '../../../connectors/mysql/address.ts';
import { comparePositions } from '../../../connectors/mysql/gtid.ts';
import { readApplied, readHead } from '../../../connectors/mysql/positions.ts';
import { readFindings } from '../../../connectors/mysql/preflight.ts';
import { relateSites, type SiteRelation } from '../../../connectors/mysql/relation.ts';
import { openSession, type Session } from '../../../connectors/mysql/session.ts';
import { parseUrl } from '../../../src/config/url.ts';
import type { Finding } from '../../../src/connector/identity.ts';
import type { Position, PositionOrder } from '../../../src/connector/position.ts';
import { VERIFIER } from './mysql-accounts.ts';
import { createMysqlPair, type MysqlPair, type MysqlPairOptions } from './mysql-pair.ts';
import type { MysqlServer } from './mysql-server.ts';

/** Two rows with ids 1 and 2. */
const SCHEMA =
  'CREATE TABLE t (id INT PRIMARY KEY, v INT) ENGINE=InnoDB; INSERT INTO t VALUES (1, 1), (2, 2)';

/** A pair with sessions of the verifier, and the questions about it. */
export interface MysqlSites {
  readonly pair: MysqlPair;
  readonly source: Session;
  readonly replica: Session;
  readonly relate: () => Promise<SiteRelation>;
  readonly head: () => Promise<Position>;
  /** How what the replica has applied stands to a position. */
  readonly order: (to: Position) => Promise<PositionOrder>;
  /** Of the replica, when it is known whose it is. */
  readonly findings: () => Promise<readonly Finding[]>;
}

/** Servers and sessions of one test file, all closed together. */
export class SiteTests {
  private readonly things: { destroy(): Promise<void> }[] = [];
  private readonly sessions: Session[] = [];

  own<T extends { destroy(): Promise<void> }>(thing: T): T {
    this.things.push(thing);
    return thing;
  }

  /** A session of the connector's, in the database `bank` and as the verifier unless told otherwise. */
  async open(
    server: MysqlServer,
    { user, password }: { user: string; password: string } = VERIFIER,
    host = '127.0.0.1',
    database = 'bank',
  ): Promise<Session> {
    const url = server.url(user, database, password).replace('127.0.0.1', host);
    const target = connectTarget(parseUrl(url, 'secret').address, {});
    const session = await openSession(target, signal(), { purpose: 'catalog', statementTimeoutMs: 30_000 });
    this.sessions.push(session);
    return session;
  }

  async pair(options: MysqlPairOptions): Promise<MysqlSites> {
    const settings = options.flavor === 'mariadb' ? { gtid_strict_mode: 'ON' } : {};
    const pair = this.own(await createMysqlPair({ schema: SCHEMA, settings, ...options }));
    const [source, replica] = [await this.open(pair.source), await this.open(pair.replica)];
    const relate = (): Promise<SiteRelation> => relateSites(replica, source, signal());
    return {
      pair,
      source,
      replica,
      relate,
      head: async () => (await readHead(source, signal())).head,
      order: async (to) => {
        const { applied } = await readApplied(replica, (await relate()).lineage, signal());
        return orderOf(applied, to);
      },
      findings: async () => readFindings(replica, () => true, (await relate()).lineage, signal()),
    };
  }

  async close(): Promise<void> {
    for (const session of this.sessions) await session.close();
    for (const thing of this.things) await thing.destroy();
  }
}

export function signal(): AbortSignal {
  return AbortSignal.timeout(60_000);
}

export function orderOf(at: Position | null, to: Position): PositionOrder {
  return at === null ? 'incomparable' : comparePositions(at, to);
}

/** Waits until a reading is as wanted. */
export async function until<T>(wanted: T, read: () => Promise<T>): Promise<void> {
  await expect.poll(read, { timeout: 20_000, interval: 20 }).toEqual(wanted);
}

/** Of all findings that ask for something to be done. */
export function codes(findings: readonly Finding[]): string[] {
  return findings.filter(({ severity }) => severity !== 'info').map(({ code }) => code);
}
