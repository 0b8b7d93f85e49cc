import type { KeyObject } from 'node:crypto';
import { PAYLOAD_TYPE, signPayload, writeEnvelope } from './envelope.ts';
import { statementPayload, type Statement } from './statement.ts';

/** The text of a certificate file: the statement in an envelope with one signature. Throws TP-KEY. */
export function issueCertificate(statement: Statement, privateKey: KeyObject): string {
  const payload = statementPayload(statement);
  return writeEnvelope({
    payloadType: PAYLOAD_TYPE,
    payload,
    signatures: [signPayload(PAYLOAD_TYPE, payload, privateKey)],
  });
}
