import type { Duplex } from 'node:stream';
import type { Connection, QueryError } from 'mysql2';
import { interruption, throwIfInterrupted } from '../../src/connector/interruption.ts';
import { TwinproofError } from '../../src/errors.ts';
import type { ConnectTarget } from './address.ts';
import { killQuery } from './cancel.ts';
import { failureOf } from './failure.ts';
import { closeConnection, login } from './login.ts';
import { parseVersion, settingsStatements, type Flavor, type SessionOptions } from './settings.ts';

/** The oldest servers whose catalogs and protocol are known here. */
export const OLDEST_MYSQL = 80_000;
export const OLDEST_MARIADB = 100_600;

/** After an abort the server gets this long to end the statement before the socket is closed. */
const KILL_GRACE_MS = 3_000;
export type CatalogParameter = string | bigint | null;
export type CatalogRow = Record<string, string | null>;

/** One pinned, read-only connection. */
export interface Session {
  readonly target: ConnectTarget;
  readonly flavor: Flavor;
  /** 90700 is MySQL 9.7.0, 101114 is MariaDB 10.11.14. */
  readonly version: number;
  readonly versionText: string;
  /** By which KILL QUERY knows this connection, also behind a proxy. */
  readonly connectionId: bigint;
  /** The stream below the driver: the socket, or TLS over it. */
  readonly stream: Duplex;
  /**
   * The rows of one statement, after all earlier ones of this session, over the text protocol: every value is text
   * (UTF-8) or null. Throws TwinproofError (failure.ts), or the signal's reason when aborted; the server is told to
   * stop.
   */
  rows<Row extends CatalogRow>(
    sql: string,
    parameters: readonly CatalogParameter[],
    signal: AbortSignal,
  ): Promise<Row[]>;
  close(): Promise<void>;
}

/**
 * Opens a connection with everything pinned (settings.ts). Throws TP-UNREACHABLE, TP-AUTH, TP-DATABASE, TP-TLS,
 * TP-PERMISSION, TP-VERSION.
 */
export async function openSession(
  target: ConnectTarget,
  signal: AbortSignal,
  options: SessionOptions,
): Promise<Session> {
  throwIfInterrupted(signal);
  const connection = await login(target, signal);
  try {
    return await pin(connection, target, signal, options);
  } catch (error) {
    await closeConnection(connection);
    throw error;
  }
}

async function pin(
  connection: Connection,
  target: ConnectTarget,
  signal: AbortSignal,
  options: SessionOptions,
): Promise<Session> {
  const identity = { connectionId: 0n };
  const run = runner(connection, target, identity);
  const [row] = await run<{ version: string; id: string }>(
    'SELECT VERSION() AS version, CONNECTION_ID() AS id',
    [],
    signal,
  );
  const server = row === undefined ? null : parseVersion(row.version);
  if (row === undefined || server === null) {
    throw new TwinproofError('TP-VERSION', { message: `${target.label} does not tell its version` });
  }
  const oldest = server.flavor === 'mariadb' ? OLDEST_MARIADB : OLDEST_MYSQL;
  if (server.version < oldest) {
    throw new TwinproofError('TP-VERSION', {
      message: `${target.label} runs ${row.version}, which is too old`,
      hint: 'MySQL from 8.0 and MariaDB from 10.6 on are supported',
    });
  }
  identity.connectionId = BigInt(row.id);
  for (const statement of settingsStatements(server, options)) await run(statement, [], signal);
  return {
    target,
    flavor: server.flavor,
    version: server.version,
    versionText: row.version,
    connectionId: identity.connectionId,
    stream: streamOf(connection),
    rows: run,
    close: () => closeConnection(connection),
  };
}

/** The driver puts the TLS socket in place of the one it was given; its types do not say so. */
function streamOf(connection: Connection): Duplex {
  const stream: unknown = 'stream' in connection ? connection.stream : null;
  if (!isDuplex(stream)) throw new TwinproofError('TP-BUG', { message: 'the driver shows no stream' });
  return stream;
}

function isDuplex(value: unknown): value is Duplex {
  return typeof value === 'object' && value !== null && 'write' in value && 'destroy' in value;
}

/** Statements of one connection one after another, each bound to a signal. */
function runner(
  connection: Connection,
  target: ConnectTarget,
  identity: { readonly connectionId: bigint },
): Session['rows'] {
  let tail: Promise<unknown> = Promise.resolve();
  return <Row extends CatalogRow>(
    sql: string,
    parameters: readonly CatalogParameter[],
    signal: AbortSignal,
  ) => {
    const result = tail.then(() => runOne<Row>(connection, target, identity, sql, parameters, signal));
    tail = result.catch(() => undefined);
    return result;
  };
}

async function runOne<Row extends CatalogRow>(
  connection: Connection,
  target: ConnectTarget,
  identity: { readonly connectionId: bigint },
  sql: string,
  parameters: readonly CatalogParameter[],
  signal: AbortSignal,
): Promise<Row[]> {
  throwIfInterrupted(signal);
  let grace: NodeJS.Timeout | undefined;
  const onAbort = (): void => {
    if (identity.connectionId !== 0n) void killQuery(target, identity.connectionId);
    grace = setTimeout(() => connection.destroy(), KILL_GRACE_MS);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const rows = await query<Row>(connection, sql, parameters);
    // A statement that was killed can end like any other: SLEEP() of MySQL does.
    throwIfInterrupted(signal);
    return rows;
  } catch (error) {
    if (signal.aborted) throw interruption(signal);
    throw failureOf(error, 'query', target.label);
  } finally {
    clearTimeout(grace);
    signal.removeEventListener('abort', onAbort);
  }
}

function query<Row extends CatalogRow>(
  connection: Connection,
  sql: string,
  parameters: readonly CatalogParameter[],
): Promise<Row[]> {
  return new Promise((resolve, reject) => {
    const options = {
      sql,
      values: [...parameters],
      typeCast: (field: { buffer(): Buffer | null }) => field.buffer()?.toString('utf8') ?? null,
    };
    connection.query<never[]>(options, (error: QueryError | null, rows: unknown) => {
      if (error !== null) reject(error);
      // A statement without a result answers with a header and no rows.
      else resolve(Array.isArray(rows) ? rows : []);
    });
  });
}
