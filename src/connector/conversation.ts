import type { Duplex } from 'node:stream';
import { messageOf, TwinproofError } from '../errors.ts';
import { type ByteTaker, feed, TapSocket } from './tap-socket.ts';

/** Puts bytes on the wire. A connection that died while it was idle is noticed by the write only. */
export type Send = (bytes: Uint8Array) => void;

/** One command and its answer, over a connection whose driver keeps silent. */
export interface Conversation {
  begin(send: Send): void;
  /** Where the next bytes of the answer go. */
  space(): Uint8Array;
  /** True when the answer has come to its end. Throws to end it as a failure. */
  received(length: number, send: Send): boolean;
}

type DataListener = (chunk: Buffer) => void;

function isListener(listener: unknown): listener is DataListener {
  return typeof listener === 'function';
}

/** Silences the driver's parser, as pg-copy-streams does; the answer gives the stream back. */
export function takeOver(stream: Duplex): () => void {
  const listeners = stream.listeners('data').filter(isListener);
  for (const listener of listeners) stream.removeListener('data', listener);
  return () => {
    if (stream instanceof TapSocket) stream.taker = null;
    for (const listener of listeners) stream.on('data', listener);
  };
}

/**
 * Holds a conversation over a stream that was taken over. Throws what `received` throws, the socket's error or
 * TP-CONNECTION-LOST when the connection ends, the signal's reason when aborted.
 */
export function converse(stream: Duplex, conversation: Conversation, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    let over = false;
    const finish = (error: unknown): void => {
      if (over) return;
      over = true;
      if (stream instanceof TapSocket) stream.taker = null;
      stream.removeListener('data', onData);
      stream.removeListener('error', finish);
      stream.removeListener('close', onClose);
      signal.removeEventListener('abort', onAbort);
      if (error === null) resolve();
      else reject(error instanceof Error ? error : new Error(messageOf(error)));
    };
    const onClose = (): void => finish(new TwinproofError('TP-CONNECTION-LOST', { retryable: true }));
    const onAbort = (): void => finish(signal.reason);
    const send: Send = (bytes) => {
      stream.write(bytes, (error) => {
        if (error !== null && error !== undefined) finish(error);
      });
    };
    const taker: ByteTaker = {
      space: () => conversation.space(),
      taken: (length) => {
        if (over) return;
        try {
          if (conversation.received(length, send)) finish(null);
        } catch (error) {
          finish(error);
        }
      },
    };
    const onData = (chunk: Buffer): void => feed(taker, chunk);
    stream.on('error', finish);
    stream.on('close', onClose);
    signal.addEventListener('abort', onAbort, { once: true });
    if (stream instanceof TapSocket) stream.taker = taker;
    else stream.on('data', onData);
    conversation.begin(send);
  });
}
