// oxlint-disable-next-line import/no-unassigned-import -- the driver looks for it while it is loaded
import './runtime-name.ts';
import { Client, type QueryResultRow } from 'pg';
import { interruption, throwIfInterrupted } from '../../src/connector/interruption.ts';
import { TwinproofError } from '../../src/errors.ts';
import type { ConnectTarget } from './address.ts';
import { cancelBackend, type BackendKey } from './cancel.ts';
import { failureOf } from './failure.ts';
import { passwordFor } from './passfile.ts';
import { settingsQuery, type SessionOptions } from './settings.ts';

/** The oldest server whose catalogs and plans are known here (Tid Range Scan, binary pgoutput). */
export const OLDEST_VERSION = 14;
/** The newest one that was tested; a newer one is used with a warning. */
export const NEWEST_VERSION = 18;

/** After an abort the server gets this long to answer the cancel request before the socket is closed. */
const CANCEL_GRACE_MS = 3_000;
/** A server that says nothing any more is not waited for to say goodbye. */
const CLOSE_GRACE_MS = 3_000;
const KEEPALIVE_DELAY_MS = 10_000;

/** One pinned, read-only connection. */
export interface Session {
  readonly client: Client;
  readonly target: ConnectTarget;
  readonly key: BackendKey;
  /** `server_version_num`, such as 150018. */
  readonly versionNumber: number;
  readonly encoding: string;
  /** The process behind this connection; differs from `key.processId` when a pooler stands between. */
  readonly backendPid: number;
  /**
   * The rows of one statement, after all earlier ones of this session. `int8`, `numeric` and `xid` come as strings.
   * Throws TwinproofError (failure.ts), or the signal's reason when aborted; the server is told to stop.
   */
  rows<Row extends QueryResultRow>(
    sql: string,
    parameters: readonly unknown[],
    signal: AbortSignal,
  ): Promise<Row[]>;
  close(): Promise<void>;
}

/**
 * Opens a connection with everything pinned (settings.ts). Throws TP-UNREACHABLE, TP-AUTH, TP-DATABASE, TP-TLS, TP-PERMISSION, TP-VERSION.
 */
export async function openSession(
  target: ConnectTarget,
  signal: AbortSignal,
  options: SessionOptions,
): Promise<Session> {
  throwIfInterrupted(signal);
  const client = new Client({
    host: target.host,
    port: target.port,
    user: target.user,
    database: target.database,
    password: () => passwordFor(target),
    ssl: target.tls === null ? false : { ...target.tls },
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEPALIVE_DELAY_MS,
    application_name: `twinproof ${options.purpose}`,
    ...(options.socket === undefined ? {} : { stream: options.socket }),
    ...(options.replication === true ? { replication: 'database' } : {}),
  });
  // A connection that dies while idle must not end the process; the next statement reports it.
  client.on('error', () => undefined);
  const key = await login(client, target, signal);
  try {
    return await pin(client, target, key, signal, options);
  } catch (error) {
    await closeClient(client);
    throw error;
  }
}

/** Connects and logs in, within the time limit. */
async function login(client: Client, target: ConnectTarget, signal: AbortSignal): Promise<BackendKey> {
  let key: BackendKey = { processId: 0, secret: 0 };
  client.connection.on('backendKeyData', (message: { processID: number; secretKey: number }) => {
    key = { processId: message.processID, secret: message.secretKey };
  });
  const { stream } = client.connection;
  let refusedTls = false;
  if (target.tls !== null) {
    // The one byte that answers SSLRequest; the driver turns it into an error without a code.
    stream.once('data', (answer: Buffer) => {
      refusedTls = answer[0] === 0x4e;
    });
  }
  const giveUp = (reason: Error): void => {
    stream.destroy(reason);
    client.connection.stream.destroy(reason);
  };
  const onAbort = (): void => giveUp(interruption(signal));
  const timer = setTimeout(() => giveUp(timeoutOf(target)), target.connectTimeoutMs);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await client.connect();
    return key;
  } catch (error) {
    await closeClient(client);
    if (signal.aborted) throw interruption(signal);
    if (refusedTls) {
      throw new TwinproofError('TP-TLS', { message: `${target.label} does not offer TLS`, cause: error });
    }
    throw failureOf(error, 'connect', target.label);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

async function pin(
  client: Client,
  target: ConnectTarget,
  key: BackendKey,
  signal: AbortSignal,
  options: SessionOptions,
): Promise<Session> {
  const run = runner(client, target, key);
  const [row] = await run<{ version: string; encoding: string; pid: number }>(
    settingsQuery(options),
    [],
    signal,
  );
  if (row === undefined) throw new TwinproofError('TP-BUG', { message: 'the session could not be pinned' });
  const versionNumber = Number(row.version);
  if (versionNumber < OLDEST_VERSION * 10_000) {
    throw new TwinproofError('TP-VERSION', {
      message: `${target.label} runs PostgreSQL ${Math.floor(versionNumber / 10_000)}, older than ${OLDEST_VERSION}`,
    });
  }
  return {
    client,
    target,
    key,
    versionNumber,
    encoding: row.encoding,
    backendPid: row.pid,
    rows: run,
    close: () => closeClient(client),
  };
}

/** Statements of one client one after another, each bound to a signal. */
function runner(client: Client, target: ConnectTarget, key: BackendKey): Session['rows'] {
  let tail: Promise<unknown> = Promise.resolve();
  return <Row extends QueryResultRow>(sql: string, parameters: readonly unknown[], signal: AbortSignal) => {
    const result = tail.then(() => runOne<Row>(client, target, key, sql, parameters, signal));
    tail = result.catch(() => undefined);
    return result;
  };
}

async function runOne<Row extends QueryResultRow>(
  client: Client,
  target: ConnectTarget,
  key: BackendKey,
  sql: string,
  parameters: readonly unknown[],
  signal: AbortSignal,
): Promise<Row[]> {
  throwIfInterrupted(signal);
  let grace: NodeJS.Timeout | undefined;
  const onAbort = (): void => {
    void cancelBackend(target, key);
    grace = setTimeout(() => client.connection.stream.destroy(), CANCEL_GRACE_MS);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const result = await client.query<Row>(sql, [...parameters]);
    return result.rows;
  } catch (error) {
    if (signal.aborted) throw interruption(signal);
    throw failureOf(error, 'query', target.label);
  } finally {
    clearTimeout(grace);
    signal.removeEventListener('abort', onAbort);
  }
}

async function closeClient(client: Client): Promise<void> {
  const grace = setTimeout(() => client.connection.stream.destroy(), CLOSE_GRACE_MS);
  try {
    await client.end();
  } catch {
    // It is closed either way.
  } finally {
    clearTimeout(grace);
  }
}

function timeoutOf(target: ConnectTarget): TwinproofError {
  const seconds = target.connectTimeoutMs / 1000;
  const message = `cannot connect to ${target.label}: no answer within ${seconds} s`;
  return new TwinproofError('TP-UNREACHABLE', { message, retryable: true });
}
