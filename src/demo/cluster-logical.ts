import { escapeIdentifier, escapeLiteral } from 'pg';
import type { Cluster } from './cluster.ts';
import { connectionString } from './cluster-settings.ts';
import { writtenLsn } from './cluster-standby.ts';
import { waitUntil } from './cluster-wait.ts';

export interface LogicalOptions {
  /** Name of the database on both servers; default `postgres`. The caller has made the same schema on both. */
  readonly database?: string;
  /** Tables as SQL, quoted where needed, such as `public.account`. */
  readonly tables: readonly string[];
  /** Name of the publication, subscription and slot; letters, digits and `_`. Default `twinproof`. */
  readonly name?: string;
  /** Whether rows that exist already are copied; default true. */
  readonly copyData?: boolean;
  /** More of CREATE PUBLICATION's WITH list, such as `publish_via_partition_root = true`. */
  readonly publicationOptions?: string;
  /** More of CREATE SUBSCRIPTION's WITH list, such as `binary = true, origin = none`. */
  readonly subscriptionOptions?: string;
  /** Bound of the first copy in milliseconds; default 60 s. */
  readonly timeoutMs?: number;
}

/** A publication on one server and the subscription to it on another. */
export interface LogicalPair {
  readonly publisher: Cluster;
  readonly subscriber: Cluster;
  readonly database: string;
  /** Of the publication, the subscription and the slot. */
  readonly name: string;
}

/**
 * Publishes tables of one server and subscribes another to them; returns when every table is in step (state `r`).
 * @throws TwinproofError TP-DEMO with the end of the subscriber's log when that takes too long.
 */
export async function createLogicalPair(
  publisher: Cluster,
  subscriber: Cluster,
  options: LogicalOptions,
): Promise<LogicalPair> {
  const pair: LogicalPair = {
    publisher,
    subscriber,
    database: options.database ?? 'postgres',
    name: options.name ?? 'twinproof',
  };
  const name = escapeIdentifier(pair.name);
  const published = options.publicationOptions === undefined ? '' : ` WITH (${options.publicationOptions})`;
  await publisher.query(
    pair.database,
    `CREATE PUBLICATION ${name} FOR TABLE ${options.tables.join(', ')}${published}`,
  );
  const upstream = connectionString({
    host: '127.0.0.1',
    port: String(publisher.port),
    user: 'postgres',
    dbname: pair.database,
    ...(publisher.password === null ? {} : { password: publisher.password }),
  });
  const choices = [`copy_data = ${options.copyData ?? true}`];
  if (options.subscriptionOptions !== undefined) choices.push(options.subscriptionOptions);
  await subscriber.query(
    pair.database,
    `CREATE SUBSCRIPTION ${name} CONNECTION ${escapeLiteral(upstream)} PUBLICATION ${name} WITH (${choices.join(', ')})`,
  );
  await waitForTables(pair, options.timeoutMs);
  return pair;
}

/** Waits until the first copy of every table of the subscription is done and in step. @throws TwinproofError TP-DEMO */
export async function waitForTables(pair: LogicalPair, timeoutMs = 60_000): Promise<void> {
  const session = await pair.subscriber.connect(pair.database);
  try {
    const done = async (): Promise<boolean> => {
      const text = `SELECT count(*) FILTER (WHERE r.srsubstate <> 'r') = 0 AS done
          FROM pg_subscription_rel r JOIN pg_subscription s ON s.oid = r.srsubid WHERE s.subname = $1`;
      return (await session.query<{ done: boolean }>(text, [pair.name])).rows[0]?.done === true;
    };
    await waitUntil(done, timeoutMs, () => late(pair, 'did not copy its tables in time'));
  } finally {
    await session.end();
  }
}

/**
 * Waits until the subscriber has applied every commit before `lsn`, by default all that the publisher has written by
 * now; returns the LSN waited for. @throws TwinproofError TP-DEMO with the end of the subscriber's log.
 */
export async function waitForApply(pair: LogicalPair, lsn?: string, timeoutMs = 30_000): Promise<string> {
  const goal = lsn ?? (await writtenLsn(pair.publisher));
  const session = await pair.publisher.connect(pair.database);
  try {
    const done = async (): Promise<boolean> => {
      const text = `SELECT coalesce(bool_or(replay_lsn >= $2::pg_lsn AND state = 'streaming'), false) AS done
          FROM pg_stat_replication WHERE application_name = $1`;
      return (await session.query<{ done: boolean }>(text, [pair.name, goal])).rows[0]?.done === true;
    };
    await waitUntil(done, timeoutMs, () => late(pair, `did not apply ${goal} in time`));
  } finally {
    await session.end();
  }
  return goal;
}

async function late(pair: LogicalPair, what: string): Promise<string> {
  return `subscription ${pair.name} of "${pair.subscriber.name}" ${what}: ${await pair.subscriber.log(5)}`;
}
