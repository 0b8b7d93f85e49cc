import type { Connection } from 'mysql2/promise';
import { connectTarget } from '../connectors/mysql/address.ts';
import { comparePositions } from '../connectors/mysql/gtid.ts';
import { readLogEnd } from '../connectors/mysql/positions.ts';
import { openSession } from '../connectors/mysql/session.ts';
import { openChangeStream } from '../connectors/mysql/stream.ts';
import { LogMemory } from '../connectors/mysql/stream-memory.ts';
import { parseUrl } from '../src/config/url.ts';
import { waitUntil } from '../src/demo/cluster-wait.ts';
import type { ChangeStream } from '../src/connector/changes.ts';
import type { Position } from '../src/connector/position.ts';
import type { MysqlFlavor } from '../test/servers/harness/mysql-installation.ts';
import { rowsOf } from '../src/demo/mysql-endpoint.ts';
import { createMysqlServer, type MysqlServer } from '../test/servers/harness/mysql-server.ts';
import { type IntakeSource, ROWS_PER_INSERT } from './intake-source.ts';
import { cpuOf } from './measure.ts';
import { benchSettings, CREATE_ORDERS, insertOrders } from './mysql-servers.ts';

const DATABASE = 'bank';
const TIMEOUT_MS = 60_000;
const PURGE_TIMEOUT_MS = 600_000;
/** Transactions of the undo log that a server at rest may keep. */
const HISTORY_LEFT = 1000;
/** No server's, and no other stream's. */
const SERVER_ID = 4_000_000_001;

/** Keys at random by Lehmer's generator; a row that was set to what it is would not be logged. */
const SCATTER = `create procedure scatter (updates int, per int, total int)
begin
  declare done int default 0;
  declare seed bigint default per * 7919 + 1;
  start transaction;
  while done < updates do
    set done = done + 1, seed = seed * 48271 % 2147483647;
    update orders set amount = amount + 1 where id = 1 + seed % total;
    if done % per = 0 then commit; start transaction; end if;
  end while;
  commit;
end`;

/** A server with an empty table, whose log is followed from here on. */
export async function mysqlSource(flavor: MysqlFlavor): Promise<IntakeSource> {
  const server = await createMysqlServer({
    flavor,
    settings: {
      ...benchSettings(flavor),
      binlog_row_metadata: 'FULL',
      // A thread that served another connection before would bring its processor time along.
      thread_cache_size: '0',
      // Says which thread of the system a connection has; MariaDB's list of processes does.
      ...(flavor === 'mysql' ? { performance_schema: 'ON' } : {}),
    },
  });
  try {
    await server.sql(`create database ${DATABASE} character set utf8mb4`);
    for (const sql of [CREATE_ORDERS, SCATTER]) await server.sql(sql, [], DATABASE);
    return new MysqlSource(server, await logEnd(server));
  } catch (error) {
    await server.destroy();
    throw error;
  }
}

class MysqlSource implements IntakeSource {
  readonly comparePositions = comparePositions;
  readonly #server: MysqlServer;
  readonly #start: Position;

  constructor(server: MysqlServer, start: Position) {
    this.#server = server;
    this.#start = start;
  }

  readonly fill = (from: number, to: number): Promise<void> =>
    this.#within(async (session) => {
      for (let first = from; first <= to; first += ROWS_PER_INSERT) {
        const last = Math.min(first + ROWS_PER_INSERT - 1, to);
        await insertOrders(session, this.#server.flavor, first, last);
      }
    });

  readonly updateAtRandom = (updates: number, per: number, rows: number): Promise<void> =>
    this.#within(async (session) => {
      await session.query('call scatter(?, ?, ?)', [updates, per, rows]);
      await purged(session);
    });

  readonly updateAtOnce = (rows: number): Promise<void> =>
    this.#within(async (session) => {
      await session.query('update orders set amount = amount + 1 where id <= ?', [rows]);
      await purged(session);
    });

  readonly stream = (after: Position | null): Promise<ChangeStream> =>
    openChangeStream(
      targetOf(this.#server),
      { serverId: () => SERVER_ID, heartbeatMs: 1000, own: false, memory: () => new LogMemory() },
      { after: after ?? this.#start, pair: 'logical' },
      new AbortController().signal,
    );

  readonly senderSeconds = async (): Promise<number> => {
    const sql =
      this.#server.flavor === 'mysql'
        ? `select thread_os_id as thread from performance_schema.threads
           where processlist_command like 'Binlog Dump%' order by thread_id desc limit 1`
        : `select tid as thread from information_schema.processlist where command = 'Binlog Dump' order by id desc limit 1`;
    const [row] = await this.#server.sql(sql);
    if (row === undefined) return 0;
    return cpuOf(`${this.#server.pid}/task/${String(row['thread'])}`) ?? 0;
  };

  /** The next stream need not wait: the server ends an older one of the same number. */
  readonly streamEnded = (): Promise<void> => Promise.resolve();

  readonly destroy = (): Promise<void> => this.#server.destroy();

  async #within(action: (session: Connection) => Promise<void>): Promise<void> {
    const session = await this.#server.connect({ user: 'root', database: DATABASE });
    try {
      if (this.#server.flavor === 'mysql') {
        await rowsOf(session, `set cte_max_recursion_depth = ${ROWS_PER_INSERT + 1}`);
      }
      await action(session);
    } finally {
      await session.end();
    }
  }
}

/** Waits until the server has cleared away what the backlog left in its undo log: that is no part of sending it. */
async function purged(session: Connection): Promise<void> {
  const sql = `select count as length from information_schema.innodb_metrics where name = 'trx_rseg_history_len'`;
  await waitUntil(
    async () => Number((await rowsOf(session, sql))[0]?.['length'] ?? 0) < HISTORY_LEFT,
    PURGE_TIMEOUT_MS,
    () => 'the server does not get to the end of its undo log',
  );
}

function targetOf(server: MysqlServer): ReturnType<typeof connectTarget> {
  return connectTarget(parseUrl(server.url('root', DATABASE), 'argument').address, {});
}

async function logEnd(server: MysqlServer): Promise<Position> {
  const { signal } = new AbortController();
  const options = { purpose: 'catalog', statementTimeoutMs: TIMEOUT_MS } as const;
  const session = await openSession(targetOf(server), signal, options);
  try {
    return await readLogEnd(session, signal);
  } finally {
    await session.close();
  }
}
