import { z } from 'zod';
import type { Position } from '../connector/position.ts';
import { MalformedBytes } from './bytes.ts';

/** Positions are strings that only their connector understands: what was stored as one is one. */
export function isPosition(text: string): text is Position {
  return text !== '';
}

export const positionSchema = z.string().refine(isPosition);

/** A value that this program wrote as JSON. Throws MalformedBytes for anything else. */
export function parseStored<T>(schema: z.ZodType<T>, bytes: Uint8Array): T {
  try {
    return schema.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
  } catch (error) {
    throw new MalformedBytes('a stored description cannot be read', { cause: error });
  }
}
