import { sign, verify, type KeyObject } from 'node:crypto';
import { TwinproofError } from '../errors.ts';
import { isEd25519, publicKeyOf, fingerprintOf } from './key.ts';

/** What in-toto uses, so that its tools recognise the envelope. What the statement is about, its predicate type says. */
export const PAYLOAD_TYPE = 'application/vnd.in-toto+json';

export interface Signature {
  /** A help for finding the key. Not authenticated, so nothing is decided by it. */
  readonly keyid: string;
  readonly sig: Buffer;
}

/** DSSE: https://github.com/secure-systems-lab/dsse/blob/master/envelope.md */
export interface Envelope {
  readonly payloadType: string;
  /** The exact bytes that were signed; no canonical JSON is needed. */
  readonly payload: Buffer;
  readonly signatures: readonly Signature[];
}

/**
 * The bytes that are signed (DSSE protocol, PAE): `DSSEv1 <length> <type> <length> <payload>`, lengths in bytes, as
 * decimal ASCII. Lengths keep type and payload apart.
 */
export function preAuthEncoding(payloadType: string, payload: Buffer): Buffer {
  const type = Buffer.from(payloadType, 'utf8');
  return Buffer.concat([
    Buffer.from(`DSSEv1 ${type.length} `, 'ascii'),
    type,
    Buffer.from(` ${payload.length} `, 'ascii'),
    payload,
  ]);
}

/** Ed25519 over the pre-authentication encoding. */
export function signPayload(payloadType: string, payload: Buffer, privateKey: KeyObject): Signature {
  if (!isEd25519(privateKey)) {
    throw new TwinproofError('TP-KEY', { message: 'the signing key is not an Ed25519 key' });
  }
  return {
    keyid: fingerprintOf(publicKeyOf(privateKey)),
    sig: sign(null, preAuthEncoding(payloadType, payload), privateKey),
  };
}

/** The keys, out of those given, that signed this envelope, each once. Every signature is tried with every key. */
export function signersOf(envelope: Envelope, keys: readonly KeyObject[]): readonly KeyObject[] {
  const encoded = preAuthEncoding(envelope.payloadType, envelope.payload);
  return distinctKeys(keys).filter((key) =>
    envelope.signatures.some(({ sig }) => verify(null, encoded, key, sig)),
  );
}

/** A person who holds one key in two files is still one person. */
export function distinctKeys(keys: readonly KeyObject[]): readonly KeyObject[] {
  return keys.filter((key, at) => !keys.slice(0, at).some((earlier) => earlier.equals(key)));
}

/** A second person approves: the same payload with one more signature. Throws TP-KEY when this key has signed it already. */
export function addSignature(envelope: Envelope, privateKey: KeyObject): Envelope {
  const signature = signPayload(envelope.payloadType, envelope.payload, privateKey);
  if (signersOf(envelope, [publicKeyOf(privateKey)]).length > 0) {
    throw new TwinproofError('TP-KEY', {
      message: 'this key has signed the certificate already',
      hint: 'the second signature must be another person’s, with a key of their own',
    });
  }
  return { ...envelope, signatures: [...envelope.signatures, signature] };
}

/** The text of a certificate file. */
export function writeEnvelope(envelope: Envelope): string {
  return `${JSON.stringify(envelopeJson(envelope), null, 2)}\n`;
}

/** The same on one line, without its end: for files of many. */
export function writeEnvelopeLine(envelope: Envelope): string {
  return JSON.stringify(envelopeJson(envelope));
}

function envelopeJson({ payload, payloadType, signatures }: Envelope): object {
  return {
    payload: payload.toString('base64'),
    payloadType,
    signatures: signatures.map(({ keyid, sig }) => ({ keyid, sig: sig.toString('base64') })),
  };
}
