import { decodeChange, isChange } from './pgoutput-change.ts';
import { decodeControl } from './pgoutput-control.ts';
import { MessageCursor } from './pgoutput-cursor.ts';
import type { PgOutputMessage } from './pgoutput-messages.ts';

/**
 * Decodes one message of pgoutput (manual, "Logical Replication Message Formats": the page gives each field in the
 * order in which it is read here, with its width). `inStream`: between Stream Start and Stream Stop, where changes
 * carry the transaction id; `from`: where in `bytes` the message begins. Pure; the tuples are views of `bytes`.
 *
 * Throws TP-STREAM-PROTOCOL for an unknown message, one that ends early, has bytes to spare, or a value that the page
 * does not allow.
 */
export function decodeMessage(bytes: Uint8Array, inStream: boolean, from = 0): PgOutputMessage {
  const cursor = new MessageCursor(bytes, from);
  const tag = cursor.uint8();
  const message = isChange(tag) ? decodeChange(cursor, tag, inStream) : decodeControl(cursor, tag);
  cursor.end();
  return message;
}
