import { isIP, type Socket } from 'node:net';
import { authPlugins, createConnection, type Connection, type QueryError } from 'mysql2';
import { TapSocket } from '../../src/connector/tap-socket.ts';
import { interruption } from '../../src/connector/interruption.ts';
import { TwinproofError } from '../../src/errors.ts';
import type { ConnectTarget } from './address.ts';
import { failureOf } from './failure.ts';

const KEEPALIVE_DELAY_MS = 10_000;
/** A server that does not answer the farewell in this time is left. */
const QUIT_GRACE_MS = 1_000;

/**
 * What the driver asks the server for, or not: no LOCAL INFILE, which lets a server read our files; no session
 * tracking; no query attributes, which change the layout of COM_STMT_EXECUTE.
 */
const DRIVER_FLAGS = [
  '-LOCAL_FILES',
  '-SESSION_TRACK',
  '-CLIENT_QUERY_ATTRIBUTES',
  '-IGNORE_SPACE',
  '-ODBC',
  '-FOUND_ROWS',
];

/** Connects and logs in, within the time limit. Throws TwinproofError, or the signal's reason. */
export async function login(target: ConnectTarget, signal: AbortSignal): Promise<Connection> {
  const socket = openSocket(target);
  const connection = createConnection({
    host: target.host,
    port: target.port,
    ...(target.socketPath === null ? {} : { socketPath: target.socketPath }),
    user: target.user,
    database: target.database,
    ...(target.password === null ? {} : { password: target.password.reveal() }),
    ...(target.tls === null ? {} : { ssl: { ...target.tls } }),
    ...(target.tls === null && target.serverKey !== 'ask' ? { authPlugins: keyedPlugins(target) } : {}),
    stream: socket,
    flags: DRIVER_FLAGS,
    charset: 'UTF8MB4_GENERAL_CI',
    // Ours is below, and covers the login too.
    connectTimeout: 0,
    connectAttributes: { program_name: 'twinproof' },
    disableEval: true,
  });
  // A connection that dies while idle must not end the process; the next statement reports it.
  connection.on('error', () => undefined);
  const giveUp = (reason: Error): void => void socket.destroy(reason);
  const onAbort = (): void => giveUp(interruption(signal));
  const timer = setTimeout(() => giveUp(timeoutOf(target)), target.connectTimeoutMs);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await connected(connection);
    return connection;
  } catch (error) {
    socket.destroy();
    connection.destroy();
    if (signal.aborted) throw interruption(signal);
    throw failureOf(error, 'connect', target.label);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

function openSocket(target: ConnectTarget): Socket {
  const socket = new TapSocket();
  if (target.socketPath !== null) return socket.connect(target.socketPath);
  // Node verifies a certificate against the name of the socket's host, which it leaves unset for an address: it would
  // then verify `localhost` (lib/_tls_wrap.js, onConnectSecure), and the driver has no way to tell it better.
  if (isIP(target.host) !== 0) Object.assign(socket, { _host: target.host });
  socket.setNoDelay(true);
  socket.setKeepAlive(true, KEEPALIVE_DELAY_MS);
  return socket.connect(target.port, target.host);
}

/**
 * Without TLS a password goes only to a server whose key is known (MySQL manual, "Caching SHA-2 Pluggable
 * Authentication").
 */
function keyedPlugins(target: ConnectTarget): Record<string, ReturnType<typeof authPlugins.sha256_password>> {
  const { serverKey } = target;
  const options =
    typeof serverKey === 'object'
      ? { serverPublicKey: serverKey.pem }
      : {
          onServerPublicKey: (): void => {
            throw new TwinproofError('TP-TLS', {
              message: `${target.label} wants the password, and the connection has no TLS`,
              hint: 'drop sslmode=disable, or name the server’s key with server_public_key_path',
            });
          },
        };
  return {
    caching_sha2_password: authPlugins.caching_sha2_password(options),
    sha256_password: authPlugins.sha256_password(options),
  };
}

function connected(connection: Connection): Promise<void> {
  return new Promise((resolve, reject) => {
    connection.connect((error: QueryError | null) => {
      if (error === null || error === undefined) resolve();
      else reject(error);
    });
  });
}

/** Says farewell, and does not wait for ever that it is heard. */
export async function closeConnection(connection: Connection): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, QUIT_GRACE_MS);
    connection.end(() => {
      clearTimeout(timer);
      resolve();
    });
  });
  connection.destroy();
}

function timeoutOf(target: ConnectTarget): TwinproofError {
  const seconds = target.connectTimeoutMs / 1000;
  const message = `cannot connect to ${target.label}: no answer within ${seconds} s`;
  return new TwinproofError('TP-UNREACHABLE', { message, retryable: true });
}
