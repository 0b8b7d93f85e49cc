import { JsonError } from './json-error.ts';
import type { JsonReader } from './json-reader.ts';

/** The value that was taken last as ASCII: of numbers and of strings without escapes. */
export function latin1({ bytes, from, to }: JsonReader): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1');
}

/** What is said where another kind of value stands than the schema says. */
export function unwanted(wanted: string, json: JsonReader): JsonError {
  return new JsonError(`${wanted} is wanted and not what stands`, json.from);
}
