import { z } from 'zod';
import { messageOf, TwinproofError } from '../errors.ts';
import type { Envelope } from './envelope.ts';

/** An envelope names its tables, so it grows with them; this is far beyond any, and keeps a wrong file from memory. */
export const ENVELOPE_BYTES_MAX = 256 * 1024 * 1024;

/**
 * Base64 as it is written and no other way: Buffer.from would skip over foreign characters and ignore the unused bits
 * of the last one, so that one payload had many spellings and a changed byte could go unnoticed.
 */
const base64 = z.string().transform((text, context) => {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) {
    context.addIssue({ code: 'custom', message: 'not canonical base64' });
    return z.NEVER;
  }
  return bytes;
});

// Unknown members are allowed, as DSSE asks: they are not signed and not read.
const envelopeSchema = z.object({
  payload: base64,
  payloadType: z.string(),
  signatures: z.array(z.object({ keyid: z.string().default(''), sig: base64 })).min(1),
});

/** Reads the text of a certificate file. Throws TP-CERTIFICATE. Nothing is verified here. */
export function parseEnvelope(text: string): Envelope {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new TwinproofError('TP-CERTIFICATE', {
      message: `the certificate is not JSON: ${messageOf(error)}`,
      cause: error,
    });
  }
  const parsed = envelopeSchema.safeParse(json);
  if (!parsed.success) {
    throw new TwinproofError('TP-CERTIFICATE', {
      message: `the certificate is not a DSSE envelope: ${firstIssue(parsed.error)}`,
    });
  }
  return parsed.data;
}

/** The first thing that zod objects to, with its place: `signatures.0.sig: not canonical base64`. */
export function firstIssue(error: z.ZodError): string {
  const issue = error.issues[0];
  return issue === undefined ? 'unknown problem' : `${issue.path.join('.') || 'file'}: ${issue.message}`;
}
