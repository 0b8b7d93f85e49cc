import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { isSocketPath } from '../../src/connector/endpoint.ts';
import type { ConnectTarget } from './address.ts';

/** What the server gave at login to cancel this backend's query (message BackendKeyData). */
export interface BackendKey {
  readonly processId: number;
  readonly secret: number;
}

/** Codes that stand in place of a protocol version (manual, "Message Formats": SSLRequest, CancelRequest). */
const SSL_REQUEST = 80_877_103;
const CANCEL_REQUEST = 80_877_102;
const ANSWER_YES = 0x53;
const CANCEL_TIMEOUT_MS = 5_000;

/**
 * Asks the server to cancel what a backend is doing, over a connection of its own, as the protocol wants it. With
 * TLS when the session has TLS, so that the key does not travel in clear. Settles when the request is delivered or
 * cannot be; never throws, for it runs when something has already gone wrong.
 */
export async function cancelBackend(target: ConnectTarget, key: BackendKey): Promise<void> {
  await new Promise<void>((resolve) => {
    const socket = isSocketPath(target.host)
      ? connectPlain(target.label)
      : connectPlain(target.port, target.host);
    const end = (): void => {
      socket.destroy();
      resolve();
    };
    socket.setTimeout(CANCEL_TIMEOUT_MS, end);
    socket.once('error', end);
    socket.once('close', end);
    socket.once('connect', () => {
      if (target.tls === null) socket.write(cancelRequest(key));
      else cancelOverTls(socket, target, key, end);
    });
  });
}

function cancelOverTls(socket: Socket, target: ConnectTarget, key: BackendKey, end: () => void): void {
  socket.once('data', (answer: Buffer) => {
    if (answer[0] !== ANSWER_YES) {
      end();
      return;
    }
    const name = isIP(target.host) === 0 ? { servername: target.host } : {};
    const secure = connectTls({ ...target.tls, ...name, host: target.host, socket });
    secure.once('error', end);
    secure.once('close', end);
    secure.once('secureConnect', () => secure.write(cancelRequest(key)));
  });
  const request = Buffer.alloc(8);
  request.writeInt32BE(8, 0);
  request.writeInt32BE(SSL_REQUEST, 4);
  socket.write(request);
}

function cancelRequest(key: BackendKey): Buffer {
  const request = Buffer.alloc(16);
  request.writeInt32BE(16, 0);
  request.writeInt32BE(CANCEL_REQUEST, 4);
  request.writeInt32BE(key.processId, 8);
  request.writeInt32BE(key.secret, 12);
  return request;
}
