import type { MysqlRow, MysqlEndpoint } from './mysql-endpoint.ts';

/** `io` receives, `sql` applies. */
export type ReplicationThread = 'both' | 'io' | 'sql';

/** Words that MySQL has renamed and MariaDB has not (it takes REPLICA where SLAVE stands, but not SOURCE). */
const WORDS = {
  mysql: {
    status: 'SHOW REPLICA STATUS',
    executed: 'SELECT @@GLOBAL.gtid_executed AS position',
    reached: 'SELECT WAIT_FOR_EXECUTED_GTID_SET(?, 0.1) AS answer',
  },
  mariadb: {
    status: 'SHOW REPLICA STATUS',
    executed: 'SELECT @@GLOBAL.gtid_binlog_pos AS position',
    reached: 'SELECT MASTER_GTID_WAIT(?, 0.1) AS answer',
  },
} as const;

/** What keeps a replica in step with its source. */
export class Replication {
  private readonly source: MysqlEndpoint;
  private readonly replica: MysqlEndpoint;

  constructor(source: MysqlEndpoint, replica: MysqlEndpoint) {
    this.source = source;
    this.replica = replica;
  }

  /** Makes a server without data the replica of the source, by GTIDs, and starts. A broken link is tried each second. */
  async follow(login: { readonly user: string; readonly password: string }): Promise<void> {
    const { host, port } = this.source;
    if (this.replica.flavor === 'mysql') {
      await this.replica.sql(
        `CHANGE REPLICATION SOURCE TO SOURCE_HOST = ?, SOURCE_PORT = ?, SOURCE_USER = ?, SOURCE_PASSWORD = ?,
           SOURCE_AUTO_POSITION = 1, SOURCE_SSL = 0, GET_SOURCE_PUBLIC_KEY = 1, SOURCE_CONNECT_RETRY = 1,
           SOURCE_RETRY_COUNT = 100000, SOURCE_HEARTBEAT_PERIOD = 1;
         START REPLICA`,
        [host, port, login.user, login.password],
      );
    } else {
      await this.replica.sql(
        `CHANGE MASTER TO MASTER_HOST = ?, MASTER_PORT = ?, MASTER_USER = ?, MASTER_PASSWORD = ?,
           MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 1, MASTER_HEARTBEAT_PERIOD = 1;
         START SLAVE`,
        [host, port, login.user, login.password],
      );
    }
  }

  /** The one row of SHOW REPLICA STATUS, named by MySQL or MariaDB; null on a server that follows nobody. */
  async status(): Promise<MysqlRow | null> {
    return (await this.replica.sql(WORDS[this.replica.flavor].status))[0] ?? null;
  }

  async caughtUp(timeoutMs: number): Promise<void> {
    const { executed, reached } = WORDS[this.source.flavor];
    const position = String((await this.source.sql(executed))[0]?.['position']).replaceAll('\n', '');
    const deadline = Date.now() + timeoutMs;
    // The server waits a tenth of a second, so this loop is no busy one.
    while (Number((await this.replica.sql(reached, [position]))[0]?.['answer']) !== 0) {
      const fault = await this.fault();
      if (fault !== null) throw new Error(`the replica has stopped: ${fault}`);
      if (Date.now() > deadline) {
        throw new Error(`the replica did not reach ${position}: ${JSON.stringify(await this.status())}`);
      }
    }
  }

  async stop(thread: ReplicationThread): Promise<void> {
    await this.replica.sql(`STOP REPLICA${threadWord(thread)}`);
  }

  async start(thread: ReplicationThread): Promise<void> {
    await this.replica.sql(`START REPLICA${threadWord(thread)}`);
  }

  /** The error that stopped a thread, or null. One that tries again, to connect or to apply, has not stopped. */
  private async fault(): Promise<string | null> {
    const status = await this.status();
    if (status === null) return 'it follows nobody';
    const stopped = (thread: 'IO' | 'SQL'): boolean =>
      ['Replica', 'Slave'].some((word) => status[`${word}_${thread}_Running`] === 'No');
    if (stopped('IO') && Number(status['Last_IO_Errno']) !== 0) return String(status['Last_IO_Error']);
    return stopped('SQL') && Number(status['Last_SQL_Errno']) !== 0 ? String(status['Last_SQL_Error']) : null;
  }
}

function threadWord(thread: ReplicationThread): string {
  return thread === 'both' ? '' : ` ${thread === 'io' ? 'IO' : 'SQL'}_THREAD`;
}
